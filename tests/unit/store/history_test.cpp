#include <algorithm>
#include <random>

#include "core/codec/content_format.h"
#include "store/store_support.h"

using namespace aiot;
using namespace aiot::test;
using Strings = std::vector<std::string>;

namespace {

store::HistoryQuery query_of(const std::string& resource) {
  store::HistoryQuery query;
  query.uid = "n1";
  query.resource = resource;
  return query;
}

Strings bytes_of(const store::HistoryPage& page) {
  Strings out;
  for (const auto& point : page.points) out.push_back(point.bytes);
  return out;
}

}  // namespace

TEST_CASE("Points come by time, then in the order of arrival, from log, head and chunks alike") {
  // A few points a checkpoint, or none at all.
  for (const std::uint64_t checkpoint : {std::uint64_t{50}, std::uint64_t{700}, std::uint64_t{1'000'000}}) {
    TemporaryFolder folder;
    StoreHost host(folder.path);
    host.options.checkpoint_points = checkpoint;
    host.open();
    std::mt19937 random(7);
    std::vector<std::pair<std::int64_t, int>> expected;
    for (int i = 0; i < 3000; ++i) {
      // The clock goes back from time to time, and stands still.
      const std::int64_t time = (i % 700) * 10 + static_cast<std::int64_t>(random() % 3) * 500;
      expected.emplace_back(time, i);
      host.put("n1", "temperature", std::to_string(i), at(time));
      host.put("n2", "temperature", "other", at(time));
      if (i % 100 == 99) host.commit();
    }
    std::stable_sort(expected.begin(), expected.end(), [](auto& a, auto& b) { return a.first < b.first; });
    Strings values;
    for (const auto& [time, i] : expected) values.push_back(std::to_string(i));
    CHECK(host.all("n1", "temperature") == values);
    CHECK(host.all("n1", "temperature", 7) == values);
    CHECK(host.all("n1", "temperature", 5000) == values);

    auto query = query_of("temperature");
    query.from = at(1000);
    query.to = at(2000);
    query.limit = 10'000;
    Strings range;
    for (const auto& [time, i] : expected)
      if (time >= 1000 && time < 2000) range.push_back(std::to_string(i));
    CHECK(bytes_of(host.history(query)) == range);
    host.reopen();
    CHECK(host.all("n1", "temperature") == values);
    CHECK(bytes_of(host.history(query)) == range);
  }
}

TEST_CASE("Many points of one time are paged without loss") {
  TemporaryFolder folder;
  StoreHost host(folder.path);
  host.open();
  Strings values;
  for (int i = 0; i < 25; ++i) {
    values.push_back(std::to_string(i));
    host.put("n1", "temperature", values.back(), at(i < 20 ? 5 : 6));
  }
  for (const std::size_t limit : {1, 3, 10, 20, 24, 25, 26})
    CHECK(host.all("n1", "temperature", limit) == values);
  auto query = query_of("temperature");
  query.limit = 25;
  CHECK(host.history(query).next.empty());
}

TEST_CASE("What was recorded before a query is in its answer") {
  TemporaryFolder folder;
  StoreHost host(folder.path);
  host.open();
  host.put("n1", "temperature", "1", at(0));
  CHECK(host.all("n1", "temperature") == Strings{"1"});
}

