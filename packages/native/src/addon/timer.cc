#include "timer.h"

#include <sys/timerfd.h>

#include <algorithm>
#include <cmath>

#include "argument.h"
#include "entry.h"

namespace lendbuf {

namespace {

// Near the end of the kernel's clock: 64 bits of nanoseconds.
constexpr double kLatestMs = 9e12;

// Rounded up, so that it never fires early. All zeros would disarm: the past is the clock's first nanosecond.
itimerspec At(double deadline_ms) {
  double nanoseconds = std::ceil(std::clamp(deadline_ms, 0.0, kLatestMs) * 1e6);
  auto whole = std::max<int64_t>(static_cast<int64_t>(nanoseconds), 1);
  return {.it_interval = {}, .it_value = {.tv_sec = whole / 1'000'000'000, .tv_nsec = whole % 1'000'000'000}};
}

}  // namespace

Napi::Function BootTimer::Define(Napi::Env env) {
  return DefineClass(env, "BootTimer",
                     {Method<&BootTimer::Set>("set"), Method<&BootTimer::SetReferenced>("ref"),
                      Method<&BootTimer::SetUnreferenced>("unref"), Method<&BootTimer::CloseFromJs>("close")});
}

// new BootTimer(onFire: () => void)
BootTimer::BootTimer(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<BootTimer>(info), environment_(Environment::Of(info.Env())) {
  Constructing(info.Env(), [&] {
    on_fire_ = Napi::Persistent(argument::Function(info[0], "onFire"));
    receiver_ = Napi::Persistent(info.This().As<Napi::Object>());
    Fd fd(Check(timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC), "timerfd_create"));
    poll_.emplace(environment_, fd, *this);
    environment_.Add(this);
  });
}

// timer.set(deadlineMs: number | undefined): void
void BootTimer::Set(const Napi::CallbackInfo& info) {
  itimerspec when{};
  bool armed = !info[0].IsUndefined();
  if (armed) {
    double deadline_ms = argument::Number(info[0], "deadlineMs");
    if (!std::isfinite(deadline_ms)) throw Napi::RangeError::New(info.Env(), "deadlineMs must be finite");
    when = At(deadline_ms);
  }
  if (!poll_) throw SystemError(EBADF, "timerfd_settime");
  Check(timerfd_settime(poll_->fd(), TFD_TIMER_ABSTIME, &when, nullptr), "timerfd_settime");
  poll_->Watch(armed ? UV_READABLE : 0);
}

// timer.ref(): void
void BootTimer::SetReferenced(const Napi::CallbackInfo&) {
  if (poll_) poll_->SetReferenced(true);
}

// timer.unref(): void
void BootTimer::SetUnreferenced(const Napi::CallbackInfo&) {
  if (poll_) poll_->SetReferenced(false);
}

// timer.close(): void
void BootTimer::CloseFromJs(const Napi::CallbackInfo&) { Close(); }

void BootTimer::Close() {
  if (!poll_) return;
  environment_.Remove(this);
  poll_.reset();
  on_fire_.Reset();
  receiver_.Reset();
}

void BootTimer::OnReady(bool, int) {
  Napi::HandleScope scope(Env());
  uint64_t expirations;
  if (read(poll_->fd(), &expirations, sizeof expirations) < 0) return;  // armed anew since it fired
  poll_->Watch(0);
  environment_.Call(receiver_, on_fire_);
}

}  // namespace lendbuf
