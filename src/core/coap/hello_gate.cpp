#include "core/coap/hello_gate.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <functional>

#include "core/base/random.h"
#include "core/coap/dtls_hello.h"

namespace aiot::coap {
namespace {

/// What every client takes: DTLS 1.0 allowed no more than 32 bytes.
constexpr std::size_t kCookie = 32;

bool same(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) difference |= static_cast<unsigned char>(a[i] ^ b[i]);
  return difference == 0;
}

}  // namespace

HelloGate::HelloGate() {
  random_bytes(secret_.data(), secret_.size());
  former_ = secret_;
}

void HelloGate::renew(TimePoint now) {
  if (now - made_ < kSecretLife) return;
  // After a long quiet time the former one is too old, too.
  former_ = secret_;
  if (now - made_ >= 2 * kSecretLife) random_bytes(former_.data(), former_.size());
  random_bytes(secret_.data(), secret_.size());
  made_ = now;
}

std::string HelloGate::cookie(const Secret& secret, const SocketAddress& peer) {
  const auto text = peer.text();
  std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
  unsigned size = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), out.data(), &size);
  return {reinterpret_cast<const char*>(out.data()), kCookie};
}

HelloGate::Decision HelloGate::judge(std::string_view datagram, const SocketAddress& peer, bool known,
                                     std::uint64_t began, TimePoint now) {
  // Anything else of a stranger would cost libcoap a look at every session, and come to nothing.
  // So would the later fragments of a hello, which show no cookie.
  const auto hello = parse_hello(datagram);
  if (!hello) return {known ? Verdict::pass : Verdict::drop, {}};
  renew(now);
  const auto ours = cookie(secret_, peer);
  if (!same(hello->cookie, ours) && !same(hello->cookie, cookie(former_, peer)))
    return {Verdict::ask, hello_verify_request(*hello, ours)};
  // The same hello again, because our answer to it was lost, or it comes late.
  const auto name = static_cast<std::uint64_t>(std::hash<std::string_view>{}(hello->random)) | 1;
  if (under_way(peer) || name == began) return {Verdict::pass, {}};
  auto& from_host = hosts_[peer.with_port(0)];
  if (from_host >= kMaxFromHost || hosts_.size() > kMaxHosts) {
    if (from_host == 0) hosts_.erase(peer.with_port(0));
    return {};
  }
  ++from_host;
  peers_[peer] = {now, name};
  return {Verdict::begin, {}};
}

void HelloGate::forget(const SocketAddress& peer) {
  const auto host = hosts_.find(peer.with_port(0));
  if (host != hosts_.end() && --host->second == 0) hosts_.erase(host);
}

std::uint64_t HelloGate::ended(const SocketAddress& peer) {
  const auto handshake = peers_.extract(peer);
  if (handshake.empty()) return 0;
  forget(peer);
  return handshake.mapped().hello;
}

void HelloGate::expire(TimePoint now) {
  std::erase_if(peers_, [&](const auto& entry) {
    if (now - entry.second.since < kHandshake) return false;
    forget(entry.first);
    return true;
  });
}

}  // namespace aiot::coap
