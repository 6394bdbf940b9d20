#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "cli/broker_api.h"
#include "cli/runner.h"
#include "cli/time_range.h"
#include "core/client.h"

namespace aiot::cli {

class Context;

/// What `GET /api/v1/events` filters by; empty members do not.
struct EventQuery {
  static constexpr std::size_t kMaxLimit = 1000;  ///< a page of the broker

  TimeRange range;
  std::string node, type;
  std::size_t limit = 0;  ///< the latest so many; 0: all
  bool follow = false;
};

/// An event for people: local time, type, node or gateway, sentence.
[[nodiscard]] std::string event_text(const nlohmann::ordered_json& event, bool escape);

/// Prints a broker's events page by page, and goes on with new ones.
class EventList {
 public:
  EventList(Context& context, BrokerApi api, EventQuery query);
  int run();

 private:
  /// The page behind the last event, or with `newest` the latest ones.
  void ask(bool newest);
  void answered(Result<nlohmann::ordered_json> page);
  /// True when there is more.
  Result<bool> take(const nlohmann::ordered_json& page);
  void failed(const Error& error);
  /// The broker is there again: with the events it had?
  void returned();
  void notice(StreamEvent::Kind kind, const std::string& reason);

  Context& context_;
  Runner runner_;
  BrokerApi api_;
  EventQuery query_;
  std::uint64_t last_ = 0;  ///< id
  bool answered_ = false;   ///< at least once
  bool lost_ = false;
  std::unique_ptr<Timer> again_;
  Operation operation_;
};

}  // namespace aiot::cli
