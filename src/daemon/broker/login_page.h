#pragma once

#include <string>
#include <string_view>

#include "core/model/principal.h"
#include "core/ws/http_server.h"

/// The pages with which people prove themselves: plain HTML without scripts, which load nothing.
namespace aiot::broker {

/// Asks for name and password; `next` is where to go then, `why` what was wrong.
[[nodiscard]] ws::HttpResponse login_page(int status, std::string_view next, std::string_view why = {});
/// Who is logged in, and the button that ends it.
[[nodiscard]] ws::HttpResponse account_page(const Principal& principal);
/// Asks for the first user; `code` is the link's.
[[nodiscard]] ws::HttpResponse setup_page(int status, std::string_view code, std::string_view why = {});
/// A sentence.
[[nodiscard]] ws::HttpResponse message_page(int status, std::string_view sentence);
/// To another page of this broker.
[[nodiscard]] ws::HttpResponse see_other(std::string_view path);

/// Where to log in, and to come back from there to what was asked for.
[[nodiscard]] std::string login_path(const ws::HttpRequest& request);
/// `next` when it is a path of this broker, else "/".
[[nodiscard]] std::string safe_path(std::string_view next);

}  // namespace aiot::broker
