#include "daemon/wire/gateway_v1.h"

#include <algorithm>
#include <array>

#include "daemon/wire/gateway_v1_items.h"
#include "daemon/wire/json_reader.h"

namespace aiot::wire {
namespace {

constexpr std::size_t kMaxSyncNodes = 65536;
constexpr std::uint64_t kMaxSequence = 1ULL << 53U;  ///< what every JSON reader takes exactly

void read_items(JsonReader& reader, std::vector<Item>& items, std::size_t text_size) {
  ItemFields fields;
  items.clear();
  items.reserve(std::min(text_size / 64 + 1, kMaxBatchItems));
  reader.enter_array();
  while (reader.next_element()) {
    if (items.size() >= kMaxBatchItems) {
      reader.fail("a batch of more than 4096 items");
      return;
    }
    if (!read_item(reader, fields, items)) return;
  }
}

bool read_batch(JsonReader& reader, Message& out, std::size_t text_size) {
  Batch batch;
  bool has_first = false;
  const bool whole = read_whole(reader, [&](std::string_view name) {
    if (name == "first") {
      has_first = reader.read_unsigned(batch.first);
    } else if (name == "replay") {
      reader.read_bool(batch.replay);
    } else if (name == "items") {
      read_items(reader, batch.items, text_size);
    } else {
      reader.skip();
    }
  });
  if (!whole) return false;
  if (!has_first || batch.first == 0) return reader.fail("a batch without its first sequence number");
  if (batch.first > kMaxSequence) return reader.fail("a batch whose sequence number is above 2^53");
  for (std::size_t i = 0; i < batch.items.size(); ++i) {
    if (auto* update = std::get_if<Update>(&batch.items[i])) update->sequence = batch.first + i;
  }
  out = std::move(batch);
  return true;
}

bool read_live(JsonReader& reader, Message& out, std::size_t text_size) {
  Live live;
  const bool whole = read_whole(reader, [&](std::string_view name) {
    name == "items" ? read_items(reader, live.items, text_size) : void(reader.skip());
  });
  out = std::move(live);
  return whole;
}

bool read_sync(JsonReader& reader, Message& out) {
  Sync sync;
  const bool whole = read_whole(reader, [&](std::string_view name) {
    if (name == "last") {
      reader.read_bool(sync.last);
    } else if (name == "nodes") {
      reader.enter_array();
      while (reader.next_element()) {
        if (sync.nodes.size() >= kMaxSyncNodes) {
          reader.fail("a sync of more than 65536 nodes in one message");
          return;
        }
        if (!read_node(reader, sync.nodes.emplace_back())) return;
      }
    } else {
      reader.skip();
    }
  });
  out = std::move(sync);
  return whole;
}

bool read_ack(JsonReader& reader, Message& out) {
  Ack ack;
  const bool whole = read_whole(reader, [&](std::string_view name) {
    name == "sequence" ? reader.read_unsigned(ack.sequence) : reader.skip();
  });
  out = ack;
  return whole;
}

bool read_method(JsonReader& reader, Method& out) {
  static constexpr std::array kMethods = {Method::get,   Method::put,   Method::post,  Method::del,
                                          Method::fetch, Method::patch, Method::ipatch};
  std::string word;
  if (!reader.read_string(word, kMaxWord)) return false;
  for (const Method method : kMethods) {
    if (to_string(method) == word) {
      out = method;
      return true;
    }
  }
  return reader.fail("a method that is not one of CoAP's");
}

bool read_ask(JsonReader& reader, Message& out) {
  Ask ask;
  ValueFields value;
  bool has_id = false;
  const bool whole = read_whole(reader, [&](std::string_view name) {
    if (name == "id") {
      has_id = reader.read_unsigned(ask.id);
    } else if (name == "method") {
      read_method(reader, ask.method);
    } else if (name == "node") {
      reader.read_string(ask.uid, kMaxUid);
    } else if (name == "resource") {
      reader.read_string(ask.resource, kMaxResource);
    } else if (name == "deadline_ms") {
      int ms = 0;
      if (read_int(reader, ms)) ask.deadline = std::chrono::milliseconds(ms);
    } else if (!value.take(name, reader)) {
      reader.skip();
    }
  });
  if (!whole || !value.finish(reader)) return false;
  if (!has_id) return reader.fail("an ask without its id");
  if (ask.uid.empty()) return reader.fail("an ask without its node");
  ask.payload = std::move(value.value);
  ask.content_format = value.format;
  out = std::move(ask);
  return true;
}

bool read_error(JsonReader& reader, Error& error) {
  static constexpr std::array kCodes = {Errc::internal, Errc::usage,       Errc::unreachable,  Errc::timeout,
                                        Errc::rejected, Errc::peer_failed, Errc::unauthorized, Errc::partial};
  static constexpr std::array kOutcomes = {Outcome::not_sent, Outcome::rejected, Outcome::unknown};
  std::string_view name;
  std::string word;
  if (!reader.enter_object()) return false;
  while (reader.next_member(name)) {
    if (name == "code") {
      if (!reader.read_string(word, kMaxWord)) return false;
      for (const Errc code : kCodes) {
        if (to_string(code) == word) error.code = code;
      }
    } else if (name == "outcome") {
      if (!reader.read_string(word, kMaxWord)) return false;
      for (const Outcome outcome : kOutcomes) {
        if (to_string(outcome) == word) error.outcome = outcome;
      }
    } else if (name == "message") {
      reader.read_string(error.message, kMaxSentence);
    } else if (name == "native") {
      read_int(reader, error.native);
    } else {
      reader.skip();
    }
  }
  return !reader.failed();
}

bool read_answer(JsonReader& reader, Message& out) {
  Answer answer;
  ValueFields value;
  bool has_id = false;
  const bool whole = read_whole(reader, [&](std::string_view name) {
    if (name == "id") {
      has_id = reader.read_unsigned(answer.id);
    } else if (name == "error") {
      read_error(reader, answer.error.emplace());
    } else if (name == "code") {
      reader.read_string(answer.code, kMaxWord);
    } else if (name == "confirmed") {
      reader.read_string(answer.confirmed, kMaxWord);
    } else if (name == "rtt_us") {
      std::uint64_t us = 0;
      if (reader.read_unsigned(us)) answer.rtt = Duration(static_cast<std::int64_t>(us & INT64_MAX));
    } else if (!value.take(name, reader)) {
      reader.skip();
    }
  });
  if (!whole || !value.finish(reader)) return false;
  if (!has_id) return reader.fail("an answer without its id");
  answer.payload = std::move(value.value);
  answer.content_format = value.format;
  out = std::move(answer);
  return true;
}

/// Messages of two strings: refused and failure.
bool read_pair(JsonReader& reader, std::string_view first_name, std::string& first,
               std::string_view second_name, std::string& second) {
  return read_whole(reader, [&](std::string_view name) {
    if (name == first_name) {
      reader.read_string(first, kMaxUid);
    } else if (name == second_name) {
      reader.read_string(second, kMaxSentence);
    } else {
      reader.skip();
    }
  });
}

bool read_refused(JsonReader& reader, Message& out) {
  Refused refused;
  const bool whole = read_pair(reader, "node", refused.uid, "reason", refused.reason);
  out = std::move(refused);
  return whole;
}

bool read_freed(JsonReader& reader, Message& out) {
  Freed freed;
  const bool whole = read_whole(reader, [&](std::string_view name) {
    if (name == "node") {
      reader.read_string(freed.uid, kMaxUid);
    } else {
      reader.skip();
    }
  });
  out = std::move(freed);
  return whole;
}

bool read_report(JsonReader& reader, Message& out) {
  Report report;
  const bool whole = read_whole(reader, [&](std::string_view name) {
    if (name != "counters") {
      reader.skip();
      return;
    }
    std::string_view counter;
    reader.enter_object();
    while (reader.next_member(counter)) {
      if (report.counters.size() >= kMaxReported || counter.size() > kMaxWord) {
        reader.fail("too many counters, or one with too long a name");
        return;
      }
      auto& [key, value] = report.counters.emplace_back(std::string(counter), 0);
      reader.read_unsigned(value);
    }
  });
  out = std::move(report);
  return whole;
}

bool read_failure(JsonReader& reader, Message& out) {
  Failure failure;
  const bool whole = read_pair(reader, "code", failure.code, "message", failure.message);
  out = std::move(failure);
  return whole;
}

/// The message's type; usually the first member, so that this costs nothing.
bool find_type(JsonReader& reader, std::string& type) {
  std::string_view name;
  if (!reader.enter_object()) return false;
  while (reader.next_member(name)) {
    if (name == "type") return reader.read_string(type, kMaxWord);
    reader.skip();
  }
  return reader.fail("a message without its type");
}

bool read_message(JsonReader& reader, const std::string& type, std::size_t size, Message& out,
                  bool& unknown) {
  if (type == "batch") return read_batch(reader, out, size);
  if (type == "ack") return read_ack(reader, out);
  if (type == "live") return read_live(reader, out, size);
  if (type == "stream") return read_next_stream(reader, out);
  if (type == "resume") return read_resume(reader, out);
  if (type == "sync") return read_sync(reader, out);
  if (type == "ask") return read_ask(reader, out);
  if (type == "answer") return read_answer(reader, out);
  if (type == "hello") return read_hello(reader, out);
  if (type == "welcome") return read_welcome(reader, out);
  if (type == "refused") return read_refused(reader, out);
  if (type == "free") return read_freed(reader, out);
  if (type == "counters") return read_report(reader, out);
  if (type == "failure") return read_failure(reader, out);
  unknown = true;
  return reader.fail("a message of an unknown type");
}

}  // namespace

Result<Item> parse_item(std::string_view text) {
  JsonReader reader(text);
  ItemFields fields;
  std::vector<Item> items;
  if (!read_item(reader, fields, items) || !reader.finish()) return reader.error();
  return std::move(items.front());
}

Result<Message> parse_message(std::string_view text) {
  std::string type;
  JsonReader looking(text);
  if (!find_type(looking, type)) return looking.error();
  JsonReader reader(text);
  Message message;
  bool unknown = false;
  if (!read_message(reader, type, text.size(), message, unknown)) {
    Error error = reader.error();
    if (unknown) error.code = Errc::usage;
    return error;
  }
  return message;
}

}  // namespace aiot::wire
