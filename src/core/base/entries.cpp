#include "core/base/entries.h"

#include <fmt/format.h>

#include "core/base/text.h"

namespace aiot {

Result<void> each_entry(std::string_view text, const std::string& file,
                        const UniqueFunction<Result<void>(std::string_view line)>& take) {
  std::size_t number = 0;
  for (const auto raw : text::split(text, '\n')) {
    ++number;
    const auto line = text::trim(raw);
    if (line.empty() || line.front() == '#') continue;
    if (auto taken = take(line); !taken) {
      return make_error(taken.error().code,
                        fmt::format("{}:{}: {}", text::escape_controls(file), number, taken.error().message));
    }
  }
  return {};
}

}  // namespace aiot
