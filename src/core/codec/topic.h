#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

/// Topic names and filters, as MQTT 3.1.1 section 4.7 has them. Pure.
namespace aiot {

inline constexpr std::size_t kMaxTopic = 65'535;  ///< bytes of a name or filter

/// Well-formed UTF-8 without NUL and wildcards, 1 to `max` bytes.
[[nodiscard]] bool is_topic_name(std::string_view name, std::size_t max = kMaxTopic);
/// The same with `+` and `#` where they may stand. `$share/GROUP/FILTER` is one (MQTT 5 section 4.8.2), with
/// a GROUP and a FILTER that is one itself.
[[nodiscard]] bool is_topic_filter(std::string_view filter, std::size_t max = kMaxTopic);
[[nodiscard]] bool has_wildcard(std::string_view filter);
/// FILTER of a shared subscription, any other filter as it is: what names are matched with.
[[nodiscard]] std::string_view unshared(std::string_view filter);

/// `$SYS/...` is not matched by a filter that starts with a wildcard (section 4.7.2). `filter` is unshared.
[[nodiscard]] bool topic_matches(std::string_view filter, std::string_view name);
/// Some name may match both.
[[nodiscard]] bool filters_overlap(std::string_view a, std::string_view b);

/// Who subscribed what: finds the subscribers of a name without asking each. `$SYS/...` is not matched by a
/// filter that starts with a wildcard (section 4.7.2).
template <class Subscriber>
class SubscriptionTree {
 public:
  /// False when it was there already, with its QoS replaced.
  bool add(std::string_view filter, Subscriber* subscriber, int qos) {
    auto& found = leaf(filter).subscribers;
    const bool is_new = found.insert_or_assign(subscriber, qos).second;
    return is_new;
  }
  void remove(std::string_view filter, Subscriber* subscriber) { remove(root_, filter, subscriber); }
  /// Calls `function(subscriber, qos)` for each match; a subscriber with several matching filters is called
  /// for each of them.
  template <class Function>
  void match(std::string_view name, Function&& function) const {
    match(root_, name, true, function);
  }
  [[nodiscard]] bool empty() const { return root_.children.empty(); }

 private:
  struct Level {
    std::map<std::string, std::unique_ptr<Level>, std::less<>> children;
    std::map<Subscriber*, int> subscribers;
  };
  static std::string_view first(std::string_view& rest, bool& last) {
    const auto slash = rest.find('/');
    last = slash == std::string_view::npos;
    const auto out = rest.substr(0, slash);
    rest = last ? std::string_view() : rest.substr(slash + 1);
    return out;
  }
  Level& leaf(std::string_view filter) {
    Level* at = &root_;
    for (bool last = false; !last;) {
      const auto part = first(filter, last);
      auto found = at->children.find(part);
      if (found == at->children.end())
        found = at->children.emplace(std::string(part), std::make_unique<Level>()).first;
      at = found->second.get();
    }
    return *at;
  }
  void remove(Level& level, std::string_view rest, Subscriber* subscriber) {
    bool last = false;
    const auto found = level.children.find(first(rest, last));
    if (found == level.children.end()) return;
    auto& child = *found->second;
    if (last) {
      child.subscribers.erase(subscriber);
    } else {
      remove(child, rest, subscriber);
    }
    if (child.subscribers.empty() && child.children.empty()) level.children.erase(found);
  }
  template <class Function>
  static void call(const Level& level, Function& function) {
    for (const auto& [subscriber, qos] : level.subscribers) function(*subscriber, qos);
  }
  template <class Function>
  static void match(const Level& level, std::string_view rest, bool top, Function& function) {
    bool last = false;
    const auto part = first(rest, last);
    const bool wild = !top || !part.starts_with('$');
    const auto descend = [&](std::string_view name) {
      const auto found = level.children.find(name);
      if (found == level.children.end()) return;
      const auto& child = *found->second;
      if (!last) return match(child, rest, false, function);
      call(child, function);
      // "a/#" matches "a" as well.
      if (const auto all = child.children.find("#"); all != child.children.end())
        call(*all->second, function);
    };
    if (wild) {
      if (const auto all = level.children.find("#"); all != level.children.end())
        call(*all->second, function);
      descend("+");
    }
    descend(part);
  }

  Level root_;
};

}  // namespace aiot
