#include <catch2/catch.hpp>

#include "cli/doctor_broker.h"
#include "cli/doctor_machine.h"
#include "cli/finding.h"

using namespace aiot;
using namespace aiot::cli;

namespace {

constexpr unsigned long long kMiB = 1024ULL * 1024, kGiB = 1024 * kMiB;

Finding::Status disk(unsigned long long free, unsigned long long total,
                     unsigned long long files = 1'000'000) {
  return disk_finding("/state", free, total, files).status;
}

}  // namespace

TEST_CASE("a disk is judged by what is free, and a large one by its share too") {
  CHECK(disk(40 * kGiB, 100 * kGiB) == Finding::Status::ok);
  CHECK(disk(600 * kMiB, 100 * kGiB) == Finding::Status::ok);
  CHECK(disk(500 * kMiB, 100 * kGiB) == Finding::Status::warning);
  CHECK(disk(500 * kMiB, 2 * kGiB) == Finding::Status::ok);
  CHECK(disk(63 * kMiB, 2 * kGiB) == Finding::Status::failed);
  CHECK(disk(0, 0) == Finding::Status::failed);
  CHECK(disk(40 * kGiB, 100 * kGiB, 999) == Finding::Status::warning);
}

TEST_CASE("what to do about TLS follows from what OpenSSL says of it") {
  const auto says = [](const char* message, const char* word, Errc code = Errc::unauthorized) {
    return tls_remedy(make_error(code, message)).find(word) != std::string::npos;
  };
  CHECK(says("certificate has expired", "renew"));
  CHECK(says("certificate is not yet valid", "clock"));
  CHECK(says("self-signed certificate in certificate chain", "--ca"));
  CHECK(says("unable to get local issuer certificate", "--ca"));
  CHECK(says("Hostname mismatch", "name"));
  CHECK(says("wrong version number", "s_client"));
  CHECK(says("--ca /none: No such file or directory", "correct --ca", Errc::internal));
}

TEST_CASE("a group of checks is asked for by its name, and none means all") {
  CHECK(is_wanted("clock", {}));
  CHECK(is_wanted("broker.port", {"clock", "broker"}));
  CHECK(is_wanted("broker.port", {"broker.port"}));
  CHECK_FALSE(is_wanted("broker.port", {"broker.po"}));
  CHECK_FALSE(is_wanted("clock", {"broker"}));
}

TEST_CASE("a finding says what does not apply by leaving it out") {
  CHECK(finding_json(Finding::ok("clock", "set")) == R"({"check":"clock","status":"ok","message":"set"})");
  const Finding broken =
      Finding::failed("broker.port", make_error(Errc::unreachable, "no\nanswer"), "start it");
  CHECK(
      finding_json(broken) ==
      R"({"check":"broker.port","status":"failed","message":"no\nanswer","remedy":"start it","code":"unreachable"})");
  CHECK(finding_text(broken, false) == "failed  broker.port      no\\nanswer\n        remedy: start it");
  CHECK(finding_text(broken, true).find("\x1b[31mfailed") == 0);
}
