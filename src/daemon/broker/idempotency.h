#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/base/time.h"
#include "core/loop/event_loop.h"
#include "core/ws/http_server.h"
#include "daemon/store/store.h"

namespace aiot::broker {

/// Remembers the answers to requests with an Idempotency-Key, so that a repeat gets the first outcome instead
/// of acting again, over a restart as well.
class Idempotency {
 public:
  static constexpr std::size_t kMaxKeys = 10'000;
  static constexpr std::size_t kMaxKey = 255;
  static constexpr Duration kRemember = std::chrono::hours(24);

  enum class Verdict : std::uint8_t {
    act,       ///< the first: act, then call finish()
    answered,  ///< a repeat: `responder` is, or will be, answered
    mismatch,  ///< the key was used for another request; the responder is untouched
  };
  /// `fingerprint` tells requests apart: method, path and body.
  Verdict begin(const std::string& key, std::string_view fingerprint, TimePoint now,
                ws::HttpResponder& responder);
  /// What an earlier run kept. Of a request whose outcome that did not live to see, it is unknown.
  void restore(std::vector<store::KeptWrite> writes, TimePoint now, WallTime wall);
  /// From now on each key is kept in `store`, which must outlive this: on disk with its next commit.
  void set_store(store::Store& store, const EventLoop& loop) {
    store_ = &store;
    loop_ = &loop;
  }
  /// The outcome of the first request; `keep` false forgets it, because it never acted and may be tried
  /// again.
  void finish(const std::string& key, const ws::HttpResponse& response, bool keep);
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::uint64_t fingerprint = 0;
    TimePoint since{};
    std::optional<ws::HttpResponse> response;
    std::vector<ws::HttpResponder> waiting;
  };
  void forget_old(TimePoint now);
  void keep(const std::string& key, const Entry& entry);

  store::Store* store_ = nullptr;
  const EventLoop* loop_ = nullptr;

  std::unordered_map<std::string, Entry> entries_;
  std::deque<std::pair<TimePoint, std::string>> order_;
};

}  // namespace aiot::broker
