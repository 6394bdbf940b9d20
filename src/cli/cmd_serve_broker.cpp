#include "cli/command.h"
#include "cli/context.h"
#include "cli/daemon_options.h"
#include "core/loop/event_loop.h"
#include "daemon/broker/broker.h"
#include "daemon/service.h"

namespace aiot::cli {

namespace {

class ServeBrokerCommand final : public Command {
 public:
  [[nodiscard]] CommandHelp help() const override {
    return {
        "",
        "Runs the broker: it puts gateways, web clients, the aiot command and scripts in touch. One port "
        "serves "
        "everything: / the dashboard, /ws clients, /gw gateways, /api/v1 REST, /metrics Prometheus, /healthz "
        "and "
        "/readyz.\n\n"
        "Gateways prove themselves with a token made from the key file (aiot keys). A broker that listens on "
        "loopback makes a missing key file itself. The ready line on stderr names the bound address. SIGTERM "
        "drains and exits 0 within 5 seconds; SIGHUP reads keys, users and certificate again.\n\n"
        "As long as there is neither a user (aiot users) nor a token (aiot tokens), a broker on loopback is "
        "open to "
        "everyone there. One that other machines can reach refuses to start like that, unless --anonymous "
        "says what "
        "everyone may, or --insecure accepts it. From the first user or token on, people log in at /login, "
        "programs "
        "send Authorization: Bearer TOKEN, and what answers everybody is /healthz, /readyz, /login "
        "and the dashboard's program, which holds no data.\n\n"
        "With --tls-cert the port speaks https and wss alone (TLS 1.2 and 1.3). Behind a reverse proxy that "
        "ends TLS, --trusted-proxy names the proxy, whose word on who a client is and how it came is "
        "believed then; others reach the broker through it, so that a broker on loopback, too, starts only "
        "with a user, --anonymous or --insecure.",
        {{"aiot serve-broker", "on this machine alone"},
         {"aiot serve-broker --listen [::]:8000 --key-file /etc/aiot/keys",
          "for the network, once there is a user"},
         {"aiot serve-broker --listen [::]:443 --tls-cert fullchain.pem --tls-key privkey.pem", "on TLS"},
         {"aiot serve-broker --trusted-proxy 127.0.0.1", "behind a reverse proxy on this machine"},
         {"aiot serve-broker --listen 127.0.0.1:0 --log-format json", "a free port, told in the ready line"}},
        {"aiot-serve-gateway(8)", "aiot-keys(1)", "aiot-users(1)", "aiot-tokens(1)", "aiot.toml(5)"}};
  }

  void configure(CLI::App& app) override {
    daemon_.add_broker(app);
    daemon_.add_common(app);
  }

  int run(Context& context) override {
    daemon_.set_up_log(context);
    auto options = daemon_.broker_options();
    if (!options) return context.fail(options.error());
    auto broker = broker::Broker::make(context.loop(), std::move(*options));
    if (auto started = broker->start(); !started) return context.fail(started.error());
    std::vector<std::pair<std::string, std::string>> listeners = {
        {daemon_.broker_scheme(), broker->bound().text()}};
    if (!broker->legacy_bound().empty()) listeners.emplace_back("legacy", broker->legacy_bound().text());
    Service service{context.loop(),
                    [&](Duration deadline, Completion<> done) { broker->stop(deadline, std::move(done)); },
                    [&] { broker->reload(); }};
    return service.run("serve-broker", listeners);
  }

 private:
  DaemonOptions daemon_;
};

}  // namespace

std::unique_ptr<Command> make_serve_broker_command() { return std::make_unique<ServeBrokerCommand>(); }

}  // namespace aiot::cli
