#include "daemon/gateway/directory.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <span>

#include "core/base/random.h"
#include "core/codec/content_format.h"
#include "core/codec/link_format.h"
#include "daemon/gateway/identity.h"
#include "daemon/gateway/link_filter.h"
#include "daemon/gateway/policy.h"

namespace aiot::gateway {

namespace {

constexpr std::size_t kMaxLookupLinks = 4096;

std::string base_of(const Node& node) {
  const auto server = node.server();
  if (server.port() == 5683) return fmt::format("coap://{}", server.uri_host());
  return fmt::format("coap://{}:{}", server.uri_host(), server.port());
}

std::string_view path_of(std::string_view uri) {
  const auto authority = uri.find("://");
  if (authority == std::string_view::npos) return uri;
  return uri.substr(std::min(uri.find('/', authority + 3), uri.size()));
}

/// Section 6.2: targets are compared as URIs; a path alone is one of whatever host.
bool is_target(std::string_view target, std::string_view wanted) {
  if (matches(target, wanted)) return true;
  const bool by_path = wanted.starts_with('/') || target.starts_with('/');
  return by_path && matches(path_of(target), path_of(wanted));
}

std::string resolved(const std::string& base, std::string_view reference) {
  if (reference.find("://") != std::string_view::npos) return std::string(reference);
  if (reference.starts_with("//")) return fmt::format("coap:{}", reference);
  return fmt::format("{}{}{}", base, reference.starts_with('/') ? "" : "/", reference);
}

Link endpoint_link(const Registration& registration, const std::string& base) {
  Link link{"/rd/" + registration.id, {{"ep", registration.endpoint}, {"base", base}, {"rt", "core.rd-ep"}}};
  if (!registration.sector.empty()) link.attributes.emplace_back("d", registration.sector);
  if (!registration.type.empty()) link.attributes.emplace_back("et", registration.type);
  return link;
}

/// The registered links as lookups show them: target and anchor in full.
std::vector<Link> resource_links(const Registration& registration, const std::string& base) {
  auto links = parse_link_format(registration.links);
  if (!links) return {};
  for (auto& link : *links) {
    link.target = resolved(base, link.target);
    for (auto& [name, value] : link.attributes)
      if (name == "anchor" && value) value = resolved(base, *value);
    if (!link.has("anchor")) link.attributes.emplace_back("anchor", base);
  }
  return std::move(*links);
}

/// The query of a lookup (RFC 9176 section 6.2): criteria, and which page of the result.
struct Lookup {
  struct Criterion {
    std::string_view name, value;
    [[nodiscard]] bool fits(const Link& link) const {
      return name == "href" ? is_target(link.target, value) : attribute_matches(link, name, value);
    }
  };
  std::vector<Criterion> criteria;
  std::size_t page = 0;
  std::size_t count = kMaxLookupLinks;

  explicit Lookup(const std::vector<std::string_view>& query) {
    for (const auto item : query) {
      const auto equals = std::min(item.find('='), item.size());
      const auto name = item.substr(0, equals);
      const auto value = item.substr(std::min(equals + 1, item.size()));
      if (name == "page" || name == "count") {
        std::size_t number = 0;
        std::from_chars(value.data(), value.data() + value.size(), number);
        (name == "page" ? page : count) = std::min(number, kMaxLookupLinks);
      } else {
        criteria.push_back({name, value});
      }
    }
  }

