#include "core/coap/request_task.h"

#include <fmt/core.h>

#include <algorithm>

#include "core/base/text.h"

namespace aiot::coap {
namespace {

constexpr std::size_t kMaxOption = 255;
constexpr std::size_t kMaxEtag = 8;
constexpr std::size_t kMaxDiagnostic = 200;

bool is_name(const Uri& uri) {
  return uri.host.find(':') == std::string::npos &&
         uri.host.find_first_not_of("0123456789.") != std::string::npos;
}

std::string uint_bytes(std::uint32_t value) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) {
    const auto byte = static_cast<char>(value >> shift & 0xFF);
    if (!out.empty() || byte != 0) out += byte;
  }
  return out;
}

}  // namespace

Result<> check_request(const Request& request, std::size_t max_payload) {
  const auto& uri = request.uri;
  constexpr std::string_view schemes[] = {"coap", "coaps", "coap+tcp", "coaps+tcp"};
  if (std::find(std::begin(schemes), std::end(schemes), uri.scheme) == std::end(schemes))
    return make_error(Errc::usage, fmt::format("{} is not a CoAP scheme", uri.scheme));
  if (uri.host.empty() || uri.host.size() > kMaxOption)
    return make_error(Errc::usage, "a CoAP URI needs a host of at most 255 bytes");
  if (uri.port == 0) return make_error(Errc::usage, "port 0 cannot be asked");
  for (const auto& segment : uri.path) {
    if (segment.size() > kMaxOption)
      return make_error(Errc::usage, "a path segment is longer than CoAP's 255 bytes");
  }
  for (const auto& item : uri.query) {
    if (item.size() > kMaxOption)
      return make_error(Errc::usage, "a query item is longer than CoAP's 255 bytes");
  }
  for (const auto& etag : request.if_match) {
    if (etag.size() > kMaxEtag) return make_error(Errc::usage, "an ETag has at most 8 bytes");
  }
  if (request.payload.size() > max_payload)
    return make_error(Errc::usage, fmt::format("the payload is larger than {} bytes", max_payload));
  if (const auto address = SocketAddress::parse(uri.host, uri.port); address && address->is_multicast())
    return make_error(Errc::usage,
                      fmt::format("{} is a multicast group; only discover asks groups", uri.host));
  return {};
}

OptionList request_options(const Request& request) {
  OptionList options;
  for (const auto& etag : request.if_match) options.emplace_back(option::kIfMatch, etag);
  if (is_name(request.uri)) options.emplace_back(option::kUriHost, request.uri.host);
  for (const auto& segment : request.uri.path) options.emplace_back(option::kUriPath, segment);
  if (request.content_format)
    options.emplace_back(option::kContentFormat, uint_bytes(*request.content_format));
  for (const auto& item : request.uri.query) options.emplace_back(option::kUriQuery, item);
  if (request.accept) options.emplace_back(option::kAccept, uint_bytes(*request.accept));
  return options;
}

Response make_response(const Request& request, Message message, WallTime time) {
  Response response;
  response.uri = request.uri.text;
  response.resource = request.uri.path_text().substr(1);
  response.code = code_text(message.code);
  response.protocol = "CoAP";
  response.time = time;
  for (auto& [number, value] : message.options) {
    if (number == option::kEtag && response.etag.empty()) response.etag = value;
    if (number == option::kLocationPath) response.location.push_back(value);
  }
  if (const auto format = message.uint_option(option::kContentFormat); format && *format <= 0xFFFF)
    response.content_format = static_cast<std::uint16_t>(*format);
  response.payload = std::move(message.payload);
  if (is_write(request.method)) response.confirmed = "device";
  return response;
}

Error make_answer_error(const Request& request, const Message& message) {
  const int number = code_number(message.code);
  std::string text = fmt::format("{} {}: the peer answered {}", to_string(request.method), request.uri.text,
                                 code_text(message.code));
  if (const auto phrase = code_phrase(message.code); !phrase.empty()) text += fmt::format(" {}", phrase);
  const auto format = message.uint_option(option::kContentFormat);
  // A diagnostic is text without a content format (RFC 7252 section 5.5.2); libcoap's says the phrase again.
  if (!message.payload.empty() && message.payload != code_phrase(message.code) && format.value_or(0) == 0 &&
      text::is_utf8(message.payload)) {
    auto diagnostic = message.payload.substr(0, kMaxDiagnostic);
    text += fmt::format(" ({}{})", text::escape_controls(diagnostic),
                        message.payload.size() > kMaxDiagnostic ? " ..." : "");
  }
  auto code = Errc::peer_failed;
  if (message.code >> 5 == 4) code = number == 401 || number == 403 ? Errc::unauthorized : Errc::rejected;
  auto error = make_error(code, std::move(text), number);
  if (is_write(request.method)) error.outcome = message.code >> 5 >= 4 ? Outcome::rejected : Outcome::unknown;
  return error;
}

RequestTask::RequestTask(ClientCore& core, Request request, SocketAddress local, Completion<Response> done)
    : core_(core), request_(std::move(request)), local_(local), done_(std::move(done)) {}

void RequestTask::begin() {
  if (auto valid = check_request(request_, core_.limits().max_payload); !valid) {
    auto error = std::move(valid).error();
    if (is_write(request_.method)) error.outcome = Outcome::not_sent;
    return answer(std::move(error));
  }
  Attempt::Spec spec;
  spec.options = request_options(request_);
  spec.local = local_;
  spec.deadline = core_.loop().now() + std::max(request_.timeout, Duration::zero());
  attempt_ = std::make_shared<Attempt>(
      core_, request_, std::move(spec),
      [this](std::variant<Answer, Failure> result) { on_result(std::move(result)); });
  attempt_->start();
}

void RequestTask::cancel() {
  done_.dismiss();
  attempt_.reset();
  core_.finished(*this);
}

void RequestTask::on_result(std::variant<Answer, Failure> result) {
  if (auto* failure = std::get_if<Failure>(&result)) {
    auto error = std::move(failure->error);
    error.message = fmt::format("{} {}: {}", to_string(request_.method), request_.uri.text, error.message);
    if (!is_write(request_.method)) error.outcome = Outcome::none;
    return answer(std::move(error));
  }
  auto& received = std::get<Answer>(result);
  if (!succeeded(received.message)) return answer(make_answer_error(request_, received.message));
  auto response = make_response(request_, std::move(received.message), core_.loop().wall_now());
  response.rtt = received.rtt;
  answer(std::move(response));
}

void RequestTask::answer(Result<Response> result) {
  core_.later([self = std::static_pointer_cast<RequestTask>(shared_from_this()),
               result = std::make_shared<Result<Response>>(std::move(result))] {
    auto done = std::move(self->done_);
    self->core_.finished(*self);
    done(std::move(*result));
  });
}

}  // namespace aiot::coap
