#include "environment.h"

#include <vector>

namespace lendbuf {

Environment::Environment(Napi::Env env) : env_(env) {
  napi_get_uv_event_loop(env, &loop_);
  napi_add_async_cleanup_hook(
      env, [](napi_async_cleanup_hook_handle, void* data) { static_cast<Environment*>(data)->End(); }, this, &cleanup_);
}

bool Environment::Call(const Napi::ObjectReference& receiver, const Napi::FunctionReference& function,
                       std::initializer_list<napi_value> arguments) {
  if (ending_) return false;
  napi_value result;
  napi_status status = napi_make_callback(env_, nullptr, receiver.Value(), function.Value(), arguments.size(),
                                          arguments.begin(), &result);
  if (status != napi_pending_exception) return status == napi_ok;
  napi_value thrown;
  if (napi_get_and_clear_last_exception(env_, &thrown) == napi_ok) napi_fatal_exception(env_, thrown);
  return true;
}

void Environment::End() {
  ending_ = true;
  std::vector<Resource*> open(open_.begin(), open_.end());
  for (Resource* resource : open) resource->Close();
  if (handles_ == 0) napi_remove_async_cleanup_hook(cleanup_);
}

void Environment::OnHandleClosed() {
  if (--handles_ == 0 && ending_) napi_remove_async_cleanup_hook(cleanup_);
}

}  // namespace lendbuf
