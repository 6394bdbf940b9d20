#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/function.h"
#include "core/base/result.h"

namespace aiot::cli {

/// Where results go: standard output or the file of --out. Each write leaves at once.
class Output {
 public:
  enum class State : std::uint8_t {
    open,
    closed,  ///< the reader went away: the command ends quietly with 0
    failed,  ///< any other error: exit 1
  };

  /// Borrows `fd`.
  explicit Output(int fd);
  ~Output();
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  /// From now on writes go to `path`, which is made at the first write.
  void redirect(std::string path);

  void write(std::string_view bytes);
  /// `text` and a newline, in one write.
  void line(std::string_view text);

  /// Writes what an interrupted write has left.
  void flush();

  /// Control characters from the network are shown escaped.
  [[nodiscard]] bool is_terminal() const { return terminal_; }
  [[nodiscard]] State state() const { return state_; }
  /// What went wrong, when failed.
  [[nodiscard]] const Error& error() const { return error_; }
  /// Called once, on the first write that fails.
  void on_broken(UniqueFunction<void()> function) { on_broken_ = std::move(function); }
  /// Called when a signal arrives while a slow reader makes a write wait: the write returns, and the caller
  /// is to flush() once the signal has been seen to. Without it the write goes on waiting.
  void on_interrupted(UniqueFunction<void()> function) { on_interrupted_ = std::move(function); }
  /// Marks the reader as gone, as a failed write would.
  void mark_closed();

 private:
  bool open_file();
  void drain(std::string_view bytes);
  void broke(State state, int reason);

  int fd_;
  bool owned_ = false;
  bool waits_;  ///< a slow reader can make a write wait
  bool terminal_;
  State state_ = State::open;
  std::string path_;
  std::string name_ = "standard output";
  std::string pending_;
  Error error_;
  UniqueFunction<void()> on_broken_;
  UniqueFunction<void()> on_interrupted_;
};

/// True when `fd` is a terminal and NO_COLOR is not set.
[[nodiscard]] bool colours_on(int fd);

}  // namespace aiot::cli
