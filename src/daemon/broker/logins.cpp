#include "daemon/broker/logins.h"

#include <algorithm>
#include <utility>

#include "daemon/access/token.h"

namespace aiot::broker {

std::string Logins::begin(std::string user, std::string proof, TimePoint now) {
  make_room(user);
  std::string secret = access::make_secret();
  logins_[access::digest(secret)] = Login{std::move(user), std::move(proof), now, now};
  return secret;
}

std::string Logins::use(std::string_view secret, TimePoint now) {
  const auto found = logins_.find(access::digest(secret));
  if (found == logins_.end()) return {};
  if (over(found->second, now)) {
    logins_.erase(found);
    return {};
  }
  found->second.used = now;
  return found->first;
}

const Logins::Login* Logins::find(const std::string& id) const {
  const auto found = logins_.find(id);
  return found == logins_.end() ? nullptr : &found->second;
}

void Logins::make_room(const std::string& user) {
  const auto own = std::count_if(logins_.begin(), logins_.end(),
                                 [&](const auto& entry) { return entry.second.user == user; });
  if (static_cast<std::size_t>(own) >= kMaxPerUser) {
    end_oldest(&user);
  } else if (logins_.size() >= kMax) {
    end_oldest(nullptr);
  }
}

/// Of that user, or of everyone.
void Logins::end_oldest(const std::string* user) {
  auto oldest = logins_.end();
  for (auto at = logins_.begin(); at != logins_.end(); ++at) {
    if (user != nullptr && at->second.user != *user) continue;
    if (oldest == logins_.end() || at->second.used < oldest->second.used) oldest = at;
  }
  if (oldest != logins_.end()) logins_.erase(oldest);
}

}  // namespace aiot::broker
