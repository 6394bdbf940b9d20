#include "daemon/gateway/node_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>

#include "core/loop/fake_loop.h"
#include "daemon/gateway/allow_list.h"
#include "daemon/gateway/coap_source.h"
#include "daemon/gateway/keeper.h"
#include "daemon/gateway/node_client.h"
#include "gateway/policy_fixture.h"
#include "support/temporary_folder.h"

using namespace aiot;
using namespace aiot::gateway;
using namespace std::chrono_literals;

namespace {

std::string whole_file(const std::vector<const Node*>& nodes) {
  auto text = node_file_head();
  for (const auto* node : nodes) append_node(text, *node);
  return text + node_file_tail(nodes.size());
}

}  // namespace

TEST_CASE("A node survives being written and read") {
  Played played;
  const auto peer = Played::peer("[fd00::7]:40001");
  played.policy.enroll({"ep=n \"1\"", "d=east", "et=lamp", "lt=300"}, "</a>;title=\"x,y\"", peer, played.now);
  played.answer(std::string("\x00\xFF binary", 9));
  played.post("text:\"quoted\"\n", "[fd00::7]:40001");
  const Node& node = *played.policy.table().find("n \"1\"@east");
  auto read = parse_node_file(whole_file({&node}));
  REQUIRE(read);
  REQUIRE(read->nodes.size() == 1);
  const auto& saved = read->nodes.front();
  CHECK(saved.uid == node.uid);
  CHECK(saved.address == node.address);
  CHECK(saved.server_port == 40001);
  CHECK(saved.first_seen == node.first_seen);
  CHECK(saved.last_seen == node.last_seen_wall);
  REQUIRE(saved.resources.size() == 2);
  CHECK(saved.resources[0].bytes == std::string("\x00\xFF binary", 9));
  CHECK(saved.resources[1].bytes == "\"quoted\"\n");
  REQUIRE(saved.registration);
  CHECK(saved.registration->id == node.registration->id);
  CHECK(saved.registration->links == "</a>;title=\"x,y\"");
  CHECK(saved.registration->lifetime == 300s);
  CHECK_FALSE(saved.registration->simple);
  CHECK_FALSE(saved.registration->base);
  played.policy.enroll({"ep=m", "base=coap://[fd00::8]:5690"}, "</a>", peer, played.now);
  read = parse_node_file(whole_file({played.policy.table().find("m")}));
  REQUIRE(read);
  CHECK(read->nodes.at(0).registration->base->text() == "[fd00::8]:5690");
}

TEST_CASE("A node that was out is out after a restart, until it speaks") {
  Played played;
  const auto peer = Played::peer("192.0.2.1:61616");
  const auto reply = played.policy.enroll({"ep=n", "lt=300"}, "</a>", peer, played.now);
  played.policy.withdraw(reply.location_path.at(1), played.now);
  auto read = parse_node_file(whole_file({played.policy.table().find("n")}));
  REQUIRE(read);
  CHECK(read->nodes.at(0).out);

  Played next;
  next.policy.restore(read->nodes.at(0), next.now);
  REQUIRE(next.policy.table().find("n") != nullptr);
  CHECK_FALSE(next.policy.table().find("n")->live);
  CHECK(next.effects.requests.empty());
  next.post("a:1", "192.0.2.1:61616");
  CHECK(next.happened() == Log{"joined n 192.0.2.1", "update n a=1"});
}

TEST_CASE("A file that is damaged, cut or of another version is told apart, with its line") {
  Played played;
  played.joined("n1", "192.0.2.1:5683");
  const auto good = whole_file({played.policy.table().find("n1")});
  REQUIRE(parse_node_file(good));
  const auto message = [](const std::string& text) {
    auto result = parse_node_file(text);
    return result ? std::string("good") : result.error().message;
  };
  CHECK(message(good.substr(0, good.size() / 2)).find("line 2") != std::string::npos);
  CHECK(message(good.substr(0, good.rfind("{\"nodes\""))).find("the end is missing") != std::string::npos);
  CHECK(message(good + "more\n").find("line 4") != std::string::npos);
  CHECK(message(good + "{}\n").find("line 4") != std::string::npos);
  CHECK(message(good + node_file_tail(1)).find("a second end") != std::string::npos);
  CHECK(message("{\"aiot\":\"gateway nodes\",\"version\":2}\n{\"nodes\":0}\n").find("version 2") !=
        std::string::npos);
  CHECK(message("").find("the end is missing") != std::string::npos);
  CHECK(message("\x01\x02\xFF").find("line 1") != std::string::npos);
  const std::string head = node_file_head(), tail = node_file_tail(1);
  CHECK(message(head + "{\"uid\":5,\"address\":\"192.0.2.1:1\"}\n" + tail).find("line 2") !=
        std::string::npos);
  CHECK(message(head + "{\"uid\":\"a\",\"address\":\"nowhere\"}\n" + tail).find("line 2") !=
        std::string::npos);
  CHECK(message(head + "{\"uid\":\"a\",\"address\":\"192.0.2.1:1\",\"resources\":[{\"name\":7}]}\n" + tail)
            .find("line 2") != std::string::npos);
  CHECK(message(head + node_file_tail(3)).find("missing") != std::string::npos);
}

