#include "cli/exit_status.h"

namespace aiot::cli {

int exit_status(Errc code) {
  switch (code) {
    case Errc::usage: return kUsage;
    case Errc::unreachable: return kUnreachable;
    case Errc::timeout: return kTimeout;
    case Errc::rejected: return kRejected;
    case Errc::peer_failed: return kPeerFailed;
    case Errc::unauthorized: return kUnauthorized;
    case Errc::partial: return kPartial;
    case Errc::internal:
    case Errc::abandoned: break;
  }
  return kInternal;
}

void Tally::failed(std::size_t index, Errc code) {
  if (failed_ == 0 || index < first_index_) {
    first_index_ = index;
    first_ = code;
  }
  ++failed_;
}

int Tally::status() const {
  if (failed_ == 0) return kDone;
  return succeeded_ == 0 ? exit_status(first_) : static_cast<int>(kPartial);
}

}  // namespace aiot::cli
