#include "daemon/broker/outbox.h"

#include <catch2/catch.hpp>

#include "core/ws/http_server.h"

using namespace aiot;
using namespace aiot::broker;

namespace {

const std::string kId = "01234567-89ab-cdef-0123-456789abcdef";

constexpr Tally kUpdate{1, 0}, kOther{};

std::string drain(Outbox& outbox, std::size_t limit = SIZE_MAX) {
  std::string all;
  while (all.size() < limit) {
    const auto bytes = outbox.peek().substr(0, limit - all.size());
    if (bytes.empty()) break;
    all += bytes;
    outbox.consume(bytes.size());
  }
  return all;
}

std::string frames(std::initializer_list<std::string> payloads) {
  std::string all;
  for (const auto& payload : payloads) ws::append_text_frame(all, payload);
  return all;
}

}  // namespace

TEST_CASE("a reader gets what is appended after it came, each frame once") {
  BroadcastLog log;
  log.append("before", kUpdate);
  Outbox outbox(kId);
  CHECK(outbox.peek().empty());
  outbox.start({}, log.end());
  CHECK(outbox.peek().empty());
  log.append("one", kUpdate);
  log.append("two", kOther);
  CHECK(outbox.behind(log.position()) > 0);
  CHECK(drain(outbox) == frames({"one", "two"}));
  CHECK(outbox.behind(log.position()) == 0);
  CHECK(outbox.take_delivered() == 1);
  CHECK(outbox.take_delivered() == 0);
}

TEST_CASE("a view stays valid while the log grows behind it") {
  BroadcastLog log;
  Outbox outbox(kId);
  outbox.start({}, log.end());
  log.append("first", kUpdate);
  const std::string_view view = outbox.peek();
  const std::string copy(view);
  for (int i = 0; i < 10000; ++i) log.append(std::string(100, 'x'), kUpdate);
  CHECK(view == copy);
}

TEST_CASE("readers at their own pace all get everything, across chunks and frames larger than one") {
  BroadcastLog log;
  Outbox fast(kId), slow(kId);
  fast.start({}, log.end());
  slow.start({}, log.end());
  std::string expected, got;
  for (int i = 0; i < 3000; ++i) {
    const std::string payload = i == 1500 ? std::string(200'000, 'L') : "message " + std::to_string(i);
    log.append(payload, kUpdate);
    ws::append_text_frame(expected, payload);
    got += drain(fast);
  }
  CHECK(got == expected);
  std::string slowly;
  while (slowly.size() < expected.size()) slowly += drain(slow, 777);
  CHECK(slowly == expected);
  CHECK(slow.take_delivered() == 3000);
}

TEST_CASE("what the slowest reader has passed is given back") {
  BroadcastLog log;
  auto reader = std::make_unique<Outbox>(kId);
  reader->start({}, log.end());
  std::weak_ptr<BroadcastLog::Chunk> none;
  for (int i = 0; i < 200'000; ++i) log.append(std::string(1000, 'x'), kUpdate);
  CHECK(reader->behind(log.position()) > 200'000'000);
  CHECK(reader->undelivered(log.tally().updates) == 200'000);
  reader.reset();  // a chain of 3,000 chunks, freed without recursion
}

TEST_CASE("a snapshot is addressed to its client and comes before the log") {
  BroadcastLog log;
  auto block = std::make_shared<SnapshotBlock>();
  ws::append_text_frame(block->frames, R"({"type":"new","dst":"00000000-0000-0000-0000-000000000000"})");
  block->ids.push_back(static_cast<std::uint32_t>(block->frames.size() - kClientIdSize - 2));
  block->updates = 1;
  Outbox outbox(kId);
  outbox.start({block, std::make_shared<SnapshotBlock>(), block}, log.end());
  log.append("live", kUpdate);
  CHECK(outbox.in_snapshot());
  const auto one = frames({R"({"type":"new","dst":")" + kId + "\"}"});
  CHECK(drain(outbox, one.size()) == one);
  CHECK(outbox.in_snapshot());
  CHECK(drain(outbox) == one + frames({"live"}));
  CHECK_FALSE(outbox.in_snapshot());
  CHECK(outbox.take_delivered() == 3);
  CHECK(outbox.taken() == 2 * one.size() + frames({"live"}).size());
  CHECK(block->frames.find("00000000-") != std::string::npos);
}

TEST_CASE("a reader knows what it passed, frame by frame, and may be given only so many frames") {
  BroadcastLog log;
  log.append("before", {5, 5});
  auto cursor = log.end();
  for (unsigned i = 1; i <= 3; ++i) log.append(std::string(60'000, 'x'), {i, 1});  // a chunk each
  log.append("last", {10, 0});
  CHECK((log.tally() - cursor.passed()).updates == 16);
  CHECK((log.tally() - cursor.passed()).events == 3);
  (void)cursor.peek();
  const auto one = cursor.peek(1);
  CHECK(cursor.frames_in(one.size()) == 1);
  cursor.consume(one.size());
  CHECK((log.tally() - cursor.passed()).updates == 15);
  cursor.consume(cursor.peek().size());
  const auto two = cursor.peek();
  CHECK(cursor.frames_in(two.size()) == 2);
  CHECK(cursor.peek(1).size() < two.size());
  CHECK(cursor.peek(2).size() == two.size());
  CHECK(cursor.peek(0).empty());
  cursor.consume(two.size());
  CHECK(cursor.position() == log.position());
  CHECK((log.tally() - cursor.passed()).updates == 0);
}
