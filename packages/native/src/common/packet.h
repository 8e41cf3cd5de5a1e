// One SOCK_SEQPACKET message with the fds that it carries.
#pragma once
#include <sys/socket.h>

#include <cstddef>
#include <span>
#include <vector>

#include "fd.h"

namespace lendbuf {

constexpr size_t kMaxPacketFds = 16;

// Sends without waiting. 0: sent, EAGAIN: would block, else why not. The fds stay the caller's.
int SendPacket(int socket, std::span<const char> bytes, std::span<const int> fds = {});

struct Received {
  // Bytes received; 0 at the end of the stream; -errno where it failed (-EAGAIN: nothing there).
  ssize_t size = 0;
  // The message was longer than the space for it.
  bool truncated = false;
  // Fds came that were not taken: there was no room, none were wanted, or our descriptor table is full.
  bool control_truncated = false;
  // Close-on-exec, ours.
  std::vector<Fd> fds;
};

// Receives without waiting. Where no fds are wanted the kernel installs none and says so in control_truncated.
Received ReceivePacket(int socket, std::span<char> space, bool want_fds);

}  // namespace lendbuf
