// Arguments from JavaScript, checked: a wrong type throws a TypeError, a wrong value a RangeError, naming the argument.
#pragma once
#include <napi.h>

#include <span>
#include <string>
#include <vector>

namespace lendbuf::argument {

constexpr double kMaxSafeInteger = 9007199254740991;

double Number(Napi::Value value, const char* name);
double Integer(Napi::Value value, const char* name, double low = 0, double high = kMaxSafeInteger);
int Descriptor(Napi::Value value, const char* name);
bool Boolean(Napi::Value value, const char* name);
std::string Text(Napi::Value value, const char* name);
// Without NUL, not empty.
std::string Path(Napi::Value value, const char* name);
Napi::Object Object(Napi::Value value, const char* name);
Napi::Function Function(Napi::Value value, const char* name);
// Valid until JavaScript runs again.
std::span<char> Bytes(Napi::Value value, const char* name);
// An array of at most kMaxPacketFds; none where it is undefined. Reading an array may run JavaScript.
std::vector<int> Descriptors(Napi::Value value, const char* name);

}  // namespace lendbuf::argument
