#include "cli/schedule.h"

#include <utility>

namespace aiot::cli {

Schedule::Schedule(std::size_t parallel, std::vector<std::string> hosts,
                   UniqueFunction<void(std::size_t)> start)
    : parallel_(parallel), hosts_(std::move(hosts)), start_(std::move(start)), left_(hosts_.size()) {
  for (std::size_t i = 0; i < hosts_.size(); ++i) {
    Host& host = table_[hosts_[i]];
    if (host.busy) {
      host.waiting.push_back(i);
    } else {
      host.busy = true;
      ready_.push_back(i);
    }
  }
}

void Schedule::go() {
  while (running_ < parallel_ && !ready_.empty()) {
    const std::size_t index = ready_.front();
    ready_.pop_front();
    ++running_;
    start_(index);
  }
}

void Schedule::finished(std::size_t index) {
  --running_;
  --left_;
  Host& host = table_[hosts_[index]];
  if (host.waiting.empty()) {
    host.busy = false;
  } else {
    ready_.push_back(host.waiting.front());
    host.waiting.pop_front();
  }
  go();
}

}  // namespace aiot::cli
