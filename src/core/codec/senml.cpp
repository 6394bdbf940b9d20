#include "core/codec/senml.h"

#include <fmt/core.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/base/text.h"
#include "core/codec/value.h"

namespace aiot {

namespace {

using nlohmann::json;

constexpr int kVersion = 10;  ///< RFC 8428 section 4.4

/// RFC 8428 section 6, table 4: integer labels of the CBOR form, as the decoder writes them.
constexpr std::pair<std::string_view, std::string_view> kCborLabels[] = {
    {"-1", "bver"}, {"-2", "bn"}, {"-3", "bt"}, {"-4", "bu"}, {"-5", "bv"},
    {"-6", "bs"},   {"0", "n"},   {"1", "u"},   {"2", "v"},   {"3", "vs"},
    {"4", "vb"},    {"5", "s"},   {"6", "t"},   {"7", "ut"},  {"8", "vd"},
};

/// The base fields in force while a pack is read (section 4.1).
struct Base {
  std::string name;
  std::string unit;
  double time = 0;
  double value = 0;
  double sum = 0;
};

Error bad(std::size_t index, std::string_view why) {
  return make_error(Errc::peer_failed, fmt::format("malformed SenML, record {}: {}", index + 1, why));
}

/// One object of the pack, with the first thing that is wrong about it.
class RecordReader {
 public:
  RecordReader(const json& object, std::size_t index) : object_(object), index_(index) {}

  [[nodiscard]] bool has(const char* label) const { return object_.contains(label); }

  std::optional<double> number(const char* label) {
    const auto found = object_.find(label);
    if (found == object_.end()) return std::nullopt;
    if (!found->is_number()) {
      fail(label, "a number");
      return std::nullopt;
    }
    return found->get<double>();
  }

  std::optional<std::string> string(const char* label) {
    const auto found = object_.find(label);
    if (found == object_.end()) return std::nullopt;
    if (!found->is_string()) {
      fail(label, "a string");
      return std::nullopt;
    }
    return found->get<std::string>();
  }

  std::optional<bool> boolean(const char* label) {
    const auto found = object_.find(label);
    if (found == object_.end()) return std::nullopt;
    if (!found->is_boolean()) {
      fail(label, "a boolean");
      return std::nullopt;
    }
    return found->get<bool>();
  }

  void fail(std::string_view label, std::string_view wanted) {
    if (!error_) error_ = bad(index_, fmt::format("'{}' is not {}", label, wanted));
  }
  void fail(std::string_view why) {
    if (!error_) error_ = bad(index_, why);
  }
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }

 private:
  const json& object_;
  std::size_t index_;
  std::optional<Error> error_;
};

/// Section 4.5.1: what a name may hold, so that it can become part of a URI or a topic.
bool is_name(std::string_view name) {
  const auto alnum = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  if (name.empty() || !alnum(name.front())) return false;
  for (const char c : name) {
    if (!alnum(c) && std::string_view("-:./_").find(c) == std::string_view::npos) return false;
  }
  return true;
}

void read_base(RecordReader& reader, Base& base) {
  if (const auto version = reader.number("bver"); version && *version > kVersion) {
    reader.fail(fmt::format("version {} is newer than {}", *version, kVersion));
  }
  if (auto name = reader.string("bn")) base.name = std::move(*name);
  if (auto unit = reader.string("bu")) base.unit = std::move(*unit);
  if (const auto time = reader.number("bt")) base.time = *time;
  if (const auto value = reader.number("bv")) base.value = *value;
  if (const auto sum = reader.number("bs")) base.sum = *sum;
}

void read_values(RecordReader& reader, const Base& base, SenmlRecord& record) {
  if (const auto value = reader.number("v")) record.number = *value + base.value;
  record.text = reader.string("vs");
  record.boolean = reader.boolean("vb");
  if (const auto data = reader.string("vd")) {
    record.data = text::decode_base64(*data);
    if (!record.data) reader.fail("vd", "base64url");
  }
  if (const auto sum = reader.number("s")) record.sum = *sum + base.sum;
  const int values =
      (record.number ? 1 : 0) + (record.text ? 1 : 0) + (record.boolean ? 1 : 0) + (record.data ? 1 : 0);
  if (values > 1) reader.fail("it has more than one value");
  if (values == 0 && !record.sum) reader.fail("it has no value");
}

/// A label that ends in '_' must be understood, and none is (section 4.4).
void refuse_mandatory(RecordReader& reader, const json& object) {
  for (const auto& [label, value] : object.items()) {
    if (!label.empty() && label.back() == '_') {
      reader.fail(fmt::format("'{}' must be understood and is not", text::escape_controls(label)));
    }
  }
}

Result<std::vector<SenmlRecord>> resolve(const json& pack) {
  if (!pack.is_array()) return make_error(Errc::peer_failed, "malformed SenML: it is not an array");
  if (pack.size() > kMaxSenmlRecords) {
    return make_error(Errc::peer_failed,
                      fmt::format("malformed SenML: more than {} records", kMaxSenmlRecords));
  }
  std::vector<SenmlRecord> out;
  Base base;
  for (std::size_t i = 0; i < pack.size(); ++i) {
    const json& object = pack[i];
    if (!object.is_object()) return bad(i, "it is not an object");
    RecordReader reader(object, i);
    refuse_mandatory(reader, object);
    read_base(reader, base);
    bool own = false;
    for (const char* label : {"n", "u", "t", "ut", "v", "vs", "vb", "vd", "s"})
      own = own || reader.has(label);
    if (own) {
      SenmlRecord record;
      record.name = base.name + reader.string("n").value_or("");
      record.unit = reader.string("u").value_or(base.unit);
      record.time = base.time + reader.number("t").value_or(0);
      read_values(reader, base, record);
      if (!is_name(record.name)) {
        reader.fail(fmt::format("'{}' is not a name", text::escape_controls(record.name)));
      }
      if (!std::isfinite(record.time) || !std::isfinite(record.number.value_or(0)) ||
          !std::isfinite(record.sum.value_or(0))) {
        reader.fail("a number too large to hold");
      }
      if (!reader.error()) out.push_back(std::move(record));
    }
    if (reader.error()) return *reader.error();
  }
  return out;
}

}  // namespace

Result<std::vector<SenmlRecord>> parse_senml_json(std::string_view text) {
  const auto pack = parse_json(text);
  if (!pack) return pack.error();
  return resolve(*pack);
}

Result<std::vector<SenmlRecord>> parse_senml_cbor(std::string_view bytes) {
  const auto pack = senml_cbor_to_json(bytes);
  if (!pack) return pack.error();
  return resolve(*pack);
}

Result<json> senml_cbor_to_json(std::string_view bytes) {
  auto pack = parse_cbor(bytes);
  if (!pack) return pack;
  if (!pack->is_array()) return make_error(Errc::peer_failed, "malformed SenML: it is not an array");
  json out = json::array();
  for (auto& record : *pack) {
    if (!record.is_object()) {
      out.push_back(std::move(record));
      continue;
    }
    json renamed = json::object();
    for (auto& [label, value] : record.items()) {
      std::string name = label;
      for (const auto& [number, text] : kCborLabels) {
        if (label == number) name = text;
      }
      renamed[name] = std::move(value);
    }
    out.push_back(std::move(renamed));
  }
  return out;
}

}  // namespace aiot
