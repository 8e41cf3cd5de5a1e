// One JavaScript environment, the main thread's or a worker's: its loop, and what we keep open on it.
#pragma once
#include <napi.h>
#include <uv.h>

#include <array>
#include <initializer_list>
#include <span>
#include <unordered_set>

#include "fd.h"

namespace lendbuf {

constexpr size_t kMaxPacketBytes = 65'536;

struct SocketSource;

// What is closed at the latest when its environment ends.
class Resource {
 public:
  virtual void Close() = 0;

 protected:
  ~Resource() = default;
};

class Environment {
 public:
  explicit Environment(Napi::Env env);
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  static Environment& Of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

  uv_loop_t* loop() const { return loop_; }

  // Room for the packet that is being sent or received right now; whatever runs JavaScript may overwrite it.
  std::span<char> packet_space() { return packet_space_; }

  // Calls JavaScript from the loop. What it throws becomes an uncaughtException, for no exception may cross libuv.
  // False where this environment runs no JavaScript any more.
  bool Call(const Napi::ObjectReference& receiver, const Napi::FunctionReference& function,
            std::initializer_list<napi_value> arguments = {});

  void Add(Resource* resource) { open_.insert(resource); }
  void Remove(Resource* resource) { open_.erase(resource); }

  // The environment ends only when libuv has let go of each handle that was counted here.
  void CountHandle() { handles_++; }

  // Closes a handle that was allocated with new, and deletes it when libuv has let go of it.
  template <class Handle>
  void Dispose(Handle* handle) {
    handle->data = this;
    uv_close(reinterpret_cast<uv_handle_t*>(handle), [](uv_handle_t* closed) {
      auto* environment = static_cast<Environment*>(closed->data);
      delete reinterpret_cast<Handle*>(closed);
      environment->OnHandleClosed();
    });
  }

  Napi::FunctionReference packet_socket;
  // What the PacketSocket that is being constructed is made of: JavaScript itself constructs none.
  const SocketSource* socket_source = nullptr;

 private:
  void End();
  void OnHandleClosed();

  Napi::Env env_;
  uv_loop_t* loop_ = nullptr;
  napi_async_cleanup_hook_handle cleanup_ = nullptr;
  std::unordered_set<Resource*> open_;
  size_t handles_ = 0;
  bool ending_ = false;
  // One UTF-8 sequence and a NUL more than a packet: a string that just fits is told from one that was cut.
  std::array<char, kMaxPacketBytes + 5> packet_space_;
};

}  // namespace lendbuf
