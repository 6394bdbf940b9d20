#include "core/relay/target.h"

#include "core/base/text.h"

namespace aiot::relay {

bool Target::is_pattern() const {
  return uid.find('*') != std::string::npos || resource.find('*') != std::string::npos;
}

bool Target::matches_node(std::string_view node) const { return node == uid || text::glob_match(uid, node); }

bool Target::matches(std::string_view node, std::string_view name) const {
  return matches_node(node) && (name == resource || text::path_match(resource, name));
}

Target target_of(const Uri& uri) {
  Target target;
  if (uri.path.empty()) return target;
  target.uid = uri.path.front();
  for (std::size_t i = 1; i < uri.path.size(); ++i) {
    if (i > 1) target.resource += '/';
    target.resource += uri.path[i];
  }
  return target;
}

ws::Endpoint endpoint_of(const Uri& uri, const std::string& prefix) {
  ws::Endpoint endpoint;
  endpoint.tls = uri.scheme == "aiots";
  endpoint.host = uri.zone.empty() ? uri.host : uri.host + "%" + uri.zone;
  endpoint.port = uri.port;
  endpoint.path = prefix;
  return endpoint;
}

std::string uri_of(const Uri& uri, std::string_view node, std::string_view resource) {
  auto text = uri.authority() + "/" + percent_encode(node);
  if (!resource.empty()) {
    for (const auto segment : text::split(resource, '/')) text += "/" + percent_encode(segment);
  }
  return text;
}

}  // namespace aiot::relay
