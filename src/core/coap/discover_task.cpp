#include "core/coap/discover_task.h"

#include <fmt/core.h>

#include <algorithm>

#include "core/base/log.h"
#include "core/coap/request_task.h"
#include "core/codec/content_format.h"

namespace aiot::coap {
namespace {

/// Nodes beyond this are not reported: a flood of forged answers must not fill memory.
constexpr std::size_t kMaxNodes = 65536;

bool has_scheme(std::string_view target) {
  const auto colon = target.find("://");
  return colon != std::string_view::npos && target.substr(0, colon).find('/') == std::string_view::npos;
}

std::string authority_of(std::string_view uri) {
  const auto start = uri.find("://") + 3;
  return std::string(uri.substr(0, uri.find('/', start)));
}

std::string base_of(const SocketAddress& peer) {
  const auto port = peer.port() == default_port("coap") ? std::string() : fmt::format(":{}", peer.port());
  return fmt::format("coap://{}{}", peer.uri_host(), port);
}

}  // namespace

std::vector<Discovered> make_discovered(const std::vector<Link>& links, const std::string& base) {
  std::vector<Discovered> out;
  out.reserve(links.size());
  for (const auto& link : links) {
    Discovered found;
    if (has_scheme(link.target)) {
      found.uri = link.target;
    } else {
      const auto anchor = link.value("anchor");
      const auto& origin = anchor && has_scheme(*anchor) ? authority_of(*anchor) : base;
      found.uri = origin + (link.target.empty() || link.target.front() != '/' ? "/" : "") + link.target;
    }
    const auto authority = authority_of(found.uri);
    found.node = authority.substr(authority.find("://") + 3);
    found.path = found.uri.substr(authority.size());
    if (found.path.empty()) found.path = "/";
    found.protocol = "CoAP";
    found.attributes = link.attributes;
    out.push_back(std::move(found));
  }
  return out;
}

DiscoverTask::DiscoverTask(ClientCore& core, DiscoverRequest request, Found found, Completion<> done)
    : core_(core), request_(std::move(request)), found_(std::move(found)), done_(std::move(done)) {}

DiscoverTask::~DiscoverTask() = default;

void DiscoverTask::begin() {
  deadline_ = core_.loop().now() + std::max(request_.timeout, Duration::zero());
  if (!request_.target) {
    if (request_.resource_directory)
      return finish(make_error(Errc::usage, "a resource directory needs a host to be asked at"));
    return ask_everybody();
  }
  if (request_.resource_directory) return ask_directory();
  ask_host();
}

void DiscoverTask::cancel() {
  if (std::exchange(cancelled_, true)) return;
  done_.dismiss();
  core_.deadlines().cancel(end_);
  asking_.clear();
  multicast_.reset();
  core_.finished(*this);
}

void DiscoverTask::fetch(Uri uri, UniqueFunction<void(Result<std::vector<Link>>)> then) {
  Request request;
  request.uri = std::move(uri);
  request.interface = request_.interface;
  request.timeout = std::max(deadline_ - core_.loop().now(), Duration::zero());
  const auto name = request.uri.text;
  auto task = std::make_shared<RequestTask>(
      core_, std::move(request), SocketAddress{}, [name, then = std::move(then)](Result<Response> answer) {
        if (!answer) return then(std::move(answer).error());
        const auto format = answer->content_format.value_or(content_format::kLinkFormat);
        if (format != content_format::kLinkFormat) {
          return then(make_error(Errc::peer_failed, fmt::format("{}: the answer is {}, not link-format", name,
                                                                content_format_name(format))));
        }
        auto links = parse_link_format(answer->payload);
        if (!links)
          return then(make_error(Errc::peer_failed, fmt::format("{}: {}", name, links.error().message)));
        then(std::move(links));
      });
  asking_.push_back(core_.start(task));
  task->begin();
}

// ---- one host, one directory ----

void DiscoverTask::ask_host() {
  Uri uri = *request_.target;
  if (uri.path.empty()) uri.path = {".well-known", "core"};
  if (const auto group = SocketAddress::parse(uri.host, uri.port); group && group->is_multicast()) {
    multicast_ = std::make_unique<Multicast>(
        core_, [this](const SocketAddress& peer, const Message& message) { on_heard(peer, message); });
    Request request;
    request.uri = uri;
    const auto& interface = uri.zone.empty() ? request_.interface : uri.zone;
    auto asked = multicast_->ask({*group}, interface, request_options(request), request_.timeout / 4);
    if (!asked) return finish(std::move(asked).error());
    end_ = core_.deadlines().at(deadline_, [this] {
      if (reported_.empty()) return finish(make_error(Errc::timeout, "nobody answered"));
      finish({});
    });
    return;
  }
  const auto base = uri.authority();
  fetch(std::move(uri), [this, base](Result<std::vector<Link>> links) {
    if (!links) return finish(std::move(links).error());
    report(make_discovered(*links, base));
    finish({});
  });
}

void DiscoverTask::ask_directory() {
  Uri uri = *request_.target;
  const auto base = uri.authority();
  uri.path = {".well-known", "core"};
  uri.query = {"rt=core.rd-lookup-res"};
  fetch(std::move(uri), [this, base](Result<std::vector<Link>> links) {
    if (!links) return finish(std::move(links).error());
    // Not every peer filters; the type is looked at again.
    for (const auto& link : *links) {
      const auto types = link.values("rt");
      if (std::find(types.begin(), types.end(), "core.rd-lookup-res") == types.end()) continue;
      auto lookup = parse_uri(make_discovered({link}, base).front().uri);
      if (!lookup) return finish(make_error(Errc::peer_failed, lookup.error().message));
      if (!request_.target->query.empty()) lookup->query = request_.target->query;
      return fetch(std::move(*lookup), [this, base](Result<std::vector<Link>> entries) {
        if (!entries) return finish(std::move(entries).error());
        report(make_discovered(*entries, base));
        finish({});
      });
    }
    finish(make_error(Errc::rejected, fmt::format("{} has no resource directory to look up", base), 404));
  });
}

// ---- everybody ----

void DiscoverTask::ask_everybody() {
  multicast_ = std::make_unique<Multicast>(
      core_, [this](const SocketAddress& peer, const Message& message) { on_heard(peer, message); });
  const OptionList options = {{option::kUriPath, ".well-known"}, {option::kUriPath, "core"}};
  auto asked = multicast_->ask(Multicast::all_coap_nodes(), request_.interface, options,
                               std::min<Duration>(request_.timeout / 4, std::chrono::seconds(2)));
  if (!asked && !request_.interface.empty()) return finish(std::move(asked).error());
  if (!asked) log::debug("multicast: {}", asked.error().message);
  if (request_.interface.empty()) {
    // Groups seldom reach the machine itself.
    for (const char* text : {"coap://127.0.0.1/.well-known/core", "coap://[::1]/.well-known/core"}) {
      auto uri = parse_uri(text);
      if (!uri) continue;
      const auto base = uri->authority();
      const auto host = uri->host;
      fetch(std::move(*uri), [this, base, host](Result<std::vector<Link>> links) {
        if (links) on_node(base, host, *links);
      });
    }
  }
  end_ = core_.deadlines().at(deadline_, [this] {
    if (reported_.empty()) return finish(make_error(Errc::timeout, "nobody answered"));
    finish({});
  });
}

void DiscoverTask::on_heard(const SocketAddress& peer, const Message& message) {
  if (finished_ || !succeeded(message) || reported_.size() >= kMaxNodes) return;
  const auto base = base_of(peer);
  const auto block = message.uint_option(option::kBlock2);
  if (!block || !Block::decode(static_cast<std::uint32_t>(*block)).more) {
    if (auto links = parse_link_format(message.payload)) on_node(base, peer.host(), *links);
    return;
  }
  // The first block came through the group; the whole is asked for from the peer itself.
  auto uri = parse_uri(base + "/.well-known/core");
  if (!uri) return;
  fetch(std::move(*uri), [this, base, host = peer.host()](Result<std::vector<Link>> links) {
    if (links) on_node(base, host, *links);
  });
}

void DiscoverTask::on_node(const std::string& base, const std::string& host, const std::vector<Link>& links) {
  if (finished_ || !reported_.insert(base).second) return;
  auto found = make_discovered(links, base);
  Discovered node;
  node.type = Discovered::Type::node;
  node.uri = base;
  node.node = host;
  node.protocol = "CoAP";
  for (auto& resource : found) {
    if (resource.uri.rfind(base + "/", 0) == 0) resource.node = host;
  }
  found.insert(found.begin(), std::move(node));
  report(std::move(found));
}

void DiscoverTask::report(std::vector<Discovered> found) {
  core_.later([self = std::static_pointer_cast<DiscoverTask>(shared_from_this()),
               found = std::make_shared<std::vector<Discovered>>(std::move(found))] {
    for (auto& one : *found) {
      if (self->cancelled_) return;
      self->found_(std::move(one));
    }
  });
}

void DiscoverTask::finish(Result<> result) {
  if (std::exchange(finished_, true)) return;
  core_.deadlines().cancel(end_);
  core_.later([self = std::static_pointer_cast<DiscoverTask>(shared_from_this()),
               result = std::make_shared<Result<>>(std::move(result))] {
    auto done = std::move(self->done_);
    self->asking_.clear();
    self->multicast_.reset();
    self->core_.finished(*self);
    done(std::move(*result));
  });
}

}  // namespace aiot::coap
