// The way from JavaScript into C++: no C++ exception leaves it, and what the kernel answered becomes a JavaScript
// error.
#pragma once
#include <napi.h>

#include <type_traits>

#include "error.h"

namespace lendbuf {

// An Error with code, errno and syscall. Makes no C++ exception of its own.
napi_value ErrorValue(napi_env env, const SystemError& error);

template <auto member>
struct MemberOf;
template <class T, class Result, Result (T::*member)(const Napi::CallbackInfo&)>
struct MemberOf<member> {
  static Result Call(const Napi::CallbackInfo& info) {
    return (T::Unwrap(info.This().As<Napi::Object>())->*member)(info);
  }
};

template <auto function>
auto Invoke(const Napi::CallbackInfo& info) {
  if constexpr (std::is_member_function_pointer_v<decltype(function)>)
    return MemberOf<function>::Call(info);
  else
    return function(info);
}

// Runs the body of a constructor, whose way from JavaScript is node-addon-api's.
template <class Body>
void Constructing(Napi::Env env, Body body) {
  try {
    body();
  } catch (const SystemError& error) {
    throw Napi::Error(env, ErrorValue(env, error));
  }
}

// A function of ours as Node-API calls it.
template <auto function>
napi_value Entry(napi_env env, napi_callback_info raw) {
  try {
    Napi::CallbackInfo info(env, raw);
    if constexpr (!std::is_void_v<decltype(Invoke<function>(info))>) return Invoke<function>(info);
    Invoke<function>(info);
  } catch (const Napi::Error& error) {
    error.ThrowAsJavaScriptException();
  } catch (const SystemError& error) {
    napi_throw(env, ErrorValue(env, error));
  } catch (const std::exception& error) {
    napi_throw_error(env, nullptr, error.what());
  }
  return nullptr;
}

template <auto method>
napi_property_descriptor Method(const char* name) {
  return {.utf8name = name, .method = Entry<method>, .attributes = napi_default_jsproperty};
}

template <auto getter>
napi_property_descriptor Getter(const char* name) {
  return {.utf8name = name, .getter = Entry<getter>, .attributes = napi_configurable};
}

}  // namespace lendbuf
