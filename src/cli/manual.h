#pragma once

#include <string>
#include <string_view>

/// Manual pages in mdoc(7), made from the command table.
namespace aiot::cli {

struct CommandRow;

/// The section a command's page stands in: 8 for daemons, 1 for all others.
[[nodiscard]] int manual_section(const CommandRow& row);
/// aiot-NAME(1) or (8).
[[nodiscard]] std::string command_manual(const CommandRow& row);
/// aiot(1): `frame` is written by hand and has the lines @COMMANDS@ and @GLOBAL_OPTIONS@.
[[nodiscard]] std::string overview_manual(std::string_view frame);

/// `text` safe inside an mdoc line: backslashes, leading dots and quotes.
[[nodiscard]] std::string mdoc_text(std::string_view text);

}  // namespace aiot::cli
