#include "daemon/broker/site.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <set>

#include "daemon/broker/static_files.h"
#include "daemon/wire/json_writer.h"

namespace aiot::broker {
namespace {

constexpr std::string_view kLogo = "/brand/logo";
constexpr std::string_view kFavicon = "/brand/favicon";

struct Magic {
  std::string_view bytes, type;
};
constexpr std::array kMagics = {
    Magic{"\x89PNG\r\n", "image/png"},
    Magic{"\xff\xd8\xff", "image/jpeg"},
    Magic{"GIF8", "image/gif"},
    Magic{std::string_view("\0\0\1\0", 4), "image/x-icon"},
};

std::string tag_of(const Picture& picture) {
  return fmt::format("\"{:x}-{:x}\"", picture.bytes.size(), std::hash<std::string>()(picture.bytes));
}

bool is_host_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
         c == ':' || c == '[' || c == ']';
}

}  // namespace

Result<Picture> make_picture(std::string bytes) {
  const std::string_view head = std::string_view(bytes).substr(0, 1024);
  for (const Magic& magic : kMagics) {
    if (head.substr(0, magic.bytes.size()) == magic.bytes)
      return Picture{std::string(magic.type), std::move(bytes)};
  }
  if (head.substr(0, 4) == "RIFF" && head.substr(8, 4) == "WEBP")
    return Picture{"image/webp", std::move(bytes)};
  if (head.find("<svg") != std::string_view::npos) return Picture{"image/svg+xml", std::move(bytes)};
  return make_error(Errc::usage, "is not a picture: PNG, JPEG, GIF, WebP, ICO and SVG are");
}

Result<std::string> picture_origin(std::string_view url) {
  if (!url.empty() && url.front() == '/' && url.substr(0, 2) != "//") return std::string();
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (url.substr(0, scheme.size()) != scheme) continue;
    std::string_view host = url.substr(scheme.size());
    host = host.substr(0, host.find_first_of("/?#"));
    // Leaflet's {s} stands for one of several hosts below the rest.
    const bool several = host.substr(0, 4) == "{s}.";
    if (several) host.remove_prefix(4);
    if (host.empty() || !std::all_of(host.begin(), host.end(), is_host_character)) break;
    return fmt::format("{}{}{}", scheme, several ? "*." : "", host);
  }
  return make_error(Errc::usage,
                    fmt::format("\"{}\" is neither http://, https:// nor a path of this server", url));
}

Site::Site(SiteOptions options, std::span<const Asset> assets)
    : options_(std::move(options)), assets_(assets), policy_(kContentSecurityPolicy) {
  logo_tag_ = tag_of(options_.logo);
  favicon_tag_ = tag_of(options_.favicon);
  if (!options_.logo.bytes.empty())
    pictures_.push_back({kLogo, options_.logo.type, logo_tag_, options_.logo.bytes, {}, false});
  if (!options_.favicon.bytes.empty())
    pictures_.push_back({kFavicon, options_.favicon.type, favicon_tag_, options_.favicon.bytes, {}, false});

  std::set<std::string> origins;
  const auto allow = [&](const std::string& url) {
    if (url.empty()) return;
    if (auto origin = picture_origin(url); origin && !origin->empty()) origins.insert(std::move(*origin));
  };
  allow(options_.camera);
  allow(options_.tiles);
  for (const auto& url : options_.images) allow(url);
  std::string more;
  for (const auto& origin : origins) more += ' ' + origin;
  constexpr std::string_view kImages = "img-src 'self' data:";
  policy_.insert(policy_.find(kImages) + kImages.size(), more);
  options_.images.assign(origins.begin(), origins.end());
}

ws::HttpResponse Site::serve(const ws::HttpRequest& request) const {
  for (const Asset& picture : pictures_) {
    if (request.path == picture.path) return serve_file(request, {&picture, 1}, policy_);
  }
  return serve_file(request, assets_, policy_);
}

std::string Site::describe(WallTime now) const {
  std::string out;
  wire::JsonWriter json(out);
  json.open_object();
  json.string("title", options_.title);
  // Relative, so that the broker may stand behind a path prefix.
  if (!options_.logo.bytes.empty()) json.string("logo", kLogo.substr(1));
  if (!options_.favicon.bytes.empty()) json.string("favicon", kFavicon.substr(1));
  if (!options_.camera.empty()) json.string("camera", options_.camera);
  if (!options_.tiles.empty()) {
    json.open_object("map");
    json.string("tiles", options_.tiles);
    json.string("attribution", options_.attribution);
    json.close_object();
  }
  json.open_array("image_origins");
  for (const auto& origin : options_.images) json.string(origin);
  json.close_array();
  json.string("version", AIOT_VERSION);
  json.string("time", format_utc(now));
  json.close_object();
  return out;
}

}  // namespace aiot::broker
