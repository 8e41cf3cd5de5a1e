// Packets to the agent, in order. Never waits and never drops: what the socket does not take now goes out later.
#pragma once
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "exporter.h"

namespace lendbuf {

class Outbox {
 public:
  struct Packet {
    std::vector<char> bytes;
    std::shared_ptr<Export> lent;  // whose fd it carries, if any
  };
  // The kernel takes a packet without its fd only (ETOOMANYREFS: the agent's user has too many in flight). Answers what
  // to send instead.
  using OnRefused = std::function<Packet(const Packet&, int error)>;

  Outbox(int socket, OnRefused on_refused) : socket_(socket), on_refused_(std::move(on_refused)) {}
  void Send(Packet packet);
  void Flush();
  bool waiting() const { return !packets_.empty(); }
  bool crowded() const { return packets_.size() >= 256; }
  // The agent is gone; what waited has been dropped.
  bool closed() const { return closed_; }
  // Drops what waits, and what comes until there is another agent.
  void Close();
  // Another agent is there.
  void Open(int socket);

 private:
  bool Deliver(Packet& packet);

  int socket_;
  OnRefused on_refused_;
  std::deque<Packet> packets_;
  bool closed_ = false;
};

}  // namespace lendbuf
