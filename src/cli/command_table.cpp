#include "cli/command_table.h"

namespace aiot::cli {

// A new command is its file, one line here and one row below.
std::unique_ptr<Command> make_discover_command();
std::unique_ptr<Command> make_get_command();
std::unique_ptr<Command> make_put_command();
std::unique_ptr<Command> make_post_command();
std::unique_ptr<Command> make_delete_command();
std::unique_ptr<Command> make_observe_command();
std::unique_ptr<Command> make_publish_command();
std::unique_ptr<Command> make_nodes_command();
std::unique_ptr<Command> make_history_command();
std::unique_ptr<Command> make_events_command();
std::unique_ptr<Command> make_status_command();
std::unique_ptr<Command> make_label_command();
std::unique_ptr<Command> make_forget_command();
std::unique_ptr<Command> make_export_command();
std::unique_ptr<Command> make_import_command();
std::unique_ptr<Command> make_serve_gateway_command();
std::unique_ptr<Command> make_serve_broker_command();
std::unique_ptr<Command> make_simulate_command();
std::unique_ptr<Command> make_demo_command();
std::unique_ptr<Command> make_keys_command();
std::unique_ptr<Command> make_users_command();
std::unique_ptr<Command> make_tokens_command();
std::unique_ptr<Command> make_gateways_command();
std::unique_ptr<Command> make_config_command();
std::unique_ptr<Command> make_doctor_command();
std::unique_ptr<Command> make_completion_command();

const std::vector<CommandRow>& command_table() {
  static const std::vector<CommandRow> table = {
      {"discover", "Devices", "find nodes and resources", make_discover_command},
      {"get", "Devices", "read resources", make_get_command},
      {"put", "Devices", "write a resource", make_put_command},
      {"post", "Devices", "post to a resource", make_post_command},
      {"delete", "Devices", "delete a resource", make_delete_command},
      {"observe", "Devices", "follow resources until stopped", make_observe_command},
      {"publish", "Devices", "publish messages", make_publish_command},
      {"nodes", "Broker", "list the nodes a broker knows", make_nodes_command},
      {"history", "Broker", "show what a broker has stored of resources", make_history_command},
      {"events", "Broker", "show what happened at a broker", make_events_command},
      {"status", "Broker", "show what gateways and broker counted, and whether it balances",
       make_status_command},
      {"gateways", "Broker", "list a broker's gateways and what they prove themselves by",
       make_gateways_command},
      {"label", "Broker", "name a node", make_label_command},
      {"forget", "Broker", "remove nodes", make_forget_command},
      {"export", "Broker", "print a broker's history for import", make_export_command},
      {"import", "Broker", "add values to a broker's history", make_import_command},
      {"serve-gateway", "Daemons", "connect devices to a broker", make_serve_gateway_command},
      {"serve-broker", "Daemons", "connect gateways, clients and the dashboard", make_serve_broker_command},
      {"simulate", "Trying out", "run virtual nodes", make_simulate_command},
      {"demo", "Trying out", "run the whole system with a few virtual nodes", make_demo_command},
      {"keys", "Administration", "make and show keys and tokens", make_keys_command},
      {"users", "Administration", "manage who may log in at a broker", make_users_command},
      {"tokens", "Administration", "manage programs' and gateways' access to a broker", make_tokens_command},
      {"config", "Administration", "show and check the configuration", make_config_command},
      {"doctor", "Administration", "find the broken hop between devices and broker", make_doctor_command},
      {"completion", "Administration", "print a shell's completion script", make_completion_command},
  };
  return table;
}

const CommandRow* find_command(std::string_view name) {
  for (const CommandRow& row : command_table()) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

}  // namespace aiot::cli