TEST_CASE("The keeper writes soon after a change, and the next run knows the nodes") {
  const test::TemporaryFolder folder;
  {
    FakeLoop loop;
    Played played;
    Keeper keeper(loop, played.policy, folder.path);
    REQUIRE(keeper.load());
    played.joined("n1", "192.0.2.1:40000");
    keeper.changed(*played.policy.table().find("n1"));
    loop.advance(3s);
    loop.run_posted();
    auto text = read_file(folder.path + "/nodes.jsonl");
    REQUIRE(text);
    CHECK(text->find("\"n1\"") != std::string::npos);
    played.post("led:7", "192.0.2.1:40000");
    bool stopped = false;
    keeper.stop([&](Result<>) { stopped = true; });
    loop.advance(1s);
    CHECK(stopped);
  }
  FakeLoop loop;
  Played played;
  loop.set_wall(played.now.wall);
  Keeper keeper(loop, played.policy, folder.path);
  REQUIRE(keeper.load());
  Node* node = played.policy.table().find("n1");
  REQUIRE(node != nullptr);
  CHECK(node->live);
  CHECK(node->find("led")->bytes == "7");
}

TEST_CASE("Lines behind the table are new nodes or replace its own, and a cut last one is left away") {
  Played played;
  played.joined("n1", "192.0.2.1:5683");
  played.joined("n2", "192.0.2.2:5683");
  auto text = whole_file({played.policy.table().find("n1")});
  played.alive("reset:n1", "192.0.2.9:5683");
  append_node(text, *played.policy.table().find("n1"));
  append_node(text, *played.policy.table().find("n2"));
  for (const auto& [end, cut] : {std::pair("", false), std::pair("{\"uid\":\"n", true)}) {
    auto read = parse_node_file(text + end);
    REQUIRE(read);
    REQUIRE(read->nodes.size() == 2);
    CHECK(read->nodes[0].address.text() == "192.0.2.9:5683");
    CHECK_FALSE(read->nodes[0].read);
    CHECK(read->nodes[1].uid == "n2");
    CHECK(read->nodes[1].read);
    CHECK(read->appended == 2);
    CHECK(read->cut == cut);
  }
}

