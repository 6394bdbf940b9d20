#include "daemon/gateway/keeper.h"

#include <fmt/core.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "core/base/log.h"
#include "daemon/gateway/node_file.h"

namespace aiot::gateway {

namespace {
constexpr Duration kSoon = std::chrono::seconds(2), kLater = std::chrono::minutes(1);
constexpr std::size_t kSlice = 500;  ///< nodes made into text in one turn

/// Makes `path` and what is missing above it.
bool make_folders(const std::string& path) {
  for (std::size_t at = 1; at != std::string::npos;) {
    at = path.find('/', at + 1);
    if (::mkdir(path.substr(0, at).c_str(), 0700) != 0 && errno != EEXIST) return false;
  }
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return false;
  errno = ENOTDIR;
  return S_ISDIR(status.st_mode);
}
}  // namespace

Keeper::Keeper(EventLoop& loop, Policy& policy, const std::string& state_dir)
    : loop_(loop),
      policy_(policy),
      folder_(state_dir),
      path_(state_dir + "/nodes.jsonl"),
      soon_(loop.make_timer([this] { begin(); })),
      later_(loop.make_timer([this] { begin(); })),
      slice_timer_(loop.make_timer([this] { slice(); })) {}

Keeper::~Keeper() { stopped_.dismiss(); }

Result<void> Keeper::load() {
  if (!make_folders(folder_)) return errno_error("cannot use the state directory " + folder_, errno);
  auto text = read_file(path_);
  if (!text) return text.error();
  later_->start(kLater);
  if (text->empty()) return {};
  auto nodes = parse_node_file(*text);
  if (!nodes) {
    const std::string aside = path_ + ".damaged";
    const bool moved = std::rename(path_.c_str(), aside.c_str()) == 0;
    log::error("the node table {} cannot be used ({}); {}, and nodes join anew", path_, nodes.error().message,
               moved ? "it is kept as " + aside : "it will be overwritten");
    return {};
  }
  // Oldest first, as expiry orders them.
  std::sort(nodes->begin(), nodes->end(),
            [](const SavedNode& a, const SavedNode& b) { return a.last_seen < b.last_seen; });
  const Now now{loop_.now(), loop_.wall_now()};
  const auto count = nodes->size();
  for (auto& node : *nodes) policy_.restore(std::move(node), now);
  log::info("{} nodes known from before, {} of them live", count, policy_.table().live());
  return {};
}

void Keeper::changed() {
  if (!soon_->armed()) soon_->start(kSoon);
}

void Keeper::begin() {
  if (busy_) {
    again_ = true;
    return;
  }
  busy_ = true;
  again_ = false;
  soon_->stop();
  later_->stop();
  uids_ = policy_.table().uids(false);
  next_ = saved_ = 0;
  text_ = node_file_head();
  slice();
}

void Keeper::slice() {
  const auto end = std::min(next_ + kSlice, uids_.size());
  for (; next_ < end; ++next_) {
    const Node* node = policy_.table().find(uids_[next_]);
    if (node == nullptr || node->address.empty() || node->named) continue;
    append_node(text_, *node);
    ++saved_;
  }
  if (next_ < uids_.size()) {
    slice_timer_->start(Duration(0));
  } else {
    write();
  }
}

void Keeper::write() {
  std::vector<std::string>().swap(uids_);
  text_ += node_file_tail(saved_);
  struct Job {
    std::string path, text;
    Result<void> result;
  };
  auto job = std::make_shared<Job>(Job{path_, std::move(text_), {}});
  text_.clear();
  writing_ = loop_.work([job] { job->result = replace_file(job->path, job->text); },
                        [this, job] {
                          if (!job->result) log::error("the node table: {}", job->result.error().message);
                          written();
                        });
}

void Keeper::written() {
  busy_ = false;
  if (again_) {
    begin();
  } else if (stopped_) {
    stopped_(Result<>());
  } else {
    later_->start(kLater);
  }
}

void Keeper::stop(Completion<> done) {
  stopped_ = std::move(done);
  begin();
}

}  // namespace aiot::gateway