TEST_CASE("Steps tell count, numbers and the last value") {
  for (const std::uint64_t checkpoint : {std::uint64_t{3}, std::uint64_t{1'000'000}}) {
    TemporaryFolder folder;
    StoreHost host(folder.path);
    host.options.checkpoint_points = checkpoint;
    host.open();
    host.put("n1", "temperature", "23.5°C", at(1'000));
    host.put("n1", "temperature", "25°C", at(59'000));
    host.put("n1", "temperature", "broken", at(60'000));
    host.commit();
    if (checkpoint == 3) REQUIRE(host.until_checkpointed(3));
    host.put("n1", "temperature", "-1", at(50'000));  // came late
    host.put("n1", "temperature", "7", at(600'000));
    auto query = query_of("temperature");
    query.step = 60s;
    auto page = host.history(query);
    REQUIRE(page.buckets.size() == 3);
    CHECK(page.points.empty());
    CHECK(page.next.empty());
    const auto& first = page.buckets[0];
    CHECK(first.time == at(0));
    CHECK(first.count == 3);
    CHECK(first.numbers == 3);
    CHECK(first.min == -1);
    CHECK(first.max == 25);
    CHECK(first.sum == 47.5);
    CHECK(first.last == "25°C");
    CHECK(page.buckets[1].time == at(60'000));
    CHECK(page.buckets[1].count == 1);
    CHECK(page.buckets[1].numbers == 0);
    CHECK(page.buckets[1].last == "broken");
    CHECK(page.buckets[2].time == at(600'000));

    query.limit = 2;
    page = host.history(query);
    CHECK(page.buckets.size() == 2);
    REQUIRE_FALSE(page.next.empty());
    query.cursor = page.next;
    page = host.history(query);
    REQUIRE(page.buckets.size() == 1);
    CHECK(page.buckets[0].last == "7");
    CHECK(page.next.empty());
  }
}

TEST_CASE("Buckets over many chunks and pages add up to what raw points say") {
  TemporaryFolder folder;
  StoreHost host(folder.path);
  host.options.checkpoint_points = 2000;
  host.open();
  std::mt19937 random(3);
  for (int i = 0; i < 5000; ++i) {
    const auto jump = static_cast<std::int64_t>(random() % 60'000);
    host.put("n1", "n", std::to_string(i % 10), at(i * 1000 - (i % 500 == 0 ? 3'000'000 : 0) + jump));
    if (i % 500 == 0) host.commit();
  }
  auto query = query_of("n");
  query.step = 60s;
  query.limit = 11;
  std::uint64_t count = 0;
  long double sum = 0;
  WallTime before = WallTime::min();
  do {
    auto page = host.history(query);
    CHECK(page.buckets.size() <= 11);
    for (const auto& bucket : page.buckets) {
      CHECK(bucket.time > before);
      before = bucket.time;
      count += bucket.count;
      sum += bucket.sum;
      CHECK(bucket.numbers == bucket.count);
    }
    query.cursor = page.next;
  } while (!query.cursor.empty());
  CHECK(count == 5000);
  CHECK(sum == 22'500);
}

TEST_CASE("A value of a declared format reads as a number as it does everywhere") {
  TemporaryFolder folder;
  StoreHost host(folder.path);
  host.open();
  auto cbor = value("n", std::string_view("\x18\x2A", 2), at(0));  // 42
  cbor.content_format = content_format::kCbor;
  host.store->update("n1", cbor);
  auto json = value("n", "8", at(1));
  json.raw_json = true;
  host.store->update("n1", json);
  auto query = query_of("n");
  query.step = 1s;
  const auto page = host.history(query);
  REQUIRE(page.buckets.size() == 1);
  CHECK(page.buckets[0].numbers == 2);
  CHECK(page.buckets[0].sum == 50);
}

TEST_CASE("Values of any bytes and sizes come back as they were") {
  for (const std::uint64_t checkpoint : {std::uint64_t{1}, std::uint64_t{1'000'000}}) {
    TemporaryFolder folder;
    StoreHost host(folder.path);
    host.options.checkpoint_points = checkpoint;
    host.open();
    Strings values{"", std::string(1, '\0'), "\xff\xfe", std::string(65'536, 'x')};
    std::mt19937 random(1);
    std::string noise;
    while (noise.size() < 65'536) noise += static_cast<char>(random());
    values.push_back(noise);
    const std::string resource("r\0/ä", 5);
    int i = 0;
    for (const auto& bytes : values) {
      auto one = value(resource, bytes, at(i++));
      one.time_uncertain = true;
      host.store->update("n1", one);
      host.commit();
    }
    if (checkpoint == 1) REQUIRE(host.until_checkpointed(5));
    const auto page = host.history(query_of(resource));
    CHECK(bytes_of(page) == values);
    for (const auto& point : page.points) CHECK(point.time_uncertain);
    CHECK(host.all("n1", "r").empty());
  }
}

TEST_CASE("Times of any year are kept") {
  TemporaryFolder folder;
  StoreHost host(folder.path);
  host.open();
  const auto far = WallTime(std::chrono::milliseconds(1LL << 52));
  host.put("n1", "t", "far", far);
  host.put("n1", "t", "zero", WallTime());
  host.put("n1", "t", "first", WallTime(-5ms));
  host.commit();
  auto query = query_of("t");
  CHECK(bytes_of(host.history(query)) == Strings{"zero", "far"});
  query.from = WallTime::min();
  CHECK(bytes_of(host.history(query)) == Strings{"first", "zero", "far"});
  query.step = 1s;
  const auto page = host.history(query);
  REQUIRE(page.buckets.size() == 3);
  CHECK(page.buckets[0].time == WallTime(-1s));
}

TEST_CASE("A page of large values ends early and goes on with the next") {
  TemporaryFolder folder;
  StoreHost host(folder.path);
  host.options.checkpoint_points = 40;
  host.open();
  const std::string large(256 * 1024, 'x');
  for (int i = 0; i < 100; ++i) {
    host.put("n1", "t", large, at(i));
    if (i % 10 == 0) host.commit();
  }
  const auto page = host.history(query_of("t"));
  CHECK(page.points.size() < 40);
  CHECK_FALSE(page.next.empty());
  CHECK(host.all("n1", "t").size() == 100);
}

TEST_CASE("A query that makes no sense is refused with a sentence") {
  TemporaryFolder folder;
  StoreHost host(folder.path);
  host.open();
  auto query = query_of("t");
  for (const char* cursor : {"x", "1", "1.", ".1", "1.-1", "1.2x", "99999999999999999999.1", "1.2000000"}) {
    query.cursor = cursor;
    const auto page = host.try_history(query);
    REQUIRE_FALSE(page);
    CHECK(page.error().code == Errc::usage);
    CHECK(page.error().message.find(cursor) != std::string::npos);
  }
  query = query_of("t");
  query.limit = 0;
  CHECK(host.try_history(query).error().code == Errc::usage);
  query = query_of("t");
  query.step = std::chrono::milliseconds(-1);
  CHECK(host.try_history(query).error().code == Errc::usage);
  query = query_of("t");
  query.from = at(10);
  query.to = at(5);
  CHECK(host.history(query).points.empty());
}

TEST_CASE("Queries go on while updates are stored and moved") {
  TemporaryFolder folder;
  StoreHost host(folder.path);
  host.options.checkpoint_points = 500;
  host.open();
  for (int i = 0; i < 4000; ++i) host.put("n1", "t", std::to_string(i), at(i));
  host.commit();
  int answered = 0;
  std::vector<Operation> operations;
  int next = 4000;
  for (int round = 0; round < 20; ++round) {
    auto query = query_of("t");
    query.limit = 100'000;
    const auto expected = static_cast<std::size_t>(next);
    operations.push_back(host.store->history(query, [&answered, expected](auto page) {
      REQUIRE(page);
      // All that was recorded before it; maybe more, nothing twice.
      CHECK(page->points.size() >= expected);
      for (std::size_t i = 0; i < page->points.size(); ++i)
        if (page->points[i].bytes != std::to_string(i))
          FAIL("point " << i << " is " << page->points[i].bytes);
      ++answered;
    }));
    for (int i = 0; i < 300; ++i, ++next) host.put("n1", "t", std::to_string(next), at(next));
    host.store->commit("", "", 0, [](Result<> done) { CHECK(done); });
    host.loop.run_for(2ms);
  }
  REQUIRE(host.loop.run_until([&] { return answered == 20; }));
}
