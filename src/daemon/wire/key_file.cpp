#include "daemon/wire/key_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "core/base/folders.h"
#include "core/base/random.h"
#include "core/base/secret_file.h"
#include "core/base/text.h"
#include "daemon/wire/fernet.h"

namespace aiot::wire {
namespace {

constexpr std::size_t kMaxGatewayName = 128;

/// Between secret and gateway name in a bound token; no INI value holds it.
constexpr char kNameSeparator = '\n';

Error at(const std::string& path, int line, std::string_view what) {
  return make_error(Errc::usage, fmt::format("{}:{}: {}", path, line, what));
}

/// One section's pair.
struct Pair {
  std::string secret, private_key;
  int private_line = 0;
};

Result<void> check_pair(const std::string& path, const char* section, const Pair& pair, int last) {
  if (pair.secret.empty()) return at(path, last, fmt::format("no 'secret' in a [{}] section", section));
  if (pair.private_key.empty()) return at(path, last, fmt::format("no 'private' in a [{}] section", section));
  const auto raw = text::decode_base64(pair.private_key);
  if (raw && raw->size() == 32) return {};
  return at(path, pair.private_line, "'private' is not a Fernet key: 32 bytes in URL-safe base 64");
}

Result<Keys> parse_keys(const std::string& path, std::istream& input) {
  Pair current;
  Pair previous;
  Pair* section = nullptr;
  bool has_previous = false;
  std::string line;
  int number = 0;
  while (std::getline(input, line)) {
    ++number;
    const std::string_view content = text::trim(line);
    if (content.empty() || content[0] == '#' || content[0] == ';') continue;
    if (content[0] == '[') {
      if (content.back() != ']') return at(path, number, "a section header without its ']'");
      const auto name = text::trim(content.substr(1, content.size() - 2));
      section = name == "keys" ? &current : name == "previous" ? &previous : nullptr;
      has_previous = has_previous || section == &previous;
      continue;
    }
    const auto separator = content.find_first_of("=:");
    if (separator == std::string_view::npos) return at(path, number, "expected NAME = VALUE");
    if (section == nullptr) continue;
    const std::string name = text::lower(text::trim(content.substr(0, separator)));
    const std::string value(text::trim(content.substr(separator + 1)));
    if (name == "secret") section->secret = value;
    if (name == "private") {
      section->private_key = value;
      section->private_line = number;
    }
  }
  if (auto good = check_pair(path, "keys", current, number); !good) return good.error();
  if (has_previous) {
    if (auto good = check_pair(path, "previous", previous, number); !good) return good.error();
  }
  return Keys{current.secret, current.private_key, previous.secret, previous.private_key};
}

Keys make_pair() {
  Keys keys;
  keys.private_key = fernet_make_key();
  std::string random(24, '\0');
  random_bytes(random.data(), random.size());
  keys.secret = text::base64url(random);  // 32 characters, so that tokens are as long as pyaiot's
  return keys;
}

std::string format_keys(const Keys& keys) {
  std::string text = fmt::format("[keys]\nsecret = {}\nprivate = {}\n", keys.secret, keys.private_key);
  if (keys.has_previous()) {
    text += fmt::format("\n[previous]\nsecret = {}\nprivate = {}\n", keys.previous_secret,
                        keys.previous_private_key);
  }
  return text;
}

/// Reads, changes and replaces the file, while no other process does.
Result<Keys> change_key_file(const std::string& path, Result<void> (*change)(const std::string&, Keys&)) {
  Keys out;
  auto changed = with_folder_lock(path, [&]() -> Result<void> {
    auto keys = read_key_file(path);
    if (!keys) return keys.error();
    out = std::move(*keys);
    if (auto good = change(path, out); !good) return good;
    return replace_private_file(path, format_keys(out));
  });
  if (!changed) return changed.error();
  return out;
}

/// What the token says when it was made with that pair.
Result<TokenClaim> check_with(const std::string& secret, const std::string& private_key,
                              std::string_view token) {
  auto plain = fernet_decrypt(private_key, token);
  if (!plain) return make_error(Errc::unauthorized, plain.error().message);
  const auto wrong = [] {
    return make_error(Errc::unauthorized, "the token does not hold this broker's secret");
  };
  if (plain->size() < secret.size() || CRYPTO_memcmp(plain->data(), secret.data(), secret.size()) != 0)
    return wrong();
  TokenClaim claim;
  claim.issued = fernet_time(token);
  if (plain->size() == secret.size()) return claim;
  if ((*plain)[secret.size()] != kNameSeparator || plain->size() == secret.size() + 1) return wrong();
  claim.gateway = plain->substr(secret.size() + 1);
  return claim;
}

/// Writes the whole of `content` to a new file of mode 0600.
Result<void> write_private(const std::string& path, std::string_view content) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return errno_error("cannot create " + path, errno);
  std::string_view rest = content;
  while (!rest.empty()) {
    const auto written = ::write(fd, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      const int saved = errno;
      ::close(fd);
      return errno_error("cannot write " + path, saved);
    }
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  ::fsync(fd);
  ::close(fd);
  return {};
}

}  // namespace

Result<Keys> read_key_file(const std::string& path) {
  auto content = read_secret_file(path, "key file");
  if (!content) return content.error();
  std::istringstream input(*content);
  return parse_keys(path, input);
}

Result<Keys> create_key_file(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  if (!parent.empty()) {
    auto made = make_private_folders(parent);
    if (!made) return made.error();
  }
  Keys keys = make_pair();

  // Written aside and linked into place: whoever sees the file sees the whole of it, and of two
  // processes that start together exactly one makes it.
  const std::string aside = fmt::format("{}.{}.new", path, random_u64());
  auto written = write_private(aside, format_keys(keys));
  if (!written) {
    ::unlink(aside.c_str());
    return written.error();
  }
  const int linked = ::link(aside.c_str(), path.c_str());
  const int saved = errno;
  ::unlink(aside.c_str());
  if (linked != 0) {
    if (saved == EEXIST) return make_error(Errc::usage, path + " exists; it is never overwritten", saved);
    return errno_error("cannot create " + path, saved);
  }
  return keys;
}

std::string default_key_file() {
  const char* config = std::getenv("XDG_CONFIG_HOME");
  if (config != nullptr && config[0] == '/') return std::string(config) + "/aiot/keys";
  const char* home = std::getenv("HOME");
  return std::string(home != nullptr ? home : "") + "/.config/aiot/keys";
}

Result<std::string> pyaiot_token(const Keys& keys, WallTime now) {
  return fernet_encrypt(keys.private_key, keys.secret, now);
}

Result<std::string> gateway_token(const Keys& keys, std::string_view gateway, WallTime now) {
  if (gateway.empty() || gateway.size() > kMaxGatewayName ||
      gateway.find(kNameSeparator) != std::string_view::npos) {
    return make_error(Errc::usage, "a gateway's name is 1 to 128 bytes on one line");
  }
  return fernet_encrypt(keys.private_key, fmt::format("{}{}{}", keys.secret, kNameSeparator, gateway), now);
}

Result<Keys> rotate_key_file(const std::string& path) {
  return change_key_file(path, [](const std::string& file, Keys& keys) -> Result<void> {
    if (keys.has_previous()) {
      return make_error(Errc::usage,
                        fmt::format("{} still holds a previous pair; aiot keys retire ends it", file));
    }
    Keys fresh = make_pair();
    fresh.previous_secret = std::move(keys.secret);
    fresh.previous_private_key = std::move(keys.private_key);
    keys = std::move(fresh);
    return {};
  });
}

Result<Keys> retire_key_file(const std::string& path) {
  return change_key_file(path, [](const std::string& file, Keys& keys) -> Result<void> {
    if (!keys.has_previous()) return make_error(Errc::usage, fmt::format("{} holds no previous pair", file));
    keys.previous_secret.clear();
    keys.previous_private_key.clear();
    return {};
  });
}

Result<TokenClaim> check_token(const Keys& keys, std::string_view token) {
  auto claim = check_with(keys.secret, keys.private_key, token);
  if (claim || !keys.has_previous()) return claim;
  auto older = check_with(keys.previous_secret, keys.previous_private_key, token);
  if (!older) return claim;
  older->previous = true;
  return older;
}

}  // namespace aiot::wire
