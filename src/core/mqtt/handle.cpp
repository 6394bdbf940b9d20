#include "core/mqtt/handle.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/base/log.h"
#include "core/base/text.h"
#include "core/mqtt/properties.h"
#include "core/mqtt/tls.h"

namespace aiot::mqtt {

namespace {

/// Packets of one turn: other sockets have theirs too.
constexpr int kReadBatch = 64;
/// QoS 1 and 2 messages that the server may send without our acknowledgement: as many as there are, since
/// libmosquitto 2.0.11 in its threaded mode forgets to count down about every second one of QoS 2, and takes
/// the server's next for a protocol error when the count has been reached.
constexpr int kReceiveMaximum = 65535;

Error library_error(const std::string& what, int code) {
  const bool from_errno = code == MOSQ_ERR_ERRNO;
  return from_errno ? errno_error(what, errno)
                    : make_error(Errc::internal, fmt::format("{}: {}", what, mosquitto_strerror(code)), code);
}

/// Where libmosquitto connects to: it has no asynchronous connect with properties (MQTT 5), resolves names
/// blockingly and gives up on no address by itself. So it connects to this, which is done at once, and its
/// socket is then replaced by the one that is connected to the broker.
class Stand {
 public:
  Stand() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* address = reinterpret_cast<sockaddr*>(&at);
    socklen_t size = sizeof at;
    if (fd_ >= 0 && ::bind(fd_, address, size) == 0 && ::listen(fd_, 1) == 0 &&
        ::getsockname(fd_, address, &size) == 0)
      port_ = ntohs(at.sin_port);
  }
  ~Stand() {
    if (fd_ >= 0) ::close(fd_);
  }
  Stand(const Stand&) = delete;
  Stand& operator=(const Stand&) = delete;
  /// 0 when there is none; errno says why.
  [[nodiscard]] int port() const { return port_; }

 private:
  int fd_;
  int port_ = 0;
};

}  // namespace

struct Handle::Callbacks {
  static HandleEvents& of(void* self) { return static_cast<Handle*>(self)->events_; }
  static void connack(mosquitto*, void* self, int code, int flags, const mosquitto_property* list) noexcept {
    Connack out;
    out.code = code;
    out.present = (flags & 1) != 0;
    out.receive_maximum = read_u16(list, MQTT_PROP_RECEIVE_MAXIMUM);
    out.maximum_packet_size = read_u32(list, MQTT_PROP_MAXIMUM_PACKET_SIZE);
    out.reason = read_text(list, MQTT_PROP_REASON_STRING);
    of(self).on_connack(out);
  }
  static void disconnected(mosquitto*, void* self, int code, const mosquitto_property*) noexcept {
    static_cast<Handle*>(self)->closed_told_ = true;
    of(self).on_closed(code);
  }
  static void published(mosquitto*, void* self, int mid, int reason, const mosquitto_property*) noexcept {
    of(self).on_published(mid, reason);
  }
  static void message(mosquitto*, void* self, const mosquitto_message* in,
                      const mosquitto_property* list) noexcept {
    Message out;
    out.topic = in->topic != nullptr ? in->topic : "";
    if (in->payloadlen > 0)
      out.payload.assign(static_cast<const char*>(in->payload), static_cast<std::size_t>(in->payloadlen));
    out.qos = in->qos;
    out.id = static_cast<std::uint16_t>(in->mid);
    out.retain = in->retain;
    read_properties(list, out);
    of(self).on_message(std::move(out));
  }
  static void suback(mosquitto*, void* self, int mid, int count, const int* codes,
                     const mosquitto_property*) noexcept {
    of(self).on_suback(mid, std::vector<int>(codes, codes + count));
  }
  static void logged(mosquitto*, void*, int level, const char* text) noexcept {
    if (level == MOSQ_LOG_ERR || level == MOSQ_LOG_WARNING) log::debug("libmosquitto: {}", text);
  }
};

Result<std::unique_ptr<Handle>> Handle::make(const SessionOptions& options, const std::string& client_id,
                                             Version version, TlsContext* tls, HandleEvents& events) {
  static const int initialised = mosquitto_lib_init();
  if (initialised != MOSQ_ERR_SUCCESS) return library_error("libmosquitto", initialised);
  std::unique_ptr<Handle> out(new Handle(events));
  out->mosq_ = mosquitto_new(client_id.c_str(), options.clean_start, out.get());
  if (out->mosq_ == nullptr) return errno_error("libmosquitto", errno);
  out->tls_ = tls;
  out->v5_ = version != Version::v311;
  if (auto configured = out->configure(options); !configured) return configured.error();
  return out;
}

Handle::~Handle() {
  if (mosq_ != nullptr) mosquitto_destroy(mosq_);
}

