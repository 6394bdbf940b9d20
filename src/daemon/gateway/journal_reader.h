#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "daemon/gateway/journal_file.h"
#include "daemon/gateway/journal_tail.h"

/// What reads segments back. All of it blocks: for a worker thread, or the start.
namespace aiot::gateway {

/// Reads items from the middle of a segment.
struct SegmentRead {
  std::string path, boot;
  std::size_t offset = 0;  ///< of record `number`; afterwards of what follows the chunk
  std::uint64_t number = 0;
  std::uint64_t wanted = 0;  ///< the chunk's first item
  std::uint64_t end = 0;     ///< none from here on
  std::size_t most = 0;
  BootTimes boots;
  WallTime now{};  ///< for items whose time cannot be found out
  Chunk chunk;
  std::string failure;   ///< why it cannot be read
  bool passing = false;  ///< for now: nothing is wrong with it, the process has too much open
};
void read_segment(SegmentRead& read);

struct SegmentScan {
  ParsedHead head;
  std::uint64_t records = 0;
  std::uint64_t size = 0;    ///< bytes up to behind the last good record
  std::uint64_t beyond = 0;  ///< bytes that are no record
  bool damaged = false;      ///< they are not just cut
};
/// Reads the head of a segment alone. Errc::internal with what is wrong with it.
[[nodiscard]] Result<ParsedHead> read_segment_head(const std::string& path);
/// Reads all of it; `visit` sees every record.
[[nodiscard]] Result<SegmentScan> scan_segment(const std::string& path,
                                               const std::function<void(const Record&)>& visit);

}  // namespace aiot::gateway
