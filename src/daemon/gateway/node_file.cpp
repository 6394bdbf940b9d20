#include "daemon/gateway/node_file.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>
#include <unordered_map>
#include <utility>

#include "core/base/text.h"
#include "core/codec/value.h"

namespace aiot::gateway {

namespace {

std::int64_t millis(WallTime time) { return time.time_since_epoch().count(); }

void append_member(std::string& out, std::string_view name, std::string_view text) {
  out.append(",\"").append(name).append("\":\"");
  text::append_json_escaped(out, text);
  out.push_back('"');
}

void append_resource(std::string& out, const Resource& resource) {
  out += "{\"name\":\"";
  text::append_json_escaped(out, resource.name);
  out += '"';
  if (text::is_utf8(resource.bytes)) {
    append_member(out, "value", resource.bytes);
  } else {
    append_member(out, "base64", text::base64(resource.bytes));
  }
  if (resource.content_format) out += fmt::format(",\"format\":{}", *resource.content_format);
  if (resource.observed) out += ",\"observed\":true";
  out += fmt::format(",\"time\":{}}}", millis(resource.time));
}

/// Reads members with the kind of type they must have; remembers whether one was wrong.
struct Members {
  const nlohmann::json& object;
  bool good = true;

  std::string text(const char* name, bool required = false) {
    const auto at = object.find(name);
    if (at == object.end()) {
      if (required) good = false;
      return {};
    }
    if (at->is_string()) return at->get<std::string>();
    good = false;
    return {};
  }
  std::int64_t number(const char* name) {
    const auto at = object.find(name);
    if (at == object.end()) return 0;
    if (at->is_number_integer()) return at->get<std::int64_t>();
    good = false;
    return 0;
  }
  bool flag(const char* name) {
    const auto at = object.find(name);
    if (at == object.end()) return false;
    if (at->is_boolean()) return at->get<bool>();
    good = false;
    return false;
  }
  WallTime time(const char* name) {
    // Within the years that can be written down, whatever the file says.
    constexpr std::int64_t kLatest = 253'402'300'799'000;
    return WallTime(std::chrono::milliseconds(std::clamp<std::int64_t>(number(name), 0, kLatest)));
  }
};

bool parse_resource(const nlohmann::json& json, Resource& out) {
  if (!json.is_object()) return false;
  Members members{json};
  out.name = members.text("name", true);
  if (json.contains("base64")) {
    auto bytes = text::decode_base64(members.text("base64"));
    if (!bytes) return false;
    out.bytes = std::move(*bytes);
  } else {
    out.bytes = members.text("value");
  }
  if (json.contains("format")) out.content_format = static_cast<std::uint16_t>(members.number("format"));
  out.observed = members.flag("observed");
  out.time = members.time("time");
  return members.good && out.name.size() <= kMaxResource && out.bytes.size() <= kMaxValue;
}

bool parse_node(const nlohmann::json& json, SavedNode& out) {
  Members members{json};
  out.uid = members.text("uid", true);
  if (json.contains("protocol")) {
    const auto protocol = parse_protocol(members.text("protocol"));
    if (!protocol) return false;
    out.protocol = *protocol;
    out.id = members.text("id");
    constexpr std::int64_t kLongest = 7 * 24 * 3600;  // 65,535 s and half as much again are the most
    out.agreed_silence =
        std::chrono::seconds(std::clamp<std::int64_t>(members.number("silence"), 0, kLongest));
  }
  if (const auto text = members.text("address", out.protocol == Protocol::coap); !text.empty()) {
    auto address = SocketAddress::parse(text);
    if (!address) return false;
    out.address = *address;
  }
  out.credential = members.text("credential");
  if (json.contains("server_port"))
    out.server_port = static_cast<std::uint16_t>(members.number("server_port"));
  out.out = members.flag("out");
  out.read = members.flag("read");
  out.first_seen = members.time("first_seen");
  out.last_seen = members.time("last_seen");
  if (const auto at = json.find("registration"); at != json.end()) {
    if (!at->is_object()) return false;
    Members registered{*at};
    Registration registration;
    registration.id = registered.text("id", true);
    registration.endpoint = registered.text("ep");
    registration.sector = registered.text("d");
    registration.type = registered.text("et");
    registration.links = registered.text("links");
    registration.simple = registered.flag("simple");
    if (at->contains("base")) {
      auto base = SocketAddress::parse(registered.text("base"));
      if (!base) return false;
      registration.base = *base;
    }
    const std::chrono::seconds lifetime(registered.number("lt"));
    if (!registered.good || lifetime.count() <= 0 ||
        lifetime > std::chrono::duration_cast<std::chrono::seconds>(kMaxRegistration))
      return false;
    registration.lifetime = lifetime;
    out.registration = std::move(registration);
  }
  if (const auto at = json.find("resources"); at != json.end()) {
    if (!at->is_array() || at->size() > kMaxNodeResources) return false;
    for (const auto& item : *at)
      if (!parse_resource(item, out.resources.emplace_back())) return false;
  }
  return members.good;
}

}  // namespace

std::string node_file_head() {
  return fmt::format("{{\"aiot\":\"gateway nodes\",\"version\":{}}}\n", kNodeFileVersion);
}

std::string node_file_tail(std::size_t nodes) { return fmt::format("{{\"nodes\":{}}}\n", nodes); }

void append_node(std::string& out, const Node& node) {
  out += "{\"uid\":\"";
  text::append_json_escaped(out, node.uid);
  out += '"';
  if (node.protocol != Protocol::coap) {
    append_member(out, "protocol", to_string(node.protocol));
    append_member(out, "id", node.id);
    if (node.agreed_silence > Duration(0))
      out += fmt::format(",\"silence\":{}",
                         std::chrono::duration_cast<std::chrono::seconds>(node.agreed_silence).count());
  }
  if (!node.address.empty()) append_member(out, "address", node.address.text());
  if (!node.credential.empty()) append_member(out, "credential", node.credential);
  if (node.server_port != 5683) out += fmt::format(",\"server_port\":{}", node.server_port);
  if (!node.live) out += ",\"out\":true";
  if (node.discovery == Node::Discovery::done) out += ",\"read\":true";
  out += fmt::format(",\"first_seen\":{},\"last_seen\":{}", millis(node.first_seen),
                     millis(node.last_seen_wall));
  if (node.registration) {
    const auto& registration = *node.registration;
    out += fmt::format(",\"registration\":{{\"lt\":{}",
                       std::chrono::duration_cast<std::chrono::seconds>(registration.lifetime).count());
    append_member(out, "id", registration.id);
    append_member(out, "ep", registration.endpoint);
    append_member(out, "d", registration.sector);
    append_member(out, "et", registration.type);
    append_member(out, "links", registration.links);
    if (registration.simple) out += ",\"simple\":true";
    if (registration.base) append_member(out, "base", registration.base->text());
    out += '}';
  }
  out += ",\"resources\":[";
  bool first = true;
  for (const auto& resource : node.resources) {
    if (!std::exchange(first, false)) out += ',';
    append_resource(out, resource);
  }
  out += "]}\n";
}

Result<NodeFile> parse_node_file(std::string_view text) {
  NodeFile out;
  std::unordered_map<std::string, std::size_t> places;  // of the uids, once lines follow that replace others
  std::size_t line_number = 0;
  bool complete = false;
  const auto bad = [&](std::string_view what) {
    return make_error(Errc::internal, fmt::format("line {}: {}", line_number, what));
  };
  while (!text.empty()) {
    const auto end = text.find('\n');
    const auto line = text.substr(0, end);
    ++line_number;
    if (end == std::string_view::npos && complete) {
      out.cut = true;
      break;
    }
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.empty()) continue;
    auto json = parse_json(line);
    if (!json || !json->is_object()) return bad("not a JSON object");
    if (line_number == 1) {
      if (Members{*json}.text("aiot") != "gateway nodes") return bad("not a gateway's node file");
      if (Members{*json}.number("version") != kNodeFileVersion)
        return bad(fmt::format("version {} is not known here", Members{*json}.number("version")));
    } else if (json->contains("nodes")) {
      if (complete) return bad("a second end");
      if (Members{*json}.number("nodes") != static_cast<std::int64_t>(out.nodes.size()))
        return bad("nodes are missing");
      complete = true;
      for (const auto& node : out.nodes) places.emplace(node.uid, places.size());
    } else {
      SavedNode node;
      if (!parse_node(*json, node)) return bad("not a node");
      const auto [at, is_new] =
          complete ? places.emplace(node.uid, out.nodes.size()) : std::pair(places.end(), true);
      if (complete) ++out.appended;
      if (is_new) {
        out.nodes.push_back(std::move(node));
      } else {
        out.nodes[at->second] = std::move(node);
      }
    }
  }
  if (!complete) return bad("the end is missing");
  return out;
}

