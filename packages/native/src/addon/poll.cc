#include "poll.h"

#include <memory>

#include "error.h"

namespace lendbuf {

Poll::Poll(Environment& environment, Fd& fd, PollListener& listener) : environment_(environment), listener_(listener) {
  auto handle = std::make_unique<uv_poll_t>();
  int status = uv_poll_init(environment.loop(), handle.get(), fd.get());
  if (status != 0) throw SystemError(-status, "epoll_ctl");
  environment.CountHandle();
  handle_ = handle.release();
  handle_->data = this;
  fd_ = std::move(fd);
}

void Poll::Watch(int events) {
  if (events == events_) return;
  events_ = events;
  if (events == 0)
    uv_poll_stop(handle_);
  else
    uv_poll_start(handle_, events, OnEvent);
}

void Poll::SetReferenced(bool referenced) {
  auto* handle = reinterpret_cast<uv_handle_t*>(handle_);
  referenced ? uv_ref(handle) : uv_unref(handle);
}

void Poll::OnEvent(uv_poll_t* handle, int status, int events) {
  auto* poll = static_cast<Poll*>(handle->data);
  if (status < 0) poll->events_ = 0;  // libuv has stopped the handle
  try {
    poll->listener_.OnReady(status < 0, events);
  } catch (const Napi::Error&) {
    // A worker that is being terminated makes no values any more; its environment ends next and closes everything.
  }
}

}  // namespace lendbuf
