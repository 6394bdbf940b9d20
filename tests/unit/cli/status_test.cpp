#include <catch2/catch.hpp>

#include "cli/exit_status.h"

using namespace aiot;
using namespace aiot::cli;

TEST_CASE("each kind of failure has its exit status") {
  CHECK(exit_status(Errc::internal) == 1);
  CHECK(exit_status(Errc::abandoned) == 1);
  CHECK(exit_status(Errc::usage) == 2);
  CHECK(exit_status(Errc::unreachable) == 3);
  CHECK(exit_status(Errc::timeout) == 4);
  CHECK(exit_status(Errc::rejected) == 5);
  CHECK(exit_status(Errc::peer_failed) == 6);
  CHECK(exit_status(Errc::unauthorized) == 7);
  CHECK(exit_status(Errc::partial) == 8);
}

TEST_CASE("all targets failing is the first one's status, some failing is partial") {
  Tally none;
  CHECK(none.status() == 0);
  Tally all;
  all.failed(2, Errc::timeout);
  all.failed(0, Errc::rejected);
  all.failed(1, Errc::unreachable);
  CHECK(all.status() == 5);
  Tally some;
  some.succeeded();
  CHECK(some.status() == 0);
  some.failed(1, Errc::timeout);
  CHECK(some.status() == 8);
  CHECK(some.failures() == 1);
  CHECK(some.total() == 2);
}
