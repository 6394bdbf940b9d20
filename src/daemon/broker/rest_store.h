#pragma once

#include <fmt/format.h>

#include <memory>
#include <string>
#include <utility>

#include "daemon/broker/rest.h"

/// What routes share that the store answers.
namespace aiot::broker {

/// A query under way: lives until it is answered.
template <class Answer>
struct Asking {
  RestCall call;
  std::weak_ptr<char> alive;
  Operation operation;
  UniqueFunction<void(RestCall&, Result<Answer>)> reply;
};

/// Calls `start(completion)`, which gives an operation, and answers the call when it is done.
template <class Answer, class Start, class Reply>
void ask_store(const RestServices& services, RestCall call, Start start, Reply reply) {
  std::shared_ptr<Asking<Answer>> asking(
      new Asking<Answer>{std::move(call), services.alive, {}, std::move(reply)});
  asking->operation = start(Completion<Answer>([asking](Result<Answer> result) {
    if (asking->alive.expired()) return;
    auto keep = std::move(asking->operation);  // it must not be destroyed inside its own callback's life
    asking->reply(asking->call, std::move(result));
  }));
}

/// A time of the query; `otherwise` when absent. Errc::usage names it.
[[nodiscard]] inline Result<WallTime> query_time(const RestCall& call, const std::string& name,
                                                 WallTime otherwise) {
  const auto text = call.parameter(name);
  if (text.empty()) return otherwise;
  auto time = parse_time(text);
  if (!time) return make_error(Errc::usage, fmt::format("{}: {}", name, time.error().message));
  return *time;
}

}  // namespace aiot::broker
