#include "core/codec/topic.h"

#include <catch2/catch.hpp>
#include <set>
#include <utility>

using namespace aiot;

namespace {

bool matches(std::string_view filter, std::string_view name) {
  SubscriptionTree<const char> tree;
  const char subscriber = 0;
  tree.add(filter, &subscriber, 0);
  bool found = false;
  tree.match(name, [&](const char&, int) { found = true; });
  CHECK(topic_matches(filter, name) == found);
  return found;
}

}  // namespace

TEST_CASE("names and filters are what MQTT allows") {
  CHECK(is_topic_name("a/b"));
  CHECK(is_topic_name("/"));
  CHECK(is_topic_name("node/\xC3\xBC"));
  CHECK_FALSE(is_topic_name(""));
  CHECK_FALSE(is_topic_name("a/+"));
  CHECK_FALSE(is_topic_name("#"));
  CHECK_FALSE(is_topic_name(std::string("a\0b", 3)));
  CHECK_FALSE(is_topic_name("\xFF"));
  CHECK_FALSE(is_topic_name(std::string(kMaxTopic + 1, 'x')));
  CHECK(is_topic_name("abc", 3));
  CHECK_FALSE(is_topic_name("abc", 2));
  for (const auto* filter : {"#", "+", "a/#", "+/b/+", "/+", "+/#", "a"}) CHECK(is_topic_filter(filter));
  for (const auto* filter : {"a#", "#/a", "a+/b", "+b", "a/#/b", ""}) CHECK_FALSE(is_topic_filter(filter));
}

TEST_CASE("a shared subscription is a group and a filter") {
  for (const auto* filter : {"$share/g/a/+", "$share/g/#", "$share/g//a"}) CHECK(is_topic_filter(filter));
  for (const auto* filter : {"$share/g", "$share/g/", "$share//a", "$share/+/a", "$share/g/a#"})
    CHECK_FALSE(is_topic_filter(filter));
  CHECK(unshared("$share/g/a/+") == "a/+");
  CHECK(unshared("a/+") == "a/+");
}

TEST_CASE("filters match level by level") {
  CHECK(matches("a/b", "a/b"));
  CHECK_FALSE(matches("a/b", "a/B"));
  CHECK(matches("a/+", "a/b"));
  CHECK(matches("a/+", "a/"));
  CHECK_FALSE(matches("a/+", "a"));
  CHECK_FALSE(matches("a/+", "a/b/c"));
  CHECK(matches("a/#", "a"));
  CHECK(matches("a/#", "a/b/c"));
  CHECK(matches("#", "a/b"));
  CHECK(matches("+/+", "/a"));
  CHECK_FALSE(matches("+", "/a"));
  CHECK_FALSE(matches("#", "$SYS/x"));
  CHECK_FALSE(matches("+/x", "$SYS/x"));
  CHECK(matches("$SYS/#", "$SYS/x"));
}

TEST_CASE("filters overlap when a name may match both") {
  for (const auto& [a, b] : {std::pair{"a/b", "a/b"},
                             {"a/+", "a/b"},
                             {"a/#", "a"},
                             {"+/b", "a/+"},
                             {"#", "x/y"},
                             {"$share/g/a/#", "a/b"}}) {
    CHECK(filters_overlap(a, b));
    CHECK(filters_overlap(b, a));
  }
  for (const auto& [a, b] : {std::pair{"a/b", "a/c"}, {"a/+", "a"}, {"a/+", "a/b/c"}, {"+/b/#", "a/c"}}) {
    CHECK_FALSE(filters_overlap(a, b));
    CHECK_FALSE(filters_overlap(b, a));
  }
}

TEST_CASE("a subscription tree finds every subscriber, and forgets them") {
  SubscriptionTree<const int> tree;
  const int a = 0, b = 0;
  CHECK(tree.add("n/+/led", &a, 1));
  CHECK_FALSE(tree.add("n/+/led", &a, 2));
  tree.add("n/1/led", &b, 0);
  tree.add("n/#", &b, 1);
  const auto found = [&](std::string_view name) {
    std::multiset<std::pair<const int*, int>> out;
    tree.match(name, [&](const int& subscriber, int qos) { out.insert({&subscriber, qos}); });
    return out;
  };
  CHECK(found("n/1/led") == std::multiset<std::pair<const int*, int>>{{&a, 2}, {&b, 0}, {&b, 1}});
  CHECK(found("n/2/led").size() == 2);
  CHECK(found("x").empty());
  tree.remove("n/+/led", &a);
  tree.remove("n/#", &b);
  tree.remove("n/none", &b);
  CHECK(found("n/1/led").size() == 1);
  tree.remove("n/1/led", &b);
  CHECK(tree.empty());
}
