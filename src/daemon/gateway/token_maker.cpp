#include "daemon/gateway/token_maker.h"

#include "core/loop/event_loop.h"
#include "daemon/gateway/gateway.h"
#include "daemon/wire/key_file.h"

namespace aiot::gateway {

TokenMaker::TokenMaker(EventLoop& loop, const Options& options)
    : loop_(loop), name_(options.name), token_(options.token), key_file_(options.key_file) {
  if (key_file_.empty()) key_file_ = wire::default_key_file();
}

Result<std::string> TokenMaker::operator()() const {
  if (!token_.empty()) return token_;
  auto keys = wire::read_key_file(key_file_);
  if (!keys) return keys.error();
  return wire::gateway_token(*keys, name_, loop_.wall_now());
}

}  // namespace aiot::gateway
