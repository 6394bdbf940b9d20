// The ceiling of this machine: a server that sends each datagram back, one receive and one send a datagram.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "support.h"

int main(int argc, char** argv) {
  const bench::Options options(argc, argv, {{"port", "5690"}});
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) bench::die_errno("socket");
  const int size = 4 * 1024 * 1024;
  if (::setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0) {
    ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(options.count("port")));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) bench::die_errno("bind");
  std::fprintf(stderr, "ready\n");
  for (;;) {
    char buffer[2048];
    sockaddr_in peer{};
    socklen_t length = sizeof peer;
    const auto received =
        ::recvfrom(fd, buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&peer), &length);
    if (received > 0) {
      ::sendto(fd, buffer, static_cast<std::size_t>(received), 0, reinterpret_cast<sockaddr*>(&peer), length);
    }
  }
}
