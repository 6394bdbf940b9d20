#include "core/ws/lws_context.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <unordered_map>
#include <utility>

#include "core/base/log.h"
#include "core/base/text.h"
#include "core/loop/uv_handles.h"

namespace aiot::ws {
namespace {

/// One write of this size leaves in one system call; libwebsockets would cut it at the receive size
/// otherwise.
constexpr std::size_t kWriteSize = 64 * 1024;
/// Kept by libwebsockets for every connection.
constexpr std::size_t kServerReceive = 4 * 1024;
constexpr std::size_t kClientReceive = 32 * 1024;
/// Its tables have an entry a descriptor, touched at start: bounded, whatever `ulimit -n` allows.
constexpr rlim_t kMaxDescriptors = 128 * 1024;
/// Its own timeouts stay behind ours, which know what they wait for.
constexpr unsigned kLwsTimeout = 24 * 60 * 60;

void log_line(int, const char* line) {
  std::string_view text(line);
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  log::debug("libwebsockets: {}", text::escape_controls(text));
}

/// Lowers the soft limit for the time of one call: libwebsockets sizes its tables by it.
class DescriptorLimit {
 public:
  DescriptorLimit() {
    if (getrlimit(RLIMIT_NOFILE, &before_) != 0) return;
    limit_ = std::min(before_.rlim_cur, kMaxDescriptors);
    if (limit_ == before_.rlim_cur) return;
    rlimit lowered = before_;
    lowered.rlim_cur = limit_;
    changed_ = setrlimit(RLIMIT_NOFILE, &lowered) == 0;
  }
  ~DescriptorLimit() {
    if (changed_) setrlimit(RLIMIT_NOFILE, &before_);
  }
  DescriptorLimit(const DescriptorLimit&) = delete;
  DescriptorLimit& operator=(const DescriptorLimit&) = delete;
  [[nodiscard]] int limit() const { return static_cast<int>(limit_); }

 private:
  rlimit before_{};
  rlim_t limit_ = 1024;
  bool changed_ = false;
};

std::map<EventLoop*, std::weak_ptr<LwsContext>>& contexts() {
  static thread_local std::map<EventLoop*, std::weak_ptr<LwsContext>> map;
  return map;
}

/// Opens something as `descriptor`, if that is free.
void hold_place(int descriptor) {
  const int held = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (held < 0 || held == descriptor) return;
  const int there = ::fcntl(held, F_DUPFD_CLOEXEC, descriptor);
  ::close(held);
  if (there >= 0 && there != descriptor) ::close(there);
}

/// Takes a context down on a foreign loop. lws_context_destroy() must be called twice there: once to close
/// what is open, and again when libuv has told of every closed handle, to free the rest. That takes two turns
/// (the connections, then the static handles); this waits for one more. It counts by handles of its own that
/// it closes: libuv tells of those too in the loop's last turns, when nothing posted runs any more. What a
/// closed timer's function holds is freed then.
class Burial {
 public:
  static void begin(lws_context* context, int event_pipe, std::shared_ptr<void> needed, EventLoop& loop) {
    lws_context_destroy(context);
    // The descriptor by which it is woken is closed by now, and will be again with its handle (4.1.6): by
    // then it could be somebody else's.
    hold_place(event_pipe);
    next_turn(Burial(context, std::move(needed), loop, 3));
  }

  Burial(Burial&& other) noexcept
      : needed_(std::move(other.needed_)),
        context_(std::exchange(other.context_, nullptr)),
        loop_(other.loop_),
        turns_(other.turns_) {}
  ~Burial() {
    if (context_ == nullptr) return;
    if (turns_ == 0) {
      lws_context_destroy(context_);
    } else {
      next_turn(Burial(context_, std::move(needed_), loop_, turns_ - 1));
    }
  }
  Burial(const Burial&) = delete;
  Burial& operator=(const Burial&) = delete;

