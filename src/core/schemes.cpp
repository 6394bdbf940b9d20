#include "core/schemes.h"

#include <fmt/core.h>

#include <string_view>

#include "core/coap/coap_client.h"
#include "core/relay/relay_client.h"

namespace aiot {

namespace {

using Make = std::unique_ptr<Client> (*)(EventLoop& loop, const ClientOptions& options);

std::unique_ptr<Client> make_coap(EventLoop& loop, const ClientOptions& /*options*/) {
  return coap::CoapClient::make(loop);
}

std::unique_ptr<Client> make_relay(EventLoop& loop, const ClientOptions& options) {
  return relay::make_relay_client(loop, options.token, options.prefix);
}

struct Row {
  std::string_view scheme;
  Make make;  ///< null: known, but no client yet
};

/// A new protocol is a row here and its room.
constexpr Row kRows[] = {
    {"coap", make_coap},    {"coap+tcp", make_coap}, {"coaps", nullptr},
    {"coaps+tcp", nullptr}, {"mqtt", nullptr},       {"mqtts", nullptr},
    {"mqttsn", nullptr},    {"aiot", make_relay},    {"aiots", make_relay},
};

}  // namespace

Result<std::unique_ptr<Client>> make_client(EventLoop& loop, const std::string& scheme,
                                            const ClientOptions& options) {
  for (const Row& row : kRows) {
    if (row.scheme != scheme) continue;
    if (row.make == nullptr) {
      return make_error(Errc::usage, fmt::format("{}:// is not in this version of aiot yet", scheme));
    }
    return row.make(loop, options);
  }
  return make_error(Errc::usage,
                    fmt::format("{}:// is not a scheme that can be asked; coap, coap+tcp, aiot and "
                                "aiots are",
                                scheme));
}

}  // namespace aiot