Result<void> Handle::configure(const SessionOptions& options) {
  mosquitto_threaded_set(mosq_, true);
  mosquitto_int_option(mosq_, MOSQ_OPT_PROTOCOL_VERSION, v5_ ? MQTT_PROTOCOL_V5 : MQTT_PROTOCOL_V311);
  mosquitto_int_option(mosq_, MOSQ_OPT_RECEIVE_MAXIMUM, kReceiveMaximum);
  mosquitto_int_option(mosq_, MOSQ_OPT_SEND_MAXIMUM, static_cast<int>(options.window));
  if (tls_ != nullptr) {
    mosquitto_int_option(mosq_, MOSQ_OPT_SSL_CTX_WITH_DEFAULTS, 0);
    mosquitto_void_option(mosq_, MOSQ_OPT_SSL_CTX, tls_->native());
  }
  if (!options.user.empty()) {
    const char* password = options.password.empty() ? nullptr : options.password.c_str();
    if (const int rc = mosquitto_username_pw_set(mosq_, options.user.c_str(), password); rc != 0)
      return make_error(Errc::usage, fmt::format("user or password: {}", mosquitto_strerror(rc)));
  }
  if (options.will) {
    Properties properties;
    if (v5_) properties.add(*options.will);
    const auto& will = *options.will;
    const int rc = !properties.good() ? MOSQ_ERR_MALFORMED_UTF8
                                      : mosquitto_will_set_v5(
                                            mosq_, will.topic.c_str(), static_cast<int>(will.payload.size()),
                                            will.payload.data(), will.qos, will.retain, properties.release());
    if (rc != 0) return make_error(Errc::usage, fmt::format("will: {}", mosquitto_strerror(rc)));
  }
  mosquitto_connect_v5_callback_set(mosq_, Callbacks::connack);
  mosquitto_disconnect_v5_callback_set(mosq_, Callbacks::disconnected);
  mosquitto_publish_v5_callback_set(mosq_, Callbacks::published);
  mosquitto_message_v5_callback_set(mosq_, Callbacks::message);
  mosquitto_subscribe_v5_callback_set(mosq_, Callbacks::suback);
  mosquitto_log_callback_set(mosq_, Callbacks::logged);
  keep_alive_ = static_cast<std::uint16_t>(options.keep_alive.count());
  max_packet_ = static_cast<std::uint32_t>(options.max_packet);
  if (!options.clean_start)
    session_expiry_ =
        options.expiry.count() > 0 ? static_cast<std::uint32_t>(options.expiry.count()) : UINT32_MAX;
  return {};
}

Result<void> Handle::attach(int fd) {
  const Stand stand;
  Properties properties;
  if (v5_) {
    properties.add(MQTT_PROP_MAXIMUM_PACKET_SIZE, max_packet_);
    if (session_expiry_) properties.add(MQTT_PROP_SESSION_EXPIRY_INTERVAL, *session_expiry_);
  }
  int rc = MOSQ_ERR_ERRNO;
  closed_told_ = false;
  if (tls_ != nullptr) tls_->begin_on(fd);
  if (stand.port() != 0)
    rc = mosquitto_connect_bind_v5(mosq_, "127.0.0.1", stand.port(), keep_alive_, nullptr, properties.get());
  if (rc == MOSQ_ERR_SUCCESS && tls_ == nullptr && ::dup3(fd, socket(), O_CLOEXEC) < 0) rc = MOSQ_ERR_ERRNO;
  const Error error = library_error("cannot hand the connection to libmosquitto", rc);
  ::close(fd);
  if (rc != MOSQ_ERR_SUCCESS) return error;
  return {};
}

int Handle::socket() const { return mosquitto_socket(mosq_); }
bool Handle::wants_write() const { return mosquitto_want_write(mosq_); }

int Handle::read() {
  for (int i = 0; i < kReadBatch; ++i) {
    errno = 0;
    if (const int rc = mosquitto_loop_read(mosq_, 1); rc != 0 || socket() < 0) return told(rc);
    if (errno == EAGAIN || errno == EWOULDBLOCK) break;
  }
  if (tls_ == nullptr || !tls_->in_handshake()) return MOSQ_ERR_SUCCESS;
  // A connection reset in the handshake is none to libmosquitto.
  char byte = 0;
  const auto got = ::recv(socket(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR))) return MOSQ_ERR_SUCCESS;
  events_.on_closed(MOSQ_ERR_CONN_LOST);
  drop();
  return MOSQ_ERR_CONN_LOST;
}

int Handle::write() { return told(mosquitto_loop_write(mosq_, 1)); }
int Handle::keep_alive() { return told(mosquitto_loop_misc(mosq_)); }

int Handle::told(int rc) {
  if (socket() < 0 && !std::exchange(closed_told_, true)) events_.on_closed(rc);
  return rc;
}

