#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "cli/runner.h"
#include "core/ws/ws_client.h"

namespace aiot::cli {

class Context;

/// What `GET /api/v1/nodes` filters by; empty members do not.
struct NodeFilter {
  std::string state, protocol, gateway, query;
  std::vector<std::string> labels;
  std::size_t limit = 0;  ///< 0: all
};

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
  NodeList(Context& context, ws::Endpoint endpoint, const std::string& token, NodeFilter filter);
  ~NodeList();
  int run();

 private:
  void ask(const std::string& cursor);
  void answered(Result<ws::HttpClientResponse> result);
  /// Errc::peer_failed when the page is not what a broker answers.
  Result<std::string> take_page(const std::string& body);
  void print(const nlohmann::ordered_json& node);

  Context& context_;
  Runner runner_;
  ws::Endpoint endpoint_;
  ws::Headers headers_;
  NodeFilter filter_;
  std::string base_uri_;
  std::size_t seen_ = 0;
  std::vector<nlohmann::ordered_json> table_;
  Operation operation_;
};

}  // namespace aiot::cli
