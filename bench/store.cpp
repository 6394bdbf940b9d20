// What keeping updates costs: bench_store --what store|rows|append|month|open --folder DIR [--updates N].
//   store   through the broker's store: 10,000 nodes x 5 resources, in turn, 1,000 updates a commit
//   rows    plain SQLite, with the same settings: a row an update, indexed by resource and time
//   append  the bytes alone, to a file: the least that any store does
//   month   one resource's 43,200 points among others', read raw and by the hour
//   open    10,000 nodes x 5 resources, after kill -9
// All make what they acknowledge durable. Prints one line of JSON.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <functional>
#include <memory>

#include "core/loop/event_loop.h"
#include "daemon/store/database.h"
#include "daemon/store/store.h"
#include "support.h"

using namespace aiot;

namespace {

constexpr std::uint64_t kNodes = 10'000;
constexpr std::uint64_t kResources = 5;
constexpr std::uint64_t kSeries = kNodes * kResources;
constexpr std::uint64_t kBatch = 1'000;
constexpr std::int64_t kBegin = 1'769'860'800'000;
constexpr const char* kNames[kResources] = {"temperature", "humidity", "pressure", "led", "battery"};

/// The number-th update: each resource once a minute, with some jitter, and values that wander.
struct Update {
  explicit Update(std::uint64_t number) {
    const std::uint64_t series = number % kSeries;
    const std::uint64_t noise = (number * 0x9E3779B97F4A7C15U) >> 40;
    uid = "node-" + std::to_string(series / kResources);
    resource = kNames[series % kResources];
    const auto value = 150 + series % 100 + (noise & 15);
    bytes = series % kResources == 3 ? (noise & 1 ? "1" : "0")
                                     : std::to_string(value / 10) + "." + std::to_string(value % 10) + "°C";
    time = kBegin + static_cast<std::int64_t>(number / kSeries * 60'000 + series + noise % 50);
  }
  std::string uid, bytes;
  const char* resource;
  std::int64_t time;
};

double seconds_since(std::uint64_t begin) { return static_cast<double>(bench::now_us() - begin) / 1e6; }

std::uint64_t file_bytes(const std::string& path) {
  struct stat file {};
  return ::stat(path.c_str(), &file) == 0 ? static_cast<std::uint64_t>(file.st_size) : 0;
}

double thread_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

/// The store on its loop.
struct Host {
  explicit Host(const std::string& folder, std::uint64_t checkpoint_points = 0) : loop(make_uv_loop()) {
    store::Options options;
    if (checkpoint_points != 0) options.checkpoint_points = checkpoint_points;
    options.folder = folder;
    options.max_age = Duration::zero();
    options.notice = [](const std::string&, const std::string& message) { bench::die(message); };
    auto opened = store::open_sqlite_store(*loop, std::move(options), restored);
    if (!opened) bench::die(opened.error().message);
    store = std::move(*opened);
  }
  void put(const Update& update) {
    store::ValueView value;
    value.resource = update.resource;
    value.bytes = update.bytes;
    value.time = WallTime(std::chrono::milliseconds(update.time));
    store->update(update.uid, value);
  }
  void close() {
    store->close([this](Result<> done) {
      if (!done) bench::die(done.error().message);
      loop->stop();
    });
    loop->run();
    store.reset();
  }
  std::unique_ptr<EventLoop> loop;
  store::Restored restored;
  std::unique_ptr<store::Store> store;
};

/// Feeds updates in batches, up to eight unacknowledged as gateways have them, until all are stored.
void feed(Host& host, std::uint64_t updates, const std::function<Update(std::uint64_t)>& make,
          double* spent = nullptr) {
  std::uint64_t next = 0;
  std::uint64_t stored = 0;
  std::vector<Update> batch;
  std::function<void()> more = [&] {
    while (next < updates && next - stored < 8 * kBatch) {
      const std::uint64_t end = std::min(updates, next + kBatch);
      batch.clear();
      for (; next < end; ++next) batch.push_back(make(next));
      const double begin = thread_seconds();
      for (const auto& update : batch) host.put(update);
      if (spent != nullptr) *spent += thread_seconds() - begin;
      host.store->commit("bench", "s", end, [&, end](Result<> done) {
        if (!done) bench::die(done.error().message);
        stored = end;
        if (stored == updates) {
          host.loop->stop();
        } else {
          more();
        }
      });
    }
  };
  more();
  host.loop->run();
}

/// Waits until no checkpoint is under way; when the last one ended.
std::uint64_t settle(Host& host, const std::string& path) {
  const auto database = store::Database::open(path, store::Database::Mode::read_only);
  std::uint64_t ended = bench::now_us();
  std::int64_t before = -1;
  while (bench::now_us() - ended < 500'000) {
    const auto now =
        database->number("SELECT total(count) + (SELECT count(*) FROM arrival) * 1e9 FROM chunk", 0);
    if (now != before) ended = bench::now_us();
    before = now;
    const auto tick = host.loop->make_timer([&] { host.loop->stop(); });
    tick->start(std::chrono::milliseconds(20));
    host.loop->run();
  }
  return ended;
}

void bench_store(const std::string& folder, std::uint64_t updates) {
  Host host(folder);
  // The first of each resource names it, which happens once.
  feed(host, kSeries, [](std::uint64_t i) { return Update(i); });
  double spent = 0;
  const auto begin = bench::now_us();
  feed(
      host, updates, [](std::uint64_t i) { return Update(kSeries + i); }, &spent);
  const double rate = static_cast<double>(updates) / seconds_since(begin);
  const auto ended = settle(host, folder + "/history.db");
  host.close();
  std::printf("{\"rate\":%.0f,\"moved_rate\":%.0f,\"loop_ns\":%.0f}\n", rate,
              static_cast<double>(updates) / (static_cast<double>(ended - begin) / 1e6),
              spent / static_cast<double>(updates) * 1e9);
}

void bench_rows(const std::string& folder, std::uint64_t updates) {
  const std::string path = folder + "/rows.db";
  double rate = 0;
  {
    const auto database = store::Database::open(path, store::Database::Mode::create);
    database->execute(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
        "CREATE TABLE point(series INTEGER, time INTEGER, value TEXT);"
        "CREATE INDEX point_time ON point(series, time)");
    const auto begin = bench::now_us();
    for (std::uint64_t i = 0; i < updates; ++i) {
      if (i % kBatch == 0) database->begin();
      const Update update(i);
      database->run("INSERT INTO point VALUES(?, ?, ?)", i % kSeries, update.time,
                    std::string_view(update.bytes));
      if ((i + 1) % kBatch == 0 || i + 1 == updates) database->commit();
    }
    if (!database->good()) bench::die(database->message());
    rate = static_cast<double>(updates) / seconds_since(begin);
  }
  std::printf("{\"rate\":%.0f,\"bytes\":%llu}\n", rate, static_cast<unsigned long long>(file_bytes(path)));
}

void bench_append(const std::string& folder, std::uint64_t updates) {
  const std::string path = folder + "/append";
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) bench::die_errno("open");
  const auto begin = bench::now_us();
  std::string out;
  for (std::uint64_t i = 0; i < updates; ++i) {
    const Update update(i);
    out += update.uid + '/' + update.resource + ' ' + std::to_string(update.time) + ' ' + update.bytes + '\n';
    if ((i + 1) % kBatch != 0 && i + 1 != updates) continue;
    if (::write(fd, out.data(), out.size()) != static_cast<ssize_t>(out.size()) || ::fdatasync(fd) != 0)
      bench::die_errno("write");
    out.clear();
  }
  const double rate = static_cast<double>(updates) / seconds_since(begin);
  ::close(fd);
  std::printf("{\"rate\":%.0f,\"bytes\":%llu}\n", rate, static_cast<unsigned long long>(file_bytes(path)));
}

/// Milliseconds until all pages are there.
double read_all(Host& host, std::chrono::milliseconds step, std::uint64_t& items) {
  store::HistoryQuery query;
  query.uid = "node-7";
  query.resource = "temperature";
  query.step = step;
  query.limit = 1'000;
  const auto begin = bench::now_us();
  do {
    const auto operation = host.store->history(query, [&](Result<store::HistoryPage> page) {
      if (!page) bench::die(page.error().message);
      items += page->points.size() + page->buckets.size();
      query.cursor = page->next;
      host.loop->stop();
    });
    host.loop->run();
  } while (!query.cursor.empty());
  return seconds_since(begin) * 1e3;
}

void bench_month(const std::string& folder) {
  constexpr std::uint64_t kOthers = 20;
  Host host(folder, 43'200);
  feed(host, 43'200 * kOthers, [](std::uint64_t i) {
    Update update(i);
    update.uid = "node-" + std::to_string(i % kOthers);
    update.resource = kNames[0];
    update.time = kBegin + static_cast<std::int64_t>(i / kOthers) * 60'000;
    return update;
  });
  std::uint64_t points = 0;
  std::uint64_t buckets = 0;
  const double raw = read_all(host, {}, points);
  const double hours = read_all(host, std::chrono::hours(1), buckets);
  settle(host, folder + "/history.db");
  host.close();
  const auto database = store::Database::open(folder + "/history.db", store::Database::Mode::read_only);
  const auto used =
      (database->number("PRAGMA page_count", 0) - database->number("PRAGMA freelist_count", 0)) * 4096;
  std::printf("{\"point_bytes\":%.2f,\"raw_ms\":%.1f,\"hours_ms\":%.1f,\"points\":%llu,\"buckets\":%llu}\n",
              static_cast<double>(used) / (43'200.0 * kOthers), raw, hours,
              static_cast<unsigned long long>(points), static_cast<unsigned long long>(buckets));
}

void bench_open(const std::string& folder) {
  {
    Host host(folder);
    for (std::uint64_t i = 0; i < kNodes; ++i) {
      store::NodeRecord node;
      node.uid = "node-" + std::to_string(i);
      host.store->node(node);
    }
    feed(host, kSeries * 8, [](std::uint64_t i) { return Update(i); });
    host.store.reset();  // as after kill -9: part of it is in the log alone
  }
  const auto begin = bench::now_us();
  const Host host(folder);
  const double ms = seconds_since(begin) * 1e3;
  std::uint64_t values = 0;
  for (const auto& node : host.restored.nodes) values += node.values.size();
  std::printf("{\"ms\":%.1f,\"nodes\":%zu,\"values\":%llu}\n", ms, host.restored.nodes.size(),
              static_cast<unsigned long long>(values));
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Options options(argc, argv, {{"what", "store"}, {"folder", ""}, {"updates", "1000000"}});
  const std::string what = options.text("what");
  const std::string folder = options.text("folder");
  const auto updates = options.count("updates");
  if (what == "store") {
    bench_store(folder, updates);
  } else if (what == "rows") {
    bench_rows(folder, updates);
  } else if (what == "append") {
    bench_append(folder, updates);
  } else if (what == "month") {
    bench_month(folder);
  } else if (what == "open") {
    bench_open(folder);
  } else {
    bench::die("--what is store, rows, append, month or open");
  }
  return 0;
}
