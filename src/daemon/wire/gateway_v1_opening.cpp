#include <algorithm>

#include "daemon/wire/gateway_v1_items.h"

namespace aiot::wire {
namespace {

/// Names of streams or extensions.
void read_words(JsonReader& reader, std::vector<std::string>& words, std::size_t most) {
  words.clear();
  reader.enter_array();
  while (reader.next_element()) {
    if (words.size() >= most) {
      reader.fail("a list that is too long");
      return;
    }
    if (!reader.read_string(words.emplace_back(), kMaxWord)) return;
  }
}

void read_extensions(JsonReader& reader, bool& journal) {
  std::vector<std::string> words;
  read_words(reader, words, kMaxEarlier);
  journal = std::find(words.begin(), words.end(), "journal") != words.end();
}

}  // namespace

bool read_hello(JsonReader& reader, Message& out) {
  Hello hello;
  const bool whole = read_whole(reader, [&](std::string_view name) {
    if (name == "version") {
      read_int(reader, hello.version);
    } else if (name == "name") {
      reader.read_string(hello.name, kMaxGatewayName);
    } else if (name == "site") {
      reader.read_string(hello.site, kMaxGatewayName);
    } else if (name == "stream") {
      reader.read_string(hello.stream, kMaxWord);
    } else if (name == "software") {
      reader.read_string(hello.software, kMaxGatewayName);
    } else if (name == "earlier") {
      read_words(reader, hello.earlier, kMaxEarlier);
    } else if (name == "extensions") {
      read_extensions(reader, hello.journal);
    } else {
      reader.skip();
    }
  });
  if (!whole) return false;
  if (hello.name.empty()) return reader.fail("a hello without the gateway's name");
  if (hello.stream.empty()) return reader.fail("a hello without its stream");
  out = std::move(hello);
  return true;
}

bool read_welcome(JsonReader& reader, Message& out) {
  Welcome welcome;
  const bool whole = read_whole(reader, [&](std::string_view name) {
    if (name == "software") {
      reader.read_string(welcome.software, kMaxGatewayName);
    } else if (name == "acknowledged") {
      reader.read_unsigned(welcome.acknowledged);
    } else if (name == "window") {
      int window = 0;
      if (read_int(reader, window)) welcome.window_items = static_cast<std::uint32_t>(window);
    } else if (name == "extensions") {
      read_extensions(reader, welcome.journal);
    } else {
      reader.skip();
    }
  });
  out = std::move(welcome);
  return whole;
}

bool read_next_stream(JsonReader& reader, Message& out) {
  NextStream next;
  const bool whole = read_whole(reader, [&](std::string_view name) {
    if (name == "stream") {
      reader.read_string(next.stream, kMaxWord);
    } else if (name == "earlier") {
      read_words(reader, next.earlier, kMaxEarlier);
    } else {
      reader.skip();
    }
  });
  if (!whole) return false;
  if (next.stream.empty()) return reader.fail("a stream without its name");
  out = std::move(next);
  return true;
}

bool read_resume(JsonReader& reader, Message& out) {
  Resume resume;
  const bool whole = read_whole(reader, [&](std::string_view name) {
    if (name == "stream") {
      reader.read_string(resume.stream, kMaxWord);
    } else if (name == "acknowledged") {
      reader.read_unsigned(resume.acknowledged);
    } else {
      reader.skip();
    }
  });
  out = std::move(resume);
  return whole;
}

}  // namespace aiot::wire
