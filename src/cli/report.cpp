#include "cli/report.h"

#include <unistd.h>

#include "cli/output.h"
#include "core/base/text.h"

namespace aiot::cli {

std::string error_json(const Error& error, std::string_view uri) {
  std::string out = R"({"error":{"code":)";
  out += text::json_string(to_string(error.code));
  out += R"(,"message":)";
  out += text::json_string(error.message);
  if (!uri.empty()) {
    out += R"(,"uri":)";
    out += text::json_string(uri);
  }
  if (error.outcome != Outcome::none) {
    out += R"(,"outcome":)";
    out += text::json_string(to_string(error.outcome));
  }
  out += "}}";
  return out;
}

std::string error_sentence(const Error& error, std::string_view uri) {
  std::string out = "aiot: ";
  if (!uri.empty() && error.message.find(uri) == std::string::npos) {
    out += text::escape_controls(uri);
    out += ": ";
  }
  out += text::escape_controls(error.message);
  if (error.outcome == Outcome::unknown) out += " (it is not known whether the write took effect)";
  if (error.outcome == Outcome::not_sent) out += " (nothing was sent)";
  return out;
}

void write_stderr(std::string line) {
  line += '\n';
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t written = ::write(STDERR_FILENO, rest.data(), rest.size());
    if (written <= 0) return;
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
}

void report_error(const Error& error, std::string_view uri, bool json) {
  if (json) {
    write_stderr(error_json(error, uri));
    return;
  }
  std::string line = error_sentence(error, uri);
  if (colours_on(STDERR_FILENO)) line = "\x1b[31maiot:\x1b[0m" + line.substr(5);
  write_stderr(std::move(line));
}

}  // namespace aiot::cli
