#include "core/coap/message.h"

#include <catch2/catch.hpp>

using namespace aiot::coap;
using namespace std::string_literals;

namespace {

std::string why(const std::string& datagram) {
  const auto message = parse_message(datagram);
  REQUIRE_FALSE(message);
  CHECK(message.error().code == aiot::Errc::peer_failed);
  return message.error().message;
}

bool says(const std::string& message, std::string_view part) {
  return message.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("the request of RFC 7252, figure 16, is read and written byte for byte") {
  // CON GET /temperature, message id 0x7d34
  const auto bytes = "\x40\x01\x7d\x34\xBBtemperature"s;
  const auto message = parse_message(bytes);
  REQUIRE(message);
  CHECK(message->type == Type::con);
  CHECK(message->code == code(0, 1));
  CHECK(message->message_id == 0x7d34);
  CHECK(message->token.empty());
  CHECK(message->string_options(option::kUriPath) == std::vector<std::string_view>{"temperature"});
  CHECK(format_message(*message) == bytes);
}

TEST_CASE("the answer of RFC 7252, figure 16, is read and written byte for byte") {
  const auto bytes =
      "\x61\x45\x7d\x34\x20\xFF"
      "22.3 C"s;
  const auto message = parse_message(bytes);
  REQUIRE(message);
  CHECK(message->type == Type::ack);
  CHECK(code_text(message->code) == "2.05");
  CHECK(code_number(message->code) == 205);
  CHECK(message->token == "\x20");
  CHECK(message->payload == "22.3 C");
  CHECK(format_message(*message) == bytes);
}

TEST_CASE("options may be added in any order, and keep the order of repeats") {
  Message message;
  message.code = code(0, 2);
  message.token = "12345678";
  message.add(option::kUriQuery, "b=2");
  message.add(option::kUriPath, "a");
  message.add(option::kUriPath, "b");
  message.add_uint(option::kContentFormat, 0);
  message.add_uint(option::kSize1, 66000);
  message.add(2048, std::string(300, 'x'));
  message.add(65000, std::string(13, 'y'));
  const auto back = parse_message(format_message(message));
  REQUIRE(back);
  CHECK(back->string_options(option::kUriPath) == std::vector<std::string_view>{"a", "b"});
  CHECK(back->uint_option(option::kContentFormat) == 0U);
  CHECK(back->uint_option(option::kSize1) == 66000U);
  CHECK_FALSE(back->uint_option(option::kAccept));
  CHECK(back->string_options(2048).front().size() == 300);
  CHECK(back->string_options(65000).front() == std::string(13, 'y'));
  CHECK(back->options.front().first == option::kUriPath);
}

TEST_CASE("lengths on each side of the extension bounds survive") {
  for (const std::size_t size : {0U, 12U, 13U, 14U, 268U, 269U, 270U, 1024U}) {
    Message message;
    message.code = 1;
    message.add(static_cast<std::uint16_t>(size), std::string(size, 'v'));
    const auto back = parse_message(format_message(message));
    REQUIRE(back);
    CHECK(back->options == message.options);
  }
}

TEST_CASE("an unsigned option of more than eight bytes is no number") {
  Message message;
  message.code = 1;
  message.add(option::kObserve, std::string(9, '\1'));
  CHECK_FALSE(message.uint_option(option::kObserve));
  message.options.clear();
  message.add_uint(option::kObserve, 0xFFFFFFFFFFFFFFFFULL);
  CHECK(message.uint_option(option::kObserve) == 0xFFFFFFFFFFFFFFFFULL);
}

TEST_CASE("an empty message has nothing behind its header") {
  const auto ping = parse_message("\x40\x00\x12\x34"s);
  REQUIRE(ping);
  CHECK(ping->code == 0);
  CHECK(says(why("\x41\x00\x12\x34\x01"s), "empty message"));
  CHECK(says(why("\x40\x00\x12\x34\xFF\x01"s), "empty message"));
}

TEST_CASE("malformed messages are refused with the field that is wrong") {
  CHECK(says(why(""), "header"));
  CHECK(says(why("\x40\x01\x00"s), "header"));
  CHECK(says(why("\x00\x01\x00\x00"s), "version"));
  CHECK(says(why("\x80\x01\x00\x00"s), "version"));
  for (int length = 9; length < 16; ++length) {
    const std::string head(1, static_cast<char>(0x40 | length));
    CHECK(says(why(head + "\x01\x00\x00"s + std::string(20, 'a')), "token length"));
  }
  CHECK(says(why("\x44\x01\x00\x00\x01\x02"s), "token"));
  CHECK(says(why("\x40\x01\x00\x00\xFF"s), "payload marker"));
  CHECK(says(why("\x40\x01\x00\x00\xF0"s), "delta"));
  CHECK(says(why("\x40\x01\x00\x00\x0F"s), "length"));
  CHECK(says(why("\x40\x01\x00\x00\xD0"s), "delta"));
  CHECK(says(why("\x40\x01\x00\x00\xE0\x01"s), "delta"));
  CHECK(says(why("\x40\x01\x00\x00\xBD"s), "length"));
  CHECK(says(why("\x40\x01\x00\x00\xBE\x01"s), "length"));
  CHECK(says(why("\x40\x01\x00\x00\xB3"
                 "ab"s),
             "option 11"));
  CHECK(says(why("\x40\x01\x00\x00\xE0\xFF\xFF\xE0\xFF\xFF"s), "65535"));
  for (const int klass : {1, 6, 7}) {
    std::string bytes = "\x40\x00\x00\x00"s;
    bytes[1] = static_cast<char>(code(klass, 1));
    CHECK(says(why(bytes), "reserved class"));
  }
}

TEST_CASE("codes have phrases") {
  CHECK(code_phrase(code(4, 4)) == "Not Found");
  CHECK(code_phrase(code(2, 5)) == "Content");
  CHECK(code_phrase(code(4, 30)).empty());
}
