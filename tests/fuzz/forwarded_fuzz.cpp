#include "core/ws/forwarded.h"
#include "core/ws/http_head.h"
#include "fuzz.h"

void fuzz_one(std::string_view input) {
  static const auto trusted = *aiot::Networks::parse({"10.0.0.0/8", "fd00::/8"}, "--trusted-proxy");
  for (const char* from : {"10.0.0.1:1", "192.0.2.1:1"}) {
    const auto line = input.substr(0, input.find('\n'));
    const auto rest = line.size() < input.size() ? input.substr(line.size() + 1) : std::string_view();
    aiot::ws::Headers headers = {{"host", "inside"},
                                 {"forwarded", std::string(line)},
                                 {"x-forwarded-for", std::string(rest)},
                                 {"x-forwarded-proto", std::string(rest)},
                                 {"x-forwarded-host", std::string(rest)}};
    auto peer = *aiot::SocketAddress::parse(from);
    bool secure = false;
    aiot::ws::apply_forwarded(trusted, headers, peer, secure);
    FUZZ_CHECK(!peer.empty());
    FUZZ_CHECK(from[1] == '0' || (peer.host() == "192.0.2.1" && !secure));
  }
}
