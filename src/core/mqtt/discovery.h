#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/client.h"
#include "core/mqtt/link.h"

namespace aiot::mqtt {

/// What the messages seen so far tell of nodes and resources: pyaiot's topics (node/check, node/ID/resources,
/// node/ID/RESOURCE), Home Assistant's discovery (homeassistant/COMPONENT/[NODE/]OBJECT/config), and any
/// other topic as a resource. Pure.
class Sightings {
 public:
  static constexpr std::size_t kMaxTopics = 10'000;

  /// `base`: "mqtt://host:1883", what URIs begin with.
  explicit Sightings(std::string base) : base_(std::move(base)) {}
  /// What is new with this message; each thing once.
  std::vector<Discovered> see(std::string_view topic, std::string_view payload);
  /// pyaiot's nodes that nobody has asked yet for their resources (gateway/ID/discover).
  std::vector<std::string> take_unasked() { return std::exchange(unasked_, {}); }
  [[nodiscard]] bool full() const { return seen_.size() >= kMaxTopics; }

 private:
  bool see_home_assistant(std::string_view topic, std::string_view payload, std::vector<Discovered>& out);
  void node(const std::string& id, std::string uri, std::vector<Discovered>& out);
  void resource(std::string topic, const std::string& node, std::vector<Discovered>& out,
                decltype(Discovered::attributes) attributes = {});

  std::string base_;
  std::set<std::string> seen_;
  std::vector<std::string> unasked_;
};

/// Listens to everything until nothing new has come for 2 s, at most `request.timeout`.
Operation discover(EventLoop& loop, const ClientOptions& options, DiscoverRequest request,
                   UniqueFunction<void(Discovered)> found, Completion<> done);

}  // namespace aiot::mqtt
