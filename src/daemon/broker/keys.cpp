#include "daemon/broker/keys.h"

#include <fmt/format.h>

#include <filesystem>

#include "core/base/log.h"

namespace aiot::broker {

namespace {

/// Whoever reads the keys can pass for any gateway.
void warn_of_readers(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code failed;
  const auto mode = fs::status(path, failed).permissions();
  if (failed || (mode & (fs::perms::group_all | fs::perms::others_all)) == fs::perms::none) return;
  log::warn("the key file {} is open to others (mode {:04o}); chmod 600 keeps it to its owner", path,
            static_cast<unsigned>(mode));
}

}  // namespace

Result<wire::Keys> open_keys(const std::string& path, const SocketAddress& listen) {
  std::error_code failed;
  if (std::filesystem::exists(path, failed) || failed) {
    warn_of_readers(path);
    return wire::read_key_file(path);
  }
  if (!listen.is_loopback()) {
    return make_error(Errc::usage,
                      fmt::format("the key file {} does not exist; aiot keys generate makes one", path));
  }
  auto made = wire::create_key_file(path);
  if (made) {
    log::info("made new keys in {}; gateways need this file, or a token of aiot keys token", path);
    return made;
  }
  // Another process that started with this one may have been first.
  if (made.error().code == Errc::usage) return wire::read_key_file(path);
  return made;
}

}  // namespace aiot::broker
