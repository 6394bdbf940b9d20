#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "cli/broker_api.h"
#include "cli/runner.h"

namespace aiot::cli {

class Context;

/// What `GET /api/v1/nodes` filters by; empty members do not.
struct NodeFilter {
  std::string state, protocol, gateway, query;
  std::vector<std::string> labels;
  std::size_t limit = 0;  ///< 0: all
};

/// What `--sort` may name; with '-' before it, the greatest first.
inline constexpr const char* kNodeOrders[] = {"uid",    "state",    "last-seen", "first-seen",
                                              "resets", "timeouts", "interval"};
/// Puts nodes in that order, those without the figure last; equal ones stay as they are.
void sort_nodes(std::vector<nlohmann::ordered_json>& nodes, const std::string& order);

/// The path and query of one page.
[[nodiscard]] std::string node_page_path(const NodeFilter& filter, const std::string& cursor,
                                         std::size_t left);
/// The table for people of `nodes`.
[[nodiscard]] std::string node_table(const std::vector<nlohmann::ordered_json>& nodes, bool colours);
/// One CSV line a resource, in kCsvHeader's columns.
[[nodiscard]] std::string node_csv(const nlohmann::ordered_json& node, const std::string& base_uri,
                                   bool escape);

/// Fetches a broker's nodes page by page and prints them.
class NodeList {
 public:
  NodeList(Context& context, BrokerApi api, NodeFilter filter, std::string order);
  ~NodeList();
  int run();

 private:
  void ask(const std::string& cursor);
  void answered(Result<nlohmann::ordered_json> page);
  /// Errc::peer_failed when the page is not what a broker answers.
  Result<std::string> take_page(const nlohmann::ordered_json& page);
  void print(const nlohmann::ordered_json& node);
  void finish();
  [[nodiscard]] bool enough() const;

  Context& context_;
  Runner runner_;
  BrokerApi api_;
  NodeFilter filter_;
  std::string order_;  ///< empty: the broker's, by uid
  std::size_t seen_ = 0;
  std::vector<nlohmann::ordered_json> held_;  ///< for the table, and until they are sorted
  Operation operation_;
};

}  // namespace aiot::cli
