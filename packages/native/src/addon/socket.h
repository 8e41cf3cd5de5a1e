// A connected SOCK_SEQPACKET socket on the event loop. Owns its descriptor.
#pragma once
#include <deque>
#include <optional>
#include <vector>

#include "packet.h"
#include "poll.h"

namespace lendbuf {

// While more than this is queued for a client nothing is read from it: who does not take answers asks no more
// questions. Only the side that accepted does so. If both did, each could wait for ever for the other to read.
constexpr size_t kCongestedBytes = 256 * 1024;
// No client starves the others.
constexpr int kPacketsPerWake = 16;

struct SocketSource {
  Fd& fd;  // taken over, except where construction throws
  bool accepted;
};

class PacketSocket : public Napi::ObjectWrap<PacketSocket>, public Resource, public PollListener {
 public:
  static void Export(Napi::Env env);
  static Napi::Object New(Napi::Env env, const SocketSource& source);

  explicit PacketSocket(const Napi::CallbackInfo& info);
  ~PacketSocket();

  void Close() override;

 private:
  struct Outgoing {
    std::vector<char> bytes;
    std::vector<Fd> fds;
  };
  struct Handlers {
    Napi::ObjectReference receiver;
    Napi::FunctionReference on_packet;
    Napi::FunctionReference on_close;
    Napi::FunctionReference on_drain;
    bool as_text;
    bool accept_fds;
  };

  Napi::Value Peer(const Napi::CallbackInfo& info);
  Napi::Value PeerPidfd(const Napi::CallbackInfo& info);
  Napi::Value PeerGroups(const Napi::CallbackInfo& info);
  void Start(const Napi::CallbackInfo& info);
  Napi::Value Send(const Napi::CallbackInfo& info);
  Napi::Value Queued(const Napi::CallbackInfo& info);
  Napi::Value HasUnread(const Napi::CallbackInfo& info);
  void SetReferenced(const Napi::CallbackInfo& info);
  void SetUnreferenced(const Napi::CallbackInfo& info);
  void CloseFromJs(const Napi::CallbackInfo& info);

  void OnReady(bool failed, int events) override;
  void ReadSome();
  std::optional<int> ReasonToEnd(const Received& received) const;
  void Deliver(Received& received);
  void Enqueue(std::span<const char> bytes, std::span<const int> fds);
  void FlushSome();
  void DropQueue();
  // Closes and says so.
  void Finish(int error, const char* call);
  bool Reads() const;
  // Watches for what it waits for now, and stays alive as long as it does.
  void Watch();
  void Hold(bool held);
  Poll& Open(const char* call);

  Environment& environment_;
  std::optional<Poll> poll_;  // empty once closed
  ucred peer_{};
  bool accepted_ = false;
  std::optional<Handlers> handlers_;  // empty until started and once closed
  std::deque<Outgoing> queue_;
  size_t queued_ = 0;
  bool peer_takes_no_more_ = false;
  bool held_ = false;
};

}  // namespace lendbuf
