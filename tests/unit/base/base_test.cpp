#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <set>

#include "core/base/completion.h"
#include "core/base/log.h"
#include "core/base/random.h"

using namespace std::string_literals;
using aiot::Completion;
using aiot::Errc;
using aiot::Operation;
using aiot::Result;

namespace {

/// What `act` writes to stderr.
template <class F>
std::string stderr_of(F act) {
  int pipe_fds[2];
  REQUIRE(::pipe(pipe_fds) == 0);
  const int saved = ::dup(STDERR_FILENO);
  ::dup2(pipe_fds[1], STDERR_FILENO);
  ::close(pipe_fds[1]);
  act();
  ::dup2(saved, STDERR_FILENO);
  ::close(saved);
  std::string out;
  char buffer[4096];
  for (ssize_t got = 0; (got = ::read(pipe_fds[0], buffer, sizeof buffer)) > 0;) {
    out.append(buffer, static_cast<std::size_t>(got));
  }
  ::close(pipe_fds[0]);
  return out;
}

}  // namespace

TEST_CASE("a completion answers once") {
  int calls = 0;
  Completion<int> done([&](Result<int> result) {
    ++calls;
    CHECK(*result == 7);
  });
  CHECK(done);
  done(7);
  done(8);
  CHECK(calls == 1);
  CHECK_FALSE(done);
}

TEST_CASE("a dropped completion reports that it was abandoned") {
  std::vector<Errc> codes;
  const auto note = [&](const Result<int>& result) { codes.push_back(result.error().code); };
  { Completion<int> dropped(note); }
  {
    Completion<int> replaced(note);
    replaced = Completion<int>();
  }
  CHECK(codes == std::vector{Errc::abandoned, Errc::abandoned});
  CHECK(to_string(Errc::abandoned) == "internal");
}

TEST_CASE("a dismissed or moved-from completion is silent") {
  int calls = 0;
  {
    Completion<> first([&](const Result<>&) { ++calls; });
    Completion<> second(std::move(first));
    first(Result<>());  // NOLINT(bugprone-use-after-move): that is the point
    CHECK(calls == 0);
    second.dismiss();
  }
  CHECK(calls == 0);
}

TEST_CASE("a completion may destroy its owner from inside") {
  struct Owner {
    Completion<> done;
  };
  auto owner = std::make_unique<Owner>();
  auto* raw = owner.get();
  bool called = false;
  raw->done = Completion<>([&owner, &called](const Result<>&) {
    owner.reset();
    called = true;
  });
  auto done = std::move(raw->done);
  done(Result<>());
  CHECK(called);
}

TEST_CASE("destroying an operation cancels it, once") {
  int cancelled = 0;
  {
    Operation operation([&] { ++cancelled; });
    Operation moved(std::move(operation));
    CHECK(cancelled == 0);
    moved.cancel();
    moved.cancel();
    CHECK(cancelled == 1);
  }
  CHECK(cancelled == 1);
  {
    Operation first([&] { ++cancelled; });
    first = Operation([&] { cancelled += 10; });
    CHECK(cancelled == 2);
  }
  CHECK(cancelled == 12);
}

TEST_CASE("errno becomes the kind of failure a caller can act on") {
  CHECK(aiot::errno_error("connect", ECONNREFUSED).code == Errc::unreachable);
  CHECK(aiot::errno_error("bind", EADDRINUSE).code == Errc::unreachable);
  CHECK(aiot::errno_error("read", ETIMEDOUT).code == Errc::timeout);
  CHECK(aiot::errno_error("open", ENOSPC).code == Errc::internal);
  const auto error = aiot::errno_error("open 'x'", ENOENT);
  CHECK(error.message == "open 'x': No such file or directory");
  CHECK(error.native == ENOENT);
}

TEST_CASE("a log line is one line, whatever a peer put into it") {
  const auto line = stderr_of([] { aiot::log::warn("node '{}' said {}", "a\nerror: forged\x1B[2J", "x"); });
  CHECK(line == "aiot: warning: node 'a\\nerror: forged\\x1b[2J' said x\n");
}

TEST_CASE("JSON logs are one object a line with time, level and message") {
  aiot::log::set_format(aiot::log::Format::json);
  const auto line = stderr_of([] { aiot::log::error("bad \"{}\"\xFF\n", "thing"); });
  aiot::log::set_format(aiot::log::Format::text);
  CHECK(line.find('\n') == line.size() - 1);
  const auto record = nlohmann::json::parse(line);
  CHECK(record.at("level") == "error");
  CHECK(record.at("message") == "bad \"thing\"\xEF\xBF\xBD\n");
  CHECK(record.at("time").get<std::string>().size() == "2026-01-31T12:00:00.123Z"s.size());
  CHECK(record.size() == 3);
}

TEST_CASE("records below the level are not written") {
  CHECK(stderr_of([] { aiot::log::info("quiet"); }).empty());
  aiot::log::set_level(aiot::log::Level::debug);
  CHECK(stderr_of([] { aiot::log::debug("loud"); }) == "aiot: debug: loud\n");
  aiot::log::set_level(aiot::log::Level::warn);
}

TEST_CASE("a limiter lets a burst through and counts the rest") {
  aiot::log::Limiter limiter(3);
  int allowed = 0;
  for (int i = 0; i < 1000; ++i) allowed += limiter.allow() ? 1 : 0;
  CHECK(allowed >= 3);
  CHECK(allowed <= 6);  // the second may turn once in between
}

TEST_CASE("random bytes do not repeat, not even in a forked child") {
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 10'000; ++i) seen.insert(aiot::random_u64());
  CHECK(seen.size() == 10'000);

  int pipe_fds[2];
  REQUIRE(::pipe(pipe_fds) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto value = aiot::random_u64();
    const auto wrote = ::write(pipe_fds[1], &value, sizeof value);
    ::_exit(wrote == sizeof value ? 0 : 1);
  }
  std::uint64_t theirs = 0;
  REQUIRE(::read(pipe_fds[0], &theirs, sizeof theirs) == sizeof theirs);
  int status = 0;
  ::waitpid(child, &status, 0);
  ::close(pipe_fds[0]);
  ::close(pipe_fds[1]);
  CHECK(theirs != aiot::random_u64());

  std::string large(100'000, '\0');
  aiot::random_bytes(large.data(), large.size());
  CHECK(std::set<char>(large.begin(), large.end()).size() == 256);
}

TEST_CASE("a random UUID has version and variant of RFC 4122") {
  const auto uuid = aiot::random_uuid();
  REQUIRE(uuid.size() == 36);
  CHECK(uuid[14] == '4');
  CHECK("89ab"s.find(uuid[19]) != std::string::npos);
  CHECK(uuid != aiot::random_uuid());
}

TEST_CASE("jitter takes away at most half") {
  using namespace std::chrono_literals;
  for (int i = 0; i < 1000; ++i) {
    const auto wait = aiot::jittered(1000ms);
    CHECK((wait >= 500ms && wait <= 1000ms));
  }
  CHECK(aiot::jittered(1ms) == 1ms);
}
