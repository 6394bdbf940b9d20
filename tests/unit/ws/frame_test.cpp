#include "core/ws/frame.h"

#include <catch2/catch.hpp>
#include <cstring>

#include "core/ws/http_server.h"

using namespace aiot::ws;

TEST_CASE("frames have the header that their length asks for") {
  struct Case {
    std::size_t size;
    std::string header;
  };
  using namespace std::string_literals;
  const Case cases[] = {{0, "\x81\x00"s},
                        {1, "\x81\x01"s},
                        {125, "\x81\x7d"s},
                        {126, "\x81\x7e\x00\x7e"s},
                        {65535, "\x81\x7e\xff\xff"s},
                        {65536, "\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"s}};
  for (const auto& one : cases) {
    CAPTURE(one.size);
    const std::string payload(one.size, 'p');
    const auto frame = encode_text_frame(payload);
    CHECK(frame == one.header + payload);
    CHECK(frame_length(frame) == frame.size());
    CHECK(frame_length(std::string_view(frame).substr(0, one.header.size())) == frame.size());
    CHECK(frame_length(std::string_view(frame).substr(0, one.header.size() - 1)) == 0);
    std::string appended = "before";
    append_text_frame(appended, payload);
    CHECK(appended == "before" + frame);
  }
}

TEST_CASE("masked frames give the payload back under their key") {
  for (const std::size_t size : {0, 1, 3, 4, 7, 8, 9, 125, 126, 1000, 65536}) {
    std::string payload(size, ' ');
    for (std::size_t i = 0; i < size; ++i) payload[i] = static_cast<char>(i * 31);
    std::string frame;
    append_masked_frame(frame, Opcode::binary, payload, 0x12345678U, false);
    CHECK(frame_length(frame) == frame.size());
    CHECK(static_cast<unsigned char>(frame[0]) == 0x02);
    CHECK((static_cast<unsigned char>(frame[1]) & 0x80) != 0);
    const auto start = frame.size() - size;
    char key[4];
    std::memcpy(key, frame.data() + start - 4, 4);
    for (std::size_t i = 0; i < size; ++i)
      frame[start + i] = static_cast<char>(frame[start + i] ^ key[i % 4]);
    CHECK(frame.substr(start) == payload);
  }
}

TEST_CASE("writes are cut between frames") {
  std::string bytes;
  for (int i = 0; i < 10; ++i) append_text_frame(bytes, std::string(98, 'x'));
  CHECK(whole_frames(bytes, 1000) == 1000);
  CHECK(whole_frames(bytes, 5000) == 1000);
  CHECK(whole_frames(bytes, 999) == 900);
  CHECK(whole_frames(bytes, 250) == 200);
  CHECK(whole_frames(bytes, 10) == 100);  // one that is longer than the limit goes alone
  CHECK(whole_frames(std::string_view(bytes).substr(0, 150), 120) == 100);
  CHECK(whole_frames({}, 10) == 0);
}
