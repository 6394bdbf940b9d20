#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/coap/attempt.h"
#include "core/coap/multicast.h"

/// Inside the room only: Client::discover().
namespace aiot::coap {

/// The links of a document as discovered resources; relative targets belong to `base` ("coap://host:port"),
/// or to the link's own anchor where that is absolute (RFC 6690 section 2.1, RFC 9176 section 6).
[[nodiscard]] std::vector<Discovered> make_discovered(const std::vector<Link>& links,
                                                      const std::string& base);

/// One host's /.well-known/core, a resource directory's content, or everybody in reach.
class DiscoverTask final : public Task {
 public:
  using Found = UniqueFunction<void(Discovered)>;
  DiscoverTask(ClientCore& core, DiscoverRequest request, Found found, Completion<> done);
  ~DiscoverTask() override;
  void begin();
  void cancel() override;

 private:
  void ask_host();
  void ask_directory();
  void ask_everybody();
  /// GET of `uri`'s link-format; `then` once, on a turn of its own.
  void fetch(Uri uri, UniqueFunction<void(Result<std::vector<Link>>)> then);
  void on_heard(const SocketAddress& peer, const Message& message);
  void on_node(const std::string& base, const std::string& host, const std::vector<Link>& links);
  void report(std::vector<Discovered> found);
  void finish(Result<> result);

  ClientCore& core_;
  DiscoverRequest request_;
  Found found_;
  Completion<> done_;
  TimePoint deadline_{};
  Deadlines::Id end_{};
  std::vector<Operation> asking_;
  std::unique_ptr<Multicast> multicast_;
  std::set<std::string> reported_;
  bool cancelled_ = false;
  bool finished_ = false;
};

}  // namespace aiot::coap
