#include "daemon/wire/key_file.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "support/temporary_folder.h"

using namespace aiot;
using namespace aiot::wire;

namespace {

struct Folder : test::TemporaryFolder {
  [[nodiscard]] std::string file(const std::string& name, const std::string& content) const {
    const auto out = path + "/" + name;
    std::ofstream(out, std::ios::binary) << content;
    return out;
  }
};

const std::string kKey = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

}  // namespace

TEST_CASE("a key file as pyaiot writes it is read") {
  Folder folder;
  const auto keys = read_key_file(folder.file(
      "keys",
      "# made by hand\r\n[other]\nsecret = no\n[keys]\nSecret=abc=d;e\n\n; note\nprivate: " + kKey + "\n"));
  REQUIRE(keys);
  CHECK(keys->secret == "abc=d;e");
  CHECK(keys->private_key == kKey);
}

TEST_CASE("what is wrong in a key file is named with its line") {
  Folder folder;
  const auto message = [&](const std::string& content) {
    const auto keys = read_key_file(folder.file("keys", content));
    REQUIRE_FALSE(keys);
    CHECK(keys.error().code == Errc::usage);
    return keys.error().message;
  };
  CHECK_THAT(message(""), Catch::Contains("no 'secret'"));
  CHECK_THAT(message("[keys]\nsecret=a\n"), Catch::Contains("no 'private'"));
  CHECK_THAT(message("[keys]\nnonsense\n"), Catch::Contains(":2:"));
  CHECK_THAT(message("[keys\n"), Catch::Contains(":1:"));
  CHECK_THAT(message("[keys]\nsecret=a\nprivate=abc\n"), Catch::Contains(":3:"));
  CHECK_THAT(message(std::string(100'000, 'x')), Catch::Contains("too long"));
  CHECK(read_key_file(folder.path).error().code == Errc::usage);
  CHECK(read_key_file(folder.path + "/none").error().code == Errc::internal);
}

TEST_CASE("a key file is made private, whole and never over another") {
  Folder folder;
  const std::string path = folder.path + "/deep/keys";
  const auto made = create_key_file(path);
  REQUIRE(made);
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  const auto read = read_key_file(path);
  REQUIRE(read);
  CHECK(read->secret == made->secret);
  CHECK(read->private_key == made->private_key);
  CHECK(create_key_file(path).error().code == Errc::usage);
  CHECK(read_key_file(path)->secret == made->secret);
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path + "/deep"), {}) == 1);
}

TEST_CASE("a rotated key file admits by both pairs until the previous one is retired") {
  Folder folder;
  const std::string path = folder.path + "/keys";
  const auto first = create_key_file(path);
  REQUIRE(first);
  CHECK(retire_key_file(path).error().code == Errc::usage);
  const auto rotated = rotate_key_file(path);
  REQUIRE(rotated);
  CHECK(rotated->previous_secret == first->secret);
  CHECK(rotated->secret != first->secret);
  CHECK(*read_key_file(path) == *rotated);
  // A second rotation would shut out who has not followed the first.
  CHECK_THAT(rotate_key_file(path).error().message, Catch::Contains("keys retire"));
  CHECK(*read_key_file(path) == *rotated);

  const std::string old_token = *gateway_token(*first, "paris", WallTime{});
  const std::string new_token = *gateway_token(*rotated, "paris", WallTime{});
  CHECK(check_token(*rotated, old_token)->previous);
  CHECK(check_token(*rotated, old_token)->gateway == "paris");
  CHECK_FALSE(check_token(*rotated, new_token)->previous);
  const auto retired = retire_key_file(path);
  REQUIRE(retired);
  CHECK_FALSE(read_key_file(path)->has_previous());
  CHECK(check_token(*retired, old_token).error().code == Errc::unauthorized);
  CHECK(check_token(*retired, new_token));
}

TEST_CASE("half a previous pair is a fault of the file") {
  Folder folder;
  const std::string pair = "[keys]\nsecret=a\nprivate=" + kKey + "\n";
  CHECK_FALSE(read_key_file(folder.file("keys", pair))->has_previous());
  CHECK_THAT(read_key_file(folder.file("keys", pair + "[previous]\nsecret=b\n")).error().message,
             Catch::Contains("[previous]"));
  CHECK_FALSE(read_key_file(folder.file("keys", pair + "[previous]\n")));
}

TEST_CASE("a token admits whom it was made for") {
  const Keys keys{"abcdefghijklmnopqrstuvwxyz012345", kKey};
  const auto pyaiot = pyaiot_token(keys, WallTime{});
  REQUIRE(pyaiot);
  CHECK(pyaiot->size() == 140);
  CHECK(check_token(keys, *pyaiot)->gateway.empty());
  CHECK(check_token(keys, *gateway_token(keys, "paris", WallTime{}))->gateway == "paris");

  const Keys other_secret{"abcdefghijklmnopqrstuvwxyz012346", kKey};
  const Keys longer{keys.secret + "x", kKey};
  for (const Keys& stranger : {other_secret, longer}) {
    const auto refused = check_token(keys, *pyaiot_token(stranger, WallTime{}));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::unauthorized);
  }
  CHECK(check_token(keys, "").error().code == Errc::unauthorized);
  CHECK(gateway_token(keys, "", WallTime{}).error().code == Errc::usage);
  CHECK(gateway_token(keys, "a\nb", WallTime{}).error().code == Errc::usage);
}
