#include "outbox.h"

#include <cerrno>

#include "packet.h"

namespace lendbuf {

void Outbox::Send(Packet packet) {
  if (!packets_.empty() || !Deliver(packet)) packets_.push_back(std::move(packet));
  if (closed_) packets_.clear();
}

void Outbox::Flush() {
  while (!packets_.empty() && Deliver(packets_.front())) packets_.pop_front();
  if (closed_) packets_.clear();
}

void Outbox::Close() {
  closed_ = true;
  packets_.clear();
}

void Outbox::Open(int socket) {
  socket_ = socket;
  closed_ = false;
}

// False where the socket is full.
bool Outbox::Deliver(Packet& packet) {
  if (closed_) return true;
  int fd = packet.lent ? packet.lent->fd() : -1;
  int error = SendPacket(socket_, packet.bytes, {&fd, packet.lent ? 1u : 0u});
  if (error == EAGAIN) return false;
  if (error && packet.lent && error != EPIPE && error != ECONNRESET) {
    packet = on_refused_(packet, error);
    return Deliver(packet);
  }
  if (error) closed_ = true;
  if (packet.lent) packet.lent->Delivered();
  return true;
}

}  // namespace lendbuf
