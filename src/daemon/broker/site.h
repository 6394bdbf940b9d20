#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/base/time.h"
#include "core/ws/http_server.h"
#include "daemon/broker/dashboard.h"

namespace aiot::broker {

/// A picture as a file has it; none with no bytes.
struct Picture {
  std::string type;  ///< "image/png"
  std::string bytes;
};
inline constexpr std::size_t kMaxPicture = 1024 * 1024;
/// Errc::usage for anything but PNG, JPEG, GIF, WebP, ICO and SVG.
[[nodiscard]] Result<Picture> make_picture(std::string bytes);

/// What an operator makes of the dashboard.
struct SiteOptions {
  std::string title = "aiot";
  Picture logo, favicon;
  std::string camera;               ///< URL of a picture that changes
  std::string tiles;                ///< URL of map tiles, with {z}, {x} and {y}
  std::string attribution;          ///< whose map it is, as text
  std::vector<std::string> images;  ///< further origins that pictures may come from
};

/// The origin a picture's URL leads to, as a Content-Security-Policy names it: "https://*.example.org" for
/// tiles of "https://{s}.example.org/..."; empty for a path of this server. Errc::usage for anything else.
[[nodiscard]] Result<std::string> picture_origin(std::string_view url);

/// The dashboard as this broker serves it: embedded files, the operator's pictures, and the policy that lets
/// pages load these and no others.
class Site {
 public:
  /// URLs that picture_origin() refuses are left out of the policy.
  Site(SiteOptions options, std::span<const Asset> assets);
  Site(const Site&) = delete;
  Site& operator=(const Site&) = delete;

  [[nodiscard]] ws::HttpResponse serve(const ws::HttpRequest& request) const;
  /// GET /api/v1/dashboard; `now` lets a page find out how wrong its clock is.
  [[nodiscard]] std::string describe(WallTime now) const;
  [[nodiscard]] const std::string& policy() const { return policy_; }

 private:
  SiteOptions options_;
  std::span<const Asset> assets_;
  std::vector<Asset> pictures_;  ///< views of options_
  std::string logo_tag_, favicon_tag_;
  std::string policy_;
};

}  // namespace aiot::broker
