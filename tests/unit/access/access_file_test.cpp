#include "daemon/access/access_file.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>

#include "daemon/access/password.h"
#include "daemon/access/token.h"
#include "support/temporary_folder.h"

using namespace aiot;
using namespace aiot::access;

namespace {

struct Folder : test::TemporaryFolder {
  [[nodiscard]] std::string file() const { return path + "/state/users"; }
  [[nodiscard]] std::string text() const {
    std::ostringstream out;
    out << std::ifstream(file()).rdbuf();
    return out.str();
  }
};

Contents some() {
  Contents out;
  out.users.push_back({"ada \"the first\"", Role::admin, "$argon2id$x", WallTime(std::chrono::seconds(1))});
  Token token;
  token.id = "0000beef";
  token.name = "grafana";
  token.role = Role::operator_;
  token.hash = digest("secret");
  token.created = WallTime(std::chrono::seconds(2));
  token.expires = WallTime(std::chrono::seconds(3));
  token.scope = {{"door-*"}, {"lock", "state/*"}};
  out.tokens.push_back(token);
  Token bound;
  bound.id = "0000cafe";
  bound.gateway = "paris";
  bound.hash = digest("other");
  out.tokens.push_back(bound);
  out.revoked.push_back({"rome", WallTime(std::chrono::seconds(4))});
  return out;
}

std::string wrong(const std::string& text) {
  const auto parsed = parse_contents(text);
  REQUIRE_FALSE(parsed);
  CHECK(parsed.error().code == Errc::usage);
  return parsed.error().message;
}

std::string with_token(const std::string& members) {
  return R"({"version":1,"tokens":[{"id":"1","role":"viewer","created":"2026-01-01T00:00:00Z","sha256":")" +
         digest("x") + "\"" + members + "}]}";
}

}  // namespace

TEST_CASE("users, tokens and revocations come back as they were written") {
  const auto back = parse_contents(format_contents(some()));
  REQUIRE(back);
  CHECK(format_contents(*back) == format_contents(some()));
  REQUIRE(back->user("ada \"the first\"") != nullptr);
  CHECK(back->user("ada \"the first\"")->role == Role::admin);
  CHECK(back->user("bob") == nullptr);
  REQUIRE(back->tokens.size() == 2);
  CHECK(back->tokens[0].scope == some().tokens[0].scope);
  CHECK(back->tokens[0].expires == some().tokens[0].expires);
  CHECK(back->tokens[1].gateway == "paris");
  CHECK(back->tokens[1].role == Role::none);
  CHECK(back->revoked[0].until == some().revoked[0].until);
}

TEST_CASE("what is wrong in a users file is named, and never taken for less than it says") {
  CHECK_THAT(wrong(""), Catch::Contains("JSON"));
  CHECK_THAT(wrong("[]"), Catch::Contains("JSON object"));
  CHECK_THAT(wrong("{}"), Catch::Contains("version"));
  CHECK_THAT(wrong(R"({"version":2})"), Catch::Contains("version"));
  CHECK_THAT(wrong(R"({"version":1,"users":{}})"), Catch::Contains("users"));
  CHECK_THAT(wrong(R"({"version":1,"users":[1]})"), Catch::Contains("users[0]"));
  CHECK_THAT(wrong(R"({"version":1,"users":[{"name":"a"}]})"), Catch::Contains("role"));
  CHECK_THAT(wrong(R"({"version":1,"users":[{"name":"a","role":"none"}]})"), Catch::Contains("role"));
  CHECK_THAT(wrong(R"({"version":1,"users":[{"name":" a","role":"viewer","password":"","created":"0"}]})"),
             Catch::Contains("name"));
  CHECK(parse_contents(with_token("")));
  // A scope that cannot be read would otherwise be "all".
  for (const char* scope : {R"(,"nodes":[])", R"(,"nodes":"n1")", R"(,"nodes":[1])", R"(,"resources":{})"}) {
    CHECK_THAT(wrong(with_token(scope)), Catch::Contains("patterns"));
  }
  CHECK_THAT(wrong(with_token(R"(,"expires":"soon")")), Catch::Contains("expires"));
  CHECK_THAT(wrong(with_token(R"(,"expires":1)")), Catch::Contains("expires"));
  CHECK_THAT(wrong(R"({"version":1,"tokens":[{"id":"1","role":"viewer","sha256":"ab"}]})"),
             Catch::Contains("sha256"));
  CHECK_THAT(wrong(R"({"version":1,"revoked":[{"gateway":"paris"}]})"), Catch::Contains("until"));
}

