#pragma once

#include <cstddef>

#include "core/base/rate.h"

namespace CLI {
class App;
}

namespace aiot {

namespace broker {
struct Options;
}

namespace cli {

/// A rate with ten seconds' worth at once; zero is none.
[[nodiscard]] Rate rate_of(std::size_t per_second);

/// What a broker takes of its peers (docs/limits.md).
class LimitOptions {
 public:
  void add(CLI::App& app);
  void fill(broker::Options& options) const;

 private:
  std::size_t max_connections_ = 16384, max_connections_per_address_ = 256;
  std::size_t max_nodes_per_gateway_ = 100'000, client_rate_ = 1000, gateway_rate_ = 0;
};

}  // namespace cli
}  // namespace aiot
