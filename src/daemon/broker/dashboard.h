#pragma once

#include <span>
#include <string_view>

namespace aiot::broker {

/// One file of the dashboard, embedded in the binary; all views outlive the process's main.
struct Asset {
  std::string_view path;          ///< "/index.html" (served at "/" too), "/assets/index-1a2b3c.js"
  std::string_view content_type;  ///< "text/html; charset=utf-8"
  std::string_view etag;          ///< quoted, strong: "\"1a2b3c\""
  std::string_view body;          ///< uncompressed
  std::string_view gzip;          ///< the body compressed; empty when that saves nothing
  bool immutable = false;         ///< its name changes with its content: cached for a year
};

/// Every file, sorted by path; none when built with AIOT_DASHBOARD=OFF. Generated (target aiot_dashboard,
/// web/CMakeLists.txt).
[[nodiscard]] std::span<const Asset> dashboard_assets();

}  // namespace aiot::broker
