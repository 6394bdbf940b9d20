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

std::size_t datagram_size(const AnswerView& answer, std::size_t token_size) {
  constexpr std::size_t kHeader = 4, kMarker = 1, kOption = 1, kLongOption = 2;
  auto size = kHeader + token_size;
  if (!answer.payload.empty()) size += kMarker + answer.payload.size();
  if (answer.content_format) size += kOption + 2;
  if (!answer.etag.empty()) size += kOption + answer.etag.size();
  if (answer.max_age) size += kOption + 4;
  for (const auto& block : {answer.block1, answer.block2}) size += block ? kOption + 3 : 0;
  for (const auto& whole : {answer.size1, answer.size2}) size += whole ? kLongOption + 4 : 0;
  if (answer.location_path != nullptr)
    for (const auto& segment : *answer.location_path) size += kLongOption + segment.size();
  return size;
}

}  // namespace aiot::coap
