#pragma once

#include <map>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/mqttsn/session.h"

/// The sessions of MQTT-SN clients on disk: one JSON object a line, each a change, so that what happens to a
/// session costs what changed and not what it holds. Pure.
namespace aiot::gateway {

inline constexpr int kSessionFileVersion = 1;

[[nodiscard]] std::string session_file_head();
/// The line for a change that `session` has just seen.
void append_change(std::string& out, const mqttsn::Session& session, mqttsn::SessionChange change);
/// The whole of a session, as lines.
void append_session(std::string& out, const mqttsn::Session& session);

struct SessionFile {
  std::map<std::string, mqttsn::Session> sessions;  ///< by client id
  std::size_t lines = 0;
  std::size_t whole = 0;  ///< bytes up to the end of the last whole line: what follows was cut by a crash
};
/// Errc::internal names the line that is wrong, or the version that is not known; a last line without its end
/// is left out.
[[nodiscard]] Result<SessionFile> parse_session_file(std::string_view text);

}  // namespace aiot::gateway
