#include "core/ws/http_head.h"

#include "fuzz.h"

namespace ws = aiot::ws;

namespace {

/// The body in one piece and byte by byte must come to the same.
void check_body(const ws::BodyFraming& framing, std::string_view bytes) {
  constexpr std::size_t kMaxBody = 1024;
  ws::BodyDecoder whole(framing, kMaxBody);
  auto rest = bytes;
  const auto status = whole.feed(rest);
  ws::BodyDecoder slow(framing, kMaxBody);
  auto slow_status = slow.status();
  std::size_t used = 0;
  while (used < bytes.size() && slow_status == ws::BodyDecoder::Status::more) {
    auto one = bytes.substr(used, 1);
    slow_status = slow.feed(one);
    used += 1 - one.size();
    if (one.size() == 1 && slow_status == ws::BodyDecoder::Status::more) break;
  }
  FUZZ_CHECK(status == slow_status);
  if (status != ws::BodyDecoder::Status::done) return;
  const auto body = whole.take();
  FUZZ_CHECK(body.size() <= kMaxBody);
  FUZZ_CHECK(body == slow.take());
  FUZZ_CHECK(used == bytes.size() - rest.size());
}

}  // namespace

void fuzz_one(std::string_view input) {
  const auto end = ws::find_head_end(input);
  FUZZ_CHECK(end <= input.size());
  for (std::size_t from = 0; from < input.size(); from += 7) {
    if (end == 0) FUZZ_CHECK(ws::find_head_end(input, from) == 0);
  }
  const auto head = input.substr(0, end == 0 ? input.size() : end);
  const auto rest = input.substr(head.size());
  const auto request = ws::parse_request_head(head);
  if (request) {
    FUZZ_CHECK(request->headers.size() <= ws::kMaxHeaderFields);
    FUZZ_CHECK(!request->method.empty() && !request->path.empty());
    for (const auto& [name, value] : request->headers) {
      FUZZ_CHECK(!name.empty() && name.find_first_of(" \r\n:") == std::string::npos);
      FUZZ_CHECK(value.find_first_of("\r\n") == std::string::npos);
    }
    static_cast<void>(ws::keeps_alive(request->minor, request->headers));
    static_cast<void>(ws::split_list(ws::join_header(request->headers, "sec-websocket-protocol")));
    if (const auto framing = ws::request_framing(*request)) check_body(*framing, rest);
  } else {
    const int status = request.error().native;
    FUZZ_CHECK(status == 400 || status == 431 || status == 501 || status == 505);
  }
  if (const auto response = ws::parse_response_head(head)) {
    FUZZ_CHECK(response->status >= 100 && response->status <= 999);
    if (const auto framing = ws::response_framing(*response, "GET")) check_body(*framing, rest);
  }
}
