#include "cli/write_command.h"

namespace aiot::cli {

namespace {

class PostCommand final : public WriteCommand {
 public:
  PostCommand() : WriteCommand(Method::post, true) {}

  [[nodiscard]] CommandHelp help() const override {
    return {
        "URI [VALUE]",
        "Posts VALUE to a resource and prints the payload of the answer, if it has one. VALUE is as for put: "
        "the argument, - for standard input, @FILE for a file, none for an empty payload. With --method it "
        "sends CoAP's FETCH, PATCH or iPATCH instead.",
        {{"aiot post coap://192.0.2.7/jobs '{\"run\":1}' --content-format json", "make a new resource"},
         {"aiot post coap://[::1]/alive alive:n1", "say alive to a gateway as a node does"},
         {"aiot post --method FETCH coap://192.0.2.7/s @query.cbor --content-format cbor", "FETCH"}},
        {"aiot-put(1)", "aiot-publish(1)", "aiot-uri(7)"}};
  }
};

}  // namespace

std::unique_ptr<Command> make_post_command() { return std::make_unique<PostCommand>(); }

}  // namespace aiot::cli
