#include "address.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstddef>

#include "error.h"

namespace lendbuf {

namespace {

Fd NewSocket() { return Fd(Check(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket")); }

sockaddr_un AddressOf(const std::string& path, const char* call) {
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  if (path.size() >= sizeof address.sun_path)
    throw SystemError(ENAMETOOLONG, call, path + " (a socket's path has at most 107 bytes)");
  path.copy(address.sun_path, path.size());
  return address;
}

int Connect(int socket, const std::string& path) {
  sockaddr_un address = AddressOf(path, "connect");
  return connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 ? 0 : errno;
}

int Bind(int socket, const std::string& path) {
  sockaddr_un address = AddressOf(path, "bind");
  return bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 ? 0 : errno;
}

bool IsStale(const std::string& path) {
  struct stat file;
  if (lstat(path.c_str(), &file) != 0 || !S_ISSOCK(file.st_mode)) return false;
  return Connect(NewSocket().get(), path) == ECONNREFUSED;
}

// By the inode, whatever the path names meanwhile.
void SetMode(int file, mode_t mode, const std::string& path) {
  std::string link = "/proc/self/fd/" + std::to_string(file);
  if (chmod(link.c_str(), mode) != 0) throw SystemError(errno, "chmod", path);
}

bool IsSameFile(int file, const std::string& path) {
  struct stat ours;
  struct stat now;
  return fstat(file, &ours) == 0 && lstat(path.c_str(), &now) == 0 && ours.st_dev == now.st_dev &&
         ours.st_ino == now.st_ino;
}

}  // namespace

Fd ConnectTo(const std::string& path) {
  Fd socket = NewSocket();
  if (int error = Connect(socket.get(), path)) throw SystemError(error, "connect", path);
  return socket;
}

void SendDatagram(const std::string& path, std::span<const char> bytes) {
  Fd socket(Check(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket"));
  sockaddr_un address = AddressOf(path, "sendto");
  socklen_t size = sizeof address;
  if (path.starts_with('@')) {
    address.sun_path[0] = '\0';
    size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  }
  ssize_t sent =
      sendto(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address), size);
  if (sent < 0) throw SystemError(errno, "sendto", path);
}

ListeningSocket::ListeningSocket(const std::string& path, mode_t mode) : path_(path), socket_(NewSocket()) {
  // The file is made with the socket's own mode, less the umask: never wider than it should be, not even for a moment.
  Check(fchmod(socket_.get(), mode), "fchmod");
  int error = Bind(socket_.get(), path);
  if (error == EADDRINUSE && IsStale(path)) {
    unlink(path.c_str());
    error = Bind(socket_.get(), path);
  }
  if (error != 0) throw SystemError(error, "bind", path);
  try {
    Listen(mode);
  } catch (...) {
    unlink(path.c_str());
    throw;
  }
}

void ListeningSocket::Listen(mode_t mode) {
  file_ = Fd(Check(open(path_.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC), "open"));
  SetMode(file_.get(), mode, path_);
  Check(listen(socket_.get(), SOMAXCONN), "listen");  // from here on somebody can connect
}

ListeningSocket::~ListeningSocket() {
  if (IsSameFile(file_.get(), path_)) unlink(path_.c_str());
}

}  // namespace lendbuf
