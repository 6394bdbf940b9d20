#include "daemon/gateway/journal.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "core/loop/fake_loop.h"
#include "support/temporary_folder.h"

using namespace aiot;
using namespace aiot::gateway;
using namespace std::chrono_literals;

namespace {

const WallTime kNow = std::chrono::sys_days(std::chrono::year(2026) / 6 / 1);

/// A journal in one of its lives.
struct Life {
  FakeLoop loop;
  Journal journal;
  std::vector<std::string> notices;
  std::vector<std::string> seen;
  int readable = 0;

  explicit Life(const std::string& folder, JournalOptions options = {}, WallTime wall = kNow)
      : journal(loop, with(folder, std::move(options))) {
    loop.set_wall(wall);
    Journal::Callbacks callbacks;
    callbacks.readable = [this] { ++readable; };
    callbacks.notice = [this](const std::string& type, const std::string&) { notices.push_back(type); };
    callbacks.seen = [this](const Origin& origin, const Update& update) {
      seen.push_back(std::to_string(origin.message_id) + " " + update.bytes);
    };
    journal.set_callbacks(std::move(callbacks));
    REQUIRE(journal.open());
  }
  static JournalOptions with(const std::string& folder, JournalOptions options) {
    options.folder = folder;
    return options;
  }
  bool add(const std::string& value, std::optional<std::uint16_t> message_id = {}) {
    const Origin origin{*SocketAddress::parse("192.0.2.1:5683"), message_id.value_or(0), "tk"};
    journal.begin(message_id ? &origin : nullptr);
    (void)journal.append({"n", "r", value, std::nullopt, loop.wall_now(), false});
    return journal.stored();
  }
  void add_many(int count, std::size_t bytes = 100) {
    for (int i = 0; i < count; ++i) add(std::to_string(i) + std::string(bytes, 'x'));
  }
  /// Values of the oldest stream from `from` on, and what follows in later ones; acknowledges as it goes.
  std::vector<std::string> drain(bool acknowledge = true) {
    std::vector<std::string> out;
    for (int rounds = 0; rounds < 10'000; ++rounds) {
      const auto stream = journal.oldest();
      std::uint64_t next = std::max(stream.first, acknowledged[stream.id] + 1);
      while (next < journal.end(stream.id)) {
        const auto before = readable;
        const auto was = next;
        const auto chunk = journal.read(stream.id, next, 4096);
        if (chunk.count == 0) {
          if (next != was) continue;
          loop.run_posted();
          REQUIRE(readable != before);
          continue;
        }
        CHECK(chunk.first == next);
        auto batch = wire::parse_message(wire::format_batch(chunk.first, true, chunk.items));
        REQUIRE(batch);
        const auto& items = std::get<wire::Batch>(*batch).items;
        REQUIRE(items.size() == chunk.count);
        for (const auto& item : items) out.push_back(std::get<Update>(item).bytes);
        last = items.back();
        next += chunk.count;
      }
      if (acknowledge) journal.acknowledged(stream.id, next - 1);
      acknowledged[stream.id] = next - 1;
      if (stream.current) return out;
      if (!acknowledge) FAIL("an earlier stream must be acknowledged before the next is read");
    }
    return out;
  }
  void balanced() const {
    const auto c = journal.counters();
    CHECK(c.appended + c.restored ==
          c.acknowledged + c.unacknowledged + c.dropped_full + c.dropped_disk + c.dropped_damaged);
  }
  std::map<std::string, std::uint64_t> acknowledged;
  wire::Item last;
};

std::vector<std::string> segments(const std::string& folder) {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".log") out.push_back(entry.path().string());
  std::sort(out.begin(), out.end());
  return out;
}

std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

using Values = std::vector<std::string>;

}  // namespace

TEST_CASE("What was stored is there in the next life, in order, and once acknowledged it is gone") {
  const test::TemporaryFolder folder;
  {
    Life first(folder.path);
    CHECK(first.add("1"));
    CHECK(first.add("2"));
    first.balanced();
  }  // no close: as after kill -9
  {
    Life second(folder.path);
    CHECK(second.add("3"));
    CHECK(second.journal.counters().restored == 2);
    const auto stream = second.journal.oldest();
    CHECK_FALSE(stream.current);
    CHECK(second.drain() == Values{"1", "2", "3"});
    CHECK(second.journal.counters().unacknowledged == 0);
    second.balanced();
  }
  {
    Life third(folder.path);
    CHECK(third.journal.counters().restored <= 3);  // kept for the duplicate filter; the broker knows them
  }
}

