#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "core/mqtt/session.h"

struct mqtt5__property;  // NOLINT(bugprone-reserved-identifier): libmosquitto's

namespace aiot::mqtt {

/// MQTT 5 properties (section 2.2.2), as libmosquitto keeps them.
class Properties {
 public:
  Properties() = default;
  ~Properties();
  Properties(const Properties&) = delete;
  Properties& operator=(const Properties&) = delete;

  void add(int identifier, std::uint16_t value);
  void add(int identifier, std::uint32_t value);
  void add_variable(int identifier, std::uint32_t value);
  void add(int identifier, const std::string& text);
  /// Those of a PUBLISH.
  void add(const Message& message);
  /// False when one of them could not be added: a text that is not UTF-8.
  [[nodiscard]] bool good() const { return good_; }
  /// Null when there are none.
  [[nodiscard]] const mqtt5__property* get() const { return list_; }
  /// The same, given away.
  [[nodiscard]] mqtt5__property* release() { return std::exchange(list_, nullptr); }

 private:
  void check(int rc) { good_ = good_ && rc == 0; }
  mqtt5__property* list_ = nullptr;
  bool good_ = true;
};

/// Fills what `list` says of a received PUBLISH.
void read_properties(const mqtt5__property* list, Message& message);
[[nodiscard]] std::optional<std::uint16_t> read_u16(const mqtt5__property* list, int identifier);
[[nodiscard]] std::optional<std::uint32_t> read_u32(const mqtt5__property* list, int identifier);
[[nodiscard]] std::string read_text(const mqtt5__property* list, int identifier);

}  // namespace aiot::mqtt
