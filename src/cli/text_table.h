#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace aiot::cli {

/// Columns on a terminal, counted in characters: UTF-8 continuation bytes take none.
[[nodiscard]] std::size_t columns(std::string_view text);
/// `text` and spaces up to `width` columns.
[[nodiscard]] std::string padded(std::string text, std::size_t width);

/// A table for people: columns line up, empty cells are "-", control characters are shown. Pure.
class TextTable {
 public:
  explicit TextTable(std::vector<std::string> heads);
  void add(std::vector<std::string> row);
  /// `colour` gives the escape sequence before a cell's text, or nothing; never asked for the heads.
  using Colour = const char* (*)(std::size_t column, const std::string& cell);
  [[nodiscard]] std::string text(Colour colour = nullptr) const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace aiot::cli
