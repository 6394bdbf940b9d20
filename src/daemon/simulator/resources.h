#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace aiot::simulator {

/// What a resource of a virtual node is, decided by its name.
enum class ResourceKind : std::uint8_t {
  constant,  ///< one text for ever: name, os, board ...
  led,       ///< 0 or 1, written by others
  quantity,  ///< a number with its unit that wanders: temperature, pressure ...
  imu,       ///< JSON: accelerometer, magnetometer, gyroscope
  position,  ///< JSON: latitude and longitude
  written,   ///< any text, written by others: robot, ribot, js
};

/// One resource of the catalogue; shared by all nodes that have it.
struct Resource {
  std::string name;
  ResourceKind kind = ResourceKind::quantity;
  std::string text;  ///< of a constant, and what a written one begins with
  std::string unit;  ///< of a quantity
  double low = 0;    ///< a quantity stays within [low, high]
  double high = 100;
  double step = 1;  ///< the most it moves between two samples
  int decimals = 2;

  [[nodiscard]] bool changes() const { return kind == ResourceKind::quantity || kind == ResourceKind::imu; }
  [[nodiscard]] bool writable() const { return kind == ResourceKind::led || kind == ResourceKind::written; }
};

inline constexpr std::size_t kMaxResources = 64;
inline constexpr std::size_t kMaxResourceName = 32;

/// The resources of these names, as pyaiot's firmware has them; a name it does not know is a number that
/// wanders. Errc::usage for no name at all, too many, a repeated one, or one that is not 1 to 32 letters,
/// digits, '_',
/// '-' and '.'.
[[nodiscard]] Result<std::vector<Resource>> make_resources(const std::vector<std::string>& names);

/// `</.well-known/core>,</name>,...`: what `GET /.well-known/core` answers (RFC 6690, bare as RIOT's).
[[nodiscard]] std::string link_format_of(const std::vector<Resource>& resources);

/// A small repeatable source of numbers (SplitMix64): each node has its own, seeded with its index.
class Wander {
 public:
  explicit Wander(std::uint64_t seed) : state_(seed) {}
  /// Uniform in [-1, 1).
  double signed_unit();
  /// Uniform in [0, 1).
  double unit();

 private:
  std::uint64_t next();
  std::uint64_t state_;
};

/// Where a quantity starts on a node.
[[nodiscard]] double first_level(const Resource& resource, Wander& wander);
/// One step of its walk, kept within the bounds.
[[nodiscard]] double next_level(const Resource& resource, double level, Wander& wander);
/// The payload: "23.41°C", or JSON that `level` and `wander` fill.
[[nodiscard]] std::string format_value(const Resource& resource, double level, Wander& wander);

}  // namespace aiot::simulator
