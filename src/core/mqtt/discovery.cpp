#include "core/mqtt/discovery.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/text.h"
#include "core/codec/home_assistant.h"
#include "core/codec/topic.h"
#include "core/codec/value.h"
#include "core/loop/operations.h"

namespace aiot::mqtt {

namespace {

using nlohmann::json;

constexpr Duration kQuiet = std::chrono::seconds(2);
constexpr std::size_t kMaxPayload = 64 * 1024;
constexpr std::size_t kMaxName = 256;
constexpr std::size_t kMaxResources = 1000;  ///< of one message

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kMaxName && is_topic_name(text) &&
         text.find('/') == std::string_view::npos;
}

std::string text_of(const json* value) {
  return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

}  // namespace

std::vector<Discovered> Sightings::see(std::string_view topic, std::string_view payload) {
  std::vector<Discovered> out;
  if (full() || !is_topic_name(topic) || topic.starts_with("gateway/")) return out;
  const auto levels = text::split(topic, '/');
  const bool readable = payload.size() <= kMaxPayload;
  if (levels[0] == "homeassistant" && levels.back() == "config" &&
      (levels.size() == 4 || levels.size() == 5)) {
    if (readable && see_home_assistant(topic, payload, out)) return out;
  } else if (topic == "node/check") {
    const auto parsed = readable ? parse_json(payload) : Result<json>(make_error(Errc::rejected, {}));
    const auto id = parsed && parsed->contains("id") ? text_of(&parsed->at("id")) : std::string();
    if (is_name(id)) node(id, base_ + "/node/" + id, out);
    return out;
  } else if (levels[0] == "node" && levels.size() == 3 && is_name(levels[1]) && is_name(levels[2])) {
    const std::string id(levels[1]);
    node(id, base_ + "/node/" + id, out);
    if (levels[2] != "resources") {
      resource(std::string(topic), id, out);
      return out;
    }
    const auto parsed = readable ? parse_json(payload) : Result<json>(make_error(Errc::rejected, {}));
    if (!parsed || !parsed->is_array()) return out;
    for (const json& name : *parsed) {
      if (out.size() >= kMaxResources) break;
      if (name.is_string() && is_name(name.get_ref<const std::string&>()))
        resource("node/" + id + "/" + name.get<std::string>(), id, out);
    }
    return out;
  }
  resource(std::string(topic), {}, out);
  return out;
}

bool Sightings::see_home_assistant(std::string_view topic, std::string_view payload,
                                   std::vector<Discovered>& out) {
  if (payload.empty()) return true;  // withdrawn
  const auto parsed = parse_json(payload);
  if (!parsed || !parsed->is_object()) return false;
  const auto levels = text::split(topic, '/');
  auto id = text_of(home_assistant::device_identifier(*parsed));
  if (!is_name(id)) id = levels[2];
  const auto member = [&](const char* name, const char* abbreviation) {
    return text_of(home_assistant::member(*parsed, name, abbreviation));
  };
  const auto base = member("~", "~");
  auto state = home_assistant::expand(member("state_topic", "stat_t"), base);
  auto command = home_assistant::expand(member("command_topic", "cmd_t"), base);
  if (!is_topic_name(state)) state.clear();
  if (!is_topic_name(command)) command.clear();
  if (state.empty() && command.empty()) return false;
  node(id, {}, out);
  decltype(Discovered::attributes) attributes{{"rt", std::string(levels[1])}};
  if (const auto name = member("name", "name"); !name.empty()) attributes.emplace_back("title", name);
  if (!state.empty()) {
    auto observable = attributes;
    observable.emplace_back("obs", std::nullopt);
    resource(state, id, out, std::move(observable));
  }
  if (!command.empty() && command != state) resource(command, id, out, std::move(attributes));
  return true;
}

void Sightings::node(const std::string& id, std::string uri, std::vector<Discovered>& out) {
  if (!seen_.insert("node " + id).second) return;
  if (!uri.empty()) unasked_.push_back(id);
  Discovered found;
  found.type = Discovered::Type::node;
  found.uri = std::move(uri);
  found.node = id;
  found.protocol = "MQTT";
  out.push_back(std::move(found));
}

void Sightings::resource(std::string topic, const std::string& node, std::vector<Discovered>& out,
                         decltype(Discovered::attributes) attributes) {
  // A topic that Home Assistant's message names may have been seen before: told again, with its node.
  if (!seen_.insert((node.empty() ? "topic " : "resource ") + topic).second) return;
  if (node.empty() && seen_.count("resource " + topic) != 0) return;
  Discovered found;
  found.uri = base_ + "/" + topic;
  found.node = node;
  found.path = std::move(topic);
  found.protocol = "MQTT";
  found.attributes = std::move(attributes);
  out.push_back(std::move(found));
}

namespace {

/// Everything; and where that is not allowed, what nodes say of themselves.
const std::vector<std::vector<std::string>> kFilters = {{"#"}, {"node/#", "homeassistant/#"}};

class DiscoverTask;

/// One subscription of the task.
class Ear final : public Reader {
 public:
  Ear(DiscoverTask& task, std::string filter) : task_(task), filter_(std::move(filter)) {}
  [[nodiscard]] const std::string& filter() const override { return filter_; }
  [[nodiscard]] SubscribeOptions options() const override { return {}; }
  void subscribed(Result<void> result) override;
  void received(const Message& message) override;
  void lost(const Error&) override {}
  void resumed() override {}
  void failed(const Error& why) override;

