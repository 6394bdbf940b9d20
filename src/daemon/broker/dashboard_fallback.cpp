#include <array>

#include "daemon/broker/dashboard.h"

namespace aiot::broker {
namespace {

constexpr std::string_view kPage = R"(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>aiot broker</title>
<h1>aiot broker</h1>
<p>This broker was built without the dashboard. Its nodes are at <a href="/api/v1/nodes">/api/v1/nodes</a>,
its counters at <a href="/metrics">/metrics</a>.</p>
</html>
)";

constexpr std::array kAssets = {Asset{"/", "text/html; charset=utf-8", kPage, "\"no-dashboard-1\"", false, {}}};

}  // namespace

std::span<const Asset> dashboard_assets() { return kAssets; }

}  // namespace aiot::broker
