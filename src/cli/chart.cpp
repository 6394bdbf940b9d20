#include "cli/chart.h"

#include <sys/ioctl.h>

#include <algorithm>
#include <cmath>

namespace aiot::cli {

std::string chart_line(const std::vector<std::optional<double>>& values) {
  constexpr const char* kBlocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  constexpr double kTop = std::size(kBlocks) - 1;
  double least = INFINITY;
  double greatest = -INFINITY;
  for (const auto& value : values) {
    if (!value) continue;
    least = std::min(least, *value);
    greatest = std::max(greatest, *value);
  }
  const double half_span = greatest / 2 - least / 2;  // halves: the span itself may be infinite
  std::string out;
  for (const auto& value : values) {
    if (!value) {
      out += ' ';
      continue;
    }
    // All the same: in the middle.
    const double height = half_span > 0 ? (*value / 2 - least / 2) / half_span : 0.5;
    out += kBlocks[static_cast<std::size_t>(std::lround(std::clamp(height, 0.0, 1.0) * kTop))];
  }
  return out;
}

std::size_t terminal_width(int fd) {
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

}  // namespace aiot::cli
