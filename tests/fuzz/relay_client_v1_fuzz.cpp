#include "core/relay/client_v1.h"
#include "fuzz.h"

namespace v1 = aiot::relay::client_v1;

void fuzz_one(std::string_view input) {
  const auto message = v1::parse(input);
  if (!message) {
    FUZZ_CHECK(!message.error().message.empty());
    return;
  }
  if (const auto* updates = std::get_if<v1::Updates>(&*message)) {
    for (const auto& item : updates->items) FUZZ_CHECK(!item.event.empty() || !item.update.uid.empty());
  } else if (const auto* snapshot = std::get_if<v1::Snapshot>(&*message)) {
    for (const auto& node : snapshot->nodes) FUZZ_CHECK(!node.facts.uid.empty());
  }
}
