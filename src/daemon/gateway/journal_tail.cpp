#include "daemon/gateway/journal_tail.h"

namespace aiot::gateway {

void JournalTail::start(std::uint64_t first) {
  blocks_.clear();
  bytes_ = 0;
  end_ = first;
}

std::string& JournalTail::open() {
  if (blocks_.empty() || blocks_.back().body.size() >= kBlockBytes ||
      blocks_.back().ends.size() >= kBlockItems) {
    Block& block = blocks_.emplace_back();
    block.first = end_;
    block.body.reserve(kBlockBytes + 1024);
  } else if (!blocks_.back().ends.empty()) {
    blocks_.back().body += ',';
  }
  return blocks_.back().body;
}

std::string_view JournalTail::close(std::uint64_t uptime_ms) {
  Block& block = blocks_.back();
  const std::size_t number = block.ends.size();
  block.ends.push_back(static_cast<std::uint32_t>(block.body.size()));
  if (uptime_ms != kStamped) block.uptimes.resize(number, kStamped);
  if (uptime_ms != kStamped || !block.uptimes.empty()) block.uptimes.push_back(uptime_ms);
  ++end_;
  const auto item = block.item(number);
  bytes_ += item.size();
  return item;
}

void JournalTail::pop(std::size_t count) {
  while (count > 0 && !blocks_.empty()) {
    Block& block = blocks_.back();
    const std::size_t here = std::min(count, block.ends.size());
    for (std::size_t i = 0; i < here; ++i) {
      bytes_ -= block.item(block.ends.size() - 1).size();
      block.ends.pop_back();
      block.body.resize(block.ends.empty() ? 0 : block.ends.back());
    }
    if (!block.uptimes.empty()) block.uptimes.resize(block.ends.size());
    if (block.ends.empty()) blocks_.pop_back();
    end_ -= here;
    count -= here;
  }
}

void JournalTail::trim(std::size_t bytes, std::uint64_t keep) {
  while (bytes_ > bytes && !blocks_.empty() && blocks_.front().first + blocks_.front().ends.size() <= keep) {
    const Block& block = blocks_.front();
    bytes_ -= block.body.size() - (block.ends.size() - 1);  // without the commas
    blocks_.pop_front();
  }
}

const JournalTail::Block* JournalTail::find(std::uint64_t number) const {
  if (number < first() || number >= end_) return nullptr;
  auto above = std::upper_bound(blocks_.begin(), blocks_.end(), number,
                                [](std::uint64_t n, const Block& block) { return n < block.first; });
  return &*std::prev(above);
}

}  // namespace aiot::gateway