 private:
  DiscoverTask& task_;
  std::string filter_;
};

class DiscoverTask : public std::enable_shared_from_this<DiscoverTask> {
 public:
  DiscoverTask(EventLoop& loop, const ClientOptions& options, DiscoverRequest request,
               UniqueFunction<void(Discovered)> found, Completion<> done)
      : link_(std::make_shared<Link>(loop, *request.target, options, request.timeout)),
        sightings_(request.target->authority()),
        timeout_(request.timeout),
        found_(std::move(found)),
        done_(std::move(done)),
        end_(loop.make_timer([this] { finish(); })),
        quiet_(loop.make_timer([this] { finish(); })) {}

  void start() {
    end_->start(timeout_);
    link_->start();
    listen();
  }
  void cancel() {
    done_.dismiss();
    leave();
  }

  void subscribed(const Result<void>& result) {
    if (finished_) return;
    if (result) {
      allowed_ = true;
      if (!quiet_->armed()) quiet_->start(kQuiet);
    } else if (--waiting_ == 0 && !allowed_) {
      if (++choice_ == kFilters.size()) {
        fail(result.error());
      } else {
        listen();
      }
    }
  }
  void received(const Message& message) {
    if (finished_) return;
    for (Discovered& found : sightings_.see(message.topic, message.payload)) {
      quiet_->start(kQuiet);
      found_(std::move(found));
      if (finished_) return;
    }
    for (const std::string& id : sightings_.take_unasked()) {
      Message ask;
      ask.topic = "gateway/" + id + "/discover";
      ask.payload = "resources";
      link_->publish(std::move(ask), [](const Result<void>&) {});
    }
    if (sightings_.full()) finish();
  }
  void fail(const Error& why) {
    if (finished_) return;
    leave();
    done_(why);
  }

 private:
  void listen() {
    waiting_ = kFilters[choice_].size();
    for (const std::string& filter : kFilters[choice_]) {
      ears_.push_back(std::make_shared<Ear>(*this, filter));
      link_->add(ears_.back());
    }
  }
  void finish() {
    if (finished_) return;
    if (!allowed_) {
      fail(link_->last_failure().value_or(
          make_error(Errc::timeout, "no answer from the MQTT broker in time")));
      return;
    }
    leave();
    done_(Result<>());
  }
  void leave() {
    finished_ = true;
    end_->stop();
    quiet_->stop();
    for (const auto& ear : ears_) link_->remove(ear.get());
  }

  std::shared_ptr<Link> link_;
  Sightings sightings_;
  Duration timeout_;
  UniqueFunction<void(Discovered)> found_;
  Completion<> done_;
  std::unique_ptr<Timer> end_, quiet_;
  std::vector<std::shared_ptr<Ear>> ears_;
  std::size_t choice_ = 0, waiting_ = 0;
  bool allowed_ = false;
  bool finished_ = false;
};

void Ear::subscribed(Result<void> result) { task_.subscribed(result); }
void Ear::received(const Message& message) { task_.received(message); }
void Ear::failed(const Error& why) { task_.fail(why); }

}  // namespace

Operation discover(EventLoop& loop, const ClientOptions& options, DiscoverRequest request,
                   UniqueFunction<void(Discovered)> found, Completion<> done) {
  auto task =
      std::make_shared<DiscoverTask>(loop, options, std::move(request), std::move(found), std::move(done));
  task->start();
  return handle_of(loop, std::move(task));
}

}  // namespace aiot::mqtt
