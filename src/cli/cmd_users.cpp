#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "cli/access_options.h"
#include "cli/command.h"
#include "cli/context.h"
#include "cli/exit_status.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/password_prompt.h"
#include "cli/present.h"
#include "cli/text_table.h"
#include "core/base/text.h"
#include "daemon/access/access_file.h"
#include "daemon/access/password.h"

namespace aiot::cli {

namespace {

using access::Contents;

class UsersCommand final : public Command {
 public:
  [[nodiscard]] CommandHelp help() const override {
    return {"list|add|passwd|role|remove [NAME]",
            "Manages the people who may log in at a broker: a file that the broker on this machine reads "
            "again when it "
            "changes, at the latest a second later. Those who were removed or given another password or role "
            "are logged "
            "out. The file holds no password, only what one can be checked with (argon2id).\n\n"
            "Roles: a viewer sees nodes, values, history and events; an operator writes to nodes, reads them "
            "live and "
            "labels them too; an admin forgets nodes, imports history and sees the audit log as well.\n\n"
            "From the first user (or token, see aiot-tokens(1)) on, everyone must log in or send a token; "
            "serve-broker's "
            "--anonymous says what the others may. add and passwd ask for the password at the terminal, or "
            "read it from "
            "--password-file.",
            {{"aiot users add ada --role admin", "the first administrator"},
             {"aiot users add kim --password-file -  < kim.txt", "a viewer, from a script"},
             {"aiot users role kim operator", "kim may switch things now"},
             {"aiot users list --users-file /var/lib/aiot/users", "who is there"}},
            {"aiot-tokens(1)", "aiot-serve-broker(8)", "aiot-keys(1)"}};
  }

  void configure(CLI::App& app) override {
    add_choice(app, "ACTION", action_, "what to do: list, add, passwd, role or remove",
               {"list", "add", "passwd", "role", "remove"})
        .required();
    add_argument(app, "NAME", name_, "the user", false);
    add_argument(app, "ROLE", new_role_, "role: the new one", false);
    add_choice(app, "--role", role_, "add: what the user may (default viewer)",
               {"viewer", "operator", "admin"});
    add_text(app, "--password-file", password_file_,
             "add, passwd: read the password from here; - is standard input", "FILE");
    file_.add(app);
    file_.add_state_dir(app);
  }

  int run(Context& context) override {
    if (auto good = check(); !good) return context.fail(good.error());
    auto path = file_.path();
    if (!path) return context.fail(path.error());
    if (path->empty())
      return context.fail(make_error(Errc::usage, "--state-dir off keeps no users; give --users-file"));
    if (action_ == "list") return list(context, *path);
    auto done = change(*path);
    if (!done) return context.fail(done.error());
    if (context.json()) context.output().line(json_line({{"name", name_}, {"done", action_}}));
    if (last_one_gone_)
      context.note(
          "there is neither a user nor a token left: a broker on loopback is open to everyone there from its "
          "next start on");
    return kDone;
  }

 private:
  [[nodiscard]] Result<void> check() const {
    const auto usage = [](std::string what) { return make_error(Errc::usage, std::move(what)); };
    if (action_ == "list") {
      return name_.empty() ? Result<void>() : usage("users list takes no name");
    }
    if (name_.empty()) return usage(fmt::format("users {} needs the user's name", action_));
    if (action_ == "role" && (!parse_role(new_role_) || *parse_role(new_role_) == Role::none)) {
      return usage("users role NAME needs viewer, operator or admin");
    }
    if (action_ != "role" && !new_role_.empty())
      return usage(fmt::format("users {} takes one name", action_));
    if (action_ != "add" && !role_.empty()) return usage("--role goes with users add");
    if (action_ != "add" && action_ != "passwd" && !password_file_.empty()) {
      return usage("--password-file goes with users add and users passwd");
    }
    return access::check_name("user", name_);
  }

  Result<void> change(const std::string& path) {
    std::string kept;
    if (action_ == "add" || action_ == "passwd") {
      auto password = read_new_password(password_file_);
      if (!password) return password.error();
      auto hashed = access::hash_password(*password);
      if (!hashed) return hashed.error();
      kept = std::move(*hashed);
    }
    return access::change_access_file(path, [&](Contents& contents) { return apply(contents, kept); });
  }

  Result<void> apply(Contents& contents, const std::string& kept) {
    auto& users = contents.users;
    const auto user =
        std::find_if(users.begin(), users.end(), [&](const auto& at) { return at.name == name_; });
    const std::string shown = text::escape_controls(name_);
    if (action_ == "add") {
      if (user != users.end())
        return make_error(Errc::usage, fmt::format("there is a user {} already", shown));
      if (users.size() >= access::kMaxUsers) {
        return make_error(Errc::usage, fmt::format("there are {} users, more is not possible", users.size()));
      }
      users.push_back(
          {name_, parse_role(role_).value_or(Role::viewer), kept,
           std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now())});
      return {};
    }
    if (user == users.end()) return make_error(Errc::usage, fmt::format("there is no user {}", shown));
    if (action_ == "passwd") {
      user->password = kept;
    } else if (action_ == "role") {
      user->role = *parse_role(new_role_);
    } else {
      users.erase(user);
      last_one_gone_ = !contents.has_clients();
    }
    return {};
  }

  static int list(Context& context, const std::string& path) {
    auto contents = access::read_access_file(path);
    if (!contents) return context.fail(contents.error());
    TextTable table({"NAME", "ROLE", "CREATED"});
    for (const auto& user : contents->users) {
      if (context.json()) {
        context.output().line(json_line({{"name", user.name},
                                         {"role", std::string(to_string(user.role))},
                                         {"created", format_utc(user.created)}}));
      } else {
        table.add({user.name, std::string(to_string(user.role)), format_local(user.created)});
      }
    }
    if (!context.json()) context.output().write(table.text());
    return kDone;
  }

  std::string action_, name_, new_role_, role_, password_file_;
  UsersFileOptions file_;
  bool last_one_gone_ = false;
};

}  // namespace

std::unique_ptr<Command> make_users_command() { return std::make_unique<UsersCommand>(); }

}  // namespace aiot::cli
