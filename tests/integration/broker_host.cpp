// The real broker in a process of its own with bounds that a test sets: broker_host KEYFILE [OUTBOX_BYTES]
// [ORIGIN...]; with AIOT_BROKER_STATE it has a store in that folder. Prints the ready line of the daemons on
// stderr; ends on SIGTERM, with 0 when the loop closed clean.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "core/base/log.h"
#include "core/loop/event_loop.h"
#include "daemon/broker/broker.h"

int main(int argc, char** argv) {
  using namespace aiot;
  if (argc < 2) return 2;
  log::set_level(log::Level::info);
  const auto loop = make_uv_loop();
  broker::Options options;
  options.listen = *SocketAddress::parse("127.0.0.1:0");
  options.key_file = argv[1];
  if (argc > 2) options.client_outbox_bytes = std::strtoul(argv[2], nullptr, 10);
  for (int i = 3; i < argc; ++i) options.allow_origins.emplace_back(argv[i]);
  if (const char* folder = std::getenv("AIOT_BROKER_STATE")) options.state_dir = folder;
  auto broker = broker::Broker::make(*loop, std::move(options));
  if (const auto started = broker->start(); !started) {
    std::fprintf(stderr, "%s\n", started.error().message.c_str());
    return 1;
  }
  std::fprintf(stderr,
               R"({"event":"ready","listeners":[{"name":"http","address":"127.0.0.1","port":%u}]})"
               "\n",
               static_cast<unsigned>(broker->bound().port()));
  auto hangup = loop->watch_signal(SIGHUP, [&] { broker->reload(); });
  auto terminate = loop->watch_signal(
      SIGTERM, [&] { broker->stop(std::chrono::seconds(5), [&](const Result<void>&) { loop->stop(); }); });
  loop->run();
  broker.reset();
  hangup.reset();
  terminate.reset();
  return 0;
}
