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

Result<Keys> parse_keys(const std::string& path, std::istream& input) {
  Keys keys;
  std::string line;
  bool in_keys = false;
  int number = 0;
  int private_line = 0;
  while (std::getline(input, line)) {
    ++number;
    const std::string_view content = text::trim(line);
    if (content.empty() || content[0] == '#' || content[0] == ';') continue;
    if (content[0] == '[') {
      if (content.back() != ']') return at(path, number, "a section header without its ']'");
      in_keys = text::trim(content.substr(1, content.size() - 2)) == "keys";
      continue;
    }
    const auto separator = content.find_first_of("=:");
    if (separator == std::string_view::npos) return at(path, number, "expected NAME = VALUE");
    if (!in_keys) continue;
    const std::string name = text::lower(text::trim(content.substr(0, separator)));
    const std::string value(text::trim(content.substr(separator + 1)));
    if (name == "secret") keys.secret = value;
    if (name == "private") {
      keys.private_key = value;
      private_line = number;
    }
  }
  if (keys.secret.empty()) return at(path, number, "no 'secret' in a [keys] section");
  if (keys.private_key.empty()) return at(path, number, "no 'private' in a [keys] section");
  const auto raw = text::decode_base64(keys.private_key);
  if (!raw || raw->size() != 32) {
    return at(path, private_line, "'private' is not a Fernet key: 32 bytes in URL-safe base 64");
  }
  return keys;
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
  Keys keys;
  keys.private_key = fernet_make_key();
  std::string random(24, '\0');
  random_bytes(random.data(), random.size());
  keys.secret = text::base64url(random);  // 32 characters, so that tokens are as long as pyaiot's

  // Written aside and linked into place: whoever sees the file sees the whole of it, and of two
  // processes that start together exactly one makes it.
  const std::string aside = fmt::format("{}.{}.new", path, random_u64());
  auto written =
      write_private(aside, fmt::format("[keys]\nsecret = {}\nprivate = {}\n", keys.secret, keys.private_key));
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

Result<std::string> check_token(const Keys& keys, std::string_view token) {
  auto plain = fernet_decrypt(keys.private_key, token);
  if (!plain) return make_error(Errc::unauthorized, plain.error().message);
  const auto& secret = keys.secret;
  if (plain->size() < secret.size() || CRYPTO_memcmp(plain->data(), secret.data(), secret.size()) != 0) {
    return make_error(Errc::unauthorized, "the token does not hold this broker's secret");
  }
  if (plain->size() == secret.size()) return std::string();
  if ((*plain)[secret.size()] != kNameSeparator || plain->size() == secret.size() + 1) {
    return make_error(Errc::unauthorized, "the token does not hold this broker's secret");
  }
  return plain->substr(secret.size() + 1);
}

}  // namespace aiot::wire
