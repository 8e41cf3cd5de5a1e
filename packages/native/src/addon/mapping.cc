#include "mapping.h"

#include <sys/mman.h>

#include "argument.h"
#include "entry.h"
#include "guard.h"

namespace lendbuf {

namespace {

unsigned WidthArgument(Napi::Value value) {
  double width = argument::Number(value, "width");
  if (width != 8 && width != 16 && width != 32 && width != 64)
    throw Napi::RangeError::New(value.Env(), "width must be 8, 16, 32 or 64");
  return static_cast<unsigned>(width);
}

uint64_t WordArgument(Napi::Value value, unsigned width) {
  if (width < 64) return static_cast<uint64_t>(argument::Integer(value, "value", 0, (1ull << width) - 1));
  if (!value.IsBigInt()) throw Napi::TypeError::New(value.Env(), "value must be a bigint where the width is 64");
  bool lossless = false;
  uint64_t word = value.As<Napi::BigInt>().Uint64Value(&lossless);
  if (!lossless) throw Napi::RangeError::New(value.Env(), "value must be from 0 to 2^64 - 1");
  return word;
}

// One access of exactly that width: a device's registers see the difference.
uint64_t LoadWord(const char* at, unsigned width) {
  if (width == 8) return *reinterpret_cast<const volatile uint8_t*>(at);
  if (width == 16) return *reinterpret_cast<const volatile uint16_t*>(at);
  if (width == 32) return *reinterpret_cast<const volatile uint32_t*>(at);
  return *reinterpret_cast<const volatile uint64_t*>(at);
}

void StoreWord(char* at, unsigned width, uint64_t word) {
  if (width == 8)
    *reinterpret_cast<volatile uint8_t*>(at) = static_cast<uint8_t>(word);
  else if (width == 16)
    *reinterpret_cast<volatile uint16_t*>(at) = static_cast<uint16_t>(word);
  else if (width == 32)
    *reinterpret_cast<volatile uint32_t*>(at) = static_cast<uint32_t>(word);
  else
    *reinterpret_cast<volatile uint64_t*>(at) = word;
}

void RequireAligned(Napi::Value offset, const char* at, unsigned width) {
  if (reinterpret_cast<uintptr_t>(at) % (width / 8) != 0)
    throw Napi::RangeError::New(offset.Env(), "offset must be a multiple of the width");
}

}  // namespace

Napi::Function Mapping::Define(Napi::Env env) {
  return DefineClass(
      env, "Mapping",
      {Getter<&Mapping::Size>("size"), Method<&Mapping::Load>("load"), Method<&Mapping::Store>("store"),
       Method<&Mapping::Read>("read"), Method<&Mapping::Write>("write"), Method<&Mapping::Close>("close")});
}

// new Mapping(fd: number, options: { offset?: number, length: number, writable: boolean })
Mapping::Mapping(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Mapping>(info) {
  Constructing(info.Env(), [&] {
    int fd = argument::Descriptor(info[0], "fd");
    auto options = argument::Object(info[1], "options");
    Napi::Value offset = options.Get("offset");
    auto from = static_cast<off_t>(offset.IsUndefined() ? 0 : argument::Integer(offset, "offset"));
    size_ = static_cast<size_t>(argument::Integer(options.Get("length"), "length", 1));
    writable_ = argument::Boolean(options.Get("writable"), "writable");
    int protection = writable_ ? PROT_READ | PROT_WRITE : PROT_READ;
    base_ = static_cast<char*>(Check(mmap(nullptr, size_, protection, MAP_SHARED, fd, from), "mmap"));
    InstallGuard();
  });
}

// mapping.size: number
Napi::Value Mapping::Size(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), size_); }

// mapping.load(offset: number, width: 8 | 16 | 32 | 64): number | bigint
Napi::Value Mapping::Load(const Napi::CallbackInfo& info) {
  unsigned width = WidthArgument(info[1]);
  const char* at = At(info[0], width / 8, "load");
  RequireAligned(info[0], at, width);
  uint64_t word = 0;
  Guard("load", [&] { word = LoadWord(at, width); });
  if (width == 64) return Napi::BigInt::New(info.Env(), word);
  return Napi::Number::New(info.Env(), static_cast<double>(word));
}

// mapping.store(offset: number, width: 8 | 16 | 32 | 64, value: number | bigint): void
void Mapping::Store(const Napi::CallbackInfo& info) {
  unsigned width = WidthArgument(info[1]);
  uint64_t word = WordArgument(info[2], width);
  char* at = At(info[0], width / 8, "store");
  RequireAligned(info[0], at, width);
  RequireWritable("store");
  Guard("store", [&] { StoreWord(at, width, word); });
}

// mapping.read(offset: number, into: Uint8Array): void
void Mapping::Read(const Napi::CallbackInfo& info) {
  std::span<char> into = argument::Bytes(info[1], "into");
  const char* at = At(info[0], into.size(), "read");
  if (!into.empty()) Guard("read", [&] { memcpy(into.data(), at, into.size()); });
}

// mapping.write(offset: number, from: Uint8Array): void
void Mapping::Write(const Napi::CallbackInfo& info) {
  std::span<const char> from = argument::Bytes(info[1], "from");
  char* at = At(info[0], from.size(), "write");
  RequireWritable("write");
  if (!from.empty()) Guard("write", [&] { memcpy(at, from.data(), from.size()); });
}

// mapping.close(): void
void Mapping::Close(const Napi::CallbackInfo&) { Unmap(); }

char* Mapping::At(Napi::Value offset, size_t length, const char* call) {
  auto from = static_cast<size_t>(argument::Integer(offset, "offset"));
  if (!base_) throw SystemError(EBADF, call);
  if (length > size_ || from > size_ - length)
    throw Napi::RangeError::New(offset.Env(), "the access is outside of the mapping");
  return base_ + from;
}

void Mapping::RequireWritable(const char* call) const {
  if (!writable_) throw SystemError(EACCES, call);
}

template <class Access>
void Mapping::Guard(const char* call, Access access) {
  if (!Guarded(base_, base_ + size_, access)) throw SystemError(EFAULT, call);
}

void Mapping::Unmap() {
  if (base_) munmap(base_, size_);
  base_ = nullptr;
}

}  // namespace lendbuf