TEST_CASE("A new life begins a stream of its own and names those before it") {
  const test::TemporaryFolder folder;
  std::string first, second;
  {
    Life life(folder.path);
    life.add("1");
    first = life.journal.stream();
  }
  {
    Life life(folder.path);
    second = life.journal.stream();
    CHECK(second != first);
    CHECK(life.journal.oldest().id == first);
  }
  Life life(folder.path);
  life.drain();
  CHECK(life.journal.oldest().earlier == Values{second, first});
}

TEST_CASE("What memory no longer holds is read back from disk") {
  const test::TemporaryFolder folder;
  JournalOptions options;
  options.memory_bytes = 10'000;
  options.segment_bytes = 100'000;
  Life life(folder.path, options);
  life.add_many(5000);
  CHECK(segments(folder.path).size() > 4);
  const auto values = life.drain(false);
  REQUIRE(values.size() == 5000);
  for (int i = 0; i < 5000; ++i)
    CHECK(values[static_cast<std::size_t>(i)].substr(0, 4) == (std::to_string(i) + "xxxx").substr(0, 4));
  life.balanced();
  life.journal.acknowledged(life.journal.stream(), 5000);
  life.loop.advance(200ms);
  CHECK(segments(folder.path).size() <= 16);
  life.balanced();
}

TEST_CASE("One record larger than what is read at a time comes back whole") {
  const test::TemporaryFolder folder;
  JournalOptions options;
  options.memory_bytes = 0;
  Life life(folder.path, options);
  const std::string large(60'000, '\x01');  // six bytes each as JSON
  life.add(large);
  life.add("small");
  life.add_many(2000);
  const auto values = life.drain();
  REQUIRE(values.size() == 2002);
  CHECK(values[0] == large);
  CHECK(values[1] == "small");
}

TEST_CASE("A journal over its bound drops its oldest, counts them, and says so") {
  const test::TemporaryFolder folder;
  JournalOptions options;
  options.max_bytes = 100'000;
  options.memory_bytes = 1000;
  Life life(folder.path, options);
  life.add_many(3000);
  const auto counters = life.journal.counters();
  CHECK(counters.dropped_full > 1000);
  CHECK(counters.bytes <= 130'000);
  CHECK(life.notices.front() == "journal_overflow");
  life.balanced();
  const auto values = life.drain();
  CHECK(values.size() == 3000 - counters.dropped_full);
  CHECK(values.back().substr(0, 4) == "2999");
  life.balanced();
}

TEST_CASE("What is older than its age is dropped") {
  const test::TemporaryFolder folder;
  JournalOptions options;
  options.max_age = 1h;
  {
    Life life(folder.path, options);
    life.add("old");
  }
  Life life(folder.path, options, kNow + 2h);
  CHECK(life.journal.counters().dropped_full == 1);
  CHECK(life.drain().empty());
  life.balanced();
}

TEST_CASE("In memory alone the bound is that of memory, and what is acknowledged makes room") {
  JournalOptions options;
  options.memory_bytes = 100'000;
  Life life("", options);
  CHECK(life.add("1"));
  life.add_many(5000);
  life.balanced();
  CHECK(life.journal.counters().dropped_full > 3000);
  const auto values = life.drain();
  CHECK(values.back().substr(0, 4) == "4999");
  CHECK(life.journal.counters().unacknowledged == 0);
  life.balanced();
}

TEST_CASE("A torn end is cut off at every byte, said so, and what stands before it is kept") {
  const test::TemporaryFolder folder;
  std::string whole, path;
  std::size_t after_first = 0;
  {
    Life life(folder.path);
    life.add("1");
    path = segments(folder.path).front();
    after_first = content(path).size();
    life.add("2");
    whole = content(path);
  }
  std::size_t head = 0;
  {
    const auto parsed = parse_segment_head(whole);
    REQUIRE(parsed);
    head = parsed->size;
  }
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    for (const auto& each : std::filesystem::directory_iterator(folder.path)) std::filesystem::remove(each);
    std::ofstream(path, std::ios::binary) << whole.substr(0, size);
    INFO(size);
    Life life(folder.path);
    const auto values = life.drain();
    CHECK(values.size() == (size == whole.size() ? 2U : size >= after_first ? 1U : 0U));
    const bool clean = size == 0 || size == head || size == after_first || size == whole.size();
    CHECK(life.notices.empty() == clean);
    life.balanced();
  }
}

TEST_CASE("A changed byte anywhere costs what is behind it at most, and never a start") {
  const test::TemporaryFolder folder;
  std::string whole, path;
  {
    Life life(folder.path);
    life.add("1");
    life.add("2");
    path = segments(folder.path).front();
    whole = content(path);
  }
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const auto& each : std::filesystem::directory_iterator(folder.path)) std::filesystem::remove(each);
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 0x10);
    std::ofstream(path, std::ios::binary) << changed;
    INFO(at);
    Life life(folder.path);
    const auto values = life.drain();
    CHECK(values.size() <= 1);
    if (!values.empty()) CHECK(values[0] == "1");
    CHECK_FALSE(life.notices.empty());
    life.balanced();
  }
}