 private:
  Burial(lws_context* context, std::shared_ptr<void> needed, EventLoop& loop, int turns)
      : needed_(std::move(needed)), context_(context), loop_(loop), turns_(turns) {}
  static void next_turn(Burial burial) {
    auto& loop = burial.loop_;
    const auto closed_at_once = loop.make_timer([held = std::move(burial)] {});
  }

  std::shared_ptr<void> needed_;
  lws_context* context_;
  EventLoop& loop_;
  int turns_;
};

/// libwebsockets carries it around as a pointer; nobody follows it.
void* as_ticket(std::uintptr_t number) {
  return reinterpret_cast<void*>(number);  // NOLINT(performance-no-int-to-ptr)
}
std::uintptr_t as_number(const void* ticket) { return reinterpret_cast<std::uintptr_t>(ticket); }

}  // namespace

struct LwsContext::Shared {
  std::shared_ptr<tls::ClientContext> tls;
  std::unordered_map<std::uintptr_t, LwsHandler*> handlers;
  std::uintptr_t last_ticket = 0;
  void* adopting = nullptr;  ///< ticket of the socket being handed over
  int depth = 0;             ///< of callbacks on the stack
};

LwsContext::LwsContext(EventLoop& loop, std::shared_ptr<tls::ClientContext> tls)
    : loop_(loop), shared_(std::make_unique<Shared>()) {
  shared_->tls = std::move(tls);
}

std::shared_ptr<LwsContext> LwsContext::get(EventLoop& loop) {
  auto& known = contexts()[&loop];
  if (auto context = known.lock()) return context;
  auto context = make(loop, nullptr);
  if (context) known = context;
  return context;
}

std::shared_ptr<LwsContext> LwsContext::make(EventLoop& loop, std::shared_ptr<tls::ClientContext> tls) {
  std::unique_ptr<LwsContext> made(new LwsContext(loop, std::move(tls)));
  if (loop.native() == nullptr || !made->start()) {
    log::error("libwebsockets does not start: is its libuv plugin (libwebsockets-evlib-uv) installed?");
    return nullptr;
  }
  // The last user often lets go inside a callback of libwebsockets: then the context goes on the next turn
  // (or with the loop, should it not come to that).
  return {made.release(), [](LwsContext* gone) {
            std::unique_ptr<LwsContext> owner(gone);
            if (gone->shared_->depth > 0) gone->loop_.post([owner = std::move(owner)] {});
          }};
}

bool LwsContext::start() {
  static const lws_protocols protocols[] = {
      {kServerProtocol, on_callback, 0, kServerReceive, 0, nullptr, kWriteSize},
      {kClientProtocol, on_callback, 0, kClientReceive, 0, nullptr, kWriteSize},
      {nullptr, nullptr, 0, 0, 0, nullptr, 0}};
  lws_set_log_level(log::enabled(log::Level::debug) ? LLL_ERR | LLL_WARN | LLL_NOTICE : 0, log_line);

  loops_[0] = loop_.native();
  lws_context_creation_info info{};
  info.port = CONTEXT_PORT_NO_LISTEN;
  info.protocols = protocols;
  info.options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_JUST_USE_RAW_ORIGIN;
  // OpenSSL is initialised only where it is used.
  if (shared_->tls) {
    info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
    info.provided_client_ssl_ctx = shared_->tls->get();
  }
  info.foreign_loops = loops_;
  info.pt_serv_buf_size = kWriteSize;
  info.retry_and_idle_policy = no_keepalive();
  info.timeout_secs = kLwsTimeout;
  info.connect_timeout_secs = kLwsTimeout;
  // Every connection in its handshake holds one (made for it and freed after it): with fewer than
  // connections, clients and servers of one loop would wait for each other.
  info.max_http_header_data = 8 * 1024;
  info.alpn = "http/1.1";
  info.gid = static_cast<gid_t>(-1);
  info.uid = static_cast<uid_t>(-1);
  info.user = shared_.get();
  const DescriptorLimit limit;
  max_descriptor_ = limit.limit() - 1;
  info.max_http_header_pool2 = static_cast<unsigned>(max_descriptor_);
  context_ = lws_create_context(&info);
  if (context_ == nullptr) return false;
  event_pipe_ = uv::last_watched(loop_.native());
  vhost_ = lws_get_vhost_by_name(context_, "default");
  return vhost_ != nullptr;
}

LwsContext::~LwsContext() {
  auto& map = contexts();
  if (const auto at = map.find(&loop_); at != map.end() && at->second.expired()) map.erase(at);
  if (context_ == nullptr) return;
  shared_->handlers.clear();
  Burial::begin(context_, event_pipe_, std::shared_ptr<Shared>(std::move(shared_)), loop_);
}

void* LwsContext::enroll(LwsHandler& handler) {
  const auto number = ++shared_->last_ticket;
  shared_->handlers.emplace(number, &handler);
  return as_ticket(number);
}

void LwsContext::forget(void* ticket) { shared_->handlers.erase(as_number(ticket)); }

void LwsContext::silence(lws* wsi) {
  forget(lws_get_opaque_user_data(wsi));
  lws_set_opaque_user_data(wsi, nullptr);
}

lws* LwsContext::adopt(int descriptor, std::string_view head, LwsHandler& handler) {
  shared_->adopting = enroll(handler);
  lws* wsi = lws_adopt_socket_vhost_readbuf(vhost_, descriptor, head.data(), head.size());
  // Still there when libwebsockets failed before its first callback.
  if (auto* unused = std::exchange(shared_->adopting, nullptr)) forget(unused);
  return wsi;
}

const lws_retry_bo_t* LwsContext::no_keepalive() {
  static constexpr lws_retry_bo_t none = {nullptr, 0, 0, 0, 0, 0};
  return &none;
}

void LwsContext::close(lws* wsi, std::uint16_t code, std::string_view reason) {
  std::string copy(reason);
  lws_close_reason(wsi, static_cast<lws_close_status>(code), reinterpret_cast<unsigned char*>(copy.data()),
                   copy.size());
  // With a reason set, "kill" is the polite way: the handshake first.
  lws_set_timeout(wsi, PENDING_TIMEOUT_CLOSE_SEND, LWS_TO_KILL_SYNC);
}

void LwsContext::kill(lws* wsi) {
  // Not KILL_SYNC: that waits for what the peer does not read, and calls back from inside the call.
  lws_set_timeout(wsi, PENDING_TIMEOUT_CLOSE_SEND, LWS_TO_KILL_ASYNC);
  wake();
}

int LwsContext::on_callback(lws* wsi, lws_callback_reasons reason, void*, void* in, std::size_t size) {
  if (wsi == nullptr || reason == LWS_CALLBACK_PROTOCOL_INIT || reason == LWS_CALLBACK_PROTOCOL_DESTROY)
    return 0;
  auto* shared = static_cast<Shared*>(lws_context_user(lws_get_context(wsi)));
  if (shared == nullptr) return 0;
  // Of clients it is said too.
  if (reason == LWS_CALLBACK_SERVER_NEW_CLIENT_INSTANTIATED && shared->adopting != nullptr) {
    lws_set_opaque_user_data(wsi, std::exchange(shared->adopting, nullptr));
  }
  const auto found = shared->handlers.find(as_number(lws_get_opaque_user_data(wsi)));
  if (found != shared->handlers.end()) {
    ++shared->depth;
    const int answer = found->second->on_lws(wsi, reason, in, size);
    --shared->depth;
    return answer;
  }
  // Without an owner a connection may only end.
  switch (reason) {
    case LWS_CALLBACK_ESTABLISHED:
    case LWS_CALLBACK_RECEIVE:
    case LWS_CALLBACK_SERVER_WRITEABLE:
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
    case LWS_CALLBACK_CLIENT_RECEIVE:
    case LWS_CALLBACK_CLIENT_WRITEABLE: return -1;
    default: return 0;
  }
}

}  // namespace aiot::ws
