#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/mqtt/publisher.h"

namespace aiot::mqtt {

/// What a session is subscribed to, and what of it the server has yet to be told.
class Subscriptions {
 public:
  void add(const std::string& filter, const SubscribeOptions& options, Completion<> done);
  /// False when there was none.
  bool remove(const std::string& filter);
  /// All have to be told again, unless the server `kept` them.
  void connected(bool kept);
  /// SUBSCRIBEs for what is to be told, many filters in one.
  void feed(Handle& handle, TimePoint now, Answers& answers);
  void acknowledged(int mid, const std::vector<int>& codes, Answers& answers);
  void lost();
  void fail(const Error& why, Answers& answers);
  /// A SUBSCRIBE has waited for its answer since before `time`.
  [[nodiscard]] bool waits_since(TimePoint time) const;
  /// Somebody who subscribed to `topic` wants what was retained.
  [[nodiscard]] bool wants_retained(const std::string& topic) const;

 private:
  using Waiting = std::vector<Completion<>>;
  struct Entry {
    SubscribeOptions options;
    Waiting waiting;
    bool to_tell = true;
  };
  struct Batch {
    std::vector<std::string> filters;
    std::vector<Waiting> waiting;  ///< of each filter
    TimePoint sent;
  };
  static void answer(Waiting waiting, const Result<void>& result, Answers& answers);

  std::map<std::string, Entry, std::less<>> entries_;
  std::map<int, Batch> sent_;  ///< by packet identifier
};

}  // namespace aiot::mqtt