  /// A criterion that an endpoint meets is met by its resources, and one that a resource meets by its
  /// endpoint: `related` are those.
  [[nodiscard]] bool wants(const Link& link, std::span<const Link> related) const {
    return std::all_of(criteria.begin(), criteria.end(), [&](const Criterion& criterion) {
      return criterion.fits(link) || std::any_of(related.begin(), related.end(),
                                                 [&](const Link& other) { return criterion.fits(other); });
    });
  }
};

}  // namespace

Node* Directory::admit(const RegistrationQuery& query, const coap::Peer& peer, const Now& now,
                       coap::ServerReply& refusal) {
  const std::string uid = query.sector.empty() ? query.endpoint : query.endpoint + "@" + query.sector;
  if (!is_uid(uid)) {
    core_.counters.drop(Drop::bad_registration);
    refusal =
        refuse(coap::code(4, 0), "ep, with @d where there is a sector, must be 1 to 64 printable characters");
    return nullptr;
  }
  coap::Peer there = peer;
  if (query.base) there.address = *query.base;
  Node* node = core_.table.find(uid);
  if (node == nullptr) {
    node = core_.table.add(uid, policy_.lifetime_of(uid));
    if (node == nullptr) {
      core_.counters.drop(Drop::table_full);
      refusal = refuse(coap::code(5, 3), "this gateway has all the nodes it can hold");
      return nullptr;
    }
  } else if (node->protocol != Protocol::coap) {
    core_.counters.drop(Drop::uid_conflict);
    refusal = refuse(coap::code(4, 9),
                     fmt::format("'{}' is a node's that speaks {}", uid, to_string(node->protocol)));
    return nullptr;
  } else if (policy_.claims_.is_foreign(*node, peer, now)) {
    refusal = refuse(coap::code(4, 3), fmt::format("'{}' speaks with another credential", uid));
    return nullptr;
  } else if (policy_.is_stranger(*node, there.address, now) ||
             policy_.is_stranger(*node, peer.address, now)) {
    core_.counters.drop(Drop::uid_conflict);
    refusal = refuse(coap::code(4, 3), fmt::format("'{}' belongs to another address", uid));
    return nullptr;
  } else if (node->live && node->credential.empty() && !NodeTable::same_host(node->address, there.address)) {
    if (policy_.claims_.claim(*node, there, now) == Claims::Verdict::refused) {
      core_.counters.drop(Drop::uid_conflict);
      refusal = refuse(coap::code(4, 9), fmt::format("'{}' is in use at {}", uid, node->address.host()));
    } else {
      refusal =
          refuse(coap::code(5, 3), fmt::format("'{}' is known elsewhere and being checked; try again", uid));
      refusal.max_age = 3;
    }
    return nullptr;
  }
  if (!node->address.empty() && !NodeTable::same_host(node->address, there.address))
    policy_.discovery_.stop(*node);
  core_.table.place(*node, there.address);
  node->local = peer.local;
  node->credential = peer.credential;
  node->server_port = there.address.port();
  return node;
}

coap::ServerReply Directory::enroll(const std::vector<std::string_view>& query, std::string_view links,
                                    const coap::Peer& peer, const Now& now, bool simple) {
  auto parsed = parse_registration(query);
  if (parsed && parsed->endpoint.empty())
    parsed = make_error(Errc::usage, "ep: the endpoint's name is missing");
  auto document = parse_link_format(links);
  if (!parsed || !document) {
    core_.counters.drop(Drop::bad_registration);
    return refuse(coap::code(4, 0), parsed ? document.error().message : parsed.error().message);
  }
  coap::ServerReply reply;
  Node* node = admit(*parsed, peer, now, reply);
  if (node == nullptr) return reply;
  const bool is_new = !node->registration;
  // What the node's own list said before goes on until it is read again.
  const bool keeps = simple && !is_new && node->registration->simple;
  if (!keeps && !policy_.account(is_new ? 0 : node->registration->links.size(), links.size())) {
    core_.counters.drop(Drop::table_full);
    return refuse(coap::code(5, 3), "this gateway has all the links it can hold");
  }
  if (is_new) {
    node->registration = std::make_unique<Registration>();
    node->registration->id = fmt::format("{:08x}", static_cast<std::uint32_t>(random_u64()));
    uids_[node->registration->id] = node->uid;
  }
  auto& registration = *node->registration;
  registration.endpoint = parsed->endpoint;
  registration.sector = parsed->sector;
  registration.type = parsed->type;
  registration.base = parsed->base;
  const bool other_links = !keeps && (registration.links != links || registration.simple != simple);
  if (!keeps) registration.links = links;
  registration.simple = simple;
  set_lifetime(*node, parsed->lifetime.value_or(kDefaultRegistration));
  const bool was_live = node->live;
  policy_.still_there(*node, now);
  if (was_live && (is_new || other_links)) policy_.discovery_.start(*node);
  core_.effects.changed(*node);
  reply.code = coap::code(2, 1);
  reply.location_path = {"rd", registration.id};
  return reply;
}

coap::ServerReply Directory::enroll_simple(const std::vector<std::string_view>& query, const coap::Peer& peer,
                                           const Now& now) {
  // The registrant's links are read from its own /.well-known/core (RFC 9176 section 5.1), by discovery.
  const bool has_base = std::any_of(query.begin(), query.end(),
                                    [](std::string_view item) { return item.starts_with("base="); });
  if (has_base) {
    core_.counters.drop(Drop::bad_registration);
    return refuse(coap::code(4, 0), "base: a simple registration is for the sender itself");
  }
  auto reply = enroll(query, {}, peer, now, true);
  if (reply.code == coap::code(2, 1)) reply = refuse(coap::code(2, 4), {});
  return reply;
}

void Directory::listed(Node& node, std::string_view links) {
  if (!node.registration || !node.registration->simple || node.registration->links == links) return;
  if (!policy_.account(node.registration->links.size(), links.size())) {
    core_.counters.drop(Drop::table_full);
    return;
  }
  node.registration->links = links;
  core_.effects.changed(node);
}

void Directory::set_lifetime(Node& node, Duration lifetime) {
  // Fewer distinct lifetimes make expiry cheaper: longer ones are rounded up.
  lifetime = std::min(lifetime, kMaxRegistration);
  const auto round_up = [&](Duration unit) { lifetime = (lifetime + unit - Duration(1)) / unit * unit; };
  if (lifetime > std::chrono::hours(24)) {
    round_up(std::chrono::hours(1));
  } else if (lifetime > std::chrono::hours(1)) {
    round_up(std::chrono::minutes(1));
  }
  node.registration->lifetime = lifetime;
  core_.table.set_lifetime(node, lifetime);
}

Node* Directory::registered(std::string_view id) const {
  const auto at = uids_.find(std::string(id));
  if (at == uids_.end()) return nullptr;
  Node* node = core_.table.find(at->second);
  return node != nullptr && node->registration ? node : nullptr;
}

coap::ServerReply Directory::renew(std::string_view id, const std::vector<std::string_view>& query,
                                   const coap::Peer& peer, const Now& now) {
  Node* node = registered(id);
  if (node == nullptr) {
    core_.counters.drop(Drop::bad_registration);
    return refuse(coap::code(4, 4), "no such registration: register again at /rd");
  }
  auto parsed = parse_registration(query);
  if (!parsed || !parsed->endpoint.empty() || !parsed->sector.empty()) {
    core_.counters.drop(Drop::bad_registration);
    return refuse(coap::code(4, 0), parsed ? "ep and d cannot be changed" : parsed.error().message);
  }
  if (policy_.claims_.is_foreign(*node, peer, now))
    return refuse(coap::code(4, 3), "this endpoint speaks with another credential");
  if (policy_.is_stranger(*node, parsed->base.value_or(peer.address), now) ||
      policy_.is_stranger(*node, peer.address, now)) {
    core_.counters.drop(Drop::uid_conflict);
    return refuse(coap::code(4, 3), fmt::format("'{}' belongs to another address", node->uid));
  }
  // Section 5.3.1: a base that was given stays until another is.
  auto& base = node->registration->base;
  if (parsed->base) base = parsed->base;
  const SocketAddress there = base.value_or(peer.address);
  const bool moves = !NodeTable::same_host(node->address, there);
  if (moves) {
    // The endpoint knows its registration's id, so it is the same one at a new address.
    coap::Peer moved = peer;
    moved.address = there;
    auto registration = std::move(node->registration);  // move() must not end it
    policy_.move(*node, moved, false, now);
    node->registration = std::move(registration);
  }
  core_.table.place(*node, there);
  node->local = peer.local;
  node->credential = peer.credential;
  node->server_port = there.port();
  set_lifetime(*node, parsed->lifetime.value_or(node->registration->lifetime));
  policy_.still_there(*node, now);
  if (moves) policy_.discovery_.start(*node);  // what move() began asked at 5683
  return refuse(coap::code(2, 4), {});
}

coap::ServerReply Directory::withdraw(std::string_view id, const Now& now) {
  Node* node = registered(id);
  if (node == nullptr) {
    core_.counters.drop(Drop::bad_registration);
    return refuse(coap::code(4, 4), "no such registration");
  }
  policy_.take_out(*node, now);
  return refuse(coap::code(2, 2), {});
}

void Directory::ended(Node& node) {
  uids_.erase(node.registration->id);
  policy_.account(node.registration->links.size(), 0);
  node.registration.reset();
  node.server_port = 5683;
  core_.table.set_lifetime(node, policy_.lifetime_of(node.uid));
}

void Directory::restore(Node& node, Registration registration) {
  if (uids_.contains(registration.id) || !policy_.account(0, registration.links.size())) return;
  uids_[registration.id] = node.uid;
  node.registration = std::make_unique<Registration>(std::move(registration));
  core_.table.set_lifetime(node, node.registration->lifetime);
}

coap::ServerReply Directory::look_up(const std::vector<std::string_view>& query, bool endpoints) const {
  const Lookup lookup(query);
  std::vector<Link> found;
  std::size_t skip = lookup.page * lookup.count;
  const auto add = [&](const Link& link, std::span<const Link> related) {
    if (found.size() >= lookup.count || !lookup.wants(link, related)) return;
    if (skip > 0) {
      --skip;
    } else {
      found.push_back(link);
    }
  };
  for (const auto& [id, uid] : uids_) {
    if (found.size() >= lookup.count) break;
    const Node* node = core_.table.find(uid);
    if (node == nullptr || !node->registration || !node->live) continue;
    const std::string base = base_of(*node);
    const Link endpoint = endpoint_link(*node->registration, base);
    // Without criteria nobody asks what an endpoint's resources are.
    const bool needs_resources = !endpoints || !lookup.criteria.empty();
    const auto resources = needs_resources ? resource_links(*node->registration, base) : std::vector<Link>();
    if (endpoints) {
      add(endpoint, resources);
    } else {
      for (const auto& link : resources) add(link, {&endpoint, 1});
    }
  }
  coap::ServerReply reply;
  reply.payload = format_link_format(found);
  reply.content_format = content_format::kLinkFormat;
  return reply;
}

}  // namespace aiot::gateway
