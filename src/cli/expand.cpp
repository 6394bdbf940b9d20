#include "cli/expand.h"

#include <algorithm>
#include <utility>

#include "cli/context.h"
#include "cli/exit_status.h"
#include "cli/runner.h"
#include "core/client.h"

namespace aiot::cli {

namespace {

class Expansion {
 public:
  Expansion(Context& context, std::vector<Target>& targets)
      : context_(context), runner_(context), targets_(targets), found_(targets.size()) {}

  bool run() {
    for (std::size_t i = 0; i < targets_.size(); ++i) {
      if (targets_[i].is_pattern()) ask(i);
    }
    runner_.run();
    operations_.clear();
    if (open_ > 0) return false;
    std::vector<Target> out;
    for (std::size_t i = 0; i < targets_.size(); ++i) {
      if (found_[i].empty()) {
        out.push_back(std::move(targets_[i]));
      } else {
        std::move(found_[i].begin(), found_[i].end(), std::back_inserter(out));
      }
    }
    targets_ = std::move(out);
    return true;
  }

 private:
  void ask(std::size_t index) {
    DiscoverRequest request;
    request.target = targets_[index].uri;
    request.timeout = context_.settings().timeout;
    ++open_;
    operations_.push_back(targets_[index].client->discover(
        std::move(request), [this, index](const Discovered& found) { take(index, found); },
        [this, index](const Result<void>& result) { done(index, result); }));
  }

  void take(std::size_t index, const Discovered& found) {
    if (found.type != Discovered::Type::resource) return;
    Target one = targets_[index];
    auto uri = parse_uri(found.uri);
    if (!uri) return;
    one.uri = std::move(*uri);
    found_[index].push_back(std::move(one));
  }

  void done(std::size_t index, const Result<void>& result) {
    if (!result) {
      targets_[index].failed = result.error();
      found_[index].clear();
    } else if (found_[index].empty()) {
      targets_[index].failed = make_error(Errc::rejected, "no resource of the broker matches");
    }
    if (--open_ == 0) runner_.finish(kDone);
  }

  Context& context_;
  Runner runner_;
  std::vector<Target>& targets_;
  std::vector<std::vector<Target>> found_;
  std::vector<Operation> operations_;
  std::size_t open_ = 0;
};

}  // namespace

bool expand_patterns(Context& context, std::vector<Target>& targets) {
  const bool any =
      std::any_of(targets.begin(), targets.end(), [](const Target& one) { return one.is_pattern(); });
  return !any || Expansion(context, targets).run();
}

}  // namespace aiot::cli
