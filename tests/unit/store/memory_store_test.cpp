#include "core/loop/fake_loop.h"
#include "store/store_support.h"

using namespace aiot;
using namespace aiot::test;

TEST_CASE("A store in memory keeps positions and the latest events, and no history") {
  FakeLoop loop;
  const auto memory = store::make_memory_store(loop);
  memory->update("n1", value("temperature", "1", at(0)));
  int done = 0;
  memory->commit("paris", "s1", 5, [&](Result<> result) { done += result ? 1 : 0; });
  CHECK(done == 0);
  loop.run_posted();
  CHECK(done == 1);
  CHECK(memory->position("paris", "s1").committed == 5);
  CHECK(memory->stream_of("paris") == "s1");
  CHECK(memory->counters().stored == 1);

  for (int i = 0; i < 10'005; ++i) {
    store::Event event;
    event.uid = i % 2 == 0 ? "n1" : "n2";
    memory->event(event);
  }
  store::EventQuery query;
  query.limit = 3;
  query.newest = true;
  query.uid = "n1";
  std::vector<std::uint64_t> found;
  auto operation = memory->events(query, [&](auto events) {
    for (const auto& event : *events) found.push_back(event.id);
  });
  loop.run_posted();
  CHECK(found == std::vector<std::uint64_t>{10'001, 10'003, 10'005});
  query = {};
  query.limit = 20'000;
  std::size_t all = 0;
  operation = memory->events(query, [&](auto events) { all = events->size(); });
  loop.run_posted();
  CHECK(all == 10'000);
  memory->forget("n1");
  operation = memory->events(query, [&](auto events) { all = events->size(); });
  loop.run_posted();
  CHECK(all == 5'000);

  bool empty = false;
  operation =
      memory->history({}, [&](auto page) { empty = page && page->points.empty() && page->next.empty(); });
  loop.run_posted();
  CHECK(empty);
  bool cancelled_called = false;
  operation = memory->history({}, [&](auto) { cancelled_called = true; });
  operation.cancel();
  memory->close([&](Result<>) { ++done; });
  loop.run_posted();
  CHECK(done == 2);
  CHECK_FALSE(cancelled_called);
}
