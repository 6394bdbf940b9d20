#pragma once

#include <span>
#include <string_view>

namespace aiot::broker {

/// One file of the dashboard, embedded in the binary; every view is of static storage.
struct Asset {
  std::string_view path;          ///< "/index.html", "/assets/index-1a2b.js"
  std::string_view content_type;  ///< with charset where it is text
  std::string_view etag;          ///< quoted, strong
  std::string_view body;
  std::string_view gzip;   ///< the body compressed, empty where that saves nothing
  bool immutable = false;  ///< the name holds a hash of the content: may be cached for ever
};

/// Every file of the dashboard, "/index.html" among them; empty in a build without it (AIOT_DASHBOARD=OFF).
/// Defined by the file that web/embed.mjs generates, or by no_dashboard.cpp.
[[nodiscard]] std::span<const Asset> dashboard_assets();

}  // namespace aiot::broker
