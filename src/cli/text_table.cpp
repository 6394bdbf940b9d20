#include "cli/text_table.h"

#include <algorithm>
#include <utility>

#include "core/base/text.h"

namespace aiot::cli {

std::size_t columns(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string padded(std::string text, std::size_t width) {
  const std::size_t taken = columns(text);
  if (taken < width) text.append(width - taken, ' ');
  return text;
}

TextTable::TextTable(std::vector<std::string> heads) { rows_.push_back(std::move(heads)); }

void TextTable::add(std::vector<std::string> row) {
  row.resize(rows_.front().size());
  for (std::string& cell : row) cell = cell.empty() ? "-" : text::escape_controls(cell);
  rows_.push_back(std::move(row));
}

std::string TextTable::text(Colour colour) const {
  std::vector<std::size_t> widths(rows_.front().size(), 0);
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], columns(row[i]));
  }
  std::string out;
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      const char* begin = colour != nullptr && &row != &rows_.front() ? colour(i, row[i]) : nullptr;
      if (begin != nullptr) out += begin;
      out += row[i];
      if (begin != nullptr) out += "\x1b[0m";
      if (i + 1 < row.size()) out.append(widths[i] - columns(row[i]) + 2, ' ');
    }
    out += '\n';
  }
  return out;
}

}  // namespace aiot::cli
