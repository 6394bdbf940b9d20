#include "daemon/wire/client_v1.h"
#include "fuzz.h"

namespace v1 = aiot::wire::client_v1;

void fuzz_one(std::string_view input) {
  const auto message = v1::parse(input);
  if (!message) {
    FUZZ_CHECK(!message.error().message.empty());
    return;
  }
  if (const auto* subscribe = std::get_if<v1::Subscribe>(&*message)) {
    FUZZ_CHECK(subscribe->id <= v1::kMaxId && subscribe->window <= v1::kMaxWindow);
    FUZZ_CHECK(subscribe->nodes.size() <= v1::kMaxPatterns &&
               subscribe->resources.size() <= v1::kMaxPatterns);
    for (const auto& node : subscribe->nodes) FUZZ_CHECK(node.size() <= aiot::kMaxUid);
    for (const auto& resource : subscribe->resources) FUZZ_CHECK(resource.size() <= aiot::kMaxResource);
  } else if (const auto* write = std::get_if<v1::Write>(&*message)) {
    FUZZ_CHECK(!write->node.empty() && write->node.size() <= aiot::kMaxUid);
    FUZZ_CHECK(write->resource.size() <= aiot::kMaxResource && is_write(write->method));
    FUZZ_CHECK(!write->deadline || (write->deadline->count() > 0 && *write->deadline <= v1::kMaxDeadline));
  }
}
