#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/base/time.h"
#include "core/ws/http_server.h"

namespace aiot::broker {

/// Remembers the answers to requests with an Idempotency-Key, so that a repeat gets the first outcome instead
/// of acting again. Pure but for the responders it answers.
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
  /// The outcome of the first request; `keep` false forgets it, because it never acted and may be tried
  /// again.
  void finish(const std::string& key, const ws::HttpResponse& response, bool keep);
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::size_t fingerprint = 0;
    TimePoint since{};
    std::optional<ws::HttpResponse> response;
    std::vector<ws::HttpResponder> waiting;
  };
  void forget_old(TimePoint now);

  std::unordered_map<std::string, Entry> entries_;
  std::deque<std::pair<TimePoint, std::string>> order_;
};

}  // namespace aiot::broker
