#include "cli/runner.h"

#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <utility>

#include "cli/context.h"
#include "cli/exit_status.h"
#include "cli/output.h"

namespace aiot::cli {

namespace {

/// Epoll can watch these; a reader that goes away shows there and nowhere else while nothing is written.
bool can_hang_up(int fd) {
  struct stat status {};
  return ::fstat(fd, &status) == 0 && (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode));
}

}  // namespace

Runner::Runner(Context& context) : context_(context) {
  EventLoop& loop = context_.loop();
  sigint_ = loop.watch_signal(SIGINT, [this] { interrupt(SIGINT); });
  sigterm_ = loop.watch_signal(SIGTERM, [this] { interrupt(SIGTERM); });
  if (can_hang_up(STDOUT_FILENO)) {
    stdout_watch_ = loop.watch(STDOUT_FILENO, FdWatch::kHangup, [this](unsigned) { stdout_gone(); });
  }
  context_.output().on_broken([this] {
    if (on_interrupt_) std::exchange(on_interrupt_, nullptr)();
    // main turns the output's state into the exit status.
    finish(kDone);
  });
  context_.output().on_interrupted([this] {
    // Two turns on, so that the loop's next look at its descriptors finds the signal first.
    context_.loop().post([this] {
      context_.loop().post([this] {
        if (!finished_) context_.output().flush();
      });
    });
  });
}

Runner::~Runner() {
  context_.output().on_broken(nullptr);
  context_.output().on_interrupted(nullptr);
}

void Runner::finish(int status) {
  if (finished_) return;
  finished_ = true;
  status_ = status;
  context_.loop().stop();
}

int Runner::run() {
  if (!finished_) context_.loop().run();
  return status_;
}

void Runner::interrupt(int signal) {
  if (finished_) return;
  context_.set_signal(signal);
  if (on_interrupt_) std::exchange(on_interrupt_, nullptr)();
  finish(kDone);
}

void Runner::stdout_gone() {
  if (stdout_watch_) stdout_watch_->set(0);
  context_.output().mark_closed();
}

}  // namespace aiot::cli
