#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "cli/mqtt_options.h"
#include "cli/psk_options.h"
#include "core/base/result.h"
#include "core/client.h"

namespace CLI {
class App;
}

namespace aiot::cli {

class Context;

/// The options that request commands share; each adds those it has a use for.
class RequestOptions {
 public:
  void add_reading(CLI::App& app);  ///< --accept, --parse, --stale, --live, --max-age
  void add_writing(CLI::App& app);  ///< --content-format, --accept, --if-match, --id, --expires
  void add_common(CLI::App& app);   ///< --non, --interface, how to reach an MQTT broker, and keys
  void add_qos(CLI::App& app);      ///< --qos
  void add_method(CLI::App& app);   ///< --method
  void add_results(CLI::App& app);  ///< --raw, --out
  void add_many(CLI::App& app);     ///< --from, --parallel

  /// A request with all of it, but for URI and payload. Errc::usage names the option that is wrong.
  [[nodiscard]] Result<Request> make(Context& context, Method method) const;

  [[nodiscard]] const std::string& from() const { return from_; }
  [[nodiscard]] std::size_t parallel() const { return parallel_; }
  [[nodiscard]] bool raw() const { return raw_; }
  [[nodiscard]] const std::string& out() const { return out_; }
  [[nodiscard]] bool parse_json() const { return parse_ == "json"; }

 private:
  std::string accept_, content_format_, method_, interface_, id_, from_, out_, parse_, qos_;
  std::vector<std::string> if_match_;
  std::optional<Duration> max_age_, expires_;
  std::size_t parallel_ = 16;
  MqttOptions mqtt_;
  PskOptions psk_;
  bool non_ = false, stale_ = false, live_ = false, raw_ = false;
};

}  // namespace aiot::cli
