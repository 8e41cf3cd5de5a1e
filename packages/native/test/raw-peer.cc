// A peer that does by hand what the addon refuses to do. raw-peer <path or fd> <action>...
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

static int Connect(const char* path) {
  int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return fd;
  perror("connect");
  exit(1);
}

static void Send(int socket, size_t size, size_t fd_count) {
  std::vector<char> bytes(size, 'x');
  std::vector<char> control(CMSG_SPACE(fd_count * sizeof(int)));
  iovec part{bytes.data(), size};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (fd_count > 0) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* rights = CMSG_FIRSTHDR(&message);
    *rights = {.cmsg_len = CMSG_LEN(fd_count * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    for (size_t i = 0; i < fd_count; i++) reinterpret_cast<int*>(CMSG_DATA(rights))[i] = STDIN_FILENO;
  }
  if (sendmsg(socket, &message, MSG_NOSIGNAL) < 0) perror("sendmsg");
}

int main(int count, char** arguments) {
  int socket = arguments[1][0] == '/' ? Connect(arguments[1]) : atoi(arguments[1]);
  for (int i = 2; i < count; i++) {
    std::string action = arguments[i];
    size_t number = strtoul(action.substr(action.find('=') + 1).c_str(), nullptr, 10);
    if (action.starts_with("size=")) Send(socket, number, 0);
    if (action.starts_with("fds=")) Send(socket, 1, number);
    if (action == "empty") Send(socket, 0, 0);
    if (action == "no-more") shutdown(socket, SHUT_WR);
    if (action == "deaf") shutdown(socket, SHUT_RD);
    if (action == "say") puts("ready"), fflush(stdout);
    if (action == "wait") {  // until the test closes our standard input
      char byte;
      while (read(STDIN_FILENO, &byte, 1) > 0) {
      }
    }
  }
}