TEST_CASE("A segment damaged in the middle of a journal costs itself alone") {
  const test::TemporaryFolder folder;
  JournalOptions options;
  options.segment_bytes = 20'000;
  options.memory_bytes = 0;
  {
    Life life(folder.path, options);
    life.add_many(500);
  }
  const auto files = segments(folder.path);
  REQUIRE(files.size() >= 3);
  std::string text = content(files[1]);
  text[text.size() / 2] = static_cast<char>(text[text.size() / 2] ^ 1);
  std::ofstream(files[1], std::ios::binary) << text;
  Life life(folder.path, options);
  const auto values = life.drain();
  CHECK(values.size() > 250);
  CHECK(values.size() < 500);
  CHECK(values.back().substr(0, 3) == "499");
  CHECK(std::count(life.notices.begin(), life.notices.end(), "journal_damaged") >= 1);
  CHECK(std::filesystem::exists(files[1] + ".damaged"));
  life.balanced();
}

TEST_CASE("The messages behind the newest records are told at the start") {
  const test::TemporaryFolder folder;
  {
    Life life(folder.path);
    life.add("1", 7);
    life.add("2");
    life.add("3", 9);
  }
  Life life(folder.path);
  // Callbacks are set before open().
  CHECK(life.seen == Values{"7 1", "9 3"});
}

TEST_CASE("A message is known again after many short lives, also when the broker has long stored it") {
  const test::TemporaryFolder folder;
  {
    Life life(folder.path);
    life.add("1", 7);
    life.drain();
  }
  for (int i = 0; i < 10; ++i) {
    Life life(folder.path);
    life.add("x");
    life.drain();
    life.loop.advance(1s);
  }
  Life life(folder.path);
  CHECK(life.seen == Values{"7 1"});
  CHECK(segments(folder.path).size() <= 17);
}

TEST_CASE("With syncing always an acknowledgement waits for the disk, and one sync serves many") {
  const test::TemporaryFolder folder;
  JournalOptions options;
  options.sync = 0ms;
  Life life(folder.path, options);
  life.loop.advance(1s);
  const auto before = life.journal.counters().syncs;
  int stored = 0;
  for (int i = 0; i < 3; ++i) {
    CHECK_FALSE(life.add(std::to_string(i)));
    life.journal.when_stored([&](const Result<void>& result) { stored += result ? 1 : 0; });
  }
  CHECK(stored == 0);
  life.loop.advance(1ms);
  CHECK(stored == 3);
  CHECK(life.journal.counters().syncs == before + 1);
  life.journal.begin(nullptr);
  CHECK(life.journal.stored());  // nothing new
}

TEST_CASE("A disk that takes nothing refuses what comes, says so once, and is tried again") {
  const test::TemporaryFolder folder;
  rlimit unlimited{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &unlimited) == 0);
  const auto before = std::signal(SIGXFSZ, SIG_IGN);
  Life life(folder.path);
  CHECK(life.add("1"));
  rlimit limit = unlimited;
  limit.rlim_cur = content(segments(folder.path).front()).size() + 20;  // half a record
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
  CHECK_FALSE(life.add("2"));
  CHECK_FALSE(life.add("3"));
  std::optional<Result<void>> told;
  life.journal.when_stored([&](Result<void> result) { told = std::move(result); });
  life.loop.run_posted();
  REQUIRE(told);
  CHECK_FALSE(*told);
  life.journal.begin(nullptr);
  CHECK(life.journal.stored());  // a message that brings nothing needs no disk
  life.loop.advance(2s);
  CHECK_FALSE(life.add("4"));
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &unlimited) == 0);
  CHECK_FALSE(life.add("5"));  // it is tried once a second
  life.loop.advance(2s);
  CHECK(life.add("6"));
  CHECK(life.notices == Values{"disk_full", "disk_recovered"});
  CHECK(life.journal.counters().dropped_disk == 4);
  CHECK(life.drain() == Values{"1", "6"});
  life.balanced();
  std::signal(SIGXFSZ, before);
  Life next(folder.path);
  CHECK(next.notices.empty());  // no half record was left
}

