#include "daemon/gateway/keeper.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "core/base/folders.h"
#include "core/base/log.h"
#include "daemon/gateway/node_file.h"

namespace aiot::gateway {

namespace {
constexpr Duration kSoon = std::chrono::milliseconds(50), kAfterFailure = std::chrono::seconds(10),
                   kLater = std::chrono::minutes(1);
/// So many lines are appended before the whole is written anew, or as many as that has.
constexpr std::size_t kLeastAppended = 10'000;
constexpr std::size_t kSlice = 500;  ///< nodes made into text in one turn
}  // namespace

Keeper::Keeper(EventLoop& loop, Policy& policy, const std::string& state_dir)
    : loop_(loop),
      policy_(policy),
      folder_(state_dir),
      path_(state_dir + "/nodes.jsonl"),
      wait_(kSoon),
      soon_(loop.make_timer([this] { append(); })),
      later_(loop.make_timer([this] { begin(); })),
      slice_timer_(loop.make_timer([this] { slice(); })) {}

Keeper::~Keeper() {
  stopped_.dismiss();
  if (lock_ >= 0) ::close(lock_);
}

Result<void> Keeper::lock() {
  auto made = make_private_folders(folder_);
  if (!made) return made;
  const std::string path = folder_ + "/gateway.lock";
  lock_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock_ < 0) return errno_error("cannot use the state directory " + folder_, errno);
  if (::flock(lock_, LOCK_EX | LOCK_NB) == 0) return {};
  if (errno != EWOULDBLOCK) return errno_error("cannot lock " + path, errno);
  return make_error(Errc::internal,
                    fmt::format("another gateway uses the state directory {}: each needs its own", folder_));
}

Result<void> Keeper::load() {
  if (auto locked = lock(); !locked) return locked;
  auto text = read_file(path_);
  if (!text) return text.error();
  later_->start(kLater);
  if (text->empty()) return {};
  auto file = parse_node_file(*text);
  if (!file) {
    const std::string aside = path_ + ".damaged";
    const bool moved = std::rename(path_.c_str(), aside.c_str()) == 0;
    log::error("the node table {} cannot be used ({}); {}, and nodes join anew", path_, file.error().message,
               moved ? "it is kept as " + aside : "it will be overwritten");
    return {};
  }
  may_append_ = !file->cut;
  appended_ = file->appended;
  saved_ = file->nodes.size();
  // Oldest first, as expiry orders them.
  std::sort(file->nodes.begin(), file->nodes.end(),
            [](const SavedNode& a, const SavedNode& b) { return a.last_seen < b.last_seen; });
  const Now now{loop_.now(), loop_.wall_now()};
  for (auto& node : file->nodes) policy_.restore(std::move(node), now);
  log::info("{} nodes known from before, {} of them live", saved_, policy_.table().live());
  return {};
}

void Keeper::changed(const Node& node) {
  if (node.named || !changed_.insert(node.uid).second) return;
  if (!busy_ && !soon_->armed()) soon_->start(wait_);
}

bool Keeper::add(const std::string& uid) {
  const Node* node = policy_.table().find(uid);
  if (node == nullptr || node->named) return false;
  // A WebSocket's node is gone with its connection; what it has proved to be is not.
  if (node->protocol == Protocol::websocket && node->credential.empty()) return false;
  if (node->protocol == Protocol::coap && node->address.empty()) return false;
  append_node(text_, *node);
  return true;
}

void Keeper::append() {
  if (busy_) return;
  if (!may_append_ || appended_ >= std::max(saved_, kLeastAppended)) {
    begin();
    return;
  }
  text_.clear();
  for (std::size_t i = 0; i < kSlice && !changed_.empty(); ++i)
    if (add(changed_.extract(changed_.begin()).value())) ++appended_;
  write(std::move(text_), false);
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
  changed_.clear();  // what changes from here on is appended afterwards
  uids_ = policy_.table().uids(false);
  next_ = saved_ = appended_ = 0;
  text_ = node_file_head();
  slice();
}

void Keeper::slice() {
  const auto end = std::min(next_ + kSlice, uids_.size());
  for (; next_ < end; ++next_)
    if (add(uids_[next_])) ++saved_;
  if (next_ < uids_.size()) {
    slice_timer_->start(Duration(0));
    return;
  }
  std::vector<std::string>().swap(uids_);
  text_ += node_file_tail(saved_);
  write(std::move(text_), true);
}

void Keeper::write(std::string text, bool whole) {
  struct Job {
    std::string path, text;
    Result<void> result;
  };
  busy_ = true;
  text_.clear();
  auto job = std::make_shared<Job>(Job{path_, std::move(text), {}});
  writing_ =
      loop_.work([job, whole] { job->result = (whole ? replace_file : append_file)(job->path, job->text); },
                 [this, job, whole] {
                   if (!job->result) log::error("the node table: {}", job->result.error().message);
                   written(job->result, whole);
                 });
}

void Keeper::written(const Result<void>& result, bool whole) {
  busy_ = false;
  may_append_ = static_cast<bool>(result);
  // What could not be appended goes with the whole, and that is tried again only now and then.
  wait_ = whole && !result ? kAfterFailure : kSoon;
  if (again_) {
    begin();
  } else if (stopped_) {
    stopped_(Result<>());
  } else {
    if (whole) later_->start(kLater);
    if (!changed_.empty() || !result) soon_->start(wait_);
  }
}

void Keeper::stop(Completion<> done) {
  stopped_ = std::move(done);
  begin();
}

}  // namespace aiot::gateway
