#include "store/store_support.h"

#include <algorithm>

#include "daemon/store/database.h"

namespace aiot::test {

std::int64_t StoreHost::number(const char* sql) const {
  const auto database = store::Database::open(path(), store::Database::Mode::read_only);
  return database->number(sql, -1);
}

std::vector<std::string> StoreHost::restored_values(std::string_view uid) const {
  std::vector<std::string> out;
  if (const auto* node = restored_node(uid))
    for (const auto& value : node->values) out.push_back(value.resource + "=" + value.bytes);
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace aiot::test
