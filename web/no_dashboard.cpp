#include "daemon/broker/dashboard.h"

namespace aiot::broker {

std::span<const Asset> dashboard_assets() { return {}; }

}  // namespace aiot::broker
