#include "argument.h"

#include <climits>
#include <cmath>

#include "packet.h"

namespace lendbuf::argument {

namespace {

void Require(bool holds, Napi::Value value, const char* name, const char* what) {
  if (!holds) throw Napi::TypeError::New(value.Env(), std::string(name) + " must be " + what);
}

void RequireInRange(bool holds, Napi::Value value, const std::string& words) {
  if (!holds) throw Napi::RangeError::New(value.Env(), words);
}

std::string Written(double integer) { return std::to_string(static_cast<int64_t>(integer)); }

}  // namespace

double Number(Napi::Value value, const char* name) {
  double number = 0;
  Require(napi_get_value_double(value.Env(), value, &number) == napi_ok, value, name, "a number");
  return number;
}

double Integer(Napi::Value value, const char* name, double low, double high) {
  double number = Number(value, name);
  RequireInRange(number >= low && number <= high && number == std::trunc(number), value,
                 std::string(name) + " must be an integer from " + Written(low) + " to " + Written(high));
  return number;
}

int Descriptor(Napi::Value value, const char* name) { return static_cast<int>(Integer(value, name, 0, INT_MAX)); }

bool Boolean(Napi::Value value, const char* name) {
  Require(value.IsBoolean(), value, name, "a boolean");
  return value.As<Napi::Boolean>().Value();
}

std::string Text(Napi::Value value, const char* name) {
  Require(value.IsString(), value, name, "a string");
  return value.As<Napi::String>().Utf8Value();
}

std::string Path(Napi::Value value, const char* name) {
  std::string path = Text(value, name);
  Require(!path.empty() && path.find('\0') == std::string::npos, value, name, "a path, not empty and without NUL");
  return path;
}

Napi::Object Object(Napi::Value value, const char* name) {
  Require(value.IsObject(), value, name, "an object");
  return value.As<Napi::Object>();
}

Napi::Function Function(Napi::Value value, const char* name) {
  Require(value.IsFunction(), value, name, "a function");
  return value.As<Napi::Function>();
}

std::span<char> Bytes(Napi::Value value, const char* name) {
  napi_typedarray_type type = napi_int8_array;
  size_t length = 0;
  void* data = nullptr;
  if (value.IsTypedArray()) napi_get_typedarray_info(value.Env(), value, &type, &length, &data, nullptr, nullptr);
  Require(type == napi_uint8_array, value, name, "a Uint8Array");
  return {static_cast<char*>(data), length};
}

std::vector<int> Descriptors(Napi::Value value, const char* name) {
  std::vector<int> fds;
  if (value.IsUndefined()) return fds;
  Require(value.IsArray(), value, name, "an array of descriptors");
  auto array = value.As<Napi::Array>();
  uint32_t count = array.Length();
  RequireInRange(count <= kMaxPacketFds, value,
                 std::string("a packet carries at most ") + std::to_string(kMaxPacketFds) + " fds");
  for (uint32_t i = 0; i < count; i++) fds.push_back(Descriptor(array.Get(i), name));
  return fds;
}

}  // namespace lendbuf::argument
