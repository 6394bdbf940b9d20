#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/access_options.h"
#include "cli/command.h"
#include "cli/context.h"
#include "cli/exit_status.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/present.h"
#include "cli/text_table.h"
#include "core/base/folders.h"
#include "core/base/text.h"
#include "daemon/access/access_file.h"
#include "daemon/access/token.h"

namespace aiot::cli {

namespace {

using access::Contents;
using nlohmann::ordered_json;

WallTime now() {
  return std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

ordered_json json_of(const access::Token& token) {
  ordered_json out;
  out["id"] = token.id;
  if (!token.name.empty()) out["name"] = token.name;
  if (token.gateway.empty()) {
    out["role"] = std::string(to_string(token.role));
  } else {
    out["gateway"] = token.gateway;
  }
  out["created"] = format_utc(token.created);
  if (token.expires) {
    out["expires"] = format_utc(*token.expires);
    out["expired"] = *token.expires <= now();
  }
  if (!token.scope.nodes.empty()) out["nodes"] = token.scope.nodes;
  if (!token.scope.resources.empty()) out["resources"] = token.scope.resources;
  return out;
}

std::string joined(const std::vector<std::string>& patterns) {
  std::string out;
  for (const std::string& pattern : patterns) out += (out.empty() ? "" : ",") + pattern;
  return out;
}

class TokensCommand final : public Command {
 public:
  [[nodiscard]] CommandHelp help() const override {
    return {"list|create|revoke [ID]",
            "Manages the tokens with which programs use a broker (--token-file, AIOT_TOKEN, Authorization: "
            "Bearer). create "
            "prints a new one, once: the users file keeps only its hash. A token has a role as users have, "
            "may end by "
            "itself (--expires), and may be for some nodes and resources only: then it knows of no others, "
            "and has no "
            "access to what is about all of them (gateways, status, metrics).\n\n"
            "With --gateway the token is a gateway's: good for /gw under that name alone.\n\n"
            "revoke ends a token by its id, and closes the connections that use it; revoke --gateway NAME "
            "ends all tokens "
            "of that gateway, also those made with aiot keys token until then. Whoever has the key file "
            "itself can make "
            "new ones: aiot keys rotate ends that.",
            {{"aiot tokens create --name grafana --role viewer --expires 365d > grafana.token",
              "for a dashboard"},
             {"aiot tokens create --role operator --node 'door-*' --resource lock --out lock.token",
              "for one resource of some nodes, in a file that only its owner can read"},
             {"aiot tokens create --gateway paris --out paris.token", "for a gateway"},
             {"aiot tokens list", "what there is"},
             {"aiot tokens revoke 1f0c52ab", "one less"}},
            {"aiot-users(1)", "aiot-keys(1)", "aiot-gateways(1)", "aiot-serve-broker(8)"}};
  }

  void configure(CLI::App& app) override {
    add_choice(app, "ACTION", action_, "what to do: list, create or revoke", {"list", "create", "revoke"})
        .required();
    add_argument(app, "ID", id_, "revoke: the token's id, as list and create show it", false);
    add_text(app, "--name", token_.name, "create: what it is for", "NAME");
    add_choice(app, "--role", role_, "create: what it may (default viewer)", {"viewer", "operator", "admin"});
    add_duration(app, "--expires", expires_, "create: good for so long (default until it is revoked)");
    add_texts(app, "--node", token_.scope.nodes, "create: only for nodes whose uid matches", "PATTERN");
    add_texts(app, "--resource", token_.scope.resources, "create: only for resources whose name matches",
              "PATTERN");
    gateway_option_ =
        add_text(app, "--gateway", token_.gateway, "create, revoke: the gateway that it is bound to", "NAME");
    add_text(app, "--out", out_, "create: write it to this new file, readable by its owner alone", "FILE");
    file_.add(app);
    file_.add_state_dir(app);
  }

  int run(Context& context) override {
    if (auto good = check(); !good) return context.fail(good.error());
    auto path = file_.path();
    if (!path) return context.fail(path.error());
    if (path->empty())
      return context.fail(make_error(Errc::usage, "--state-dir off keeps no tokens; give --users-file"));
    if (action_ == "list") return list(context, *path);
    return action_ == "create" ? create(context, *path) : revoke(context, *path);
  }

 private:
  [[nodiscard]] Result<void> check() const {
    const auto usage = [](std::string what) { return make_error(Errc::usage, std::move(what)); };
    const Scope& scope = token_.scope;
    const bool creates =
        !token_.name.empty() || !role_.empty() || expires_ || !scope.whole() || !out_.empty();
    if (action_ != "create" && creates) {
      return usage(fmt::format(
          "--name, --role, --expires, --node, --resource and --out do not go with tokens {}", action_));
    }
    if (action_ != "revoke" && !id_.empty()) return usage(fmt::format("tokens {} takes no id", action_));
    if (action_ == "list" && !token_.gateway.empty()) return usage("--gateway does not go with tokens list");
    if (action_ == "revoke" && id_.empty() == token_.gateway.empty()) {
      return usage("tokens revoke needs the id of a token, or --gateway");
    }
    if (action_ == "create" && !token_.gateway.empty() && (!role_.empty() || !scope.whole())) {
      return usage(
          "--gateway does not go with --role, --node and --resource: a gateway's token is for /gw alone");
    }
    const std::string& gateway = token_.gateway;
    // A script's unset variable must not get a client's token.
    const bool unnamed = gateway_option_.given() && gateway.empty();
    if (unnamed || gateway.size() > access::kMaxGatewayName || text::escape_controls(gateway) != gateway) {
      return usage(fmt::format("--gateway: a name has 1 to {} bytes of text", access::kMaxGatewayName));
    }
    for (const auto* patterns : {&scope.nodes, &scope.resources}) {
      const bool good = patterns->size() <= access::kMaxPatterns &&
                        std::all_of(patterns->begin(), patterns->end(), [](const std::string& pattern) {
                          return !pattern.empty() && pattern.size() <= access::kMaxPattern;
                        });
      if (!good) {
        return usage(fmt::format("--node and --resource: at most {} patterns of 1 to {} bytes",
                                 access::kMaxPatterns, access::kMaxPattern));
      }
    }
    if (expires_ && *expires_ <= Duration(0)) return usage("--expires: it would be over at once");
    return token_.name.empty() ? Result<void>() : access::check_name("token", token_.name);
  }

  int create(Context& context, const std::string& path) {
    std::error_code failed;
    if (!out_.empty() && std::filesystem::exists(out_, failed)) {
      return context.fail(
          make_error(Errc::usage, fmt::format("--out: {} exists", text::escape_controls(out_))));
    }
    const std::string secret = access::make_secret();
    token_.id = access::make_id();
    token_.hash = access::digest(secret);
    token_.created = now();
    if (token_.gateway.empty()) token_.role = parse_role(role_).value_or(Role::viewer);
    if (expires_)
      token_.expires = token_.created + std::chrono::duration_cast<std::chrono::milliseconds>(*expires_);
    auto kept = access::change_access_file(path, [&](Contents& contents) -> Result<void> {
      if (contents.tokens.size() >= access::kMaxTokens) {
        return make_error(Errc::usage,
                          fmt::format("there are {} tokens, more is not possible", contents.tokens.size()));
      }
      // Somebody who is written down before the secret is known can only be revoked.
      if (!out_.empty()) {
        if (auto written = replace_private_file(out_, secret + "\n"); !written) return written;
      }
      contents.tokens.push_back(token_);
      return {};
    });
    if (!kept) return context.fail(kept.error());
    if (context.json()) {
      ordered_json object = json_of(token_);
      if (out_.empty()) object["token"] = secret;
      context.output().line(json_line(object));
    } else {
      context.output().line(out_.empty() ? secret : token_.id);
      if (out_.empty()) context.note(fmt::format("token {} is shown this once", token_.id));
    }
    return kDone;
  }

  int revoke(Context& context, const std::string& path) {
    auto changed = access::change_access_file(path, [&](Contents& contents) -> Result<void> {
      const auto gone = std::erase_if(contents.tokens, [&](const access::Token& token) {
        return token_.gateway.empty() ? token.id == id_ : token.gateway == token_.gateway;
      });
      if (token_.gateway.empty()) {
        if (gone == 0) {
          return make_error(Errc::usage, fmt::format("there is no token {}", text::escape_controls(id_)));
        }
        return {};
      }
      std::erase_if(contents.revoked,
                    [&](const access::Revocation& at) { return at.gateway == token_.gateway; });
      contents.revoked.push_back({token_.gateway, now()});
      return {};
    });
    if (!changed) return context.fail(changed.error());
    if (context.json()) {
      context.output().line(json_line(token_.gateway.empty()
                                          ? ordered_json{{"id", id_}, {"revoked", true}}
                                          : ordered_json{{"gateway", token_.gateway}, {"revoked", true}}));
    }
    return kDone;
  }

  static int list(Context& context, const std::string& path) {
    auto contents = access::read_access_file(path);
    if (!contents) return context.fail(contents.error());
    TextTable table({"ID", "NAME", "ROLE", "GATEWAY", "NODES", "RESOURCES", "EXPIRES", "CREATED"});
    for (const auto& token : contents->tokens) {
      if (context.json()) {
        context.output().line(json_line(json_of(token)));
        continue;
      }
      const bool over = token.expires && *token.expires <= now();
      table.add({token.id, token.name,
                 token.gateway.empty() ? std::string(to_string(token.role)) : std::string(), token.gateway,
                 joined(token.scope.nodes), joined(token.scope.resources),
                 over            ? "expired"
                 : token.expires ? format_local(*token.expires)
                                 : std::string(),
                 format_local(token.created)});
    }
    if (!context.json()) context.output().write(table.text());
    return kDone;
  }

  std::string action_, id_, role_, out_;
  OptionHandle gateway_option_;
  std::optional<Duration> expires_;
  access::Token token_;
  UsersFileOptions file_;
};

}  // namespace

std::unique_ptr<Command> make_tokens_command() { return std::make_unique<TokensCommand>(); }

}  // namespace aiot::cli
