// A store that is fed until it is killed: store_writer FOLDER UPDATES_A_CHECKPOINT. Says after each commit,
// on standard output, up to which number all is stored.

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>

#include "core/loop/event_loop.h"
#include "daemon/store/store.h"

using namespace aiot;

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const auto loop = make_uv_loop();
  store::Options options;
  options.folder = argv[1];
  options.max_age = Duration::zero();
  options.checkpoint_points = std::strtoull(argv[2], nullptr, 10);
  options.notice = [](const std::string& type, const std::string& message) {
    std::fprintf(stderr, "%s: %s\n", type.c_str(), message.c_str());
    std::abort();  // nothing is wrong with the disk
  };
  store::Restored restored;
  auto opened = store::open_sqlite_store(*loop, std::move(options), restored);
  if (!opened) {
    std::fprintf(stderr, "%s\n", opened.error().message.c_str());
    return 1;
  }
  auto& store = **opened;
  std::uint64_t next = store.position("paris", "s1").committed;
  std::function<void()> more;
  std::unique_ptr<Timer> pace = loop->make_timer([&] { more(); });
  more = [&] {
    // Number i goes to series i % 7 of node i % 5, as a gateway's batch of any size.
    if (store.counters().queued > 1'000'000) return pace->start(std::chrono::milliseconds(1));
    const std::uint64_t end = next + 1 + next % 40;
    for (; next < end; ++next) {
      const std::string uid = "n" + std::to_string(next % 5);
      const std::string resource = "r" + std::to_string(next % 7);
      const std::string bytes = std::to_string(next);
      store::ValueView value;
      value.resource = resource;
      value.bytes = bytes;
      value.time = WallTime(std::chrono::milliseconds(static_cast<std::int64_t>(next)));
      if (next < 35) {
        store::NodeRecord node;
        node.uid = uid;
        store.node(node);
      }
      store.update(uid, value);
    }
    store.commit("paris", "s1", end, [&, end](Result<> done) {
      if (!done) std::abort();
      std::printf("%llu\n", static_cast<unsigned long long>(end));
      std::fflush(stdout);
    });
    pace->start(std::chrono::microseconds(next % 3 == 0 ? 2000 : 0));
  };
  more();
  loop->run();
  return 0;
}
