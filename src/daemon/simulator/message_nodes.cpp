#include "daemon/simulator/message_nodes.h"

#include <utility>

#include "core/loop/event_loop.h"
#include "daemon/simulator/descriptor_limit.h"

namespace aiot::simulator {

MessageNodes::MessageNodes(EventLoop& loop, MessageOptions options)
    : loop_(loop), options_(std::move(options)), joining_(loop.make_timer([this] { let_join(); })) {}

MessageNodes::~MessageNodes() = default;

Result<void> MessageNodes::start() {
  auto blueprint = Blueprint::make(options_.resources, false);
  if (!blueprint) return std::move(blueprint).error();
  blueprint_ = *std::move(blueprint);
  if (auto reserved = reserve_descriptors(options_.nodes); !reserved) return reserved;
  for (std::size_t i = 0; i < options_.nodes; ++i) {
    make_node(options_.first + i);
    queue_.add(static_cast<std::uint32_t>(i));
  }
  joining_->start(Duration(0));
  return {};
}

void MessageNodes::end_joining() {
  queue_.ended();
  joining_->start(Duration(0));
}

void MessageNodes::join_again(std::uint32_t index) {
  queue_.add(index);
  let_join();
}

void MessageNodes::let_join() {
  queue_.go_on([this](std::uint32_t index) { join(index); });
}

}  // namespace aiot::simulator
