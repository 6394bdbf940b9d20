#pragma once

#include <csignal>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/mqtt/session.h"
#include "support/mosquitto.h"
#include "support/test_loop.h"

/// What the tests of the MQTT session share.
namespace aiot::test {

using namespace std::chrono_literals;

/// As the program does: a TLS peer that has gone is an error, not a signal.
inline const auto kSigpipe = std::signal(SIGPIPE, SIG_IGN);

/// A session and all that it said.
struct Talker {
  Talker(TestLoop& loop, mqtt::SessionOptions options) : bench(loop) {
    mqtt::Session::Callbacks callbacks;
    callbacks.connected = [this](bool kept) {
      ++connects;
      present = kept;
    };
    callbacks.disconnected = [this](const Error& why) { failures.push_back(why); };
    callbacks.received = [this](mqtt::Message message, Completion<> stored) {
      messages.push_back(std::move(message));
      if (hold) {
        held.push_back(std::move(stored));
      } else {
        stored(Result<>());
      }
    };
    callbacks.writable = [this] { ++writable; };
    session = mqtt::Session::make(loop.loop(), std::move(options), std::move(callbacks));
  }
  Talker(const Talker&) = delete;
  Talker& operator=(const Talker&) = delete;
  ~Talker() {
    session.reset();
    for (auto& stored : held) stored.dismiss();
  }

  void connect() {
    REQUIRE(session->start());
    REQUIRE(bench.run_until([&] { return session->connected(); }));
  }
  Result<void> subscribe(const std::string& filter, mqtt::SubscribeOptions options = {}) {
    std::optional<Result<void>> answer;
    session->subscribe(filter, options, [&](Result<void> result) { answer = std::move(result); });
    REQUIRE_FALSE(answer.has_value());
    REQUIRE(bench.run_until([&] { return answer.has_value(); }));
    return *answer;
  }
  Result<void> publish(mqtt::Message message) {
    std::optional<Result<void>> answer;
    session->publish(std::move(message), [&](Result<void> result) { answer = std::move(result); });
    REQUIRE_FALSE(answer.has_value());
    REQUIRE(bench.run_until([&] { return answer.has_value(); }));
    return *answer;
  }
  /// Waits for `count` messages in all.
  bool gets(std::size_t count, Duration limit = 15s) {
    return bench.run_until([&] { return messages.size() >= count; }, limit);
  }

  TestLoop& bench;
  std::unique_ptr<mqtt::Session> session;
  std::vector<mqtt::Message> messages;
  std::vector<Completion<>> held;
  std::vector<Error> failures;
  bool hold = false;
  bool present = false;
  int connects = 0;
  int writable = 0;
};

inline mqtt::SessionOptions options_for(const Mosquitto& broker,
                                        mqtt::Version version = mqtt::Version::automatic) {
  mqtt::SessionOptions out;
  out.host = "127.0.0.1";
  out.port = broker.port();
  out.version = version;
  return out;
}

inline mqtt::Message make_message(std::string topic, std::string payload, int qos = 0, bool retain = false) {
  mqtt::Message out;
  out.topic = std::move(topic);
  out.payload = std::move(payload);
  out.qos = qos;
  out.retain = retain;
  return out;
}

}  // namespace aiot::test
