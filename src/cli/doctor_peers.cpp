#include "cli/doctor_peers.h"

#include <fmt/format.h>

#include <utility>

#include "cli/context.h"
#include "cli/doctor_broker.h"
#include "cli/files.h"
#include "core/base/text.h"
#include "core/client.h"
#include "core/mqtt/session.h"

namespace aiot::cli {

namespace {

class Probe final : public MqttProbe {
 public:
  Probe(Context& context, std::string name, const Report& report, UniqueFunction<void()> done)
      : context_(context), name_(std::move(name)), report_(report), done_(std::move(done)) {}

  void begin(mqtt::SessionOptions options) {
    mqtt::Session::Callbacks callbacks;
    callbacks.connected = [this](bool) {
      finish(Finding::ok("mqtt", fmt::format("{} takes the connection", name_)));
    };
    callbacks.disconnected = [this](const Error& why) {
      if (!finished_) finish(failure(why));
    };
    callbacks.received = [](const mqtt::Message&, Completion<> stored) { stored(Result<>()); };
    session_ = mqtt::Session::make(context_.loop(), std::move(options), std::move(callbacks));
    if (auto started = session_->start(); !started) finish(failure(started.error()));
  }

 private:
  static Finding failure(const Error& why) {
    switch (why.code) {
      case Errc::unauthorized:
        return Finding::failed("mqtt", why,
                               why.message.find("certificate") == std::string::npos
                                   ? "correct user name and password: --mqtt-user, --mqtt-password-file"
                                   : tls_remedy(why));
      case Errc::timeout:
        return Finding::failed("mqtt", why, "a firewall on the way, or a machine that is off");
      case Errc::unreachable:
        return Finding::failed("mqtt", why,
                               "start the MQTT broker there (systemctl status mosquitto), or correct --mqtt");
      default: return Finding::failed("mqtt", why, "correct --mqtt and the options that go with it");
    }
  }

  void finish(const Finding& finding) {
    finished_ = true;
    report_(finding);
    done_();
  }

  Context& context_;
  std::string name_;
  const Report& report_;
  UniqueFunction<void()> done_;
  std::unique_ptr<mqtt::Session> session_;
  bool finished_ = false;
};

/// Whatever it answers with, it is there.
bool has_answered(Errc code) {
  return code == Errc::rejected || code == Errc::peer_failed || code == Errc::unauthorized;
}

}  // namespace

Operation probe_gateway(Context& context, const std::string& host, bool expected, const Report& report,
                        UniqueFunction<void()> done) {
  auto uri = parse_uri(fmt::format("coap://{}/.well-known/core", host));
  auto client = context.client("coap");
  if (!uri || !client) {
    report(Finding::failed("gateway", !uri ? uri.error() : client.error(),
                           "correct --gateway: HOST or HOST:PORT"));
    done();
    return {};
  }
  Request request;
  request.uri = *uri;
  request.timeout = context.settings().timeout;
  return (*client)->request(
      std::move(request), [host, expected, &report, done = std::move(done)](const Result<Response>& answer) {
        if (answer || has_answered(answer.error().code)) {
          report(Finding::ok("gateway", fmt::format("{} answers CoAP", host)));
        } else if (expected) {
          report(Finding::failed(
              "gateway", answer.error(),
              "systemctl status aiot-serve-gateway; is its --coap another address, or --allow in the way?"));
        } else {
          report(Finding::skipped("gateway", fmt::format("none at {}", host)));
        }
        done();
      });
}

std::unique_ptr<MqttProbe> MqttProbe::start(Context& context, const MqttTarget& target, const Report& report,
                                            UniqueFunction<void()> done) {
  const auto refuse = [&](const Error& error) -> std::unique_ptr<MqttProbe> {
    report(Finding::failed("mqtt", error, "correct --mqtt and the options that go with it"));
    done();
    return nullptr;
  };
  auto uri = parse_uri(target.url);
  if (!uri) return refuse(uri.error());
  if ((uri->scheme != "mqtt" && uri->scheme != "mqtts") || uri->host.empty()) {
    return refuse(make_error(
        Errc::usage, fmt::format("'{}' is not mqtt[s]://HOST[:PORT]", text::escape_controls(target.url))));
  }
  mqtt::SessionOptions options;
  options.host = uri->host;
  options.port = uri->port;
  options.user = target.user;
  options.retry = false;
  options.timeout = context.settings().timeout;
  if (uri->scheme == "mqtts")
    options.tls = mqtt::TlsOptions{target.ca_file, target.cert_file, target.key_file, {"mqtt"}};
  if (!target.password_file.empty()) {
    auto password = read_secret(target.password_file);
    if (!password) return refuse(password.error());
    options.password = *password;
  }
  auto probe = std::make_unique<Probe>(context, uri->authority(), report, std::move(done));
  probe->begin(std::move(options));
  return probe;
}

}  // namespace aiot::cli
