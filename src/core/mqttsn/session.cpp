#include "core/mqttsn/session.h"

#include <fmt/format.h>

namespace aiot::mqttsn {

std::string Peer::text() const {
  if (node.empty()) return address.text();
  std::string out = address.text() + "/";
  for (const char c : node) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return out;
}

std::uint16_t TopicIds::assign(const std::string& name, std::size_t limit) {
  if (const auto id = find(name); id != 0) return id;
  if (names_.size() >= limit) return 0;
  // 0x0000 and 0xFFFF are reserved (section 5.3.11).
  do {
    ++last_;
  } while (last_ == 0 || last_ == 0xFFFF || names_.contains(last_));
  restore(last_, name, false);
  return last_;
}

std::uint16_t TopicIds::find(const std::string& name) const {
  const auto found = ids_.find(name);
  return found == ids_.end() ? 0 : found->second;
}

const std::string* TopicIds::name(std::uint16_t id) const {
  const auto found = names_.find(id);
  return found == names_.end() ? nullptr : &found->second;
}

void TopicIds::set_known(std::uint16_t id, bool known) {
  if (!known) {
    known_.erase(id);
  } else if (names_.contains(id)) {
    known_.insert(id);
  }
}

void TopicIds::restore(std::uint16_t id, const std::string& name, bool known) {
  names_[id] = name;
  ids_[name] = id;
  last_ = std::max(last_, id);
  if (known) known_.insert(id);
}

}  // namespace aiot::mqttsn
