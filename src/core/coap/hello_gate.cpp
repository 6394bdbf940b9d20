#include "core/coap/hello_gate.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

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
                                     TimePoint now) {
  // Anything else of a stranger would cost libcoap a look at every session, and come to nothing.
  if (!is_hello(datagram)) return {known ? Verdict::pass : Verdict::drop, {}};
  const auto hello = parse_hello(datagram);
  if (!hello) return {};
  renew(now);
  const auto ours = cookie(secret_, peer);
  if (!same(hello->cookie, ours) && !same(hello->cookie, cookie(former_, peer)))
    return {Verdict::ask, hello_verify_request(*hello, ours)};
  // The same hello again, because our answer to it was lost.
  if (under_way(peer)) return {Verdict::pass, {}};
  auto& from_host = hosts_[peer.with_port(0)];
  if (from_host >= kMaxFromHost || hosts_.size() > kMaxHosts) {
    if (from_host == 0) hosts_.erase(peer.with_port(0));
    return {};
  }
  ++from_host;
  peers_[peer] = now;
  return {Verdict::begin, {}};
}

void HelloGate::forget(const SocketAddress& peer) {
  const auto host = hosts_.find(peer.with_port(0));
  if (host != hosts_.end() && --host->second == 0) hosts_.erase(host);
}

void HelloGate::ended(const SocketAddress& peer) {
  if (peers_.erase(peer) > 0) forget(peer);
}

void HelloGate::expire(TimePoint now) {
  std::erase_if(peers_, [&](const auto& entry) {
    if (now - entry.second < kHandshake) return false;
    forget(entry.first);
    return true;
  });
}

}  // namespace aiot::coap
