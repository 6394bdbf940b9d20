#include "store/store_support.h"

using namespace aiot;
using namespace aiot::test;
using Strings = std::vector<std::string>;

TEST_CASE("A store that is new holds nothing") {
  TemporaryFolder folder;
  StoreHost host(folder.path);
  host.open();
  CHECK(host.restored.nodes.empty());
  CHECK(host.restored.gateways.empty());
  CHECK(host.restored.last_event == 0);
  CHECK(host.all("n1", "temperature").empty());
  CHECK(host.events({}).empty());
  CHECK(host.store->position("paris", "s1").recorded == 0);
  CHECK(host.store->stream_of("paris").empty());
  host.close();
}

TEST_CASE("After kill -9 every node, value and point that was committed is there, and nothing else") {
  TemporaryFolder folder;
  StoreHost host(folder.path);
  host.open();
  auto node = node_record("n1");
  node.address = "fe80::1%lowpan0";
  node.address_kind = 1;
  node.state = NodeState::out;
  node.first_seen = at(1);
  node.last_seen = at(2);
  node.resets = 3;
  node.timeouts = 4;
  node.rejected_writes = 5;
  node.labels = {{"room", "12"}, {"a", ""}};
  host.store->node(node);
  auto json = value("led", "{\"on\":true}", at(20));
  json.raw_json = true;
  json.time_uncertain = true;
  json.content_format = 50;
  host.store->update("n1", json);
  host.put("n1", "temperature", "23°C", at(10));
  host.put("n1", "temperature", "24°C", at(30));
  host.put("n1", "temperature", "old", at(25));  // came late: history, and no last value
  host.store->last_value("n1", value("humidity", "40%", at(5)));
  host.commit("paris", "s1", 7);
  host.put("n1", "temperature", "uncommitted", at(40));
  host.reopen();

  REQUIRE(host.restored.nodes.size() == 1);
  const auto& kept = host.restored.nodes[0].record;
  CHECK(kept.uid == "n1");
  CHECK(kept.protocol == "CoAP");
  CHECK(kept.address == "fe80::1%lowpan0");
  CHECK(kept.address_kind == 1);
  CHECK(kept.gateway == "paris");
  CHECK(kept.state == NodeState::out);
  CHECK(kept.first_seen == at(1));
  CHECK(kept.last_seen == at(2));
  CHECK(kept.resets == 3);
  CHECK(kept.timeouts == 4);
  CHECK(kept.rejected_writes == 5);
  CHECK(kept.labels == node.labels);
  CHECK(host.restored_values("n1") == Strings{"humidity=40%", "led={\"on\":true}", "temperature=24°C"});
  for (const auto& kept_value : host.restored.nodes[0].values) {
    if (kept_value.resource != "led") continue;
    CHECK(kept_value.raw_json);
    CHECK(kept_value.time_uncertain);
    CHECK(kept_value.content_format == 50);
    CHECK(kept_value.time == at(20));
  }
  CHECK(host.all("n1", "temperature") == Strings{"23°C", "old", "24°C"});
  CHECK(host.all("n1", "humidity").empty());
}

TEST_CASE("Without any commit() what was recorded is on disk soon") {
  TemporaryFolder folder;
  StoreHost host(folder.path);
  host.open();
  host.put("n1", "temperature", "1", at(0));
  REQUIRE(host.loop.run_until([&] { return host.store->counters().stored == 1; }, 5s));
  host.reopen();
  CHECK(host.all("n1", "temperature") == Strings{"1"});
}

TEST_CASE("Closing writes what is left, and a new start finds it") {
  TemporaryFolder folder;
  StoreHost host(folder.path);
  host.open();
  host.put("n1", "temperature", "1", at(0));
  host.close();
  host.open();
  CHECK(host.all("n1", "temperature") == Strings{"1"});
  host.close();
}

TEST_CASE("A stream's position goes with its updates, for each of the streams of a gateway") {
  TemporaryFolder folder;
  StoreHost host(folder.path);
  host.open();
  bool done = false;
  host.store->commit("paris", "s1", 10, [&](Result<>) { done = true; });
  CHECK(host.store->position("paris", "s1").recorded == 10);
  CHECK(host.store->position("paris", "s1").committed == 0);
  REQUIRE(host.loop.run_until([&] { return done; }));
  CHECK(host.store->position("paris", "s1").committed == 10);
  host.commit("paris", "s2", 3);
  host.commit("rome", "s1", 4);
  host.commit("paris", "s1", 8);  // a repeat does not take it back
  host.commit("paris", "s2", 5);
  CHECK(host.store->stream_of("paris") == "s2");
  host.reopen();
  CHECK(host.store->position("paris", "s1").recorded == 10);
  CHECK(host.store->position("paris", "s1").committed == 10);
  CHECK(host.store->position("paris", "s2").committed == 5);
  CHECK(host.store->position("rome", "s1").committed == 4);
  CHECK(host.store->position("rome", "s2").committed == 0);
  CHECK(host.store->stream_of("paris") == "s2");
  CHECK(host.store->stream_of("rome") == "s1");
  CHECK(host.store->stream_of("oslo").empty());
}

