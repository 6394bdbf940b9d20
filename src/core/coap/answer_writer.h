#pragma once

#include <coap3/coap.h>

#include "core/coap/answer_pool.h"

namespace aiot::coap {

/// Fills a response PDU, token already added: code, options in order, payload. False when it does not fit.
bool write_answer(coap_pdu_t* pdu, const AnswerView& answer);

/// How many bytes `answer` takes as a datagram with a token of that size; a few more when it has options.
[[nodiscard]] std::size_t datagram_size(const AnswerView& answer, std::size_t token_size);

}  // namespace aiot::coap
