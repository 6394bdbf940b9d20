#pragma once

#include <map>
#include <memory>

#include "core/client.h"
#include "core/mqttsn/dial.h"

namespace aiot::mqttsn {

/// Inside the room only: what is published to one gateway, over one connection that stays for a while, in
/// case more comes.
class Publisher final : public Dial {
 public:
  using Dial::Dial;
  /// `request` has been checked.
  Operation publish(Request request, Completion<Response> done);
  /// Calls nothing any more.
  void close();

 private:
  struct Pending {
    Request request;
    Completion<Response> done;
    std::unique_ptr<Timer> deadline;
  };

  void opened() override;
  void failed(Error why) override;
  void message(Message /*message*/) override {}
  void answered(Ticket ticket, Result<> result) override;
  void late(Ticket ticket);
  void finish(Ticket ticket, Result<Response> result);
  /// Whether the message may have reached the gateway.
  [[nodiscard]] Outcome outcome(Ticket ticket) const;

  std::map<Ticket, std::shared_ptr<Pending>> pending_;
  Ticket last_ = 0;
  bool dialled_ = false;
  std::unique_ptr<Timer> idle_;
};

}  // namespace aiot::mqttsn
