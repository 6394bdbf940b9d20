#pragma once

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "cli/settings.h"
#include "core/client.h"

/// How results look (aiot-json(7)); pure.
namespace aiot::cli {

/// `is_read`: the payload is a value even when it is empty; the answer to a write has one only when it is
/// not.
[[nodiscard]] nlohmann::ordered_json response_object(const Response& response, bool is_read, bool parse_json);
[[nodiscard]] nlohmann::ordered_json event_object(const StreamEvent& event);
[[nodiscard]] nlohmann::ordered_json discovered_object(const Discovered& found);

/// One line of JSON without its newline. Invalid UTF-8 becomes U+FFFD, and no control character is left in
/// it.
[[nodiscard]] std::string json_line(const nlohmann::ordered_json& object);

inline constexpr const char* kCsvHeader = "time,node,resource,uri,value,number,unit\r\n";
/// The line of a response in kCsvHeader's columns, with its CRLF (RFC 4180); `escape` for a terminal.
[[nodiscard]] std::string csv_line(const nlohmann::ordered_json& response, bool escape);
/// The same with the members `keys` as columns.
[[nodiscard]] std::string csv_line(const nlohmann::ordered_json& object, bool escape,
                                   std::initializer_list<const char*> keys);
/// One field, quoted where RFC 4180 wants it.
[[nodiscard]] std::string csv_field(std::string_view text);

/// The payload for people: CBOR and SenML as JSON, other bytes as they are; `escape` for a terminal: control
/// characters are shown, and newlines too unless `keep_newlines`.
[[nodiscard]] std::string payload_text(const Response& response, bool escape, bool keep_newlines);
/// "  (live, 2.5s old)" behind the value of a broker, for a terminal; empty when it has no state.
[[nodiscard]] std::string freshness_text(const Response& response, bool colours);
/// "coap://...: lost: no answer" for stderr.
[[nodiscard]] std::string event_sentence(const StreamEvent& event);
/// "coap://[fd00::1]/temperature  rt=temperature ct=0 obs", for people.
[[nodiscard]] std::string discovered_text(const Discovered& found, bool escape);

}  // namespace aiot::cli