TEST_CASE("Times that were not known when an item came are found out once the clock is set") {
  const test::TemporaryFolder folder;
  const auto unset = WallTime(std::chrono::seconds(100));
  SECTION("in the same life") {
    Life life(folder.path, {}, unset);
    life.add("1");
    CHECK(life.drain(false) == Values{"1"});
    CHECK(std::get<Update>(life.last).time_uncertain);
    life.loop.advance(10s);
    life.loop.set_wall(kNow);
    life.add("2");
    life.acknowledged.clear();
    std::uint64_t from = 1;
    const auto chunk = life.journal.read(life.journal.stream(), from, 1);
    const auto item = wire::parse_item(chunk.items);
    REQUIRE(item);
    CHECK(std::get<Update>(*item).time == kNow - 10s);
    CHECK_FALSE(std::get<Update>(*item).time_uncertain);
  }
  SECTION("from the disk") {
    {
      Life life(folder.path, {}, unset);
      life.add("1");
      life.loop.advance(10s);
      life.loop.set_wall(kNow);
      life.add("2");
    }
    Life life(folder.path, {}, kNow - 10s);  // the fake loop's uptime begins anew, too
    std::uint64_t from = 1;
    const auto stream = life.journal.oldest();
    (void)life.journal.read(stream.id, from, 4096);
    life.loop.run_posted();
    const auto chunk = life.journal.read(stream.id, from, 4096);
    CHECK(chunk.count == 2);
    const auto message = wire::parse_message(wire::format_batch(1, true, chunk.items));
    REQUIRE(message);
    CHECK(std::get<Update>(std::get<wire::Batch>(*message).items[0]).time == kNow - 10s);
  }
}

TEST_CASE("A copy of a journal, and one that was set back, never give a number to two items") {
  const test::TemporaryFolder folder, copy;
  {
    Life life(folder.path);
    life.add("1");
  }
  std::filesystem::copy(folder.path, copy.path, std::filesystem::copy_options::recursive);
  Life one(folder.path), other(copy.path);
  CHECK(one.journal.stream() != other.journal.stream());
  CHECK(one.journal.oldest().id == other.journal.oldest().id);
}

TEST_CASE("A chunk read back is no larger than asked for, so that a small window is not asked for ever") {
  const test::TemporaryFolder folder;
  {
    Life life(folder.path);
    life.add_many(50);
  }
  Life life(folder.path);
  const auto stream = life.journal.oldest();
  std::uint64_t next = 1;
  (void)life.journal.read(stream.id, next, 7);
  life.loop.run_posted();
  CHECK(life.readable == 1);
  const auto chunk = life.journal.read(stream.id, next, 7);
  CHECK(chunk.first == 1);
  CHECK(chunk.count == 7);
}

TEST_CASE("A start on a full disk serves, sends what is there, and recovers") {
  const test::TemporaryFolder folder;
  {
    Life life(folder.path);
    life.add_many(3);
  }
  rlimit unlimited{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &unlimited) == 0);
  const auto before = std::signal(SIGXFSZ, SIG_IGN);
  rlimit limit = unlimited;
  limit.rlim_cur = 20;  // half a head
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
  Life life(folder.path);
  CHECK(life.notices == Values{"disk_full"});
  CHECK_FALSE(life.add("refused"));
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &unlimited) == 0);
  CHECK(life.journal.counters().restored == 3);
  life.loop.advance(2s);
  CHECK(life.add("taken"));
  CHECK(life.notices == Values{"disk_full", "disk_recovered"});
  const auto drained = life.drain();
  REQUIRE(drained.size() == 4);
  CHECK(drained.back() == "taken");
  life.balanced();
  std::signal(SIGXFSZ, before);
}

TEST_CASE("Too many open files delay reading back, and cost nothing") {
  const test::TemporaryFolder folder;
  {
    Life life(folder.path);
    life.add_many(5);
  }
  Life life(folder.path);
  rlimit unlimited{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &unlimited) == 0);
  rlimit limit = unlimited;
  limit.rlim_cur = 3;
  const auto stream = life.journal.oldest();
  std::uint64_t next = 1;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
  const auto none = life.journal.read(stream.id, next, 100);
  life.loop.run_posted();
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &unlimited) == 0);
  CHECK(none.count == 0);
  CHECK(life.readable == 0);
  CHECK(life.notices.empty());
  life.loop.advance(1s);
  CHECK(life.readable == 1);
  CHECK(life.drain().size() == 5);
  life.balanced();
}

TEST_CASE("A journal whose folder was removed begins it anew") {
  const test::TemporaryFolder folder;
  JournalOptions options;
  options.segment_bytes = 4096;
  options.max_bytes = 16'384;
  Life life(folder.path + "/journal", options);
  std::filesystem::remove_all(folder.path + "/journal");
  life.add_many(100);
  CHECK_FALSE(life.journal.counters().failing);
  CHECK_FALSE(segments(folder.path + "/journal").empty());
}
