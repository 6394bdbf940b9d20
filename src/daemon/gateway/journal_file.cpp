#include "daemon/gateway/journal_file.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <zlib.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "core/base/text.h"
#include "daemon/wire/json_reader.h"
#include "daemon/wire/json_writer.h"

namespace aiot::gateway {

namespace {

constexpr int kVersion = 1;
constexpr std::uint8_t kHasOrigin = 1, kHasUptime = 2, kHasSession = 4;
constexpr std::size_t kPrefix = 8;            // size and checksum
constexpr std::size_t kPeer = 16 + 2 + 4;     // IPv6 address, port, scope
constexpr std::size_t kMaxRecord = 1 << 20U;  // an item of the largest value, escaped, is below
constexpr std::size_t kMaxName = 128, kMaxStreams = 64, kMaxToken = 8, kMaxSession = 128;
constexpr std::size_t kMaxBoots = 64;
constexpr std::uint64_t kMaxUptime = 1ULL << 50U;  // ms

std::uint32_t checksum(std::string_view text) {
  return static_cast<std::uint32_t>(
      crc32(0, reinterpret_cast<const Bytef*>(text.data()), static_cast<uInt>(text.size())));
}

template <class N>
void put_at(char* at, N value) {
  for (std::size_t i = 0; i < sizeof(N); ++i)
    at[i] = static_cast<char>(static_cast<std::uint64_t>(value) >> (8 * i) & 0xFF);
}

template <class N>
void put(std::string& out, N value) {
  char bytes[sizeof(N)];
  put_at(bytes, value);
  out.append(bytes, sizeof bytes);
}

template <class N>
N get(const char* at) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof(N); ++i)
    value |= std::uint64_t{static_cast<std::uint8_t>(at[i])} << (8 * i);
  return static_cast<N>(value);
}

void put_peer(std::string& out, const SocketAddress& peer) {
  sockaddr_storage storage{};
  peer.to(storage, AF_INET6);
  sockaddr_in6 address{};
  std::memcpy(&address, &storage, sizeof address);
  out.append(reinterpret_cast<const char*>(&address.sin6_addr), 16);
  put(out, peer.port());
  put(out, static_cast<std::uint32_t>(address.sin6_scope_id));
}

