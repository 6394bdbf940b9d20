#include "core/base/folders.h"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "support/temporary_folder.h"

using namespace aiot;

namespace {

bool is_folder(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
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
