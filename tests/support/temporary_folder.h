#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace aiot::test {

/// A folder of the test's own, gone with all that is in it.
struct TemporaryFolder {
  TemporaryFolder() {
    char name[] = "/tmp/aiot-test-XXXXXX";
    path = ::mkdtemp(name);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  std::string path;
};

}  // namespace aiot::test
