#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "daemon/store/group.h"

namespace aiot::store {

/// Of a gateway, the latest. Each of its lives has one, its journal keeps what the broker has of the last
/// few, and begins the next life with asking for those, oldest first: many more are remembered than it keeps,
/// or each that is asked for would push out the one that is asked for next, and all would be stored twice.
inline constexpr std::size_t kMaxStreams = 256;

/// How far the streams of each gateway are recorded and stored. Pure.
class Streams {
 public:
  [[nodiscard]] Store::Position position(std::string_view gateway, std::string_view stream) const;
  /// The stream in use; empty for none.
  [[nodiscard]] std::string current(std::string_view gateway) const;
  /// It is in use from here on.
  void use(std::string_view gateway, std::string_view stream) { find(gateway, stream); }
  void recorded(std::string_view gateway, std::string_view stream, std::uint64_t sequence);
  /// Does not change which one is in use.
  void committed(std::string_view gateway, std::string_view stream, std::uint64_t sequence);
  /// What is stored, each gateway's stream in use last.
  [[nodiscard]] std::vector<StreamPosition> all() const;

 private:
  struct Stream {
    std::string id;
    Store::Position position;
  };
  Stream& find(std::string_view gateway, std::string_view stream);

  std::unordered_map<std::string, std::vector<Stream>> gateways_;  ///< in the order of use
};

}  // namespace aiot::store
