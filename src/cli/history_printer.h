#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "cli/time_range.h"

namespace aiot::cli {

class Context;

/// The least step of which `columns` cover the range.
[[nodiscard]] Duration chart_step(WallTime since, WallTime until, std::size_t columns);
/// A line of blocks made from history's points of one `step` each, from `since` on, below a line that says
/// what it shows; empty when no point has a number. Pure.
[[nodiscard]] std::string history_chart(const std::vector<nlohmann::ordered_json>& points, WallTime since,
                                        Duration step, const std::string& title, bool colours);
/// One line for people: the local time, what is in `uri` (empty for nothing), and the value or, for a step,
/// its figures.
[[nodiscard]] std::string history_text(const nlohmann::ordered_json& point, const std::string& uri);

/// Prints history's points as --output says.
class HistoryPrinter {
 public:
  /// `many`: more than one resource, so that text lines name theirs.
  HistoryPrinter(Context& context, bool steps, bool many);
  void begin();
  void point(const nlohmann::ordered_json& point, const std::string& uri, const std::string& uid,
             const std::string& resource);

 private:
  Context& context_;
  bool steps_, many_;
};

}  // namespace aiot::cli
