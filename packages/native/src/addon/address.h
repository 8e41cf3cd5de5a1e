// Unix sockets that have a path.
#pragma once
#include <span>
#include <string>

#include "fd.h"

namespace lendbuf {

// A connected socket, close-on-exec.
Fd ConnectTo(const std::string& path);

// Sends one datagram to whoever is bound to a path, or where it begins with @ to an abstract name, without waiting.
void SendDatagram(const std::string& path, std::span<const char> bytes);

// A listening socket and the file by which it is found, unlinked at the end if it is still that socket's.
class ListeningSocket {
 public:
  // Takes the place of a socket on which nobody listens any more, of nothing else: EADDRINUSE. Two that take the place
  // of the same stale socket at the same moment may both succeed, and the later one has it: hold a lock against that.
  ListeningSocket(const std::string& path, mode_t mode);
  ListeningSocket(const ListeningSocket&) = delete;
  ListeningSocket& operator=(const ListeningSocket&) = delete;
  ~ListeningSocket();

  // The caller takes it over.
  Fd& socket() { return socket_; }

 private:
  void Listen(mode_t mode);

  std::string path_;
  Fd socket_;
  Fd file_;  // O_PATH: keeps the inode's number from being used again, by which we know our own
};

}  // namespace lendbuf
