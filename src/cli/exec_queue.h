#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/base/function.h"
#include "core/loop/event_loop.h"

namespace aiot::cli {

/// Runs `/bin/sh -c COMMAND` for one result at a time (--exec): the JSON line on its standard input, the
/// fields in AIOT_* variables. Text from the network never enters the command line, and the token never its
/// environment. Each command leads a process group; the destructor ends the one that still runs.
class ExecQueue {
 public:
  /// Results that wait beyond this are dropped, oldest first, and counted.
  static constexpr std::size_t kMaxWaiting = 1024;
  /// What a command has to end by itself.
  static constexpr Duration kPatience = std::chrono::seconds(1);

  ExecQueue(EventLoop& loop, std::string command);
  /// Sends the running command's group SIGTERM, and SIGKILL after kPatience.
  ~ExecQueue();
  ExecQueue(const ExecQueue&) = delete;
  ExecQueue& operator=(const ExecQueue&) = delete;

  void submit(const nlohmann::ordered_json& result);
  [[nodiscard]] bool idle() const { return child_ == 0 && waiting_.empty(); }
  /// Drops what waits; returns how many results that were.
  std::size_t drop_waiting();
  /// Called whenever the last waiting result is done.
  void on_idle(UniqueFunction<void()> function) { on_idle_ = std::move(function); }
  /// Called with how many results were dropped since the last call, when the queue has room again.
  void on_dropped(UniqueFunction<void(std::uint64_t)> function) { on_dropped_ = std::move(function); }

 private:
  void next();
  void reap();
  [[nodiscard]] bool start(const std::string& result);
  [[nodiscard]] std::vector<std::string> child_environment(const nlohmann::ordered_json& result);

  EventLoop& loop_;
  std::string command_;
  std::deque<std::string> waiting_;  ///< JSON lines
  pid_t child_ = 0;
  std::uint64_t dropped_ = 0;
  bool left_out_ = false;  ///< said that a value is not in its variable
  std::unique_ptr<SignalWatch> sigchld_;
  UniqueFunction<void()> on_idle_;
  UniqueFunction<void(std::uint64_t)> on_dropped_;
};

}  // namespace aiot::cli
