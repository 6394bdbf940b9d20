// What the gateway's journal costs an update: bench_journal --what journal|write|always --folder DIR
// [--updates N].
//   journal  an update appended and handed to the system, as before every acknowledgement
//   write    the same bytes with one write() each: the least that any journal does
//   always   synced before each acknowledgement, 64 updates under way
// Prints one line of JSON.

#include <fcntl.h>
#include <unistd.h>

#include <memory>

#include "core/loop/event_loop.h"
#include "daemon/gateway/journal.h"
#include "support.h"

using namespace aiot;

namespace {

constexpr std::size_t kUnderWay = 64;

struct Run {
  std::unique_ptr<EventLoop> loop = make_uv_loop();
  std::unique_ptr<gateway::Journal> journal;
  std::uint64_t left = 0;

  explicit Run(const bench::Options& options) {
    gateway::JournalOptions out;
    out.folder = options.text("folder");
    out.max_bytes = 64ULL << 30U;
    if (options.text("what") == "always") out.sync = Duration(0);
    journal = std::make_unique<gateway::Journal>(*loop, out);
    if (!journal->open()) bench::die("the journal cannot be opened");
  }
  void append(std::uint64_t number) {
    const gateway::Origin origin{*SocketAddress::parse("192.0.2.1:5683"), static_cast<std::uint16_t>(number),
                                 "tkn1"};
    journal->begin(&origin);
    const std::string value = std::to_string(20 + number % 10) + "." + std::to_string(number % 7) + "°C";
    (void)journal->append(
        wire::UpdateView{"node-1234", "temperature", value, std::nullopt, loop->wall_now(), false});
  }
  void next() {
    if (left == 0) return;
    --left;
    append(left);
    if (journal->stored()) bench::die("it is stored before it is synced");
    journal->when_stored([this](const Result<void>&) { next(); });
  }
};

}  // namespace

int main(int count, char** arguments) {
  const bench::Options options(count, arguments,
                               {{"what", "journal"}, {"folder", "."}, {"updates", "500000"}});
  const auto updates = static_cast<std::uint64_t>(options.count("updates"));
  const bool always = options.text("what") == "always";
  double bytes = 0;
  std::uint64_t begin = bench::now_us();
  if (options.text("what") == "write") {
    const std::string record(140, 'x');
    const int fd =
        ::open((options.text("folder") + "/file").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) bench::die("the file cannot be made");
    for (std::uint64_t i = 0; i < updates; ++i)
      if (::write(fd, record.data(), record.size()) < 0) bench::die("the file cannot be written");
    ::close(fd);
    bytes = 140;
  } else {
    Run run(options);
    begin = bench::now_us();
    if (always) {
      run.left = updates;
      for (std::size_t i = 0; i < kUnderWay; ++i) run.next();
      auto timer = run.loop->make_timer([] {});
      std::function<void()> look;
      auto watch = run.loop->make_timer([&] { look(); });
      look = [&] { run.left == 0 ? run.loop->stop() : watch->start(std::chrono::milliseconds(1)); };
      look();
      run.loop->run();
    } else {
      for (std::uint64_t i = 0; i < updates; ++i) {
        run.append(i);
        if (!run.journal->stored()) bench::die("it was not stored");
      }
    }
    bytes = static_cast<double>(run.journal->counters().bytes) / static_cast<double>(updates);
  }
  const double seconds = static_cast<double>(bench::now_us() - begin) / 1e6;
  std::printf("{\"ns\":%.1f,\"rate\":%.0f,\"bytes\":%.1f}\n", seconds * 1e9 / static_cast<double>(updates),
              static_cast<double>(updates) / seconds, bytes);
  return 0;
}
