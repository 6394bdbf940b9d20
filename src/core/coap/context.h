#pragma once

#include <coap3/coap.h>

#include <cstdint>
#include <memory>
#include <string_view>

#include "core/base/address.h"
#include "core/base/function.h"
#include "core/base/result.h"
#include "core/coap/secure_contexts.h"

/// Inside the room only: the one place where libcoap meets the event loop.
namespace aiot {

class EventLoop;

namespace coap {

/// A coap_context_t that runs on the loop: libcoap's sockets and timers live in its epoll descriptor, which
/// the loop watches. Destroying a Context is allowed at any moment, also inside a callback of libcoap: the
/// coap_context_t then lives until libcoap returns. Callbacks find their owner with owner_of(), which is null
/// from the moment the Context is gone; they must return at once then.
///
/// Never call coap_io_process() yourself. Sending is allowed from any turn and from inside callbacks; call
/// flush() after sending something confirmable from outside a callback.
class Context {
 public:
  /// What libcoap tells only in its log while it reads the sockets of this context.
  struct Notices {
    /// A datagram that is no CoAP message; `peer` is libcoap's text, empty when this one was not named
    /// (naming is rate-limited, counting is not).
    UniqueFunction<void(std::string_view peer)> malformed;
    /// A connected UDP socket heard that nobody listens at `peer` (ICMP). libcoap's nack handler tells this
    /// too, but only for what is confirmable and unanswered.
    UniqueFunction<void(std::string_view peer)> refused;
  };
  struct Options {
    /// More than one reads that many datagrams of a listening UDP socket before the loop turns. Only for
    /// contexts that have UDP endpoints and nothing else.
    int datagrams_per_turn = 1;
    /// Gives libcoap all events that are ready in one go: one round of its timekeeping for many sockets. Only
    /// for owners that never release a session inside a callback.
    bool all_at_once = false;
    /// Asked before libcoap reads its only socket, a listening one: how many of the datagrams that wait
    /// there, at most `most`, it may have now.
    UniqueFunction<int(int most)> inspect;
    Notices notices;
  };

  /// Errc::internal when libcoap cannot make a context (descriptors, memory).
  static Result<std::unique_ptr<Context>> make(EventLoop& loop, void* owner);
  static Result<std::unique_ptr<Context>> make(EventLoop& loop, void* owner, Options options);
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context();

  [[nodiscard]] coap_context_t* get() const;
  /// What its DTLS and TLS connections are made from; null where the library has none.
  [[nodiscard]] const SecureContexts& secure() const;
  /// On the next turn, lets libcoap look at its queues and set its timer anew. Cheap, and collected: many
  /// calls in a turn are one.
  void flush();

  /// `owner` as given to make(), from inside a callback of libcoap; null when the Context is gone.
  [[nodiscard]] static void* owner_of(const coap_context_t* context) { return coap_get_app_data(context); }
  [[nodiscard]] static void* owner_of(const coap_session_t* session) {
    return coap_get_app_data(coap_session_get_context(session));
  }

  class Core;

 private:
  explicit Context(std::shared_ptr<Core> core);
  std::shared_ptr<Core> core_;
};

/// The address in libcoap's form; `family` AF_INET6 maps an IPv4 address (::ffff:a.b.c.d).
[[nodiscard]] coap_address_t to_coap(const SocketAddress& address, int family = AF_UNSPEC);
/// IPv4-mapped addresses become IPv4.
[[nodiscard]] SocketAddress from_coap(const coap_address_t& address);

/// Keeps a session of libcoap alive (coap_session_reference). Must be gone before its context is freed, so
/// owners declare it after, or clear it before, their Context.
class SessionRef {
 public:
  SessionRef() = default;
  explicit SessionRef(coap_session_t* session)
      : session_(session ? coap_session_reference(session) : nullptr) {}
  SessionRef(SessionRef&& other) noexcept : session_(other.session_) { other.session_ = nullptr; }
  SessionRef& operator=(SessionRef&& other) noexcept {
    if (this != &other) {
      reset();
      session_ = other.session_;
      other.session_ = nullptr;
    }
    return *this;
  }
  SessionRef(const SessionRef&) = delete;
  SessionRef& operator=(const SessionRef&) = delete;
  ~SessionRef() { reset(); }

  void reset() {
    if (auto* session = session_) {
      session_ = nullptr;
      coap_session_release(session);
    }
  }
  [[nodiscard]] coap_session_t* get() const { return session_; }
  explicit operator bool() const { return session_ != nullptr; }

 private:
  coap_session_t* session_ = nullptr;
};

}  // namespace coap
}  // namespace aiot
