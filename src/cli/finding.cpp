#include "cli/finding.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "cli/present.h"
#include "core/base/text.h"

namespace aiot::cli {

namespace {

constexpr int kStatusWidth = 8, kCheckWidth = 16;

std::string_view to_string(Finding::Status status) {
  switch (status) {
    case Finding::Status::ok: return "ok";
    case Finding::Status::warning: return "warning";
    case Finding::Status::failed: return "failed";
    case Finding::Status::skipped: break;
  }
  return "skipped";
}

std::string_view colour(Finding::Status status) {
  switch (status) {
    case Finding::Status::ok: return "\x1b[32m";
    case Finding::Status::warning: return "\x1b[33m";
    case Finding::Status::failed: return "\x1b[31m";
    case Finding::Status::skipped: break;
  }
  return "\x1b[2m";
}

}  // namespace

Finding Finding::ok(std::string check, std::string message) {
  return {std::move(check), Status::ok, std::move(message), {}, {}};
}

Finding Finding::skipped(std::string check, std::string message) {
  return {std::move(check), Status::skipped, std::move(message), {}, {}};
}

Finding Finding::warning(std::string check, std::string message, std::string remedy) {
  return {std::move(check), Status::warning, std::move(message), std::move(remedy), {}};
}

Finding Finding::failed(std::string check, const Error& error, std::string remedy) {
  return {std::move(check), Status::failed, error.message, std::move(remedy), error.code};
}

std::string finding_json(const Finding& finding) {
  nlohmann::ordered_json object;
  object["check"] = finding.check;
  object["status"] = to_string(finding.status);
  object["message"] = finding.message;
  if (!finding.remedy.empty()) object["remedy"] = finding.remedy;
  if (finding.status == Finding::Status::failed) object["code"] = aiot::to_string(finding.code);
  return json_line(object);
}

std::string finding_text(const Finding& finding, bool colours) {
  const std::string status = fmt::format("{:<{}}", to_string(finding.status), kStatusWidth);
  std::string out =
      fmt::format("{}{}{}{:<{}} {}", colours ? colour(finding.status) : "", status, colours ? "\x1b[0m" : "",
                  finding.check, kCheckWidth, text::escape_controls(finding.message));
  if (!finding.remedy.empty()) {
    out += fmt::format("\n{:<{}}{}", "", kStatusWidth, text::escape_controls("remedy: " + finding.remedy));
  }
  return out;
}

bool is_wanted(const std::string& check, const std::vector<std::string>& wanted) {
  return wanted.empty() || std::any_of(wanted.begin(), wanted.end(), [&](const std::string& one) {
           return check == one || check.starts_with(one + ".");
         });
}

}  // namespace aiot::cli
