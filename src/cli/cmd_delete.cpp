#include "cli/write_command.h"

namespace aiot::cli {

namespace {

class DeleteCommand final : public WriteCommand {
 public:
  DeleteCommand() : WriteCommand(Method::del, false) {}

  [[nodiscard]] CommandHelp help() const override {
    return {"URI...",
            "Deletes resources. A payload in the answer is printed, an empty one prints nothing. A failed "
            "one says "
            "in error.outcome whether nothing was sent, the node refused or it may have taken effect. On "
            "mqtt, mqtts and mqttsn the retained message is cleared.",
            {{"aiot delete coap://192.0.2.7/jobs/3", "one"}, {"aiot delete --from jobs.txt", "many"}},
            {"aiot-put(1)", "aiot-uri(7)"}};
  }
};

}  // namespace

std::unique_ptr<Command> make_delete_command() { return std::make_unique<DeleteCommand>(); }

}  // namespace aiot::cli
