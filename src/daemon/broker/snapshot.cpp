#include "daemon/broker/snapshot.h"

#include <algorithm>

#include "core/model/identity.h"
#include "core/ws/http_server.h"
#include "daemon/broker/pyaiot.h"
#include "daemon/broker/routing.h"

namespace aiot::broker {
namespace {

constexpr std::string_view kPlaceholder = "00000000-0000-0000-0000-000000000000";
static_assert(kPlaceholder.size() == kClientIdSize);

/// Collects one block; every message ends in `"<id>"}`.
struct Encoder {
  SnapshotBlock& block;
  std::string payload;

  void frame() {
    ws::append_text_frame(block.frames, payload);
    block.ids.push_back(static_cast<std::uint32_t>(block.frames.size() - kClientIdSize - 2));
    payload.clear();
  }

  void node(const Node& node) {
    pyaiot::append_new(payload, node.uid, kPlaceholder);
    frame();
    if (node.address_kind != AddressKind::none && !node.address.empty()) {
      pyaiot::append_text_update(payload, node.uid, pyaiot::address_endpoint(node), node.address,
                                 kPlaceholder);
      frame();
    }
    if (!node.protocol.empty()) {
      pyaiot::append_text_update(payload, node.uid, "protocol", node.protocol, kPlaceholder);
      frame();
    }
    for (const Resource& resource : node.resources) {
      if (is_identity(resource.name)) continue;
      pyaiot::append_update(payload, node.uid, resource, kPlaceholder);
      frame();
      ++block.updates;
    }
  }
};

}  // namespace

std::string SnapshotBlock::addressed_to(std::string_view id) const {
  std::string copy = frames;
  for (const std::uint32_t at : ids) copy.replace(at, kClientIdSize, id);
  return copy;
}

std::shared_ptr<const SnapshotBlock> SnapshotCache::encode(std::size_t index) const {
  auto block = std::make_shared<SnapshotBlock>();
  const auto& slots = table_.slots();
  const std::size_t end = std::min(slots.size(), (index + 1) * kNodesPerBlock);
  if (index < blocks_.size() && blocks_[index]) block->frames.reserve(blocks_[index]->frames.size() + 256);
  Encoder encoder{*block, {}};
  for (std::size_t slot = index * kNodesPerBlock; slot < end; ++slot) {
    if (slots[slot] && visible(*slots[slot])) encoder.node(*slots[slot]);
  }
  return block;
}

Snapshot SnapshotCache::take() {
  const auto& versions = table_.block_versions();
  blocks_.resize(versions.size());
  encoded_.resize(versions.size());
  for (std::size_t i = 0; i < versions.size(); ++i) {
    if (blocks_[i] && encoded_[i] == versions[i]) continue;
    blocks_[i] = encode(i);
    encoded_[i] = versions[i];
  }
  return blocks_;
}

void SnapshotCache::drop() {
  blocks_.clear();
  blocks_.shrink_to_fit();
}

std::size_t SnapshotCache::bytes() const {
  std::size_t sum = 0;
  for (const auto& block : blocks_) {
    if (block) sum += block->frames.capacity() + block->ids.capacity() * sizeof(std::uint32_t);
  }
  return sum;
}

}  // namespace aiot::broker
