#include "core/base/secret_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "support/temporary_folder.h"

using namespace aiot;

namespace {

struct Folder : test::TemporaryFolder {
  [[nodiscard]] std::string file(const std::string& name, mode_t mode,
                                 const std::string& content = "secret") const {
    const std::string at = path + "/" + name;
    std::ofstream(at) << content;
    REQUIRE(::chmod(at.c_str(), mode) == 0);
    return at;
  }
};

/// $CREDENTIALS_DIRECTORY for as long as it lives.
struct Credentials {
  explicit Credentials(const std::string& folder) { ::setenv("CREDENTIALS_DIRECTORY", folder.c_str(), 1); }
  ~Credentials() { ::unsetenv("CREDENTIALS_DIRECTORY"); }
  Credentials(const Credentials&) = delete;
  Credentials& operator=(const Credentials&) = delete;
};

}  // namespace

TEST_CASE("a secret that its owner alone can write is read, byte for byte") {
  Folder folder;
  CHECK(read_secret_file(folder.file("a", 0600, " s\n"), "token file").value() == " s\n");
  CHECK(read_secret_file(folder.file("empty", 0600, ""), "token file").value().empty());
}

TEST_CASE("a secret that others can write is refused with the chmod that helps") {
  Folder folder;
  for (const mode_t mode : {0620, 0602, 0666, 0777}) {
    const std::string path = folder.file("keys", mode);
    const auto read = read_secret_file(path, "key file");
    REQUIRE_FALSE(read);
    CHECK(read.error().code == Errc::usage);
    CHECK_THAT(read.error().message, Catch::Contains("chmod go-w " + path));
    CHECK_THAT(read.error().message, !Catch::Contains("secret"));
    CHECK(check_secret_file(path).error().code == Errc::usage);
    CHECK_FALSE(secret_safety(path)->refusal.empty());
  }
}

TEST_CASE("a secret that others can read is read, with a warning that names the chmod") {
  Folder folder;
  for (const mode_t mode : {0640, 0604, 0644}) {
    const std::string path = folder.file("keys", mode);
    CHECK(read_secret_file(path, "key file"));
    CHECK_THAT(secret_safety(path)->warning, Catch::Contains("chmod 600 " + path));
  }
  CHECK(secret_safety(folder.file("private", 0600))->warning.empty());
}

TEST_CASE("what root has given to a group is meant for it") {
  if (::geteuid() != 0) return;  // nobody else can give files away
  Folder folder;
  const std::string path = folder.file("key.pem", 0640);
  REQUIRE(::chown(path.c_str(), 0, 12345) == 0);
  CHECK(secret_safety(path)->warning.empty());
  REQUIRE(::chmod(path.c_str(), 0644) == 0);
  CHECK_FALSE(secret_safety(path)->warning.empty());
}

TEST_CASE("what is no secret's file is refused by name") {
  Folder folder;
  CHECK(read_secret_file(folder.path, "key file").error().message ==
        folder.path + " is a directory, not a key file");
  CHECK(read_secret_file(folder.path, "key file").error().code == Errc::usage);
  const auto missing = read_secret_file(folder.path + "/none", "key file");
  CHECK(missing.error().code == Errc::internal);
  CHECK(missing.error().native == ENOENT);
  CHECK_THAT(missing.error().message, Catch::Contains("the key file " + folder.path + "/none"));
  CHECK(secret_safety(folder.path + "/none").error().native == ENOENT);
  CHECK(read_secret_file(folder.file("most", 0600, std::string(kMaxSecretBytes, 'x')), "token file"));
  const auto longer =
      read_secret_file(folder.file("long", 0600, std::string(kMaxSecretBytes + 1, 'x')), "token file");
  CHECK_THAT(longer.error().message, Catch::Contains("too long for a token file"));
}

TEST_CASE("a secret may come through a pipe") {
  Folder folder;
  const std::string path = folder.path + "/pipe";
  REQUIRE(::mkfifo(path.c_str(), 0666) == 0);
  std::thread writer([&] { std::ofstream(path) << "from a program"; });
  CHECK(read_secret_file(path, "token file").value() == "from a program");
  writer.join();
}

TEST_CASE("what systemd handed over is found by name, trusted, and left out when it is blank") {
  Folder folder;
  const std::string keys = folder.file("keys", 0444);
  (void)folder.file("token", 0440, "");
  (void)folder.file("blank", 0440, "\n");
  CHECK(credential_file("keys").empty());
  const Credentials handed(folder.path);
  CHECK(credential_file("keys") == keys);
  CHECK(credential_file("token").empty());
  CHECK(credential_file("blank").empty());
  CHECK(credential_file("none").empty());
  // An access control list shows as the group's permissions.
  CHECK(secret_safety(keys)->warning.empty());
}
