#pragma once

#include <memory>
#include <string>

#include "core/base/function.h"
#include "core/base/result.h"
#include "core/loop/event_loop.h"

namespace aiot::cli {

/// Reads standard input line by line without blocking the loop; never further ahead than a buffer.
class LineReader {
 public:
  static constexpr std::size_t kMaxLine = 1024 * 1024;

  /// `line` gets each line without its newline (LF or CRLF), `end` is called once at the end of input or with
  /// what went wrong. Neither inside a call of next().
  LineReader(EventLoop& loop, int fd, UniqueFunction<void(std::string)> line,
             UniqueFunction<void(Result<void>)> end);

  /// Asks for one more line, or the end.
  void next();

 private:
  void readable();
  void deliver();
  void give(std::string line);

  EventLoop& loop_;
  int fd_;
  bool watchable_;  ///< epoll takes it; a regular file is simply read
  UniqueFunction<void(std::string)> line_;
  UniqueFunction<void(Result<void>)> end_;
  std::unique_ptr<FdWatch> watch_;
  std::unique_ptr<Timer> soon_;
  std::string buffer_;
  std::size_t scanned_ = 0;
  bool wanted_ = false;
  bool at_end_ = false;
  int failed_ = 0;
};

}  // namespace aiot::cli