Result<int> Handle::publish(const Message& message) {
  Properties properties;
  if (v5_) properties.add(message);
  if (!properties.good())
    return make_error(Errc::usage, fmt::format("{}: a property is not UTF-8 or too long",
                                               text::escape_controls(message.topic)));
  int mid = 0;
  const int rc =
      mosquitto_publish_v5(mosq_, &mid, message.topic.c_str(), static_cast<int>(message.payload.size()),
                           message.payload.data(), message.qos, message.retain, properties.get());
  switch (rc) {
    case MOSQ_ERR_SUCCESS: return mid;
    case MOSQ_ERR_OVERSIZE_PACKET:
    case MOSQ_ERR_PAYLOAD_SIZE:
      return make_error(Errc::usage, fmt::format("{}: the message is larger than the server accepts",
                                                 text::escape_controls(message.topic)));
    case MOSQ_ERR_QOS_NOT_SUPPORTED:
    case MOSQ_ERR_RETAIN_NOT_SUPPORTED:
      return make_error(Errc::rejected, fmt::format("the server takes no messages of {}",
                                                    rc == MOSQ_ERR_QOS_NOT_SUPPORTED
                                                        ? fmt::format("QoS {}", message.qos)
                                                        : std::string("the kind it is to retain")));
    default: return library_error(text::escape_controls(message.topic), rc);
  }
}

Result<int> Handle::subscribe(const std::vector<std::string>& filters, const SubscribeOptions& options) {
  std::vector<char*> pointers;
  pointers.reserve(filters.size());
  for (const std::string& filter : filters) pointers.push_back(const_cast<char*>(filter.c_str()));
  int flags = 0;
  if (v5_) {
    if (options.no_local) flags |= MQTT_SUB_OPT_NO_LOCAL;
    if (options.retain_as_published) flags |= MQTT_SUB_OPT_RETAIN_AS_PUBLISHED;
    flags |= options.retained ? MQTT_SUB_OPT_SEND_RETAIN_ALWAYS : MQTT_SUB_OPT_SEND_RETAIN_NEVER;
  }
  Properties properties;
  if (v5_ && options.identifier != 0)
    properties.add_variable(MQTT_PROP_SUBSCRIPTION_IDENTIFIER, options.identifier);
  int mid = 0;
  const int rc = mosquitto_subscribe_multiple(mosq_, &mid, static_cast<int>(pointers.size()), pointers.data(),
                                              options.qos, flags, properties.get());
  if (rc != 0) return library_error("SUBSCRIBE", rc);
  return mid;
}

void Handle::unsubscribe(const std::string& filter) { mosquitto_unsubscribe(mosq_, nullptr, filter.c_str()); }
void Handle::disconnect() { mosquitto_disconnect(mosq_); }

void Handle::drop() {
  closed_told_ = true;
  if (socket() < 0) return;
  // A socket whose other end is gone, in place of the connection, which closes with it: libmosquitto closes
  // only what it finds closed, and would otherwise first read and write what is there.
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0) {
    ::close(pair[1]);
    ::dup3(pair[0], socket(), O_CLOEXEC);
    ::close(pair[0]);
  }
  for (int i = 0; i < kReadBatch && socket() >= 0; ++i) mosquitto_loop_read(mosq_, 1);
}

std::string reason_text(int code) {
  std::string out = code >= 0x80 ? mosquitto_reason_string(code) : mosquitto_strerror(code);
  while (!out.empty() && out.back() == '.') out.pop_back();
  return out;
}

Error closed_error(int code, const std::string& where) {
  switch (code) {
    case MOSQ_ERR_KEEPALIVE:
      return make_error(Errc::unreachable, where + ": no answer within the keep alive time", code);
    case MOSQ_ERR_TLS: return make_error(Errc::unauthorized, where + ": TLS failed", code);
    case MOSQ_ERR_PROTOCOL:
    case MOSQ_ERR_MALFORMED_PACKET:
    case MOSQ_ERR_OVERSIZE_PACKET:
    case MOSQ_ERR_MALFORMED_UTF8:
    case MOSQ_ERR_DUPLICATE_PROPERTY:
      return make_error(Errc::peer_failed, fmt::format("{}: it sent what is not MQTT", where), code);
    case MQTT_RC_NOT_AUTHORIZED:
    case MQTT_RC_BANNED:
      return make_error(Errc::unauthorized,
                        fmt::format("{} ended the connection: {}", where, reason_text(code)), code);
    default: break;
  }
  return make_error(Errc::unreachable,
                    code >= 0x80 ? fmt::format("{} ended the connection: {}", where, reason_text(code))
                                 : where + ": the connection was lost",
                    code);
}

Error connack_error(const Connack& connack, bool v5, const std::string& where) {
  const int code = connack.code;
  const bool denied = v5 && code >= 0x80
                          ? code == MQTT_RC_BAD_USERNAME_OR_PASSWORD || code == MQTT_RC_NOT_AUTHORIZED ||
                                code == MQTT_RC_BANNED || code == MQTT_RC_BAD_AUTHENTICATION_METHOD
                          : code == 4 || code == 5;
  std::string why = code >= 0x80 ? mosquitto_reason_string(code) : mosquitto_connack_string(code);
  constexpr std::string_view kPrefix = "Connection Refused: ";
  if (why.compare(0, kPrefix.size(), kPrefix) == 0) why.erase(0, kPrefix.size());
  while (!why.empty() && why.back() == '.') why.pop_back();
  if (!connack.reason.empty()) why += fmt::format(" ({})", text::escape_controls(connack.reason));
  return make_error(denied ? Errc::unauthorized : Errc::rejected,
                    fmt::format("{} refused the connection: {}", where, why), code);
}

}  // namespace aiot::mqtt
