#include "core/codec/link_format.h"

#include <catch2/catch.hpp>

using aiot::parse_link_format;
using Strings = std::vector<std::string>;

namespace {

std::vector<aiot::Link> good(std::string_view text) {
  INFO(text);
  auto links = parse_link_format(text);
  if (!links) FAIL(links.error().message);
  return *links;
}

}  // namespace

TEST_CASE("the examples of RFC 6690 are read") {
  const auto links = good(
      "</sensors>;ct=40;title=\"Sensor Index\",</sensors/temp>;rt=\"temperature-c\";if=\"sensor\",\r\n"
      "</sensors/light>;rt=\"light-lux core.sen-light\";if=\"sensor\",<http://www.example.com/sensors/t123>"
      ";anchor=\"/sensors/temp\";rel=\"describedby\",</t>;anchor=\"/sensors/temp\";rel=\"alternate\"");
  REQUIRE(links.size() == 5);
  CHECK(links[0].target == "/sensors");
  CHECK(links[0].value("title") == "Sensor Index");
  CHECK(links[0].value("ct") == "40");
  CHECK(links[2].values("rt") == Strings{"light-lux", "core.sen-light"});
  CHECK(links[3].target == "http://www.example.com/sensors/t123");
}

TEST_CASE("quoted values hold commas, semicolons, angles and escapes") {
  const auto links = good(R"(</a>;title="one, <two>; \"three\" \\ four";obs,</b>)");
  REQUIRE(links.size() == 2);
  CHECK(links[0].value("title") == R"(one, <two>; "three" \ four)");
  CHECK(links[0].has("obs"));
  CHECK_FALSE(links[0].value("obs"));
  CHECK(links[1].target == "/b");
}

TEST_CASE("several rt attributes add up, in any case") {
  const auto links = good("</a>;rt=\"x y\";RT=z;rt");
  CHECK(links[0].values("rt") == Strings{"x", "y", "z"});
  CHECK(links[0].attributes.size() == 3);
}

TEST_CASE("white space, empty documents and empty elements are no error") {
  CHECK(good("").empty());
  CHECK(good(" \r\n").empty());
  CHECK(good(" < a b > ; ct = 40 , </c> ,").size() == 2);
  CHECK(good(",,</a>").size() == 1);
  CHECK(good("</a>;ct=").front().value("ct") == "");
  CHECK(good("<>;ep=\"n\"").front().target.empty());
}

TEST_CASE("what does not parse is named with its offset") {
  struct Case {
    const char* text;
    const char* says;
  };
  const Case cases[] = {{"/a", "offset 0"},           {"</a", "offset 0"},
                        {"</a>x", "offset 4"},        {"</a>;", "offset 5"},
                        {"</a>;=1", "offset 5"},      {"</a>;t=\"open", "offset 7"},
                        {"</a>;t=\"x\\", "offset 7"}, {"</a>;t=a\"b", "offset 8"},
                        {"</a</b>", "offset 0"},      {"</a>;t=\"x\"y", "offset 10"},
                        {"</a\x01>", "control"}};
  for (const auto& [text, says] : cases) {
    INFO(text);
    const auto links = parse_link_format(text);
    REQUIRE_FALSE(links);
    CHECK(links.error().code == aiot::Errc::peer_failed);
    CHECK(links.error().message.find(says) != std::string::npos);
  }
}

TEST_CASE("documents are bounded in bytes, links and attributes") {
  std::string many;
  for (std::size_t i = 0; i <= aiot::kMaxLinks; ++i) many += "</x>,";
  CHECK_FALSE(parse_link_format(many));
  many.resize(5 * aiot::kMaxLinks);
  CHECK(good(many).size() == aiot::kMaxLinks);
  CHECK_FALSE(parse_link_format(std::string(aiot::kMaxLinkFormatBytes + 1, ' ')));
  std::string wide = "</x>";
  for (int i = 0; i < 65; ++i) wide += ";a=1";
  CHECK_FALSE(parse_link_format(wide));
}

TEST_CASE("a document that is written reads back the same") {
  const auto links = good(R"(</a>;rt="x y";ct=40;obs;title="say \"hi\", \\ ok",</b%20c>;sz=12,<>)");
  const auto text = aiot::format_link_format(links);
  CHECK(text == R"(</a>;rt="x y";ct=40;obs;title="say \"hi\", \\ ok",</b%20c>;sz=12,<>)");
  aiot::Link odd;
  odd.target = "/a>b\n";
  CHECK(aiot::format_link_format({odd}) == "</a%3Eb%0A>");
}
