#include "cli/node_list.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace aiot;
using namespace aiot::cli;
using nlohmann::ordered_json;

TEST_CASE("filters become the query of a page") {
  CHECK(node_page_path({}, {}, 0) == "/api/v1/nodes?limit=1000");
  NodeFilter filter;
  filter.state = "live";
  filter.query = "a&b=c d+";
  filter.labels = {"room=kitchen", "floor=2"};
  CHECK(node_page_path(filter, "n9", 5) ==
        "/api/v1/nodes?limit=5&state=live&label=room%3Dkitchen&label=floor%3D2&q=a%26b%3Dc%20d%2B&cursor=n9");
}

TEST_CASE("nodes make a table whose columns line up, with control characters shown") {
  const auto table = node_table(
      {ordered_json::parse(
           R"({"uid":"n1","state":"live","protocol":"CoAP","gateway":"paris","address":"192.0.2.1",
                               "resources":{"led":{},"température":{}}})"),
       ordered_json::parse(R"({"uid":"long-name\u001b[31m","state":"out"})"), ordered_json::object()},
      false);
  CHECK(table.find('\x1b') == std::string::npos);
  std::vector<std::string> lines;
  std::string line;
  for (const char c : table) {
    if (c != '\n') {
      line += c;
      continue;
    }
    lines.push_back(line);
    line.clear();
  }
  REQUIRE(lines.size() == 4);
  CHECK(lines[0].rfind("UID ", 0) == 0);
  CHECK(lines[0].find("STATE") == lines[1].find("live"));
  CHECK(lines[0].find("STATE") == lines[2].find("out"));
  CHECK(lines[1].find("led température") != std::string::npos);
}

TEST_CASE("an empty list is a table of its heading") { CHECK(node_table({}, false).rfind("UID ", 0) == 0); }

TEST_CASE("CSV has a line for each resource") {
  const auto node = ordered_json::parse(
      R"({"uid":"n 1","resources":{"a/b":{"value":"1","number":1.0,"time":"2026-01-31T12:00:00.000Z"},"bad":3}})");
  CHECK(node_csv(node, "aiot://h:8000", false) ==
        "2026-01-31T12:00:00.000Z,n 1,a/b,aiot://h:8000/n%201/a%2Fb,1,1.0,\r\n");
}

TEST_CASE("nodes are sorted by a figure, those without it last, equal ones as they came") {
  const auto sorted = [](const std::string& order) {
    std::vector<ordered_json> nodes;
    for (
        const char* text :
        {R"({"uid":"a","state":"out","first_seen":"2026-01-02T00:00:00Z","stats":{"resets":1,"interval_s":0.5}})",
         R"({"uid":"b","state":"live","stats":{"resets":3}})",
         R"({"uid":"c","state":"stale","first_seen":"2026-01-01T00:00:00Z","stats":{"resets":1,"interval_s":9}})",
         R"({"uid":"d"})"}) {
      nodes.push_back(ordered_json::parse(text));
    }
    sort_nodes(nodes, order);
    std::string out;
    for (const auto& node : nodes) out += node["uid"].get<std::string>();
    return out;
  };
  CHECK(sorted("uid") == "abcd");
  CHECK(sorted("-uid") == "dcba");
  CHECK(sorted("state") == "bcad");
  CHECK(sorted("resets") == "acbd");
  CHECK(sorted("-resets") == "bacd");
  CHECK(sorted("interval") == "acbd");
  CHECK(sorted("-interval") == "cabd");
  CHECK(sorted("first-seen") == "cabd");
  CHECK(sorted("last-seen") == "abcd");
}

TEST_CASE("a table shows what a node's statistics say") {
  const auto table = node_table(
      {ordered_json::parse(
          R"({"uid":"n1","labels":{"room":"hall","x":"\u001b"},"stats":{"interval_s":5.0123,"resets":2,"timeouts":1}})")},
      false);
  CHECK(table.find(" 5.01s ") != std::string::npos);
  CHECK(table.find("room=hall,x=\\x1b") != std::string::npos);
}
