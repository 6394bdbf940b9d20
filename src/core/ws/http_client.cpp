#include <fmt/format.h>

#include <algorithm>

#include "core/base/text.h"
#include "core/ws/client_error.h"
#include "core/ws/client_stream.h"
#include "core/ws/http_head.h"
#include "core/ws/ws_client.h"

namespace aiot::ws {
namespace {

constexpr std::size_t kMaxResponseHead = 64 * 1024;

bool is_line_safe(std::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

std::string request_bytes(const Endpoint& endpoint, const HttpClientRequest& request) {
  const auto target = endpoint.path + request.path;
  std::string bytes = fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", request.method,
                                  target.empty() ? "/" : target, host_header(endpoint));
  for (const auto& [name, value] : request.headers) bytes += fmt::format("{}: {}\r\n", name, value);
  const bool may_have_body =
      request.method != "GET" && request.method != "HEAD" && request.method != "DELETE";
  if (may_have_body || !request.body.empty())
    bytes += fmt::format("Content-Length: {}\r\n", request.body.size());
  bytes += "\r\n";
  bytes += request.body;
  return bytes;
}

/// What in a request would break out of its line: the caller's mistake.
Result<> check_request(const HttpClientRequest& request) {
  bool good = is_line_safe(request.method) && is_line_safe(request.path) &&
              request.path.find(' ') == std::string::npos && !request.method.empty();
  for (const auto& [name, value] : request.headers) {
    good = good && !name.empty() && name.find_first_of(": ") == std::string::npos && is_line_safe(name) &&
           is_line_safe(value);
  }
  if (good) return {};
  return make_error(Errc::usage, "the request's path or a header of it has a character that it may not have");
}

/// One request under way.
class HttpCall final : public std::enable_shared_from_this<HttpCall> {
 public:
  HttpCall(EventLoop& loop, Endpoint endpoint, HttpClientRequest request, Completion<HttpClientResponse> done)
      : loop_(loop), endpoint_(std::move(endpoint)), request_(std::move(request)), done_(std::move(done)) {}

  void start() {
    if (auto checked = check_request(request_); !checked) {
      loop_.post([self = shared_from_this(), error = std::move(checked).error()] { self->finish(error); });
      return;
    }
    // The call holds itself until it is over or cancelled.
    self_ = shared_from_this();
    out_ = request_bytes(endpoint_, request_);
    timer_ = loop_.make_timer([this] {
      const auto self = shared_from_this();
      finish(make_error(Errc::timeout, fmt::format("no answer from {} within {}", endpoint_text(endpoint_),
                                                   format_duration(request_.timeout))));
    });
    timer_->start(request_.timeout);
    ClientStream::Callbacks callbacks;
    callbacks.connected = [this] { stream_->send(out_); };
    callbacks.received = [this](std::string_view bytes) {
      const auto self = shared_from_this();
      received(bytes);
    };
    callbacks.closed = [this] {
      const auto self = shared_from_this();
      closed();
    };
    callbacks.failed = [this](Error why) {
      const auto self = shared_from_this();
      finish(std::move(why));
    };
    stream_ = std::make_unique<ClientStream>(loop_, endpoint_, request_.timeout, std::move(callbacks));
  }

  void cancel() {
    const auto self = shared_from_this();
    done_.dismiss();
    finish(make_error(Errc::abandoned, "cancelled"));
  }

 private:
  void received(std::string_view bytes) {
    if (!done_) return;
    if (!has_head_) {
      in_.append(bytes);
      if (!take_heads()) return;
      bytes = in_;
    }
    switch (body_.feed(bytes)) {
      case BodyDecoder::Status::more: break;
      case BodyDecoder::Status::done: succeed(); break;
      case BodyDecoder::Status::malformed: malformed("its body is not chunked as it must be"); break;
      case BodyDecoder::Status::too_large:
        malformed(fmt::format("its body is longer than {} bytes", request_.max_body));
        break;
    }
  }

  /// Takes informational answers off, then the final one's head; true when that is there.
  bool take_heads() {
    while (true) {
      const auto end = find_head_end(in_, scanned_);
      if (end == 0) {
        scanned_ = in_.size();
        if (in_.size() > kMaxResponseHead) malformed("its head is too long");
        return false;
      }
      auto head = parse_response_head(std::string_view(in_).substr(0, end));
      scanned_ = 0;
      in_.erase(0, end);
      if (!head) {
        malformed(head.error().message);
        return false;
      }
      if (head->status < 200 && head->status != 101) continue;
      auto framing = response_framing(*head, request_.method);
      if (!framing) {
        malformed(framing.error().message);
        return false;
      }
      response_.status = head->status;
      response_.headers = std::move(head->headers);
      body_ = BodyDecoder(*framing, request_.max_body);
      has_head_ = true;
      return true;
    }
  }

  void closed() {
    if (has_head_ && body_.end() == BodyDecoder::Status::done) return succeed();
    auto error = make_error(
        Errc::unreachable,
        fmt::format("{} closed the connection before its answer was whole", endpoint_text(endpoint_)));
    finish(std::move(error));
  }

  void malformed(std::string_view why) {
    finish(make_error(Errc::peer_failed, fmt::format("{} answered nonsense: {}", endpoint_text(endpoint_),
                                                     text::escape_controls(why))));
  }

  void succeed() {
    response_.body = body_.take();
    finish(std::move(response_));
  }

  void finish(Result<HttpClientResponse> result) {
    if (stream_ && !result && done_) result.error().outcome = outcome();
    timer_.reset();
    if (stream_) {
      stream_->stop();
      // It may be what calls here: it goes on the next turn.
      loop_.post([stream = std::shared_ptr<ClientStream>(std::move(stream_))] {});
    }
    auto done = std::move(done_);
    self_.reset();
    if (done) done(std::move(result));
  }

  /// What a caller may make of a failed write.
  [[nodiscard]] Outcome outcome() const {
    if (request_.method == "GET" || request_.method == "HEAD") return Outcome::none;
    return stream_->has_sent() ? Outcome::unknown : Outcome::not_sent;
  }

  EventLoop& loop_;
  Endpoint endpoint_;
  HttpClientRequest request_;
  Completion<HttpClientResponse> done_;
  std::shared_ptr<HttpCall> self_;
  std::unique_ptr<Timer> timer_;
  std::unique_ptr<ClientStream> stream_;
  std::string out_;
  std::string in_;
  std::size_t scanned_ = 0;
  bool has_head_ = false;
  HttpClientResponse response_;
  BodyDecoder body_;
};

}  // namespace

std::string_view HttpClientResponse::header(std::string_view name) const {
  return find_header(headers, name);
}

Operation http_request(EventLoop& loop, const Endpoint& endpoint, HttpClientRequest request,
                       Completion<HttpClientResponse> done) {
  auto call = std::make_shared<HttpCall>(loop, endpoint, std::move(request), std::move(done));
  call->start();
  return Operation([weak = std::weak_ptr<HttpCall>(call)] {
    if (auto running = weak.lock()) running->cancel();
  });
}

}  // namespace aiot::ws
