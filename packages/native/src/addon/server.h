// Listens on a path and hands each connection to JavaScript as a PacketSocket.
#pragma once
#include <optional>

#include "address.h"
#include "error.h"
#include "poll.h"

namespace lendbuf {

class PacketServer : public Napi::ObjectWrap<PacketServer>, public Resource, public PollListener {
 public:
  static Napi::Function Define(Napi::Env env);

  explicit PacketServer(const Napi::CallbackInfo& info);
  ~PacketServer();

  void Close() override;

 private:
  void CloseFromJs(const Napi::CallbackInfo& info);

  void OnReady(bool failed, int events) override;
  // False where there is nothing more to accept for now.
  bool AcceptOne();
  void HandOver(Fd& connection);
  // Accepts and closes a connection with the descriptor that is kept for this.
  bool TurnAwayOne(int reason);
  void Report(const SystemError& error);
  // A connection that could not be accepted still waits, and would wake us again at once.
  void Pause();

  Environment& environment_;
  std::optional<ListeningSocket> address_;
  std::optional<Poll> poll_;  // empty once closed
  Fd reserve_;
  uv_timer_t* pause_ = nullptr;
  Napi::ObjectReference receiver_;
  Napi::FunctionReference on_connection_;
  Napi::FunctionReference on_error_;
};

}  // namespace lendbuf
