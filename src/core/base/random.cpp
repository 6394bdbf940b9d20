#include "core/base/random.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>

namespace aiot {

namespace {

std::atomic<unsigned> fork_generation{0};

/// A thread's stock of unused random bytes. A forked child must not repeat its parent's.
struct Stock {
  unsigned char bytes[4096];
  std::size_t used = sizeof bytes;
  unsigned generation = 0;
};

void fill(void* out, std::size_t size) {
  auto* at = static_cast<unsigned char*>(out);
  while (size > 0) {
    const ssize_t got = getrandom(at, size, 0);
    if (got < 0) {
      if (errno == EINTR) continue;
      std::abort();  // no kernel without it runs this program; predictable tokens would be worse
    }
    at += got;
    size -= static_cast<std::size_t>(got);
  }
}

}  // namespace

void random_bytes(void* out, std::size_t size) {
  static const int registered =
      pthread_atfork(nullptr, nullptr, [] { fork_generation.fetch_add(1, std::memory_order_relaxed); });
  static_cast<void>(registered);
  thread_local Stock stock;
  if (size > sizeof stock.bytes / 4) {
    fill(out, size);
    return;
  }
  const unsigned generation = fork_generation.load(std::memory_order_relaxed);
  if (stock.used + size > sizeof stock.bytes || stock.generation != generation) {
    fill(stock.bytes, sizeof stock.bytes);
    stock.used = 0;
    stock.generation = generation;
  }
  std::memcpy(out, stock.bytes + stock.used, size);
  std::memset(stock.bytes + stock.used, 0, size);
  stock.used += size;
}

std::uint64_t random_u64() {
  std::uint64_t out = 0;
  random_bytes(&out, sizeof out);
  return out;
}

std::string random_uuid() {
  unsigned char bytes[16];
  random_bytes(bytes, sizeof bytes);
  bytes[6] = static_cast<unsigned char>((bytes[6] & 0x0F) | 0x40);
  bytes[8] = static_cast<unsigned char>((bytes[8] & 0x3F) | 0x80);
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  out.reserve(36);
  for (std::size_t i = 0; i < sizeof bytes; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out += '-';
    out += kHex[bytes[i] >> 4];
    out += kHex[bytes[i] & 0x0F];
  }
  return out;
}

}  // namespace aiot
