#include "core/coap/context.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <mutex>
#include <string>

#include "core/base/log.h"
#include "core/base/random.h"
#include "core/loop/event_loop.h"

namespace aiot::coap {
namespace {

/// Events taken in one turn; libcoap's own loop takes 10.
constexpr int kEvents = 64;
constexpr int kMaxDatagramsPerTurn = 256;
constexpr unsigned kProbeEvery = 16;

bool starts_with(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

int fill_random(void* out, std::size_t size) noexcept {
  random_bytes(out, size);
  return 1;
}

}  // namespace

class Context::Core : public std::enable_shared_from_this<Core> {
 public:
  Core(EventLoop& loop, Options options) : loop_(loop), options_(std::move(options)) {
    options_.datagrams_per_turn = std::clamp(options_.datagrams_per_turn, 1, kMaxDatagramsPerTurn);
  }
  ~Core();

  Result<> start(void* owner);
  void close();
  void flush() { flush_->start(Duration::zero()); }
  [[nodiscard]] coap_context_t* get() const { return context_; }
  [[nodiscard]] const SecureContexts& secure() const { return secure_; }

  /// What the log handler saw while this context was being processed.
  void on_empty_socket();
  void on_malformed();
  [[nodiscard]] bool wants_name() const { return naming_; }
  void on_named(std::string_view peer);
  void on_refused(std::string_view peer) {
    if (options_.notices.refused) options_.notices.refused(peer);
  }

 private:
  void process();
  void read_many(const epoll_event& event);
  void read_inspected(const epoll_event& event);
  void prepare();

  EventLoop& loop_;
  Options options_;
  coap_context_t* context_ = nullptr;
  SecureContexts secure_;
  bool library_ = false;
  std::unique_ptr<FdWatch> watch_;
  std::unique_ptr<Timer> flush_;
  int copies_ = 1;
  unsigned singles_ = 0;
  bool naming_ = false;
  log::Limiter naming_limit_{2};
  std::array<epoll_event, kMaxDatagramsPerTurn> batch_;
};

namespace {

/// The context whose sockets libcoap is reading on this thread.
thread_local Context::Core* processing = nullptr;

int quiet_level() { return log::enabled(log::Level::debug) ? LOG_DEBUG : LOG_WARNING; }

/// The peer in libcoap's text of a session, "192.0.2.1:5683 <-> 192.0.2.7:49152 (if1) UDP"; empty for none.
std::string_view peer_in(std::string_view text) {
  const auto arrow = text.find("<-> ");
  if (arrow == std::string_view::npos) return {};
  const auto peer = text.substr(arrow + 4);
  return peer.substr(0, peer.find(' '));
}

/// libcoap's log. Four things are told nowhere else: that a socket had no datagram left, that a datagram was
/// malformed, (when asked for) to whom the reset that follows went, and that nobody listens at a peer.
void on_log(coap_log_t level, const char* message) noexcept {
  std::string_view text(message);
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  if (auto* core = processing) {
    if (level == LOG_WARNING) {
      if (starts_with(text, "coap_network_read: ")) return core->on_empty_socket();
      if (starts_with(text, "*  ") && text.size() > 12 && text.substr(text.size() - 11) == "read failed")
        return;
      if (starts_with(text, "discard malformed PDU")) core->on_malformed();
      if (starts_with(text, "** ") && text.find(": coap_network_read: ICMP: ") != std::string_view::npos)
        core->on_refused(peer_in(text));
    } else if (core->wants_name() && starts_with(text, "*  ")) {
      // "*  192.0.2.1:5683 <-> 192.0.2.7:49152 (if1) UDP : sent 4 bytes"
      if (const auto peer = peer_in(text); !peer.empty()) core->on_named(peer);
    }
  }
  log::debug("libcoap: {}", text);
}

/// coap_startup() before the first context, coap_cleanup() after the last.
class Library {
 public:
  static void acquire() {
    const std::lock_guard lock(mutex());
    if (count()++ > 0) return;
    coap_startup();
    coap_set_prng(fill_random);  // the default is a system call for every new session
    coap_set_log_handler(on_log);
    coap_set_show_pdu_output(0);
    coap_set_log_level(quiet_level());
    coap_dtls_set_log_level(LOG_WARNING);
  }
  static void release() {
    const std::lock_guard lock(mutex());
    if (--count() == 0) coap_cleanup();
  }

