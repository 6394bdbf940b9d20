#pragma once

#include <string>

#include "core/base/log.h"
#include "core/loop/event_loop.h"
#include "daemon/gateway/session_file.h"

namespace aiot::gateway {

/// Keeps MQTT-SN sessions on disk: changes are appended, by one write() before the answers to what caused
/// them leave, so that a killed gateway has promised nothing that it does not know. Now and then the file is
/// made short again, on a worker.
class SessionStore {
 public:
  SessionStore(EventLoop& loop, const std::string& state_dir);
  SessionStore(const SessionStore&) = delete;
  SessionStore& operator=(const SessionStore&) = delete;
  ~SessionStore();

  /// What an earlier run kept. A file that cannot be understood is set aside and said so; only one that
  /// cannot be used is an error.
  Result<SessionFile> load();
  void changed(const mqttsn::Session& session, mqttsn::SessionChange change) {
    append_change(pending_, session, change);
    ++lines_;
  }
  /// Writes what has changed.
  void flush() {
    if (!pending_.empty()) write();
  }

 private:
  Result<void> open(bool empty);
  void write();
  void shorten();
  void shortened();

  EventLoop& loop_;
  std::string path_;
  int fd_ = -1;
  std::string pending_;
  std::size_t lines_ = 0;            ///< in the file
  std::size_t short_lines_ = 0;      ///< when it was last short
  std::size_t size_ = 0;             ///< bytes in the file
  std::size_t shortening_from_ = 0;  ///< its size when shortening began; 0: it is not under way
  std::size_t new_lines_ = 0;        ///< of the short file; 0: it failed
  Operation working_;
  log::Limiter failures_{1};
};

}  // namespace aiot::gateway
