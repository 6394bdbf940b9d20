#include "store/store_support.h"

using namespace aiot;
using namespace aiot::test;

namespace {

store::Event event_of(const std::string& type, const std::string& uid, WallTime time) {
  store::Event event;
  event.type = type;
  event.uid = uid;
  event.time = time;
  return event;
}

std::vector<std::uint64_t> ids(const std::vector<store::Event>& events) {
  std::vector<std::uint64_t> out;
  for (const auto& event : events) out.push_back(event.id);
  return out;
}
using Ids = std::vector<std::uint64_t>;

}  // namespace

TEST_CASE("Events come back whole, with numbers that rise over restarts") {
  TemporaryFolder folder;
  StoreHost host(folder.path);
  host.open();
  auto event = event_of("write", "n1", at(5));
  event.gateway = "paris";
  event.message = "led of n1 was set to 1";
  event.data = "{\"outcome\":\"done\"}";
  CHECK(host.store->event(event) == 1);
  CHECK(host.store->event(event_of("out", "n2", at(6))) == 2);
  host.commit();
  host.reopen();
  CHECK(host.restored.last_event == 2);
  CHECK(host.store->event(event_of("joined", "n1", at(7))) == 3);
  const auto events = host.events({});
  REQUIRE(ids(events) == Ids{1, 2, 3});
  CHECK(events[0].time == at(5));
  CHECK(events[0].type == "write");
  CHECK(events[0].uid == "n1");
  CHECK(events[0].gateway == "paris");
  CHECK(events[0].message == event.message);
  CHECK(events[0].data == event.data);
}

TEST_CASE("Events are found by time, node, type and number") {
  TemporaryFolder folder;
  StoreHost host(folder.path);
  host.open();
  // More than one window of ids.
  for (int i = 1; i <= 20'000; ++i)
    host.store->event(event_of(i % 5000 == 0 ? "out" : "joined", i % 4000 == 0 ? "rare" : "n1", at(i)));
  host.commit();
  store::EventQuery query;
  query.type = "out";
  CHECK(ids(host.events(query)) == Ids{5000, 10'000, 15'000, 20'000});
  query.newest = true;
  query.limit = 2;
  CHECK(ids(host.events(query)) == Ids{15'000, 20'000});
  query = {};
  query.uid = "rare";
  CHECK(ids(host.events(query)) == Ids{4000, 8000, 12'000, 16'000, 20'000});
  query.newest = true;
  query.limit = 3;
  CHECK(ids(host.events(query)) == Ids{12'000, 16'000, 20'000});
  query = {};
  query.from = at(7);
  query.to = at(9);
  CHECK(ids(host.events(query)) == Ids{7, 8});
  query = {};
  query.after = 19'998;
  CHECK(ids(host.events(query)) == Ids{19'999, 20'000});
  query.after = UINT64_MAX;
  CHECK(host.events(query).empty());
  query = {};
  query.limit = 3;
  CHECK(ids(host.events(query)) == Ids{1, 2, 3});
  query.uid = "nobody";
  CHECK(host.events(query).empty());
}
