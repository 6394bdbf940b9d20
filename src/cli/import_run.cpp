#include "cli/import_run.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "cli/context.h"
#include "cli/exit_status.h"
#include "cli/output.h"
#include "core/base/text.h"

namespace aiot::cli {

ImportRun::ImportRun(Context& context, BrokerApi api, int fd, std::string name)
    : context_(context),
      runner_(context),
      api_(std::move(api)),
      name_(std::move(name)),
      reader_(
          context.loop(), fd, [this](std::string line) { take(std::move(line)); },
          [this](const Result<void>& end) { ended(end); }) {}

int ImportRun::run() {
  runner_.on_interrupt([this] { context_.note(fmt::format("{} values imported", imported_)); });
  reader_.next();
  const int status = runner_.run();
  operation_.cancel();
  return status;
}

void ImportRun::take(std::string line) {
  if (line.size() >= kMaxBytes) {
    context_.fail(
        make_error(Errc::usage, fmt::format("line {} is longer than {} bytes", first_ + lines_, kMaxBytes)),
        name_);
    return finish(kUsage);
  }
  if (lines_ == kMaxLines || body_.size() + line.size() + 1 > kMaxBytes) {
    held_ = std::move(line);
    holds_ = true;
    return send();
  }
  // Empty lines go along, so that both sides count the same.
  body_ += line;
  body_ += '\n';
  ++lines_;
  reader_.next();
}

void ImportRun::ended(const Result<void>& end) {
  if (!end) return finish(context_.fail(end.error(), name_));
  at_end_ = true;
  lines_ > 0 ? send() : finish(kDone);
}

void ImportRun::send() {
  operation_ = api_.ask("POST", api_path("history", {{"first_line", std::to_string(first_)}}),
                        std::exchange(body_, {}),
                        [this](const Result<nlohmann::ordered_json>& answer) { answered(answer); });
}

void ImportRun::answered(const Result<nlohmann::ordered_json>& answer) {
  if (!answer) {
    // Without an answer they may stand there all the same: whoever goes on must know.
    const bool refused = answer.error().code == Errc::usage || answer.error().code == Errc::rejected ||
                         answer.error().code == Errc::unauthorized;
    if (!refused && !runner_.finished()) {
      context_.note(
          fmt::format("it is not known whether lines {} to {} were imported", first_, first_ + lines_ - 1));
    }
    return finish(context_.fail(answer.error(), name_));
  }
  const auto count = answer->find("imported");
  if (count == answer->end() || !count->is_number_unsigned()) {
    return finish(
        context_.fail(make_error(Errc::peer_failed, "the broker does not say what it imported"), name_));
  }
  imported_ += count->get<std::size_t>();
  first_ += std::exchange(lines_, 0);
  if (std::exchange(holds_, false)) return take(std::exchange(held_, {}));
  if (at_end_) return finish(kDone);
  reader_.next();
}

void ImportRun::finish(int status) {
  if (runner_.finished()) return;
  context_.output().line(context_.json() ? fmt::format(R"({{"imported":{}}})", imported_)
                                         : fmt::format("{} values imported", imported_));
  runner_.finish(status);
}

}  // namespace aiot::cli
