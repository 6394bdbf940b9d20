#include "daemon/gateway/session_file.h"

#include "fuzz.h"

// A file that can be read, written again and read again holds the same sessions.

using namespace aiot;
using namespace aiot::gateway;

void fuzz_one(std::string_view input) {
  const auto file = parse_session_file(input);
  if (!file) return;
  std::string text = session_file_head();
  for (const auto& [client_id, session] : file->sessions) append_session(text, session);
  const auto again = parse_session_file(text);
  FUZZ_CHECK(again && again->sessions.size() == file->sessions.size());
  for (const auto& [client_id, session] : file->sessions) {
    const auto& other = again->sessions.at(client_id);
    FUZZ_CHECK(other.peer == session.peer && other.state == session.state &&
               other.queue.size() <= session.queue.size());
    FUZZ_CHECK(other.unreleased == session.unreleased && other.subscriptions == session.subscriptions);
    FUZZ_CHECK(other.topics.all() == session.topics.all());
  }
}
