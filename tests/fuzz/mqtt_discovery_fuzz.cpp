// Topics and payloads from an MQTT broker, as discover reads them: what is found is named, once, and can be
// asked.
#include <algorithm>
#include <set>
#include <string>

#include "core/codec/topic.h"
#include "core/mqtt/discovery.h"
#include "fuzz.h"

using namespace aiot;

/// Lines of TOPIC, a space and PAYLOAD.
void fuzz_one(std::string_view rest) {
  mqtt::Sightings sightings("mqtt://h");
  std::set<std::string> nodes;
  while (!rest.empty()) {
    const auto line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    const auto space = line.find(' ');
    const auto payload = space == std::string_view::npos ? std::string_view() : line.substr(space + 1);
    for (const auto& found : sightings.see(line.substr(0, space), payload)) {
      FUZZ_CHECK(found.protocol == "MQTT");
      if (found.type == Discovered::Type::node) {
        FUZZ_CHECK(nodes.insert(found.node).second);
      } else {
        FUZZ_CHECK(is_topic_name(found.path));
        FUZZ_CHECK(found.uri == "mqtt://h/" + found.path);
      }
    }
    for (const auto& id : sightings.take_unasked()) FUZZ_CHECK(is_topic_name("gateway/" + id + "/discover"));
  }
}
