// Single system calls that Node lacks.
#pragma once
#include <napi.h>

namespace lendbuf {

Napi::Value BootTimeMs(const Napi::CallbackInfo& info);
Napi::Value TryLock(const Napi::CallbackInfo& info);
Napi::Value RaiseFileLimit(const Napi::CallbackInfo& info);
Napi::Value CreateMemfd(const Napi::CallbackInfo& info);
void SendDatagramTo(const Napi::CallbackInfo& info);

}  // namespace lendbuf