SocketAddress get_peer(const char* at) {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  std::memcpy(&address.sin6_addr, at, 16);
  address.sin6_port = htons(get<std::uint16_t>(at + 16));
  address.sin6_scope_id = get<std::uint32_t>(at + 18);
  return SocketAddress::from(reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

/// Parses what stands behind a record's checksum.
bool parse_body(std::string_view body, Record& record) {
  record = {};
  if (body.empty()) return false;
  const auto flags = static_cast<std::uint8_t>(body[0]);
  body.remove_prefix(1);
  if ((flags & ~(kHasOrigin | kHasUptime | kHasSession)) != 0) return false;
  if ((flags & kHasSession) != 0) {
    if (body.empty()) return false;
    const auto size = static_cast<std::uint8_t>(body[0]);
    body.remove_prefix(1);
    if (size == 0 || size > kMaxSession || body.size() < size + 10U || (flags & kHasOrigin) != 0)
      return false;
    Origin& origin = record.origin.emplace();
    origin.session = body.substr(0, size);
    origin.message_id = get<std::uint16_t>(body.data() + size);
    origin.hash = get<std::uint64_t>(body.data() + size + 2);
    body.remove_prefix(size + 10U);
  }
  if ((flags & kHasOrigin) != 0) {
    if (body.size() < kPeer + 3) return false;
    Origin& origin = record.origin.emplace();
    origin.peer = get_peer(body.data());
    origin.message_id = get<std::uint16_t>(body.data() + kPeer);
    const auto token = static_cast<std::uint8_t>(body[kPeer + 2]);
    body.remove_prefix(kPeer + 3);
    if (token > kMaxToken || body.size() < token) return false;
    origin.token = body.substr(0, token);
    body.remove_prefix(token);
  }
  if ((flags & kHasUptime) != 0) {
    if (body.size() < 8) return false;
    record.uptime_ms = get<std::uint64_t>(body.data());
    if (*record.uptime_ms > kMaxUptime) return false;  // sums with it must not overflow
    body.remove_prefix(8);
  }
  record.item = body;
  return body.size() >= 2 && body.front() == '{' && body.back() == '}';
}

bool read_head(wire::JsonReader& reader, SegmentHead& head, std::uint64_t& version) {
  std::string_view name;
  if (!reader.enter_object()) return false;
  while (reader.next_member(name)) {
    if (name == "journal") {
      reader.read_unsigned(version);
    } else if (name == "stream") {
      reader.read_string(head.stream, kMaxName);
    } else if (name == "first") {
      reader.read_unsigned(head.first);
    } else if (name == "boot") {
      reader.read_string(head.boot, kMaxName);
    } else if (name == "made") {
      std::uint64_t ms = 0;
      reader.read_unsigned(ms);
      head.made = WallTime(std::chrono::milliseconds(static_cast<std::int64_t>(ms & INT64_MAX)));
    } else if (name == "earlier") {
      reader.enter_array();
      while (reader.next_element()) {
        if (head.earlier.size() >= kMaxStreams) return reader.fail("too many streams");
        if (!reader.read_string(head.earlier.emplace_back(), kMaxName)) return false;
      }
    } else {
      reader.skip();
    }
  }
  return reader.finish();
}

Error bad_head(std::string_view what) {
  return make_error(Errc::internal, fmt::format("not a segment of a journal: {}", what));
}

}  // namespace

std::string format_segment_head(const SegmentHead& head) {
  std::string out;
  wire::JsonWriter json(out);
  json.open_object();
  json.number("journal", kVersion);
  json.string("stream", head.stream);
  json.number("first", head.first);
  json.string("boot", head.boot);
  json.number("made", std::max<std::int64_t>(0, head.made.time_since_epoch().count()));
  json.open_array("earlier");
  for (std::size_t i = 0; i < std::min(head.earlier.size(), kMaxStreams); ++i) json.string(head.earlier[i]);
  json.close_array();
  json.close_object();
  out += fmt::format("\n{:08x}\n", checksum(out));
  return out;
}

Result<ParsedHead> parse_segment_head(std::string_view text) {
  constexpr std::size_t kChecksumLine = 9;
  text = text.substr(0, kMaxSegmentHead);
  const auto end = text.find('\n');
  if (end == std::string_view::npos || text.size() < end + 1 + kChecksumLine)
    return bad_head("its head is cut");
  const auto line = text.substr(0, end);
  if (text.substr(end + 1, kChecksumLine) != fmt::format("{:08x}\n", checksum(line)))
    return bad_head("its head is damaged");
  ParsedHead out;
  std::uint64_t version = 0;
  wire::JsonReader reader(line);
  if (!read_head(reader, out.head, version)) return bad_head(reader.error().message);
  if (version != kVersion) return bad_head(fmt::format("version {} is not known", version));
  if (out.head.stream.empty() || out.head.first == 0) return bad_head("its head says too little");
  out.size = end + 1 + kChecksumLine;
  return out;
}

void append_record(std::string& out, std::string_view item, const Origin* origin,
                   std::optional<std::uint64_t> uptime_ms) {
  const std::size_t begin = out.size();
  out.append(kPrefix, '\0');
  const bool of_session = origin != nullptr && !origin->session.empty();
  if (of_session && origin->session.size() > kMaxSession) origin = nullptr;
  const auto kind = origin == nullptr ? 0U : of_session ? kHasSession : kHasOrigin;
  out += static_cast<char>(kind | (uptime_ms ? kHasUptime : 0U));
  if (kind == kHasSession) {
    put(out, static_cast<std::uint8_t>(origin->session.size()));
    out += origin->session;
    put(out, origin->message_id);
    put(out, origin->hash);
  } else if (kind == kHasOrigin) {
    put_peer(out, origin->peer);
    put(out, origin->message_id);
    const auto token = origin->token.substr(0, kMaxToken);
    put(out, static_cast<std::uint8_t>(token.size()));
    out += token;
  }
  if (uptime_ms) put(out, *uptime_ms);
  out += item;
  const std::string_view body = std::string_view(out).substr(begin + kPrefix);
  put_at(out.data() + begin, static_cast<std::uint32_t>(body.size()));
  put_at(out.data() + begin + 4, checksum(body));
}

RecordReader::Status RecordReader::next(Record& record) {
  const auto rest = text_.substr(at_);
  if (rest.size() < kPrefix) return Status::cut;
  const auto size = get<std::uint32_t>(rest.data());
  if (size > kMaxRecord) return Status::damaged;
  if (rest.size() - kPrefix < size) return Status::cut;
  const auto body = rest.substr(kPrefix, size);
  if (checksum(body) != get<std::uint32_t>(rest.data() + 4) || !parse_body(body, record))
    return Status::damaged;
  at_ += kPrefix + size;
  return Status::record;
}

void append_stamped(std::string& out, std::string_view item, WallTime stamp, bool uncertain) {
  item.remove_suffix(1);  // the closing brace
  out += item;
  fmt::format_to(std::back_inserter(out), R"(,"time":{})",
                 std::max<std::int64_t>(0, stamp.time_since_epoch().count()));
  if (uncertain) out += R"(,"time_uncertain":true)";
  out += '}';
}

std::optional<WallTime> BootTimes::time_of(std::string_view boot, std::uint64_t uptime_ms) const {
  for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
    if (entry->boot != boot) continue;
    return entry->wall + std::chrono::milliseconds(static_cast<std::int64_t>(uptime_ms) -
                                                   static_cast<std::int64_t>(entry->uptime_ms));
  }
  return std::nullopt;
}

std::string format_boot_times(const BootTimes& times) {
  std::string out;
  const auto skipped = times.entries.size() > kMaxBoots ? times.entries.size() - kMaxBoots : 0;
  for (std::size_t i = skipped; i < times.entries.size(); ++i) {
    const auto& entry = times.entries[i];
    out += fmt::format("{} {} {}\n", entry.boot, entry.uptime_ms, entry.wall.time_since_epoch().count());
  }
  return out;
}

BootTimes parse_boot_times(std::string_view text) {
  BootTimes out;
  const auto number = [](std::string_view word, auto& value) {
    const auto [end, code] = std::from_chars(word.data(), word.data() + word.size(), value);
    return code == std::errc() && end == word.data() + word.size();
  };
  for (const auto line : text::split(text, '\n')) {
    const auto words = text::split(line, ' ');
    std::uint64_t uptime = 0;
    std::int64_t wall = 0;
    if (words.size() != 3 || words[0].empty() || words[0].size() > kMaxName) continue;
    if (!number(words[1], uptime) || !number(words[2], wall) || uptime > kMaxUptime || wall < 0 ||
        wall > 1LL << 50U)
      continue;
    if (out.entries.size() >= kMaxBoots) out.entries.erase(out.entries.begin());
    out.entries.push_back({std::string(words[0]), uptime, WallTime(std::chrono::milliseconds(wall))});
  }
  return out;
}

}  // namespace aiot::gateway
