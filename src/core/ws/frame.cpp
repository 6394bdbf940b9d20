#include "core/ws/frame.h"

#include <cstring>

#include "core/ws/http_server.h"

namespace aiot::ws {
namespace {

void append_header(std::string& out, Opcode opcode, std::size_t size, bool fin, unsigned mask_bit) {
  char header[10];
  std::size_t used = 2;
  header[0] = static_cast<char>((fin ? 0x80U : 0U) | static_cast<unsigned>(opcode));
  if (size < 126) {
    header[1] = static_cast<char>(size | mask_bit);
  } else if (size < 65536) {
    header[1] = static_cast<char>(126 | mask_bit);
    header[2] = static_cast<char>(size >> 8);
    header[3] = static_cast<char>(size);
    used = 4;
  } else {
    header[1] = static_cast<char>(127 | mask_bit);
    for (unsigned i = 0; i < 8; ++i)
      header[2 + i] = static_cast<char>(static_cast<std::uint64_t>(size) >> (56 - 8 * i));
    used = 10;
  }
  out.append(header, used);
}

}  // namespace

void append_frame(std::string& out, Opcode opcode, std::string_view payload, bool fin) {
  append_header(out, opcode, payload.size(), fin, 0);
  out.append(payload);
}

void append_masked_frame(std::string& out, Opcode opcode, std::string_view payload, std::uint32_t key,
                         bool fin) {
  append_header(out, opcode, payload.size(), fin, 0x80);
  char mask[8];
  std::memcpy(mask, &key, 4);
  std::memcpy(mask + 4, &key, 4);
  out.append(mask, 4);
  const auto start = out.size();
  out.append(payload);
  std::uint64_t wide = 0;
  std::memcpy(&wide, mask, 8);
  char* at = out.data() + start;
  std::size_t left = payload.size();
  for (; left >= 8; left -= 8, at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, 8);
    word ^= wide;
    std::memcpy(at, &word, 8);
  }
  for (std::size_t i = 0; i < left; ++i) at[i] = static_cast<char>(at[i] ^ mask[i]);
}

std::uint64_t frame_length(std::string_view bytes) {
  if (bytes.size() < 2) return 0;
  const auto byte = [&](std::size_t i) {
    return static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[i]));
  };
  const std::uint64_t mask = (byte(1) & 0x80) != 0 ? 4 : 0;
  const auto size = byte(1) & 0x7f;
  if (size < 126) return 2 + mask + size;
  const std::size_t more = size == 126 ? 2 : 8;
  if (bytes.size() < 2 + more) return 0;
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < more; ++i) length = length << 8 | byte(2 + i);
  return 2 + more + mask + length;
}

std::size_t whole_frames(std::string_view bytes, std::size_t limit) {
  if (bytes.size() <= limit) return bytes.size();
  std::size_t used = 0;
  while (used < bytes.size()) {
    const auto length = frame_length(bytes.substr(used));
    // A source that hands over half a frame gets it written: what it meant cannot be told from here.
    if (length == 0 || length > bytes.size() - used) return used == 0 ? bytes.size() : used;
    if (used + length > limit) return used == 0 ? static_cast<std::size_t>(length) : used;
    used += static_cast<std::size_t>(length);
  }
  return used;
}

std::string encode_text_frame(std::string_view payload) {
  std::string frame;
  frame.reserve(payload.size() + 10);
  append_frame(frame, Opcode::text, payload);
  return frame;
}

void append_text_frame(std::string& out, std::string_view payload) {
  append_frame(out, Opcode::text, payload);
}

}  // namespace aiot::ws
