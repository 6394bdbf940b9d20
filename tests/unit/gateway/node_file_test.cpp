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

using namespace aiot;
using namespace aiot::gateway;
using namespace std::chrono_literals;

namespace {

struct Folder {
  Folder() {
    char name[] = "/tmp/aiot-keeper-XXXXXX";
    path = ::mkdtemp(name);
  }
  ~Folder() {
    for (const auto* file : {"/nodes.jsonl", "/nodes.jsonl.damaged", "/nodes.jsonl.new"})
      ::unlink((path + file).c_str());
    ::rmdir(path.c_str());
  }
  std::string path;
};

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
  REQUIRE(read->size() == 1);
  const auto& saved = read->front();
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
}

TEST_CASE("A node that was out is out after a restart, until it speaks") {
  Played played;
  const auto peer = Played::peer("192.0.2.1:61616");
  const auto reply = played.policy.enroll({"ep=n", "lt=300"}, "</a>", peer, played.now);
  played.policy.withdraw(reply.location_path.at(1), played.now);
  auto read = parse_node_file(whole_file({played.policy.table().find("n")}));
  REQUIRE(read);
  CHECK(read->at(0).out);

  Played next;
  next.policy.restore(read->at(0), next.now);
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
  CHECK(message(good + "more").find("after the last line") != std::string::npos);
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
  const Folder folder;
  {
    FakeLoop loop;
    Played played;
    Keeper keeper(loop, played.policy, folder.path);
    REQUIRE(keeper.load());
    played.joined("n1", "192.0.2.1:40000");
    keeper.changed();
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

TEST_CASE("A damaged node table is set aside and the gateway starts all the same") {
  const Folder folder;
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
