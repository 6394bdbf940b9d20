#include "cli/doctor_broker.h"

#include <fmt/format.h>

#include <ctime>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "cli/broker_api.h"
#include "cli/context.h"
#include "cli/tcp_probe.h"
#include "core/base/text.h"
#include "core/loop/event_loop.h"

namespace aiot::cli {

namespace {

using nlohmann::ordered_json;

constexpr std::chrono::seconds kSkewWarning{30}, kSkewFailure{3600};

/// The time of a Date field (RFC 9110 section 5.6.7, IMF-fixdate).
std::optional<WallTime> parse_http_date(const std::string& text) {
  std::tm parts{};
  const char* end = ::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  if (end == nullptr || *end != '\0') return std::nullopt;
  return WallTime(std::chrono::seconds(::timegm(&parts)));
}

class Probe final : public BrokerProbe {
 public:
  Probe(Context& context, bool reader_expected, const Report& report, UniqueFunction<void()> done)
      : context_(context),
        loop_(context.loop()),
        reader_expected_(reader_expected),
        report_(report),
        done_(std::move(done)) {}

  void begin() {
    auto token = context_.broker_token();
    if (!token) return fail("broker.token", token.error(), "correct --token-file, or the configuration");
    token_given_ = !token->empty();
    auto api = BrokerApi::of(context_);
    if (!api) {
      report_(Finding::failed("broker", api.error(), "correct --broker, AIOT_BROKER or the configuration"));
      return done_();
    }
    api_.emplace(std::move(*api));
    deadline_ = loop_.make_timer([this] {
      fail("broker.name",
           make_error(Errc::timeout,
                      fmt::format("the name {} is not resolved in time", api_->endpoint().host)),
           "the name server does not answer: resolvectl status, /etc/resolv.conf");
    });
    deadline_->start(context_.settings().timeout);
    const auto& endpoint = api_->endpoint();
    operation_ =
        loop_.resolve(endpoint.host, endpoint.port, [this](Result<std::vector<SocketAddress>> addresses) {
          deadline_->stop();
          if (!addresses) {
            return fail("broker.name", addresses.error(),
                        fmt::format("check the spelling, and the name service: getent hosts {}",
                                    api_->endpoint().host));
          }
          report_(Finding::ok("broker.name",
                              fmt::format("{} is {}", api_->endpoint().host, addresses->front().host())));
          connect(std::move(*addresses));
        });
  }

 private:
  void connect(std::vector<SocketAddress> addresses) {
    tcp_ = std::make_unique<TcpProbe>(
        loop_, std::move(addresses), context_.settings().timeout,
        [this](const Result<SocketAddress>& address) {
          if (!address) {
            return fail(
                "broker.port", address.error(),
                address.error().code == Errc::timeout
                    ? "a firewall on the way, or a machine that is off"
                    : "start the broker there (systemctl status aiot-serve-broker), or correct the port");
          }
          report_(Finding::ok("broker.port", fmt::format("{} takes connections", address->text())));
          ask_ready();
        });
  }

  void ask(const char* path, Completion<ws::HttpClientResponse> done) {
    ws::HttpClientRequest request;
    request.path = path;
    request.timeout = context_.settings().timeout;
    operation_ = ws::http_request(loop_, api_->endpoint(), std::move(request), std::move(done));
  }

  void ask_ready() {
    ask("/readyz", [this](const Result<ws::HttpClientResponse>& answer) {
      const bool tls = api_->endpoint().tls;
      if (!answer) {
        if (tls) return fail("broker.tls", answer.error(), tls_remedy(answer.error()));
        return fail(
            "broker.ready", answer.error(),
            answer.error().code == Errc::unreachable
                ? "the broker has as many connections as it takes (--max-connections, its log), or it "
                  "is something else, or wants TLS: try aiots://"
                : "something else listens there, or it wants TLS: try aiots://");
      }
      if (tls) report_(Finding::ok("broker.tls", "the certificate is valid for that name"));
      if (!tls && !on_loopback()) {
        report_(Finding::warning("broker.tls",
                                 "the connection is not encrypted: tokens and values can be read on the way",
                                 "serve TLS there, and use aiots:// or wss://"));
      }
      if (answer->status != 200) {
        return fail("broker.ready",
                    make_error(answer->status >= 500 ? Errc::peer_failed : Errc::rejected,
                               fmt::format("{}/readyz answers {}", api_->base_uri(), answer->status)),
                    ready_remedy(answer->status));
      }
      report_(Finding::ok("broker.ready", fmt::format("{} serves", api_->base_uri())));
      compare_clocks(answer->header("date"));
      ask_token();
    });
  }

  static const char* ready_remedy(int status) {
    if (status == 400) return "it may want TLS: try wss:// or aiots://; or it is no aiot broker";
    if (status == 502 || status == 504) return "the proxy there does not reach its broker: is that running?";
    if (status == 503) return "the broker starts or ends, or its disk refuses: its log says which";
    return "this is no aiot broker, or --broker lacks the path that a proxy wants";
  }

  [[nodiscard]] bool on_loopback() const {
    auto address = SocketAddress::parse(api_->endpoint().host, 1);
    return api_->endpoint().host == "localhost" || (address && address->is_loopback());
  }

  void compare_clocks(std::string_view date) {
    const auto theirs = parse_http_date(std::string(date));
    if (!theirs) return report_(Finding::skipped("broker.clock", "the broker does not say what time it is"));
    const auto apart = std::chrono::duration_cast<std::chrono::seconds>(loop_.wall_now() - *theirs);
    const auto length = std::chrono::abs(apart);
    const std::string what = fmt::format("this machine's clock is {} {} the broker's",
                                         format_duration(length), apart.count() > 0 ? "ahead of" : "behind");
    const char* remedy = "timedatectl set-ntp true on both machines";
    if (length > kSkewFailure)
      return report_(Finding::failed("broker.clock", make_error(Errc::peer_failed, what), remedy));
    if (length > kSkewWarning) return report_(Finding::warning("broker.clock", what, remedy));
    report_(Finding::ok("broker.clock", "the clocks agree"));
  }

