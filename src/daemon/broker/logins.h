#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/base/time.h"

namespace aiot::broker {

/// Logins of users, by the secret in their cookie; of secrets only digests are kept. In memory: a restart
/// ends all. Pure.
class Logins {
 public:
  static constexpr std::size_t kMax = 4096, kMaxPerUser = 64;
  static constexpr Duration kIdle = std::chrono::hours(24), kLongest = std::chrono::hours(24 * 7);

  struct Login {
    std::string user;
    std::string proof;  ///< of the user's password and role when it began
    TimePoint began{}, used{};
  };

  /// A new login, and the secret for its cookie. Beyond a bound the one unused for longest ends.
  [[nodiscard]] std::string begin(std::string user, std::string proof, TimePoint now);
  /// The id of the login with that secret; empty when there is none (any more).
  [[nodiscard]] std::string use(std::string_view secret, TimePoint now);
  /// Null when it ended.
  [[nodiscard]] const Login* find(const std::string& id) const;
  /// It is in use, as by an open WebSocket.
  void touch(const std::string& id, TimePoint now) {
    if (const auto found = logins_.find(id); found != logins_.end()) found->second.used = now;
  }
  void end(const std::string& id) { logins_.erase(id); }
  /// Ends those that are too old, or of which `stands(login)` is false.
  template <class Stands>
  void sweep(TimePoint now, Stands&& stands) {
    std::erase_if(logins_,
                  [&](const auto& entry) { return over(entry.second, now) || !stands(entry.second); });
  }
  [[nodiscard]] std::size_t size() const { return logins_.size(); }

 private:
  [[nodiscard]] static bool over(const Login& login, TimePoint now) {
    return now - login.used > kIdle || now - login.began > kLongest;
  }
  void make_room(const std::string& user);
  void end_oldest(const std::string* user);

  std::unordered_map<std::string, Login> logins_;  ///< by id: the secret's digest
};

}  // namespace aiot::broker