TEST_CASE(
    "A node is appended within a moment, thousands cost as many lines, and the whole is written seldom") {
  const test::TemporaryFolder folder;
  const std::string path = folder.path + "/nodes.jsonl";
  FakeLoop loop;
  Played played;
  Keeper keeper(loop, played.policy, folder.path);
  REQUIRE(keeper.load());
  const auto join = [&](int i) {
    const auto uid = "n" + std::to_string(i);
    played.alive("alive:" + uid,
                 "10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250 + 1) + ":5683");
    keeper.changed(*played.policy.table().find(uid));
  };
  join(0);
  loop.advance(60ms);
  CHECK(parse_node_file(*read_file(path))->nodes.size() == 1);
  for (int i = 1; i < 5000; ++i) {
    join(i);
    if (i % 100 == 0) loop.advance(10ms);
  }
  loop.advance(60ms);
  for (int i = 0; i < 20; ++i) loop.run_posted();
  auto file = parse_node_file(*read_file(path));
  REQUIRE(file);
  CHECK(file->nodes.size() == 5000);
  CHECK(file->appended == 4999);
  loop.advance(61s);
  file = parse_node_file(*read_file(path));
  REQUIRE(file);
  CHECK(file->nodes.size() == 5000);
  CHECK(file->appended == 0);
}

TEST_CASE("A file that was cut is not appended to, and one that has gone is written anew") {
  const test::TemporaryFolder folder;
  const std::string path = folder.path + "/nodes.jsonl";
  Played before;
  before.joined("n1", "192.0.2.1:5683");
  REQUIRE(replace_file(path, whole_file({before.policy.table().find("n1")}) + "{\"uid\":\"cu"));
  FakeLoop loop;
  Played played;
  loop.set_wall(played.now.wall);
  Keeper keeper(loop, played.policy, folder.path);
  REQUIRE(keeper.load());
  const auto saved_with = [&](const std::string& uid, const std::string& from) {
    played.joined(uid, from);
    keeper.changed(*played.policy.table().find(uid));
    loop.advance(200ms);
    auto file = parse_node_file(*read_file(path));
    REQUIRE(file);
    CHECK_FALSE(file->cut);
    return file->nodes.size();
  };
  CHECK(saved_with("n2", "192.0.2.2:5683") == 2);
  ::unlink(path.c_str());
  CHECK(saved_with("n3", "192.0.2.3:5683") == 3);
}

TEST_CASE("A folder that another gateway uses is refused by name") {
  const test::TemporaryFolder folder;
  FakeLoop loop;
  Played played;
  Keeper first(loop, played.policy, folder.path), second(loop, played.policy, folder.path);
  REQUIRE(first.load());
  const auto result = second.load();
  REQUIRE_FALSE(result);
  CHECK(result.error().code == Errc::internal);
  CHECK(result.error().message.find(folder.path) != std::string::npos);
}

TEST_CASE("A damaged node table is set aside and the gateway starts all the same") {
  const test::TemporaryFolder folder;
  REQUIRE(replace_file(folder.path + "/nodes.jsonl", "garbage\n"));
  FakeLoop loop;
  Played played;
  Keeper keeper(loop, played.policy, folder.path);
  CHECK(keeper.load());
  CHECK(played.policy.table().size() == 0);
  auto aside = read_file(folder.path + "/nodes.jsonl.damaged");
  REQUIRE(aside);
  CHECK(*aside == "garbage\n");
}

TEST_CASE("A state folder that cannot be made is an error that names it") {
  FakeLoop loop;
  Played played;
  Keeper keeper(loop, played.policy, "/proc/nothing/here");
  const auto result = keeper.load();
  REQUIRE_FALSE(result);
  CHECK(result.error().message.find("/proc/nothing/here") != std::string::npos);
}

TEST_CASE("Networks in CIDR notation admit their addresses and no others") {
  const auto admits = [](const std::vector<std::string>& cidrs, const std::string& address) {
    auto list = AllowList::parse(cidrs);
    REQUIRE(list);
    return list->admits(*SocketAddress::parse(address));
  };
  CHECK(admits({}, "192.0.2.1:1"));
  CHECK(admits({"192.0.2.0/24"}, "192.0.2.255:1"));
  CHECK_FALSE(admits({"192.0.2.0/24"}, "192.0.3.0:1"));
  CHECK(admits({"10.0.0.0/8", "192.0.2.128/25"}, "192.0.2.200:1"));
  CHECK_FALSE(admits({"10.0.0.0/8", "192.0.2.128/25"}, "192.0.2.100:1"));
  CHECK(admits({"192.0.2.7"}, "192.0.2.7:1"));
  CHECK_FALSE(admits({"192.0.2.7"}, "192.0.2.8:1"));
  CHECK(admits({"fd00::/8"}, "[fd12::1]:1"));
  CHECK_FALSE(admits({"fd00::/8"}, "[2001:db8::1]:1"));
  CHECK(admits({"::/0"}, "[2001:db8::1]:1"));
  CHECK_FALSE(admits({"::/0"}, "192.0.2.1:1"));
  for (const auto* bad : {"", "x", "192.0.2.0/33", "192.0.2.0/", "192.0.2.0/-1", "fd00::/129", "fd00::/8x"})
    CHECK_FALSE(AllowList::parse({bad}));
}

TEST_CASE("Resource names become URIs and back") {
  const auto at = *SocketAddress::parse("[fe80::1%1]:5683");
  CHECK(resource_uri(*SocketAddress::parse("192.0.2.1:5690"), "a/b c?x=1&y=\xC3\xA9") ==
        "coap://192.0.2.1:5690/a/b%20c?x=1&y=%C3%A9");
  auto uri = parse_uri(resource_uri(at, ".well-known/core"));
  REQUIRE(uri);
  CHECK(uri->path == std::vector<std::string>{".well-known", "core"});
  CHECK_FALSE(uri->zone.empty());
}

TEST_CASE("The gateway's own links can be filtered") {
  CHECK(own_links({}).find("</alive>") != std::string::npos);
  CHECK(own_links({"rt=core.rd"}).find("</rd>") == 0);
  CHECK(own_links({"rt=core.rd"}).find("alive") == std::string::npos);
  CHECK(own_links({"rt=core.rd*"}).find("</rd-lookup/res>") != std::string::npos);
  CHECK(own_links({"rt=nothing"}).empty());
  CHECK(own_links({"href=/server"}).find("</server>") == 0);
}
