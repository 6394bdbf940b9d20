#include "daemon/broker/outbox.h"

#include <utility>

namespace aiot::broker {

void Outbox::start(Snapshot snapshot, BroadcastLog::Cursor live) {
  started_ = true;
  snapshot_ = std::move(snapshot);
  block_ = 0;
  live_ = std::move(live);
  counted_ = live_.passed().updates;
}

std::string_view Outbox::peek() {
  while (part_taken_ == part_.size()) {
    part_.clear();
    part_taken_ = 0;
    if (block_ == snapshot_.size()) {
      if (!snapshot_.empty()) {
        snapshot_ = {};
        block_ = 0;
        part_.shrink_to_fit();
      }
      return live_.peek();
    }
    const auto block = std::move(snapshot_[block_++]);
    part_ = block->addressed_to(id_);
    part_updates_ = block->updates;
  }
  return std::string_view(part_).substr(part_taken_);
}

void Outbox::consume(std::size_t bytes) {
  taken_ += bytes;
  if (part_taken_ == part_.size()) return live_.consume(bytes);
  part_taken_ += bytes;
  if (part_taken_ == part_.size()) delivered_ += part_updates_;
}

std::uint64_t Outbox::behind(std::uint64_t position) const {
  return started_ ? position - live_.position() : 0;
}

std::uint64_t Outbox::take_delivered() {
  const std::uint64_t passed = live_.passed().updates;
  return std::exchange(delivered_, 0) + passed - std::exchange(counted_, passed);
}

std::uint64_t Outbox::undelivered(std::uint64_t updates) const {
  return started_ ? updates - live_.passed().updates : 0;
}

}  // namespace aiot::broker
