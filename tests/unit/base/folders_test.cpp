#include "core/base/folders.h"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "support/temporary_folder.h"

using namespace aiot;

namespace {

bool is_folder(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

std::string content_of(const std::string& path) {
  std::ostringstream out;
  out << std::ifstream(path).rdbuf();
  return out.str();
}

mode_t mode_of(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 0777U : 0;
}

}  // namespace

TEST_CASE("private folders: what is missing above is made, for the owner alone") {
  const test::TemporaryFolder root;
  const std::string path = root.path + "/a/b//c/";
  REQUIRE(make_private_folders(path));
  CHECK(is_folder(path));
  struct stat status {};
  REQUIRE(::stat((root.path + "/a/b").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777U) == 0700U);
  CHECK(make_private_folders(path));  // there already
  CHECK(make_private_folders("/"));
  REQUIRE(::chdir(root.path.c_str()) == 0);
  CHECK(make_private_folders("relative/folder"));
  CHECK(is_folder(root.path + "/relative/folder"));
}

TEST_CASE("private folders: what stands in the way is named") {
  const test::TemporaryFolder root;
  std::ofstream(root.path + "/file") << "x";
  for (const std::string& path : {root.path + "/file", root.path + "/file/below", std::string()}) {
    auto made = make_private_folders(path);
    REQUIRE_FALSE(made);
    CHECK(made.error().code == Errc::internal);
    CHECK(made.error().message.find(path) != std::string::npos);
  }
}

TEST_CASE("private files: a new one is its owner's alone, one that is there keeps its mode") {
  const test::TemporaryFolder root;
  const std::string path = root.path + "/secret";
  REQUIRE(replace_private_file(path, "one"));
  CHECK(content_of(path) == "one");
  CHECK(mode_of(path) == 0600);
  REQUIRE(::chmod(path.c_str(), 0640) == 0);
  REQUIRE(replace_private_file(path, std::string(100'000, 'x')));
  CHECK(content_of(path).size() == 100'000);
  CHECK(mode_of(path) == 0640);
  CHECK(std::distance(std::filesystem::directory_iterator(root.path), {}) == 1);
  const auto nowhere = replace_private_file(root.path + "/none/secret", "x");
  REQUIRE_FALSE(nowhere);
  CHECK(nowhere.error().message.find(root.path + "/none/secret") != std::string::npos);
}

TEST_CASE("private files: a folder's lock keeps another process out and is gone afterwards") {
  const test::TemporaryFolder root;
  const std::string path = root.path + "/secret";
  int ran = 0;
  const auto change = [&]() -> Result<void> {
    ++ran;
    return {};
  };
  REQUIRE(with_folder_lock(path, [&]() -> Result<void> {
    // A lock belongs to an opened folder, so that a second one in this process is as good as a stranger's.
    const auto second = with_folder_lock(path, change);
    CHECK(second.error().code == Errc::timeout);
    CHECK(second.error().message.find(path) != std::string::npos);
    return {};
  }));
  CHECK(ran == 0);
  CHECK(with_folder_lock(path, change));
  CHECK(ran == 1);
  CHECK_FALSE(with_folder_lock(root.path + "/none/secret", change));
}