TEST_CASE("a users file is made private, and what it holds changes as a whole or not at all") {
  Folder folder;
  const auto missing = read_access_file(folder.file());
  REQUIRE(missing);
  CHECK_FALSE(missing->has_clients());
  REQUIRE(change_access_file(folder.file(), [](Contents& contents) -> Result<void> {
    contents = some();
    return {};
  }));
  struct stat status {};
  REQUIRE(::stat(folder.file().c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  const std::string before = folder.text();
  const auto refused = change_access_file(folder.file(), [](Contents& contents) -> Result<void> {
    contents.users.clear();
    return make_error(Errc::usage, "no");
  });
  CHECK(refused.error().message == "no");
  CHECK(folder.text() == before);
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path + "/state"), {}) == 1);

  REQUIRE(::chmod(folder.file().c_str(), 0622) == 0);
  CHECK_THAT(read_access_file(folder.file()).error().message, Catch::Contains("chmod go-w"));
  REQUIRE(::chmod(folder.file().c_str(), 0600) == 0);
  std::ofstream(folder.file()) << "{";
  CHECK_THAT(read_access_file(folder.file()).error().message, Catch::Contains(folder.file()));
  CHECK_FALSE(change_access_file(folder.file(), [](Contents&) -> Result<void> { return {}; }));
  CHECK(folder.text() == "{");
}

TEST_CASE("a gateway's token alone lets nobody log in, so that it does not end an open broker") {
  Contents contents;
  contents.tokens.push_back(some().tokens[1]);
  CHECK_FALSE(contents.has_clients());
  contents.tokens.push_back(some().tokens[0]);
  CHECK(contents.has_clients());
}

TEST_CASE("names are text that a person can tell apart") {
  for (const std::string_view good : {"a", "Ada Lovelace", "ada@example.org", "ąd"})
    CHECK(check_name("user", good));
  for (const std::string& bad : {std::string(), std::string(" a"), std::string("a "), std::string("a\nb"),
                                 std::string("\xff"), std::string(65, 'a')}) {
    CHECK(check_name("user", bad).error().code == Errc::usage);
  }
}

TEST_CASE("a password is kept as argon2id and known again") {
  const auto kept = hash_password("correct horse");
  REQUIRE(kept);
  CHECK_THAT(*kept, Catch::StartsWith("$argon2id$v=19$m=19456,t=2,p=1$"));
  CHECK(hash_password("correct horse").value() != *kept);
  CHECK(check_password(*kept, "correct horse"));
  CHECK_FALSE(check_password(*kept, "correct horsf"));
  CHECK_FALSE(check_password("", "correct horse"));
  CHECK_FALSE(check_password("nonsense", "correct horse"));
  CHECK_FALSE(check_password(*kept, std::string(kMaxPassword + 1, 'x')));
  CHECK(hash_password("short").error().code == Errc::usage);
  CHECK(hash_password(std::string(kMaxPassword + 1, 'x')).error().code == Errc::usage);
}

TEST_CASE("secrets are 256 random bits, and SHA-256 of them is kept") {
  CHECK(make_secret().size() == 5 + 43);
  CHECK_THAT(make_secret(), Catch::StartsWith("aiot_"));
  CHECK(make_secret() != make_secret());
  CHECK(digest("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(make_id().size() == 8);
  CHECK(same_secret("abc", "abc"));
  CHECK_FALSE(same_secret("abc", "abd"));
  CHECK_FALSE(same_secret("abc", "ab"));
}
