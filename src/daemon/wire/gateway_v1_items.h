#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/wire/gateway_v1.h"
#include "daemon/wire/json_reader.h"

/// The parts that messages of aiot.gateway.v1 are made of; inside daemon/wire only.
namespace aiot::wire {

inline constexpr std::size_t kMaxWord = 64;          ///< names of types, methods, protocols
inline constexpr std::size_t kMaxGatewayName = 128;  ///< and site, software
inline constexpr std::size_t kMaxAddress = 256;
inline constexpr std::size_t kMaxSentence = 4096;  ///< messages for people

/// The members a value may have, wherever one stands.
struct ValueFields {
  std::string value;
  std::string encoding;
  std::optional<std::uint16_t> format;

  void clear();
  /// True when `name` is one of them.
  bool take(std::string_view name, JsonReader& reader);
  /// Undoes the encoding and holds the bound.
  bool finish(JsonReader& reader);
};

/// The members of a batch item; one object serves all items of a batch, so that its strings are
/// allocated once.
struct ItemFields {
  std::string event, node, resource, protocol, address, kind, message;
  ValueFields value;
  WallTime time{};
  bool uncertain = false;
  bool has_resource = false;

  void clear();
  void take(std::string_view name, JsonReader& reader);
  [[nodiscard]] Update update() const;
};

bool read_time(JsonReader& reader, WallTime& out);
bool read_int(JsonReader& reader, int& out);
/// Reads one batch item. An event this version does not know is passed on as a Notice, so that a newer
/// gateway's numbering stays whole.
bool read_item(JsonReader& reader, ItemFields& fields, std::vector<Item>& items);
bool read_node(JsonReader& reader, NodeSnapshot& node);

/// Reads the members of one object with `take(name)`, then the end of the text.
template <class Take>
bool read_whole(JsonReader& reader, Take take) {
  std::string_view name;
  if (!reader.enter_object()) return false;
  while (reader.next_member(name)) take(name);
  return reader.finish();
}

// Messages that open a connection or a stream.
bool read_hello(JsonReader& reader, Message& out);
bool read_welcome(JsonReader& reader, Message& out);
bool read_next_stream(JsonReader& reader, Message& out);
bool read_resume(JsonReader& reader, Message& out);

}  // namespace aiot::wire
