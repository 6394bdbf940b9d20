#include "core/client.h"

namespace aiot {

std::string_view to_string(Method method) {
  switch (method) {
    case Method::get: return "GET";
    case Method::put: return "PUT";
    case Method::post: return "POST";
    case Method::del: return "DELETE";
    case Method::fetch: return "FETCH";
    case Method::patch: return "PATCH";
    case Method::ipatch: break;
  }
  return "iPATCH";
}

bool is_write(Method method) { return method != Method::get && method != Method::fetch; }

std::string_view to_string(StreamEvent::Kind kind) {
  switch (kind) {
    case StreamEvent::Kind::gap: return "gap";
    case StreamEvent::Kind::lost: return "lost";
    case StreamEvent::Kind::resumed: break;
  }
  return "resumed";
}

}  // namespace aiot
