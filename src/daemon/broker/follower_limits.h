#pragma once

#include <cstddef>

namespace aiot::broker {

/// Of a session of aiot.client.v1; `welcome` tells them.
inline constexpr std::size_t kMaxSubscriptions = 64;
inline constexpr std::size_t kMaxSessionPatterns = 4096;  ///< of all its subscriptions
/// Patterns of nodes with a `*`, of one subscription: each is held against every node.
inline constexpr std::size_t kMaxNodeGlobs = 64;
inline constexpr std::size_t kMaxRequests = 64;  ///< reads and writes under way
inline constexpr std::size_t kMaxClientMessage = 1024 * 1024;
/// Answers that a client leaves unread; with more it is dropped.
inline constexpr std::size_t kMaxReplies = 8 * 1024 * 1024;
/// A batch is cut when it has so many items or bytes.
inline constexpr std::size_t kMaxUpdatesItems = 4096;
inline constexpr std::size_t kMaxUpdatesBytes = 64 * 1024;
/// The same for a part of a snapshot; with one value more, escaped to the full, it stays below 1 MiB.
inline constexpr std::size_t kMaxSnapshotBytes = 256 * 1024;

}  // namespace aiot::broker