TEST_CASE("Gateways are kept with the stream they use") {
  TemporaryFolder folder;
  StoreHost host(folder.path);
  host.open();
  store::GatewayRecord gateway;
  gateway.name = "paris";
  gateway.site = "hq";
  gateway.stream = "s1";
  gateway.software = "aiot 1";
  gateway.native = true;
  gateway.last_seen = at(9);
  host.store->gateway(gateway);
  CHECK(host.store->stream_of("paris") == "s1");
  host.commit("paris", "s1", 12);
  host.store->gateway(gateway);  // again, as at each connection: the position stays
  host.commit();
  host.reopen();
  REQUIRE(host.restored.gateways.size() == 1);
  const auto& kept = host.restored.gateways[0];
  CHECK(kept.name == "paris");
  CHECK(kept.site == "hq");
  CHECK(kept.stream == "s1");
  CHECK(kept.software == "aiot 1");
  CHECK(kept.native);
  CHECK(kept.last_seen == at(9));
  CHECK(kept.sequence == 12);
}

TEST_CASE("Writes with keys are kept with their outcome") {
  TemporaryFolder folder;
  StoreHost host(folder.path);
  host.open();
  const auto now = host.loop.loop().wall_now();
  host.store->write({"key 1", now, ""});
  host.store->write({"key 2", now - 1h, ""});
  host.commit();
  host.store->write({"key 2", now - 1h, "{\"status\":200}"});
  host.commit();
  host.reopen();
  REQUIRE(host.restored.writes.size() == 2);
  CHECK(host.restored.writes[0].key == "key 2");
  CHECK(host.restored.writes[0].outcome == "{\"status\":200}");
  CHECK(host.restored.writes[1].key == "key 1");
  CHECK(host.restored.writes[1].begun == now);
  CHECK(host.restored.writes[1].outcome.empty());
}

TEST_CASE("A forgotten node is gone with its values, history and events; what comes later is new") {
  for (const bool checkpointed : {false, true}) {
    TemporaryFolder folder;
    StoreHost host(folder.path);
    if (checkpointed) host.options.checkpoint_points = 3;
    host.open();
    for (const char* uid : {"n1", "n2"}) {
      host.store->node(node_record(uid));
      host.put(uid, "temperature", "1", at(0));
      host.put(uid, "temperature", "2", at(1));
      store::Event event;
      event.type = "joined";
      event.uid = uid;
      host.store->event(event);
    }
    host.commit();
    if (checkpointed) REQUIRE(host.until_checkpointed(4));
    host.put("n1", "temperature", "3", at(2));
    host.store->forget("n1");
    host.store->forget("nobody");
    host.commit();
    CHECK(host.all("n1", "temperature").empty());
    host.reopen();
    CHECK(host.restored_node("n1") == nullptr);
    CHECK(host.restored_values("n2") == Strings{"temperature=2"});
    CHECK(host.all("n1", "temperature").empty());
    CHECK(host.all("n2", "temperature") == Strings{"1", "2"});
    CHECK(host.events({}).size() == 1);

    host.store->node(node_record("n1"));
    host.put("n1", "temperature", "new", at(3));
    host.commit();
    host.reopen();
    CHECK(host.restored_values("n1") == Strings{"temperature=new"});
    CHECK(host.all("n1", "temperature") == Strings{"new"});
  }
}

TEST_CASE("Clearing a node's values leaves its history") {
  for (const bool checkpointed : {false, true}) {
    TemporaryFolder folder;
    StoreHost host(folder.path);
    if (checkpointed) host.options.checkpoint_points = 2;
    host.open();
    host.store->node(node_record("n1"));
    host.put("n1", "temperature", "1", at(10));
    host.put("n1", "led", "0", at(10));
    host.commit();
    if (checkpointed) REQUIRE(host.until_checkpointed(2));
    host.store->clear_values("n1");
    host.store->clear_values("nobody");
    host.put("n1", "led", "1", at(5));  // older than what was cleared, and the last there is
    host.commit();
    host.reopen();
    CHECK(host.restored_values("n1") == Strings{"led=1"});
    CHECK(host.all("n1", "temperature") == Strings{"1"});
    CHECK(host.all("n1", "led") == Strings{"1", "0"});
    host.reopen();
    CHECK(host.restored_values("n1") == Strings{"led=1"});
  }
}

TEST_CASE("A uid of which there is only history is no node") {
  TemporaryFolder folder;
  StoreHost host(folder.path);
  host.open();
  host.put("imported", "temperature", "1", at(0));
  host.commit();
  host.reopen();
  CHECK(host.restored.nodes.empty());
  CHECK(host.all("imported", "temperature") == Strings{"1"});
}

TEST_CASE("A store that ends while a job runs calls nobody back") {
  TemporaryFolder folder;
  StoreHost host(folder.path);
  host.open();
  int called = 0;
  for (int i = 0; i < 1000; ++i) host.put("n1", "temperature", "1", at(i));
  {
    store::HistoryQuery query;
    query.uid = "n1";
    query.resource = "temperature";
    const auto dropped = host.store->history(query, [&](auto) { ++called; });
  }
  auto kept = host.store->events({}, [&](auto result) {
    CHECK_FALSE(result);
    ++called;
  });
  host.kill();  // an unanswered completion says that it was dropped
  CHECK(called == 1);
  host.loop.run_for(20ms);
  CHECK(called == 1);
}

TEST_CASE("What changes of a node while the store cannot be written takes the room of one") {
  TemporaryFolder folder;
  StoreHost host(folder.path);
  host.open();
  store::NodeRecord node;
  node.uid = "n1";
  host.store->node(node);
  const auto before = host.store->counters().queued;
  for (std::uint64_t i = 1; i <= 1000; ++i) {
    node.resets = i;
    host.store->node(node);
  }
  CHECK(host.store->counters().queued == before);
}
