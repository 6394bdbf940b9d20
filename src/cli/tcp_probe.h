#pragma once

#include <memory>
#include <vector>

#include "core/base/address.h"
#include "core/base/completion.h"
#include "core/loop/event_loop.h"

namespace aiot::cli {

/// Connects to the first of some addresses that takes a TCP connection, and closes it at once.
class TcpProbe {
 public:
  /// `done` gets the address. Errc::unreachable or Errc::timeout, of the last address, when none did;
  /// `timeout` is for each. Destroying the probe cancels.
  TcpProbe(EventLoop& loop, std::vector<SocketAddress> addresses, Duration timeout,
           Completion<SocketAddress> done);
  ~TcpProbe();
  TcpProbe(const TcpProbe&) = delete;
  TcpProbe& operator=(const TcpProbe&) = delete;

 private:
  void try_next();
  void connected();
  void failed(Error error);
  void close();

  EventLoop& loop_;
  std::vector<SocketAddress> addresses_;
  std::size_t next_ = 0;
  Duration timeout_;
  Completion<SocketAddress> done_;
  std::unique_ptr<Timer> timer_;
  std::unique_ptr<FdWatch> watch_;
  int fd_ = -1;
};

}  // namespace aiot::cli
