#include "core/coap/answer_pool.h"

#include <catch2/catch.hpp>
#include <string>

using namespace aiot::coap;

namespace {

AnswerView answer(std::string_view payload) {
  AnswerView out;
  out.code = 0x45;
  out.payload = payload;
  return out;
}

}  // namespace

TEST_CASE("answers that quote their request are kept once") {
  AnswerPool pool;
  const auto first = pool.put(answer("Received 'led:1'"), "led:1");
  const auto second = pool.put(answer("Received 'led:0'"), "led:0");
  CHECK(first == second);
  CHECK(pool.size() == 1);
  std::string scratch;
  CHECK(pool.get(first)->view("led:0", scratch).payload == "Received 'led:0'");
}

TEST_CASE("every part of an answer tells it from others") {
  AnswerPool pool;
  auto base = answer("x");
  auto code = base, format = base, age = base, block1 = base, block2 = base, etag = base, path = base;
  code.code = 0x44;
  format.content_format = 0;
  age.max_age = 0;
  block1.block1 = 0;
  block2.block2 = 0;
  etag.etag = "e";
  const std::vector<std::string> segments{"a"};
  path.location_path = &segments;
  std::vector<std::uint32_t> ids;
  for (const auto* view : {&base, &code, &format, &age, &block1, &block2, &etag, &path})
    ids.push_back(pool.put(*view, {}));
  CHECK(pool.size() == ids.size());
  std::string scratch;
  const auto again = pool.get(ids.back())->view({}, scratch);
  REQUIRE(again.location_path != nullptr);
  CHECK(*again.location_path == segments);
  CHECK(pool.get(ids[6])->view({}, scratch).etag == "e");
  CHECK(pool.put(base, {}) == ids.front());
}

TEST_CASE("the pool is bounded in number, and an old id never names a new answer") {
  AnswerPool pool;
  const auto first = pool.put(answer("first"), {});
  for (unsigned i = 0; i < 3 * AnswerPool::kMaxAnswers; ++i) pool.put(answer("n" + std::to_string(i)), {});
  CHECK(pool.size() <= AnswerPool::kMaxAnswers);
  CHECK(pool.get(first) == nullptr);
  CHECK(pool.put(answer("first"), {}) != first);
}

TEST_CASE("the pool is bounded in bytes") {
  AnswerPool pool;
  for (unsigned i = 0; i < 40'000; ++i) {
    auto payload = std::to_string(i);
    payload.resize(AnswerPool::kMaxPayload, 'x');
    const auto id = pool.put(answer(payload), {});
    REQUIRE(pool.get(id) != nullptr);
  }
  CHECK(pool.bytes() <= AnswerPool::kMaxBytes + 2 * AnswerPool::kMaxPayload);
}

TEST_CASE("an answer in use outlives many that are not") {
  AnswerPool pool;
  const auto shared = pool.put(answer("Received 'abc'"), "abc");
  for (unsigned i = 0; i < 5 * AnswerPool::kMaxAnswers; ++i) {
    pool.put(answer("n" + std::to_string(i)), {});
    if (i % 1000 == 0) REQUIRE(pool.put(answer("Received 'abc'"), "abc") == shared);
  }
  CHECK(pool.get(shared) != nullptr);
}

TEST_CASE("long payloads are not kept, and nothing has no answer") {
  AnswerPool pool;
  CHECK(pool.put(answer(std::string(AnswerPool::kMaxPayload + 1, 'x')), {}) == AnswerPool::kNothing);
  CHECK(pool.get(AnswerPool::kNothing) == nullptr);
  CHECK(pool.get(77) == nullptr);
}
