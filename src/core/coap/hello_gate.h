#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/base/address.h"
#include "core/base/time.h"

namespace aiot::coap {

/// Stands before libcoap's DTLS listener. libcoap remembers every hello for 30 seconds and takes no more
/// while it remembers a hundred: four forged datagrams a second would keep every node out. This asks for a
/// cookie first and remembers nothing for it (RFC 6347 section 4.2.1), so that a hello that passes is from
/// where it says, and lets no host begin more than a few handshakes at a time. It also lets a node that has
/// restarted begin anew from the port of its former session (section 4.2.8), which libcoap would never hear.
/// Pure: told the time.
class HelloGate {
 public:
  static constexpr std::size_t kMaxHosts = 4096;  ///< with handshakes under way; of more, none begins
  static constexpr std::size_t kMaxFromHost = 16;
  /// How long a handshake may take; libcoap gives up after as long.
  static constexpr Duration kHandshake = std::chrono::seconds(30);
  /// A cookie is good for one to two of these.
  static constexpr Duration kSecretLife = std::chrono::seconds(60);

  enum class Verdict : std::uint8_t {
    pass,   ///< libcoap may have it
    begin,  ///< it may have it, as the beginning of a new session, and any other of that peer has ended
    ask,    ///< `answer` asks the peer for its cookie
    drop,
  };
  struct Decision {
    Verdict verdict = Verdict::drop;
    std::string answer;
  };

  HelloGate();
  /// `known`: the peer has a session, or a handshake under way; `began` names the hello that its session
  /// began with, so that a late copy of it ends nothing.
  Decision judge(std::string_view datagram, const SocketAddress& peer, bool known, std::uint64_t began,
                 TimePoint now);
  /// The peer's handshake is done, or given up; gives the name of its hello, 0 when there was none.
  std::uint64_t ended(const SocketAddress& peer);

  [[nodiscard]] bool under_way(const SocketAddress& peer) const { return peers_.count(peer) > 0; }
  [[nodiscard]] std::size_t size() const { return peers_.size(); }
  void expire(TimePoint now);

 private:
  using Secret = std::array<unsigned char, 32>;
  void renew(TimePoint now);
  [[nodiscard]] static std::string cookie(const Secret& secret, const SocketAddress& peer);
  void forget(const SocketAddress& peer);

  Secret secret_{}, former_{};
  TimePoint made_{};
  struct Handshake {
    TimePoint since{};
    std::uint64_t hello = 0;
  };
  std::unordered_map<SocketAddress, Handshake> peers_;      ///< handshakes under way
  std::unordered_map<SocketAddress, std::uint16_t> hosts_;  ///< how many, by host
};

}  // namespace aiot::coap
