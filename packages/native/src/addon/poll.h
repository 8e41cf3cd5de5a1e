// Watches one descriptor on the event loop, and owns it.
#pragma once
#include "environment.h"

namespace lendbuf {

class PollListener {
 public:
  // `failed`: epoll reported an error and nothing is watched any more. May destroy the Poll.
  virtual void OnReady(bool failed, int events) = 0;

 protected:
  ~PollListener() = default;
};

class Poll {
 public:
  // Takes the fd over, except where it throws.
  Poll(Environment& environment, Fd& fd, PollListener& listener);
  Poll(const Poll&) = delete;
  Poll& operator=(const Poll&) = delete;
  ~Poll() { environment_.Dispose(handle_); }

  int fd() const { return fd_.get(); }

  // A set of UV_READABLE and UV_WRITABLE; 0 watches nothing.
  void Watch(int events);

  // Whether it keeps the loop alive while it watches anything.
  void SetReferenced(bool referenced);

 private:
  static void OnEvent(uv_poll_t* handle, int status, int events);

  Environment& environment_;
  PollListener& listener_;
  Fd fd_;  // closed after ~Poll has told libuv
  uv_poll_t* handle_;
  int events_ = 0;
};

}  // namespace lendbuf
