#include "daemon/broker/idempotency.h"

#include <catch2/catch.hpp>

using namespace aiot;
using namespace aiot::broker;
using namespace std::chrono_literals;

namespace {

/// One whose connection has gone.
ws::HttpResponder responder() {
  return ws::HttpResponder([](const ws::HttpResponse&) {});
}

struct World {
  Idempotency memory;
  TimePoint now{};
  Idempotency::Verdict begin(const std::string& key, std::string_view print) {
    auto unused = responder();
    return memory.begin(key, print, now, unused);
  }
};

using Verdict = Idempotency::Verdict;

}  // namespace

TEST_CASE("the first request with a key acts, repeats do not, others are told") {
  World w;
  CHECK(w.begin("k", "PUT a") == Verdict::act);
  CHECK(w.begin("k", "PUT a") == Verdict::answered);
  CHECK(w.begin("k", "PUT b") == Verdict::mismatch);
  CHECK(w.begin("other", "PUT b") == Verdict::act);
  w.memory.finish("k", {}, true);
  CHECK(w.begin("k", "PUT a") == Verdict::answered);
}

TEST_CASE("a request that never acted may be tried again") {
  World w;
  CHECK(w.begin("k", "PUT a") == Verdict::act);
  w.memory.finish("k", {}, false);
  CHECK(w.begin("k", "PUT a") == Verdict::act);
}

TEST_CASE("keys are forgotten after a day") {
  World w;
  CHECK(w.begin("k", "PUT a") == Verdict::act);
  w.memory.finish("k", {}, true);
  w.now += 24h;
  CHECK(w.begin("k", "PUT a") == Verdict::answered);
  w.now += 1s;
  CHECK(w.begin("k", "PUT a") == Verdict::act);
  CHECK(w.memory.size() == 1);
}

TEST_CASE("keys are bounded, the oldest out first") {
  World w;
  for (std::size_t i = 0; i < Idempotency::kMaxKeys + 5; ++i) {
    w.now += 1ms;
    REQUIRE(w.begin(std::to_string(i), "PUT a") == Verdict::act);
  }
  CHECK(w.memory.size() == Idempotency::kMaxKeys);
  CHECK(w.begin("5", "PUT a") == Verdict::answered);
  CHECK(w.begin("0", "PUT a") == Verdict::act);
}
