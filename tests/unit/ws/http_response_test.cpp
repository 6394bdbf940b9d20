#include "core/ws/http_response.h"

#include <catch2/catch.hpp>

using namespace aiot;
using namespace aiot::ws;

TEST_CASE("an answer's head has date, length, type and what was added") {
  HttpResponse response;
  response.status = 404;
  response.headers = {{"Cache-Control", "no-store"}};
  const auto head = response_head(response, 12, true, WallTime(std::chrono::milliseconds(784111777123)));
  CHECK(head ==
        "HTTP/1.1 404 Not Found\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: text/plain; "
        "charset=utf-8\r\n"
        "Content-Length: 12\r\nCache-Control: no-store\r\nConnection: keep-alive\r\n\r\n");
}

TEST_CASE("an answer without a body says no length, and no header breaks out of its line") {
  HttpResponse response;
  response.status = 204;
  response.headers = {
      {"X-Good", "yes"}, {"X-Bad", "a\r\nInjected: b"}, {"X Bad", "c"}, {"Content-Length", "5"}};
  const auto head = response_head(response, 0, false, WallTime{});
  CHECK(head.find("Content-Length") == std::string::npos);
  CHECK(head.find("Injected") == std::string::npos);
  CHECK(head.find("X Bad") == std::string::npos);
  CHECK(head.find("X-Good: yes\r\n") != std::string::npos);
  CHECK(head.find("Connection: close\r\n\r\n") != std::string::npos);
}
