#include "daemon/gateway/coap_source.h"

#include <algorithm>

#include "core/codec/content_format.h"
#include "core/codec/link_format.h"
#include "daemon/gateway/link_filter.h"

namespace aiot::gateway {

namespace {

constexpr std::uint8_t kMethodNotAllowed = coap::code(4, 5);

bool wanted(const Link& link, const std::vector<std::string_view>& query) {
  return std::all_of(query.begin(), query.end(), [&](std::string_view filter) {
    const auto equals = filter.find('=');
    if (equals == std::string_view::npos) return true;
    const auto name = filter.substr(0, equals);
    const auto pattern = filter.substr(equals + 1);
    if (name == "href") return matches(link.target, pattern);
    return attribute_matches(link, name, pattern);
  });
}

}  // namespace

std::string own_links(const std::vector<std::string_view>& query) {
  static const std::vector<Link> kLinks = {
      {"/alive", {{"title", "POST WORD:UID to join and to stay"}, {"rt", "aiot.alive"}, {"ct", "0"}}},
      {"/server", {{"title", "POST RESOURCE:VALUE"}, {"rt", "aiot.server"}, {"ct", "0"}}},
      {"/rd", {{"rt", "core.rd"}, {"ct", "40"}}},
      {"/rd-lookup/ep", {{"rt", "core.rd-lookup-ep"}, {"ct", "40"}}},
      {"/rd-lookup/res", {{"rt", "core.rd-lookup-res"}, {"ct", "40"}}},
      {"/.well-known/core", {{"ct", "40"}}},
  };
  std::vector<Link> out;
  std::copy_if(kLinks.begin(), kLinks.end(), std::back_inserter(out),
               [&](const Link& link) { return wanted(link, query); });
  return format_link_format(out);
}

Result<void> CoapSource::listen(const SocketAddress& address) {
  coap::ServerOptions options;
  options.udp = {address};
  options.tcp = {address};
  if (address.is_any()) {
    options.join_multicast = {"224.0.1.187"};
    if (address.family() == AF_INET6) {
      options.join_multicast.emplace_back("ff02::fd");
      options.join_multicast.emplace_back("ff05::fd");
    }
  }
  auto server = serve(std::move(options));
  if (!server) return server.error();
  server_ = std::move(*server);
  return {};
}

Result<void> CoapSource::listen(const SocketAddress& address,
                                std::shared_ptr<tls::ListenerSecurity> security) {
  coap::ServerOptions options;
  options.udp = {address};
  options.tcp = {address};
  options.security = std::move(security);
  auto server = serve(std::move(options));
  if (!server) return server.error();
  secure_ = std::move(*server);
  return {};
}

Result<std::unique_ptr<coap::CoapServer>> CoapSource::serve(coap::ServerOptions options) {
  options.max_upload = kMaxValue + kMaxResource + 1;
  return coap::CoapServer::listen(loop_, std::move(options),
                                  [this](const coap::ServerRequest& request, coap::Responder responder) {
                                    handle(request, std::move(responder));
                                  });
}

std::vector<std::pair<std::string, SocketAddress>> CoapSource::listeners() const {
  std::vector<std::pair<std::string, SocketAddress>> out;
  const auto add = [&out](const std::unique_ptr<coap::CoapServer>& server, const char* udp, const char* tcp) {
    if (!server) return;
    const auto bound = server->bound();
    out.emplace_back(udp, bound.front());
    out.emplace_back(tcp, bound.back());
  };
  add(server_, "coap", "coap+tcp");
  add(secure_, "coaps", "coaps+tcp");
  return out;
}

coap::ServerCounters CoapSource::counters() const {
  auto out = server_ ? server_->counters() : coap::ServerCounters{};
  if (!secure_) return out;
  const auto secure = secure_->counters();
  out.requests += secure.requests;
  out.duplicates += secure.duplicates;
  out.malformed += secure.malformed;
  out.kernel_drops += secure.kernel_drops;
  out.uploads_refused += secure.uploads_refused;
  out.overloads += secure.overloads;
  out.failed_handshakes = secure.failed_handshakes;
  out.refused_hellos = secure.refused_hellos;
  out.secured = secure.secured;
  return out;
}

void CoapSource::answer_when_stored(coap::ServerReply reply, coap::Responder responder) {
  if (sink_.stored()) {
    responder.reply(std::move(reply));
    return;
  }
  sink_.when_stored([responder = std::move(responder), reply = std::move(reply)](Result<> result) mutable {
    responder.reply(result ? std::move(reply) : refuse(coap::code(5, 3), result.error().message));
  });
}

void CoapSource::remember(const Origin& origin, const Update& update) {
  if (!server_) return;
  const std::string payload = update.resource + ":" + update.bytes;
  server_->remember(origin.peer, origin.message_id, origin.token, payload, received(payload));
}

void CoapSource::handle(const coap::ServerRequest& request, coap::Responder responder) {
  if (!allow_.admits(request.peer.address)) {
    policy_.drop(Drop::not_allowed);
    responder.reply(refuse(coap::code(4, 3), "nodes of this network are not admitted here"));
    return;
  }
  const auto& path = request.path;
  if (path.size() == 1 && (path[0] == "server" || path[0] == "alive")) {
    if (request.method != Method::post) {
      responder.reply(refuse(kMethodNotAllowed, "only POST is understood here"));
      return;
    }
    const Origin origin{request.peer.address, request.message_id, request.token};
    // A secure session does not outlive this process, and with it go the repeats of what was said there.
    const bool may_repeat = path[0] == "server" && request.peer.transport == coap::Transport::udp &&
                            request.peer.credential.empty();
    sink_.begin(may_repeat ? &origin : nullptr);
    answer_when_stored(path[0] == "server" ? policy_.post(request.payload, request.peer, now())
                                           : policy_.alive(request.payload, request.peer, now()),
                       std::move(responder));
    return;
  }
  sink_.begin(nullptr);
  answer_when_stored(directory(request, now()), std::move(responder));
}

coap::ServerReply CoapSource::directory(const coap::ServerRequest& request, const Now& now) {
  const auto& path = request.path;
  const bool is_get = request.method == Method::get, is_post = request.method == Method::post;
  const auto only = [](bool allowed, auto&& reply) {
    return allowed ? reply() : refuse(kMethodNotAllowed, "that method is not understood here");
  };
  if (path.size() == 2 && path[0] == ".well-known" && path[1] == "core")
    return only(is_get, [&] {
      coap::ServerReply reply;
      reply.payload = own_links(request.query);
      reply.content_format = content_format::kLinkFormat;
      return reply;
    });
  if (path.size() == 2 && path[0] == ".well-known" && path[1] == "rd")
    return only(is_post, [&] { return policy_.enroll_simple(request.query, request.peer, now); });
  if (path.size() == 1 && path[0] == "rd") {
    if (is_post && request.content_format && *request.content_format != content_format::kLinkFormat) {
      policy_.drop(Drop::bad_registration);
      return refuse(coap::code(4, 15), "a registration is in application/link-format");
    }
    return only(is_post, [&] { return policy_.enroll(request.query, request.payload, request.peer, now); });
  }
  if (path.size() == 2 && path[0] == "rd") {
    if (request.method == Method::del) return policy_.withdraw(path[1], now);
    return only(is_post, [&] { return policy_.renew(path[1], request.query, request.peer, now); });
  }
  if (path.size() == 2 && path[0] == "rd-lookup" && (path[1] == "ep" || path[1] == "res"))
    return only(is_get, [&] { return policy_.look_up(request.query, path[1] == "ep"); });
  return refuse(coap::code(4, 4), "nothing here: see /.well-known/core");
}

}  // namespace aiot::gateway
