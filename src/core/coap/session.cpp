#include <dirent.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "core/coap/pdu.h"
#include "core/coap/session_pool.h"

/// One session: what is sent on it, and its end.
namespace aiot::coap {
namespace {

constexpr std::size_t kTcpMargin = 2048;
constexpr std::size_t kBlockSize = 1024;

coap_pdu_type_t pdu_type(Type type) {
  switch (type) {
    case Type::con: return COAP_MESSAGE_CON;
    case Type::non: return COAP_MESSAGE_NON;
    case Type::ack: return COAP_MESSAGE_ACK;
    case Type::rst: return COAP_MESSAGE_RST;
  }
  return COAP_MESSAGE_CON;
}

struct PduDeleter {
  void operator()(coap_pdu_t* pdu) const { coap_delete_pdu(pdu); }
};
using PduPtr = std::unique_ptr<coap_pdu_t, PduDeleter>;

PduPtr build_pdu(coap_session_t* session, const Message& message) {
  PduPtr pdu(coap_pdu_init(pdu_type(message.type), static_cast<coap_pdu_code_t>(message.code),
                           coap_new_message_id(session), coap_session_max_pdu_size(session)));
  if (!pdu) return nullptr;
  if (coap_add_token(pdu.get(), message.token.size(), bytes(message.token)) == 0) return nullptr;
  auto options = message.options;
  std::stable_sort(options.begin(), options.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [number, value] : options) {
    if (!add_bytes(pdu.get(), number, value)) return nullptr;
  }
  if (!message.payload.empty() &&
      coap_add_data(pdu.get(), message.payload.size(), bytes(message.payload)) == 0)
    return nullptr;
  return pdu;
}

}  // namespace

Session::Session(SessionPool& pool, std::size_t shard, coap_session_t* handle, SessionUser& user,
                 const Endpoint& to)
    : pool_(&pool),
      shard_(shard),
      handle_(handle),
      user_(&user),
      tcp_(to.tcp),
      secure_(!to.secure.empty()),
      open_(!tcp_ && !secure_) {
  coap_session_set_app_data(handle_, this);
}

Session::~Session() { close(); }

void Session::close() {
  auto* const handle = std::exchange(handle_, nullptr);
  user_ = nullptr;
  open_ = false;
  if (handle == nullptr) return;
  release(handle);
}

void Session::release(coap_session_t* handle) {
  coap_session_set_app_data(handle, nullptr);
  // What is being retransmitted holds a reference of its own, and would go on until it gave up. What belongs
  // to a server stays open.
  if (!borrowed()) coap_session_disconnected(handle, COAP_NACK_NOT_DELIVERABLE);
  coap_session_release(handle);
  pool_->released(*this);
}

void Session::drop_outstanding() {
  if (handle_ == nullptr || tcp_) return;
  // This would end DTLS. There what is out is repeated a few times more, and its answer left out.
  if (secure_) return;
  // libcoap has no public call to drop one message. On UDP this drops them all and leaves the session
  // standing. (It also lets other sessions of the context retransmit a little early, which does no harm.)
  coap_session_set_app_data(handle_, nullptr);
  coap_session_disconnected(handle_, COAP_NACK_NOT_DELIVERABLE);
  coap_session_set_app_data(handle_, this);
}

std::string Session::distrust() const {
  if (tls_ && !tls_->failure().empty()) return tls_->failure();
  if (!alert_.empty()) return "the peer ended the handshake: " + alert_;
  return handshake_under_way() ? "the peer broke the handshake off: is it the right key or certificate?"
                               : std::string();
}

void note_handshake(const coap_session_t* session) {
  if (auto* const own = static_cast<Session*>(coap_session_get_app_data(session))) own->shaking_ = true;
}

void note_alert(const coap_session_t* session, const char* why) {
  if (auto* const own = static_cast<Session*>(coap_session_get_app_data(session))) own->alert_ = why;
}

tls::ClientContext* tls_of(const coap_session_t* session) {
  const auto* own = static_cast<const Session*>(coap_session_get_app_data(session));
  return own != nullptr ? own->tls_.get() : nullptr;
}

void Session::set_ack_timeout(int seconds) {
  if (handle_ != nullptr)
    coap_session_set_ack_timeout(handle_, coap_fixed_point_t{static_cast<std::uint16_t>(seconds), 0});
}

std::size_t Session::max_single() const {
  if (!tcp_ || handle_ == nullptr || !open_) return kBlockSize;
  const auto most = coap_session_max_pdu_size(handle_);
  return most > kBlockSize + kTcpMargin ? most - kTcpMargin : kBlockSize;
}

SocketAddress Session::remote() const {
  if (handle_ == nullptr) return {};
  return from_coap(*coap_session_get_addr_remote(handle_));
}

/// libcoap keeps its descriptors to itself, so the one bound to this session's own port is looked for.
bool Session::set_multicast_interface(unsigned index) {
  if (handle_ == nullptr) return false;
  const auto wanted = from_coap(*coap_session_get_addr_local(handle_));
  DIR* const directory = opendir("/proc/self/fd");
  if (directory == nullptr) return false;
  bool set = false;
  while (const dirent* entry = readdir(directory)) {
    const int fd = std::atoi(entry->d_name);
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    if (fd <= 2 || getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) continue;
    if (address.ss_family != AF_INET6) continue;
    if (SocketAddress::from(reinterpret_cast<const sockaddr*>(&address), size).port() != wanted.port())
      continue;
    // A stream socket of the same port refuses this, or does not mind it.
    if (setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &index, sizeof index) == 0) set = true;
  }
  closedir(directory);
  return set;
}

Result<std::uint16_t> Session::send(const Message& message) {
  if (handle_ == nullptr) return make_error(Errc::unreachable, "the connection is closed");
  // A datagram socket tells a failure of the past at the next send: the second try is the one that counts.
  for (int attempt = 0;; ++attempt) {
    auto pdu = build_pdu(handle_, message);
    if (!pdu) return make_error(Errc::usage, "the request does not fit into a CoAP message");
    const auto id = static_cast<std::uint16_t>(coap_pdu_get_mid(pdu.get()));
    errno = 0;
    if (coap_send(handle_, pdu.release()) != COAP_INVALID_MID) return id;
    const int error = errno;
    if (attempt == 0 && error == ECONNREFUSED && !tcp_) continue;
    if (error == EAGAIN || error == ENOBUFS)
      return make_error(Errc::internal, "the system has no room to send", error);
    auto failure = errno_error("cannot send", error != 0 ? error : ECONNRESET);
    failure.code = Errc::unreachable;
    return failure;
  }
}

}  // namespace aiot::coap
