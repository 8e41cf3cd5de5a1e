// A shared mapping of an fd, read and written by copies only: the kernel may take the memory away at any moment.
#pragma once
#include <napi.h>

#include <span>

namespace lendbuf {

class Mapping : public Napi::ObjectWrap<Mapping> {
 public:
  static Napi::Function Define(Napi::Env env);

  explicit Mapping(const Napi::CallbackInfo& info);
  ~Mapping() { Unmap(); }

 private:
  Napi::Value Size(const Napi::CallbackInfo& info);
  Napi::Value Load(const Napi::CallbackInfo& info);
  void Store(const Napi::CallbackInfo& info);
  void Read(const Napi::CallbackInfo& info);
  void Write(const Napi::CallbackInfo& info);
  void Close(const Napi::CallbackInfo& info);

  // Where a checked access begins.
  char* At(Napi::Value offset, size_t length, const char* call);
  void RequireWritable(const char* call) const;
  template <class Access>
  void Guard(const char* call, Access access);
  void Unmap();

  char* base_ = nullptr;  // null once closed
  size_t size_ = 0;
  bool writable_ = false;
};

}  // namespace lendbuf