  /// Who we are there. A broker that does not tell is one that knows keys alone.
  void ask_token() {
    operation_ = api_->get(api_path("session"), [this](const Result<ordered_json>& session) {
      if (!session && session.error().code == Errc::unauthorized) return refused(session.error());
      const std::string role = session ? member(*session, "role") : std::string();
      if (role == "none") return may_nothing();
      if (!role.empty()) report_role(role, member(*session, "name"));
      ask_gateways(!role.empty());
    });
  }

  void may_nothing() {
    if (token_given_) {
      report_(Finding::ok("broker.token", "the broker takes the token, which lets nobody read: a gateway's"));
    } else if (reader_expected_) {
      return refused(make_error(Errc::unauthorized, "the broker shows nothing without a token"));
    } else {
      report_(Finding::skipped("broker.token", "no token to read with is given, nor needed by a gateway"));
    }
    report_(Finding::skipped("broker.gateways", "only who may read there can ask"));
    done_();
  }

  void report_role(const std::string& role, const std::string& name) {
    if (token_given_) {
      report_(Finding::ok("broker.token", fmt::format("the broker takes the token: {}, {}", name, role)));
    } else if (role != "viewer" && !on_loopback()) {
      report_(Finding::warning("broker.token", fmt::format("everybody is {} at this broker", role),
                               "there: aiot users add, and --anonymous none or viewer"));
    } else {
      report_(Finding::ok("broker.token", fmt::format("the broker asks for none: everybody is {}", role)));
    }
  }

  void refused(const Error& error) {
    fail("broker.token", error,
         token_given_
             ? "the token is not, or no longer, the broker's: make a new one there, for --token-file"
             : "the broker wants a token: --token-file, AIOT_TOKEN or token-file in the configuration");
  }

  void ask_gateways(bool token_known) {
    operation_ = api_->get(
        api_path("gateways", {{"limit", "1000"}}), [this, token_known](const Result<ordered_json>& answer) {
          if (!answer && answer.error().code == Errc::unauthorized && !token_known)
            return refused(answer.error());
          if (!token_known) {
            report_(Finding::ok("broker.token",
                                token_given_ ? "the broker takes the token" : "the broker asks for none"));
          }
          if (answer) {
            report_gateways(*answer);
          } else if (answer.error().code == Errc::unauthorized) {
            report_(Finding::skipped("broker.gateways", "the token is for some nodes alone"));
          } else {
            report_(Finding::failed("broker.gateways", answer.error(),
                                    "is this an aiot broker of this version? its log says more"));
          }
          done_();
        });
  }

  void report_gateways(const ordered_json& answer) {
    const auto items = answer.find("items");
    if (items == answer.end() || !items->is_array()) {
      return report_(Finding::failed("broker.gateways",
                                     make_error(Errc::peer_failed, "the broker's answer is malformed"),
                                     "is this an aiot broker of this version?"));
    }
    for (const ordered_json& gateway : *items) {
      const std::string name = member(gateway, "name"), state = member(gateway, "state");
      if (state == "connected") {
        report_(Finding::ok("broker.gateways", fmt::format("{} is connected", name)));
      } else {
        report_(Finding::warning("broker.gateways",
                                 fmt::format("{} is {}", name, state.empty() ? "in no state" : state),
                                 "on that machine: systemctl status aiot-serve-gateway, and aiot doctor"));
      }
    }
    if (items->empty()) {
      report_(Finding::warning("broker.gateways", "no gateway is known there",
                               "start one with --broker and a token: aiot-serve-gateway(8)"));
    }
  }

  void fail(std::string check, const Error& error, std::string remedy) {
    report_(Finding::failed(std::move(check), error, std::move(remedy)));
    done_();
  }

  Context& context_;
  EventLoop& loop_;
  bool reader_expected_, token_given_ = false;
  const Report& report_;
  UniqueFunction<void()> done_;
  std::optional<BrokerApi> api_;
  std::unique_ptr<Timer> deadline_;
  std::unique_ptr<TcpProbe> tcp_;
  Operation operation_;
};

}  // namespace

std::unique_ptr<BrokerProbe> BrokerProbe::start(Context& context, bool reader_expected, const Report& report,
                                                UniqueFunction<void()> done) {
  auto probe = std::make_unique<Probe>(context, reader_expected, report, std::move(done));
  probe->begin();
  return probe;
}

std::string tls_remedy(const Error& why) {
  // Before anything was sent.
  if (why.code == Errc::internal || why.code == Errc::usage) {
    return "correct --ca, --cert and --key, or the configuration";
  }
  const std::string words = text::lower(why.message);
  const auto says = [&](std::string_view word) { return words.find(word) != std::string::npos; };
  if (says("expired") || says("not yet valid")) {
    return "renew the certificate there, and reload the broker (SIGHUP); or this machine's clock is wrong";
  }
  if (says("self-signed") || says("self signed") || says("unable to get") || says("issuer")) {
    return "name the authority that signed it: --ca FILE, or install it in the system "
           "(update-ca-certificates)";
  }
  if (says("mismatch") || says("name") || says("hostname")) {
    return "use a name that the certificate holds, or have one made for this name";
  }
  return "is it TLS at all? openssl s_client -connect HOST:PORT shows what is spoken there";
}

}  // namespace aiot::cli
