#include <catch2/catch.hpp>

#include "core/loop/fake_loop.h"
#include "daemon/broker/announcements.h"
#include "daemon/broker/clients.h"
#include "daemon/broker/followers.h"
#include "daemon/broker/rest.h"
#include "daemon/broker/site.h"
#include "daemon/broker/store_records.h"
#include "unit/broker/fakes.h"

using namespace aiot;
using namespace aiot::broker;
using namespace std::chrono_literals;

namespace {

/// The API of a broker with one node, n, on a store whose commits are done only when `disk` turns.
struct World {
  std::vector<int> statuses;  ///< outlives what answers when it goes
  FakeLoop loop, disk;
  NodeTable table;
  Counters counters;
  Histogram durations;
  RecordingEvents events;
  Clients clients{loop, table, counters, {}};
  Followers followers{loop, table, counters};
  Asks asks{loop, table, counters, durations};
  Announcements announcements{clients, followers, asks};
  Records kept;
  Routing routing{table, announcements, events, kept, counters};
  Idempotency idempotency;
  StoreRecords records{loop, table};
  std::unique_ptr<store::Store> store = store::make_memory_store(disk);
  std::shared_ptr<char> alive = std::make_shared<char>();
  Site site{{}, {}};
  RestServices services{loop,    table,    routing,       asks, idempotency, store,
                        records, counters, announcements, site, TimePoint{}, alive};
  FakeLink link;

  World() {
    auto& gateway = routing.connected({"g", "g", "s", "t", "p", true}, link, {});
    routing.apply(gateway, std::vector<wire::Item>{wire::NodeJoined{"n", "CoAP", "x", {}}}, {});
  }
  RestCall call(std::string method, std::vector<std::string> path, std::string body, ws::Headers headers) {
    ws::HttpRequest request;
    request.method = std::move(method);
    request.body = std::move(body);
    request.headers = std::move(headers);
    ws::HttpResponder responder(
        [this](const ws::HttpResponse& response) { statuses.push_back(response.status); });
    return RestCall{std::move(request), std::move(responder), {}, std::move(path), {}};
  }
  void label(const std::string& labels) {
    label_node(services, call("PATCH", {"n"}, R"({"labels":{)" + labels + "}}", {}));
  }
  void put(const std::string& key) {
    write_resource(services, call("PUT", {"n", "led"}, R"({"value":"1"})", {{"idempotency-key", key}}));
  }
};

using Statuses = std::vector<int>;

}  // namespace

TEST_CASE("A write with a key is answered although the disk takes nothing, and does not act later") {
  World w;
  w.put("k");
  w.loop.advance(4s);
  CHECK(w.statuses.empty());
  w.loop.advance(2s);
  CHECK(w.statuses == Statuses{503});
  CHECK(w.link.asked.empty());
  w.disk.run_posted();
  w.loop.run_posted();
  CHECK(w.link.asked.empty());
  w.put("k");
  w.disk.run_posted();
  CHECK(w.link.asked.size() == 1);
}

TEST_CASE("A node that has all the labels it may have can be given others for them") {
  World w;
  std::string all;
  for (int i = 0; i < 64; ++i) all += (i == 0 ? "\"l" : ",\"l") + std::to_string(i) + R"(":"x")";
  w.label(all);
  w.label(R"("more":"x")");
  w.label(R"("l0":"y","l1":null,"more":"x")");
  w.label(R"("l2":null)");
  CHECK(w.statuses == Statuses{200, 400, 200, 200});
  CHECK(w.table.find("n")->labels.size() == 63);
}
