#include "entry.h"

namespace lendbuf {

namespace {

napi_value Text(napi_env env, const std::string& text) {
  napi_value value = nullptr;
  napi_create_string_utf8(env, text.data(), text.size(), &value);
  return value;
}

}  // namespace

napi_value ErrorValue(napi_env env, const SystemError& error) {
  napi_value code = Text(env, SystemError::CodeOf(error.error()));
  napi_value value = nullptr;
  napi_value number = nullptr;
  napi_create_error(env, code, Text(env, error.what()), &value);
  napi_create_int32(env, error.error(), &number);
  napi_set_named_property(env, value, "errno", number);
  napi_set_named_property(env, value, "syscall", Text(env, error.call()));
  return value;
}

}  // namespace lendbuf
