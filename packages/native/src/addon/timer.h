// A timer on the boot clock (timerfd): counts while the machine is suspended and ignores changes of the wall clock.
#pragma once
#include <optional>

#include "poll.h"

namespace lendbuf {

class BootTimer : public Napi::ObjectWrap<BootTimer>, public Resource, public PollListener {
 public:
  static Napi::Function Define(Napi::Env env);

  explicit BootTimer(const Napi::CallbackInfo& info);

  void Close() override;

 private:
  void Set(const Napi::CallbackInfo& info);
  void SetReferenced(const Napi::CallbackInfo& info);
  void SetUnreferenced(const Napi::CallbackInfo& info);
  void CloseFromJs(const Napi::CallbackInfo& info);

  void OnReady(bool failed, int events) override;

  Environment& environment_;
  std::optional<Poll> poll_;  // empty once closed
  Napi::ObjectReference receiver_;
  Napi::FunctionReference on_fire_;
};

}  // namespace lendbuf
