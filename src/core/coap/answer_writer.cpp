#include "core/coap/answer_writer.h"

#include "core/coap/message.h"
#include "core/coap/pdu.h"

namespace aiot::coap {

bool write_answer(coap_pdu_t* pdu, const AnswerView& answer) {
  coap_pdu_set_code(pdu, static_cast<coap_pdu_code_t>(answer.code));
  bool fits = true;
  if (!answer.etag.empty()) fits = fits && add_bytes(pdu, option::kEtag, answer.etag);
  if (answer.location_path != nullptr)
    for (const auto& segment : *answer.location_path)
      fits = fits && add_bytes(pdu, option::kLocationPath, segment);
  const auto add = [&](std::uint16_t number, const auto& value) {
    if (value) fits = fits && add_uint(pdu, number, *value);
  };
  add(option::kContentFormat, answer.content_format);
  add(option::kMaxAge, answer.max_age);
  add(option::kBlock2, answer.block2);
  add(option::kBlock1, answer.block1);
  add(option::kSize2, answer.size2);
  add(option::kSize1, answer.size1);
  if (fits && !answer.payload.empty())
    fits = coap_add_data(pdu, answer.payload.size(), bytes(answer.payload)) != 0;
  return fits;
}

}  // namespace aiot::coap
