#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/base/completion.h"
#include "daemon/wire/gateway_v1.h"

namespace aiot {

class EventLoop;

namespace broker {

/// Part of a batch that is new: its items and the number of the last of them.
struct Commit {
  std::string_view gateway;
  std::string_view stream;
  std::uint64_t last = 0;
  std::span<const wire::Item> items;
};

/// Where updates are kept together with (gateway, stream, sequence), so that a replay is not stored twice. In
/// memory for now; a database takes this place later.
class Store {
 public:
  virtual ~Store() = default;
  /// The highest number of that stream that is stored; 0 for a stream not known.
  [[nodiscard]] virtual std::uint64_t acknowledged(std::string_view gateway,
                                                   std::string_view stream) const = 0;
  /// The stream that gateway last used; empty for none.
  [[nodiscard]] virtual std::string stream_of(std::string_view gateway) const = 0;
  /// Stores all of it or nothing, then answers on a later turn. `items` need not outlive the call.
  virtual void commit(const Commit& commit, Completion<> done) = 0;
};

/// Remembers the sequence numbers of the last kMaxStreams gateways; the values live in the node table.
std::unique_ptr<Store> make_memory_store(EventLoop& loop);

}  // namespace broker
}  // namespace aiot
