#include "cli/config.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "cli/files.h"

namespace aiot::cli {

namespace {

constexpr const char* kSystemFile = "/etc/aiot/aiot.toml";
constexpr std::string_view kBrokers = "brokers.";

}  // namespace

std::string user_config_file() {
  if (const char* base = std::getenv("XDG_CONFIG_HOME"); base != nullptr && base[0] == '/') {
    return std::string(base) + "/aiot/aiot.toml";
  }
  if (const char* home = std::getenv("HOME"); home != nullptr && home[0] != '\0') {
    return std::string(home) + "/.config/aiot/aiot.toml";
  }
  return {};
}

Result<std::unique_ptr<Config>> Config::load(const std::string& explicit_file) {
  auto config = std::make_unique<Config>();
  std::vector<std::string> files;
  if (!explicit_file.empty()) {
    files.push_back(explicit_file);
  } else {
    if (std::string user = user_config_file(); !user.empty()) files.push_back(std::move(user));
    files.emplace_back(kSystemFile);
  }
  for (const std::string& file : files) {
    auto content = read_file(file, kMaxConfigBytes);
    if (!content) {
      const int reason = content.error().native;
      if (explicit_file.empty() && (reason == ENOENT || reason == ENOTDIR || reason == EACCES)) continue;
      return content.error();
    }
    auto entries = parse_config(*content, file);
    if (!entries) return entries.error();
    for (ConfigEntry& entry : *entries) config->entries_.push_back(std::move(entry));
    config->files_.push_back(file);
  }
  return config;
}

std::unique_ptr<Config> Config::of(std::vector<ConfigEntry> entries) {
  auto config = std::make_unique<Config>();
  config->entries_ = std::move(entries);
  return config;
}

const ConfigEntry* Config::find(std::string_view table, std::string_view key) const {
  for (const ConfigEntry& entry : entries_) {
    if (entry.table == table && entry.key == key) return &entry;
  }
  return nullptr;
}

std::optional<NamedBroker> Config::broker(std::string_view name) const {
  const std::string table = std::string(kBrokers) + std::string(name);
  const ConfigEntry* url = find(table, "url");
  if (url == nullptr || url->values.empty()) return std::nullopt;
  const auto text = [&](std::string_view key) {
    const ConfigEntry* entry = find(table, key);
    return entry != nullptr && !entry->values.empty() ? entry->values.front() : std::string();
  };
  return NamedBroker{url->values.front(), text("token-file"), {text("ca"), text("cert"), text("key")}};
}

std::vector<std::string_view> Config::broker_names() const {
  std::vector<std::string_view> out;
  for (const ConfigEntry& entry : entries_) {
    if (entry.key == "url" && entry.table.rfind(kBrokers, 0) == 0) {
      out.push_back(std::string_view(entry.table).substr(kBrokers.size()));
    }
  }
  return out;
}

}  // namespace aiot::cli
