#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/exec_queue.h"
#include "cli/exit_status.h"
#include "cli/poller.h"
#include "cli/runner.h"
#include "cli/targets.h"
#include "core/client.h"

namespace aiot::cli {

class Context;
class ResultPrinter;

/// Follows targets until a limit, a signal or the failure of all of them.
class ObserveRun {
 public:
  struct Limits {
    std::size_t count = 0;  ///< 0: none
    std::optional<Duration> duration;
    std::optional<Duration> poll;
    std::string exec;
  };

  ObserveRun(Context& context, std::vector<Target> targets, Request request, ResultPrinter& printer,
             Limits limits);
  int run();

 private:
  struct Stream {
    Operation operation;
    std::unique_ptr<Poller> poller;
    bool failed = false;
  };
  void start(std::size_t index);
  void notified(std::size_t index, Client::Notification notification);
  void value(const Response& response);
  void event(const StreamEvent& event);
  void failed(std::size_t index, const Error& error);
  void time_over();
  /// --exec has had its time too.
  void cut_exec();
  /// No more values; ends once --exec is done with those it has, or --for is over.
  void wind_down(int status);
  void stop_streams();

  Context& context_;
  Runner runner_;
  std::vector<Target> targets_;
  Request request_;
  ResultPrinter& printer_;
  Limits limits_;
  std::vector<Stream> streams_;
  std::unique_ptr<ExecQueue> exec_;
  std::unique_ptr<Timer> end_;
  Tally tally_;
  std::vector<bool> answered_;
  std::size_t received_ = 0;
  std::optional<int> ending_;
};

}  // namespace aiot::cli
