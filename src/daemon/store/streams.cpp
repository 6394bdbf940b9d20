#include "daemon/store/streams.h"

#include <algorithm>

namespace aiot::store {

Store::Position Streams::position(std::string_view gateway, std::string_view stream) const {
  const auto found = gateways_.find(std::string(gateway));
  if (found == gateways_.end()) return {};
  for (const auto& known : found->second)
    if (known.id == stream) return known.position;
  return {};
}

std::string Streams::current(std::string_view gateway) const {
  const auto found = gateways_.find(std::string(gateway));
  return found == gateways_.end() || found->second.empty() ? std::string() : found->second.back().id;
}

Streams::Stream& Streams::find(std::string_view gateway, std::string_view stream) {
  auto& streams = gateways_[std::string(gateway)];
  const auto at =
      std::find_if(streams.begin(), streams.end(), [&](const Stream& known) { return known.id == stream; });
  if (at == streams.end()) {
    if (streams.size() >= kMaxStreams) streams.erase(streams.begin());
    streams.push_back({std::string(stream), {}});
  } else {
    std::rotate(at, at + 1, streams.end());
  }
  return streams.back();
}

void Streams::recorded(std::string_view gateway, std::string_view stream, std::uint64_t sequence) {
  auto& position = find(gateway, stream).position;
  position.recorded = std::max(position.recorded, sequence);
}

void Streams::committed(std::string_view gateway, std::string_view stream, std::uint64_t sequence) {
  const auto found = gateways_.find(std::string(gateway));
  if (found == gateways_.end()) return;
  for (auto& known : found->second)
    if (known.id == stream) known.position.committed = std::max(known.position.committed, sequence);
}

std::vector<StreamPosition> Streams::all() const {
  std::vector<StreamPosition> out;
  for (const auto& [gateway, streams] : gateways_)
    for (const auto& stream : streams) out.push_back({gateway, stream.id, stream.position.committed});
  return out;
}

}  // namespace aiot::store
