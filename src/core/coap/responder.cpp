#include "core/coap/responder.h"

#include <new>
#include <utility>
#include <vector>

#include "core/coap/server.h"

namespace aiot::coap {
namespace {

/// Memory of Impls that are gone, for the next ones of this thread.
class Spare {
 public:
  ~Spare() {
    for (void* memory : memory_) ::operator delete(memory);
  }
  void* take() {
    if (memory_.empty()) return nullptr;
    void* memory = memory_.back();
    memory_.pop_back();
    return memory;
  }
  bool keep(void* memory) noexcept {
    if (memory_.size() == memory_.capacity()) return false;
    memory_.push_back(memory);
    return true;
  }

 private:
  static constexpr std::size_t kKept = 64;
  std::vector<void*> memory_ = [] {
    std::vector<void*> out;
    out.reserve(kKept);
    return out;
  }();
};

thread_local Spare spare;

}  // namespace

void* Responder::Impl::operator new(std::size_t size) {
  if (void* memory = spare.take()) return memory;
  return ::operator new(size);
}

void Responder::Impl::operator delete(void* memory, std::size_t) noexcept {
  if (!spare.keep(memory)) ::operator delete(memory);
}

Responder::Impl::~Impl() {
  if (exchange_ == nullptr) return;
  ServerReply dropped;
  dropped.code = code(5, 3);
  reply(dropped);
}

void Responder::Impl::reply(const ServerReply& reply) {
  auto* const exchange = std::exchange(exchange_, nullptr);
  if (exchange == nullptr) return;
  if (exchange->server == nullptr) {
    delete exchange;
    return;
  }
  exchange->server->reply(*exchange, reply);
}

Responder::Responder(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Responder::Responder(Responder&&) noexcept = default;
Responder& Responder::operator=(Responder&&) noexcept = default;
Responder::~Responder() = default;

// By value like every answer that may leave later, whatever this version does with it.
void Responder::reply(ServerReply reply) {  // NOLINT(performance-unnecessary-value-param)
  if (const auto impl = std::move(impl_)) impl->reply(reply);
}

}  // namespace aiot::coap
