#include "daemon/gateway/discovery.h"

#include <algorithm>

#include "core/codec/link_format.h"
#include "daemon/gateway/policy.h"

namespace aiot::gateway {

namespace {

constexpr unsigned kSilentRequests = 2;  ///< in a row, until the rest is left for later

}  // namespace

void Discovery::start(Node& node) {
  stop(node);
  enqueue(node, {});
}

void Discovery::start_with(Node& node, std::vector<Found> resources, bool poll) {
  cancel_job(node);
  enqueue(node, {std::move(resources), false, poll});
}

void Discovery::enqueue(Node& node, Waiting waiting) {
  const auto [at, is_new] = waiting_.insert_or_assign(node.uid, std::move(waiting));
  if (is_new) order_.push_back(node.uid);
  if (!at->second.poll) node.discovery = Node::Discovery::queued;
  fill();
}

void Discovery::stop(Node& node) {
  cancel_job(node);
  for (const auto ticket : node.observations) {
    core_.effects.cancel(ticket);
    observations_.erase(ticket);
  }
  node.observations.clear();
  for (auto& resource : node.resources) resource.observed = false;
  node.discovery = Node::Discovery::none;
}

void Discovery::cancel_job(Node& node) {
  if (node.job == 0) return;
  const auto job = jobs_.find(node.job);
  if (job != jobs_.end()) {
    if (job->second.observing != 0) drop_observation(node, job->second.observing);
    core_.effects.cancel(node.job);
    if (job->second.slow) --slow_;
    jobs_.erase(job);
  }
  node.job = 0;
}

void Discovery::drop_observation(Node& node, Ticket ticket) {
  core_.effects.cancel(ticket);
  observations_.erase(ticket);
  std::erase(node.observations, ticket);
}

void Discovery::fill() {
  if (filling_) return;  // jobs that end at once come back here: the loop below goes on
  filling_ = true;
  while (!order_.empty() && jobs_.size() - slow_ < limits_.active) {
    auto entry = waiting_.extract(order_.front());
    order_.pop_front();
    Node* node = core_.table.find(entry.key());
    if (node == nullptr || node->job != 0) continue;
    // Stopped while it waited (polls do not show in the node's state).
    if (!entry.mapped().poll && node->discovery != Node::Discovery::queued) continue;
    run(*node, std::move(entry.mapped()));
  }
  filling_ = false;
}

void Discovery::run(Node& node, Waiting waiting) {
  const Ticket ticket = core_.next_ticket();
  auto& job = jobs_[ticket];
  job.uid = node.uid;
  job.poll = waiting.poll;
  job.before = node.discovery;
  job.todo = std::move(waiting.resources);
  job.core_step = job.todo.empty();
  if (waiting.whole && node.registration && !node.registration->simple && !node.registration->links.empty()) {
    if (auto links = parse_link_format(node.registration->links); links) {
      std::size_t skipped = 0;
      job.todo = own_resources(*links, skipped);
      job.core_step = false;
    }
  }
  job.at_source = node.answers_at_source || core_.only_at_source(node);
  node.job = ticket;
  node.discovery = Node::Discovery::running;
  step(ticket, job, node);
}

void Discovery::step(Ticket ticket, Job& job, Node& node) {
  job.since = clock_;
  NodeRequest request;
  request.ticket = ticket;
  request.to = job.at_source ? node.address : node.server();
  if (job.at_source) request.from = node.local;
  request.secure = !node.credential.empty();
  request.timeout = limits_.timeout;
  if (job.core_step) {
    request.resource = ".well-known/core";
    core_.effects.request(std::move(request));
    return;
  }
  if (job.next >= job.todo.size()) {
    finish(ticket, node);
    return;
  }
  const auto& found = job.todo[job.next];
  request.resource = found.name;
  if (!found.observable || observations_.size() >= limits_.observations) {
    core_.effects.request(std::move(request));
    return;
  }
  request.ticket = core_.next_ticket();
  job.observing = request.ticket;
  observations_.emplace(request.ticket, Observation{node.uid, found.name});
  node.observations.push_back(request.ticket);
  core_.effects.observe(std::move(request));
}

void Discovery::end_job(Ticket ticket, Node& node) {
  const auto job = jobs_.find(ticket);
  if (job->second.slow) --slow_;
  jobs_.erase(job);
  node.job = 0;
}

void Discovery::finish(Ticket ticket, Node& node) {
  const auto& job = jobs_.find(ticket)->second;
  node.discovery = job.poll ? job.before : Node::Discovery::done;
  if (!job.poll) {
    ++core_.counters.discoveries;
    node.attempts = 0;
  }
  end_job(ticket, node);
  fill();
}

void Discovery::fail(Ticket ticket, Node& node, const std::string& why, const Now& now) {
  const auto& job = jobs_.find(ticket)->second;
  if (job.poll) {
    node.discovery = job.before;
  } else {
    ++core_.counters.discoveries_failed;
    node.discovery = Node::Discovery::failed;
    const auto wait = limits_.first_retry * (1 << std::min<int>(node.attempts, 10));
    node.retry_after = now.mono + std::min(wait, limits_.last_retry);
    if (node.attempts < 255) ++node.attempts;
    if (node.attempts == 1 && failures_.allow())
      log::info("node '{}' at {}: its resources are not known: {}; tried again later", node.uid,
                node.server().text(), why);
  }
  end_job(ticket, node);
  fill();
}

void Discovery::answered(Job& job) {
  if (job.slow) --slow_;
  job.slow = false;
}

bool Discovery::responded(Ticket ticket, Result<Response>& result, const Now& now) {
  clock_ = now.mono;
  if (observations_.contains(ticket)) {
    observation_ended(ticket, result, now);
    return true;
  }
  const auto at = jobs_.find(ticket);
  if (at == jobs_.end()) return false;
  Job& job = at->second;
  Node* node = core_.table.find(job.uid);
  if (node == nullptr) {  // cannot be: a job ends with its node's place in the table
    if (job.slow) --slow_;
    jobs_.erase(at);
    return true;
  }
  answered(job);
  if (result || is_answer(result.error())) policy_.seen(*node, now);
  if (job.core_step) {
    core_answered(ticket, job, *node, result, now);
  } else {
    resource_answered(ticket, job, *node, result, now);
  }
  return true;
}

void Discovery::core_answered(Ticket ticket, Job& job, Node& node, Result<Response>& result, const Now& now) {
  if (job.poll) {
    if (result || is_answer(result.error())) {
      finish(ticket, node);
    } else {
      fail(ticket, node, result.error().message, now);
    }
    return;
  }
  if (!result) {
    if (!is_answer(result.error()) && !job.at_source && node.address.port() != node.server_port &&
        !node.local.empty()) {
      job.at_source = true;
      step(ticket, job, node);
    } else {
      fail(ticket, node, result.error().message, now);
    }
    return;
  }
  node.answers_at_source = job.at_source;
  auto links = parse_link_format(result->payload);
  if (!links) {
    fail(ticket, node, "/.well-known/core: " + links.error().message, now);
    return;
  }
  policy_.directory_.listed(node, result->payload);
  std::size_t skipped = 0;
  job.todo = own_resources(*links, skipped);
  core_.counters.dropped[static_cast<std::size_t>(Drop::bad_answer)] += skipped;
  job.core_step = false;
  step(ticket, job, node);
}

void Discovery::silence(Ticket ticket, Job& job, Node& node, const Error& error, const Now& now) {
  if (++job.silent >= kSilentRequests) {
    fail(ticket, node, error.message, now);
  } else {
    next_resource(ticket, job, node);
  }
}

void Discovery::resource_answered(Ticket ticket, Job& job, Node& node, Result<Response>& result,
                                  const Now& now) {
  if (!result && !is_answer(result.error())) {
    silence(ticket, job, node, result.error(), now);
    return;
  }
  job.silent = 0;
  // A node's error is not a value: the resource stays as it was.
  if (result &&
      (result->payload.size() > kMaxValue ||
       !policy_.set_value(node, job.todo[job.next].name, result->payload, result->content_format, now)))
    core_.counters.drop(Drop::bad_answer);
  next_resource(ticket, job, node);
}

void Discovery::notified(Ticket ticket, const Response& response, const Now& now) {
  clock_ = now.mono;
  const auto at = observations_.find(ticket);
  if (at == observations_.end()) return;
  const std::string resource = at->second.resource;
  Node* node = core_.table.find(at->second.uid);
  if (node == nullptr) return;
  ++core_.counters.received;
  policy_.seen(*node, now);
  if (response.payload.size() > kMaxValue ||
      !policy_.set_value(*node, resource, response.payload, response.content_format, now)) {
    core_.counters.drop(Drop::bad_answer);
  } else {
    node->find(resource)->observed = true;
  }
  const auto job = jobs_.find(node->job);
  if (job == jobs_.end() || job->second.observing != ticket) return;
  answered(job->second);
  job->second.observing = 0;
  job->second.silent = 0;
  next_resource(job->first, job->second, *node);
}

void Discovery::observation_ended(Ticket ticket, Result<Response>& result, const Now& now) {
  const auto observation = std::move(observations_.extract(ticket).mapped());
  Node* node = core_.table.find(observation.uid);
  if (node == nullptr) return;
  std::erase(node->observations, ticket);
  if (auto* resource = node->find(observation.resource); resource != nullptr) resource->observed = false;
  const auto at = jobs_.find(node->job);
  if (at == jobs_.end() || at->second.observing != ticket) {
    // It had been followed for a while: read the node anew at its next sign of life.
    if (node->discovery == Node::Discovery::done) {
      node->discovery = Node::Discovery::failed;
      node->retry_after = now.mono + limits_.first_retry;
    }
    return;
  }
  Job& job = at->second;
  answered(job);
  job.observing = 0;
  if (!result && !is_answer(result.error())) {
    silence(at->first, job, *node, result.error(), now);
    return;
  }
  policy_.seen(*node, now);
  job.todo[job.next].observable = false;  // it says obs and refuses to be observed: read it once
  step(at->first, job, *node);
}

void Discovery::tick(const Now& now) {
  clock_ = now.mono;
  for (auto& [ticket, job] : jobs_) {
    if (job.slow || slow_ >= limits_.slow || now.mono - job.since < limits_.slow_after) continue;
    job.slow = true;
    ++slow_;
  }
  fill();
}

bool Discovery::observes(const Node& node, std::string_view resource) const {
  return std::any_of(node.observations.begin(), node.observations.end(), [&](Ticket ticket) {
    const auto at = observations_.find(ticket);
    return at != observations_.end() && at->second.resource == resource;
  });
}

}  // namespace aiot::gateway
