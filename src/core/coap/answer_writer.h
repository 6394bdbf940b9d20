#pragma once

#include <coap3/coap.h>

#include "core/coap/answer_pool.h"

namespace aiot::coap {

/// Fills a response PDU, token already added: code, options in order, payload. False when it does not fit.
bool write_answer(coap_pdu_t* pdu, const AnswerView& answer);

}  // namespace aiot::coap
