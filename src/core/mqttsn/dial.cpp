#include "core/mqttsn/dial.h"

#include <fmt/format.h>

#include "core/base/random.h"

namespace aiot::mqttsn {

namespace {

/// The standard's 10 s are for radio networks; a person waits at this end.
constexpr Duration kRetryAfter = std::chrono::seconds(1);
constexpr int kRetries = 4;
constexpr int kRetriesOfMany = 2;  ///< while there are other addresses to try
constexpr Duration kCongestionWait = std::chrono::seconds(2);

std::string host_of(const Uri& uri) { return uri.zone.empty() ? uri.host : uri.host + '%' + uri.zone; }

}  // namespace

void Dial::dial() {
  resolving_ = loop_.resolve(host_of(uri_), uri_.port, [this](Result<std::vector<SocketAddress>> addresses) {
    resolved(std::move(addresses));
  });
}

void Dial::hang_up() {
  resolving_.cancel();
  addresses_.clear();
  met_ = away_ = false;
  // Not inside one of its events.
  if (link_) loop_.post([link = std::shared_ptr<ClientLink>(std::move(link_)), self = shared_from_this()] {});
}

Error Dial::unanswered(Duration timeout) const {
  return make_error(Errc::timeout, fmt::format("no answer from the MQTT-SN gateway at {} within {}",
                                               link_ ? link_->gateway().text() : uri_.authority(),
                                               format_duration(timeout)));
}

void Dial::resolved(Result<std::vector<SocketAddress>> addresses) {
  if (!addresses) return failed(std::move(addresses).error());
  addresses_ = std::move(*addresses);
  next_ = 0;
  open_next();
}

void Dial::open_next() {
  const auto address = addresses_[next_++ % addresses_.size()];
  ClientCoreOptions options;
  options.client_id = fmt::format("aiot-{:016x}", random_u64());
  options.retry_after = kRetryAfter;
  options.retries = addresses_.size() > 1 ? kRetriesOfMany : kRetries;
  options.congestion_wait = kCongestionWait;
  auto link = ClientLink::open(loop_, address, std::move(options), *this);
  if (!link) return failed(std::move(link).error());
  link_ = std::move(*link);
  opened();
  if (link_) link_->connect();
}

void Dial::connected() {
  met_ = true;
  if (std::exchange(away_, false)) back();
}

void Dial::lost(const Error& why) {
  if (met_) {
    if (!std::exchange(away_, true)) away(why);
  } else if (why.code == Errc::rejected) {
    failed(why);
  } else if (addresses_.size() > 1) {
    // Not inside the link's own event. One that was given up meanwhile has no addresses.
    loop_.post([weak = weak_from_this()] {
      if (const auto self = weak.lock(); self && !self->addresses_.empty() && !self->met_) self->open_next();
    });
  }
}

}  // namespace aiot::mqttsn
