// A client on core/ws for tests written in JavaScript, whose servers know nothing of this code:
// ws_test_client URL PATH [SUBPROTOCOL...] prints what happens; "send N" on standard input sends N bytes,
// "text T" sends T, "close" closes.
// ws_test_client --http METHOD URL PATH [BODY BYTES] makes one request and prints the answer.

#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <iostream>
#include <memory>
#include <string>

#include "core/loop/event_loop.h"
#include "core/ws/ws_client.h"

namespace {

using namespace aiot;

int fetch(EventLoop& loop, int argc, char** argv) {
  auto endpoint = ws::parse_endpoint(argv[3]);
  ws::HttpClientRequest request;
  request.method = argv[2];
  request.path = argv[4];
  if (argc > 5) request.body.assign(static_cast<std::size_t>(std::atol(argv[5])), 'p');
  auto operation = ws::http_request(loop, *endpoint, request, [&](Result<ws::HttpClientResponse> result) {
    if (result) {
      std::cout << "answer " << result->status << ' ' << result->body.size() << ' '
                << std::hash<std::string>{}(result->body) << ' ' << result->header("x-test") << std::endl;
    } else {
      std::cout << "failed " << to_string(result.error().code) << ' ' << result.error().message << std::endl;
    }
    loop.stop();
  });
  loop.run();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  auto loop = make_uv_loop();
  if (argc > 4 && std::string(argv[1]) == "--http") return fetch(*loop, argc, argv);
  if (argc < 3) return 2;
  auto endpoint = ws::parse_endpoint(argv[1]);
  if (!endpoint) {
    std::cerr << endpoint.error().message << '\n';
    return 2;
  }
  ws::ClientOptions options;
  options.path = argv[2];
  for (int i = 3; i < argc; ++i) options.subprotocols.emplace_back(argv[i]);

  std::unique_ptr<FdWatch> input;
  ws::WsClient::Callbacks callbacks;
  callbacks.opened = [](const std::string& subprotocol) {
    std::cout << "opened " << subprotocol << std::endl;
  };
  callbacks.received = [](std::string_view message, bool binary) {
    std::cout << (binary ? "binary " : "received ") << message.size() << ' ' << message.substr(0, 40)
              << std::endl;
  };
  callbacks.closed = [&](Error why) {
    std::cout << "closed " << to_string(why.code) << ' ' << why.native << ' ' << why.message << std::endl;
    input.reset();
    loop->stop();
  };
  auto client = ws::WsClient::connect(*loop, *endpoint, options, std::move(callbacks));

  std::string lines;
  input = loop->watch(STDIN_FILENO, FdWatch::kReadable, [&](unsigned) {
    char buffer[4096];
    const auto count = ::read(STDIN_FILENO, buffer, sizeof buffer);
    if (count <= 0) {
      input.reset();
      client.reset();
      return loop->stop();
    }
    lines.append(buffer, static_cast<std::size_t>(count));
    for (auto end = lines.find('\n'); end != std::string::npos; end = lines.find('\n')) {
      const auto line = lines.substr(0, end);
      lines.erase(0, end + 1);
      if (line.rfind("send ", 0) == 0) {
        client->send_text(std::string(static_cast<std::size_t>(std::atol(line.c_str() + 5)), 'c'));
      } else if (line.rfind("text ", 0) == 0) {
        client->send_text(line.substr(5));
      } else if (line == "close") {
        client->close(1000, "enough");
      }
    }
  });
  loop->run();
  return 0;
}
