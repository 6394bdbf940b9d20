#include "daemon/simulator/resources.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace aiot::simulator {

namespace {

struct Constant {
  std::string_view name, text;
};
constexpr std::array kConstants = {
    Constant{"name", "Simulated node"},
    Constant{"os", "riot"},
    Constant{"board", "iotlab-m3"},
    Constant{"vendor", "aiot"},
    Constant{"version", AIOT_VERSION},
    Constant{"mcu", "stm32f103"},
    Constant{"text", "A text from a simulated node"},
};

constexpr std::array kWritten = {
    Constant{"robot", "s"},
    Constant{"ribot", "0:0:0"},
    Constant{"js", "// nothing yet"},
};

struct Sensor {
  std::string_view name, unit;
  double low, high, step;
  int decimals;
};
constexpr std::array kSensors = {
    Sensor{"temperature", "°C", 15, 32, 0.15, 2},
    Sensor{"pressure", "hPa", 985, 1035, 0.2, 2},
    Sensor{"humidity", "%", 25, 75, 0.4, 2},
    Sensor{"illuminance", "lx", 0, 1200, 15, 0},
    Sensor{"light", "lx", 0, 1200, 15, 0},
    Sensor{"battery", "V", 2.7, 3.3, 0.01, 2},
    Sensor{"noise", "dB", 30, 90, 2, 1},
    Sensor{"co2", "ppm", 400, 1600, 12, 0},
    Sensor{"eco2", "ppm", 400, 2400, 20, 0},
    Sensor{"tvoc", "ppb", 0, 900, 10, 0},
    Sensor{"uv", "", 0, 11, 0.2, 1},
    Sensor{"tsp", "", 0, 90, 3, 0},
    Sensor{"tlp", "", 0, 60, 2, 0},
    Sensor{"suit_state", "", 0, 12, 1, 0},
    Sensor{"dwnld", "", 0, 100, 2, 0},
};

bool is_name(std::string_view name) {
  if (name.empty() || name.size() > kMaxResourceName) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  });
}

Resource resource_named(const std::string& name) {
  Resource resource;
  resource.name = name;
  for (const auto& constant : kConstants) {
    if (name != constant.name) continue;
    resource.kind = ResourceKind::constant;
    resource.text = constant.text;
    return resource;
  }
  for (const auto& written : kWritten) {
    if (name != written.name) continue;
    resource.kind = ResourceKind::written;
    resource.text = written.text;
    return resource;
  }
  for (const auto& sensor : kSensors) {
    if (name != sensor.name) continue;
    resource.unit = sensor.unit;
    resource.low = sensor.low;
    resource.high = sensor.high;
    resource.step = sensor.step;
    resource.decimals = sensor.decimals;
    return resource;
  }
  if (name == "led") resource.kind = ResourceKind::led;
  if (name == "imu") resource.kind = ResourceKind::imu;
  if (name == "position") resource.kind = ResourceKind::position;
  return resource;
}

std::string format_imu(Wander& wander) {
  const auto axis = [&](double scale, double offset) {
    return static_cast<int>(offset + scale * wander.signed_unit());
  };
  return fmt::format(
      R"([{{"type":"acc","values":[{},{},{}]}},{{"type":"mag","values":[{},{},{}]}},{{"type":"gyro","values":[{},{},{}]}}])",
      axis(40, 0), axis(40, 0), axis(40, 980), axis(20, 210), axis(20, -40), axis(20, 380), axis(9, 0),
      axis(9, 0), axis(9, 0));
}

}  // namespace

Result<std::vector<Resource>> make_resources(const std::vector<std::string>& names) {
  if (names.empty()) return make_error(Errc::usage, "a simulated node needs at least one resource");
  if (names.size() > kMaxResources) {
    return make_error(Errc::usage, fmt::format("{} resources are too many: a simulated node has at most {}",
                                               names.size(), kMaxResources));
  }
  std::vector<Resource> resources;
  for (const auto& name : names) {
    if (!is_name(name)) {
      return make_error(
          Errc::usage, fmt::format("\"{}\" is not a resource name: 1 to {} letters, digits, '_', '-' and '.'",
                                   name, kMaxResourceName));
    }
    const auto same = [&](const Resource& other) { return other.name == name; };
    if (std::any_of(resources.begin(), resources.end(), same)) {
      return make_error(Errc::usage, fmt::format("the resource \"{}\" is named twice", name));
    }
    resources.push_back(resource_named(name));
  }
  return resources;
}

std::string link_format_of(const std::vector<Resource>& resources) {
  std::string links = "</.well-known/core>";
  for (const auto& resource : resources) links += fmt::format(",</{}>", resource.name);
  return links;
}

std::uint64_t Wander::next() {
  state_ += 0x9E3779B97F4A7C15ULL;
  auto mixed = state_;
  mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9ULL;
  mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBULL;
  return mixed ^ (mixed >> 31);
}

double Wander::unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }
double Wander::signed_unit() { return 2 * unit() - 1; }

double first_level(const Resource& resource, Wander& wander) {
  // The middle half of the range, so that the walk does not start at a bound.
  const auto width = resource.high - resource.low;
  return resource.low + width * (0.25 + 0.5 * wander.unit());
}

double next_level(const Resource& resource, double level, Wander& wander) {
  const auto moved = level + resource.step * wander.signed_unit();
  if (moved > resource.high) return 2 * resource.high - moved;
  if (moved < resource.low) return 2 * resource.low - moved;
  return moved;
}

std::string format_value(const Resource& resource, double level, Wander& wander) {
  switch (resource.kind) {
    case ResourceKind::constant:
    case ResourceKind::written: return resource.text;
    case ResourceKind::led: return level >= 1 ? "1" : "0";
    case ResourceKind::imu: return format_imu(wander);
    case ResourceKind::position:
      return fmt::format(R"({{"lat":{:.6f},"lng":{:.6f}}})", 48.7147 + 0.01 * wander.signed_unit(),
                         2.2057 + 0.01 * wander.signed_unit());
    case ResourceKind::quantity: break;
  }
  return fmt::format("{:.{}f}{}", level, resource.decimals, resource.unit);
}

}  // namespace aiot::simulator