 private:
  static std::mutex& mutex() {
    static std::mutex instance;
    return instance;
  }
  static int& count() {
    static int instance = 0;
    return instance;
  }
};

}  // namespace

Context::Core::~Core() {
  watch_.reset();
  flush_.reset();
  if (context_ != nullptr) coap_free_context(context_);
  if (library_) Library::release();
}

Result<> Context::Core::start(void* owner) {
  Library::acquire();
  library_ = true;
  {
    const SecureCapture capture;
    context_ = coap_new_context(nullptr);
    secure_ = capture.made();
  }
  if (context_ == nullptr)
    return make_error(Errc::internal, "cannot make a CoAP context: out of descriptors");
  coap_set_app_data(context_, owner);
  flush_ = loop_.make_timer([weak = weak_from_this()] {
    if (auto self = weak.lock()) self->prepare();
  });
  watch_ = loop_.watch(coap_context_get_coap_fd(context_), FdWatch::kReadable,
                       [weak = weak_from_this()](unsigned) {
                         if (auto self = weak.lock()) self->process();
                       });
  return {};
}

void Context::Core::close() {
  coap_set_app_data(context_, nullptr);
  options_.notices = {};
  options_.inspect = nullptr;
  watch_.reset();
  flush_.reset();
}

void Context::Core::process() {
  const auto keep = shared_from_this();
  auto* const before = std::exchange(processing, this);
  std::array<epoll_event, kEvents> events;
  int ready = epoll_wait(coap_context_get_coap_fd(context_), events.data(), kEvents, 0);
  if (ready > 0) {
    const bool many = options_.datagrams_per_turn > 1;
    if (options_.all_at_once) {
      coap_io_do_epoll(context_, events.data(), static_cast<std::size_t>(ready));
      ready = 0;
    }
    for (int i = 0; i < ready && watch_; ++i) {
      // The event without a pointer is libcoap's timer; what has fallen due is sent by coap_io_do_epoll.
      if (options_.inspect && events[i].data.ptr != nullptr) {
        read_inspected(events[i]);
      } else if (many && events[i].data.ptr != nullptr) {
        read_many(events[i]);
      } else {
        coap_io_do_epoll(context_, &events[i], 1);
      }
    }
  }
  if (naming_) on_named({});
  processing = before;
}

/// The same event many times over reads as many datagrams for one wake-up and one round of libcoap's
/// timekeeping; the log tells when the socket is empty, and the rest is crossed out.
void Context::Core::read_many(const epoll_event& event) {
  const int copies = copies_;
  // Growing from one is only tried now and then: with one datagram at a time each try is a wasted read.
  if (copies > 1 || ++singles_ % kProbeEvery == 0)
    copies_ = std::min(copies * 4, options_.datagrams_per_turn);
  std::fill_n(batch_.begin(), copies, event);
  coap_io_do_epoll(context_, batch_.data(), static_cast<std::size_t>(copies));
}

void Context::Core::read_inspected(const epoll_event& event) {
  const int copies = options_.inspect(options_.datagrams_per_turn);
  if (copies <= 0 || !watch_) return;
  std::fill_n(batch_.begin(), copies, event);
  coap_io_do_epoll(context_, batch_.data(), static_cast<std::size_t>(copies));
}

void Context::Core::on_empty_socket() {
  copies_ = std::max(1, copies_ / 8);
  for (auto& event : batch_) event.events = 0;
}

void Context::Core::on_malformed() {
  if (naming_limit_.allow()) {
    // libcoap names no peer where it discards, but its debug log does where it sends the reset, at once.
    naming_ = true;
    coap_set_log_level(LOG_DEBUG);
  } else if (options_.notices.malformed) {
    options_.notices.malformed({});
  }
}

void Context::Core::on_named(std::string_view peer) {
  naming_ = false;
  coap_set_log_level(quiet_level());
  if (options_.notices.malformed) options_.notices.malformed(peer);
}

void Context::Core::prepare() {
  const auto keep = shared_from_this();
  auto* const before = std::exchange(processing, this);
  coap_tick_t now = 0;
  coap_ticks(&now);
  coap_io_prepare_epoll(context_, now);
  processing = before;
}

Context::Context(std::shared_ptr<Core> core) : core_(std::move(core)) {}

Context::~Context() { core_->close(); }

Result<std::unique_ptr<Context>> Context::make(EventLoop& loop, void* owner) {
  return make(loop, owner, Options{});
}

Result<std::unique_ptr<Context>> Context::make(EventLoop& loop, void* owner, Options options) {
  auto core = std::make_shared<Core>(loop, std::move(options));
  if (auto started = core->start(owner); !started) return std::move(started).error();
  return std::unique_ptr<Context>(new Context(std::move(core)));
}

coap_context_t* Context::get() const { return core_->get(); }

const SecureContexts& Context::secure() const { return core_->secure(); }

void Context::flush() { core_->flush(); }

coap_address_t to_coap(const SocketAddress& address, int family) {
  coap_address_t out;
  coap_address_init(&out);
  sockaddr_storage storage{};
  out.size = address.to(storage, family);
  std::memcpy(&out.addr, &storage, std::min<std::size_t>(out.size, sizeof out.addr));
  return out;
}

SocketAddress from_coap(const coap_address_t& address) {
  return SocketAddress::from(&address.addr.sa, address.size);
}

}  // namespace aiot::coap