Result<std::string> read_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    if (errno == ENOENT) return std::string();
    return errno_error("cannot read " + path, errno);
  }
  std::string out;
  char buffer[65536];
  ssize_t got = 0;
  while ((got = ::read(fd, buffer, sizeof buffer)) > 0) out.append(buffer, static_cast<std::size_t>(got));
  const int error = errno;
  ::close(fd);
  if (got < 0) return errno_error("cannot read " + path, error);
  return out;
}

namespace {

/// Writes, syncs and closes.
Result<void> write_out(int fd, const std::string& path, std::string_view content) {
  int error = 0;
  while (!content.empty() && error == 0) {
    const auto put = ::write(fd, content.data(), content.size());
    if (put >= 0) {
      content.remove_prefix(static_cast<std::size_t>(put));
    } else if (errno != EINTR) {
      error = errno;
    }
  }
  if (error == 0 && ::fdatasync(fd) != 0) error = errno;
  ::close(fd);
  if (error != 0) return errno_error("cannot write " + path, error);
  return {};
}

}  // namespace

Result<void> append_file(const std::string& path, std::string_view content) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  if (fd < 0) return errno_error("cannot write " + path, errno);
  return write_out(fd, path, content);
}

Result<void> replace_file(const std::string& path, std::string_view content) {
  const std::string beside = path + ".new";
  const int fd = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return errno_error("cannot write " + beside, errno);
  if (auto written = write_out(fd, beside, content); !written) {
    ::unlink(beside.c_str());
    return written;
  }
  if (::rename(beside.c_str(), path.c_str()) != 0) return errno_error("cannot replace " + path, errno);
  // The new name must survive a power cut as well.
  const auto slash = path.rfind('/');
  const int folder = ::open(slash == std::string::npos ? "." : path.substr(0, slash + 1).c_str(),
                            O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    (void)::fsync(folder);
    ::close(folder);
  }
  return {};
}

}  // namespace aiot::gateway
