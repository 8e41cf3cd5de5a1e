// What memfd exports promise, tried on exports of our own: sealing, FUTURE_WRITE (Linux 5.1) and /proc may all be
// missing.
#include <fcntl.h>
#include <sys/mman.h>

#include "error.h"
#include "guard.h"
#include "memfd.h"

namespace lendbuf {

namespace {

constexpr size_t kSize = 4096;

class View {
 public:
  View(int fd, int protection) : start_(mmap(nullptr, kSize, protection, MAP_SHARED, fd, 0)) {}
  ~View() {
    if (*this) munmap(start_, kSize);
  }
  View(const View&) = delete;
  View& operator=(const View&) = delete;
  explicit operator bool() const { return start_ != MAP_FAILED; }
  bool Store(char value) {
    char* at = static_cast<char*>(start_);
    return Guarded(at, at + 1, [=] { *static_cast<volatile char*>(at) = value; });
  }
  bool Load(char* value) const {
    const char* at = static_cast<const char*>(start_);
    return Guarded(at, at + 1, [=] { *value = *static_cast<const volatile char*>(at); });
  }

 private:
  void* start_;
};

void Expect(bool held, const char* promise) {
  if (!held) throw Refusal(ENOTSUP, std::string("the self-test failed: ") + promise);
}

void ExpectRevocable(MemfdContents& contents) {
  MemfdExport lent({.size = kSize}, contents);
  View writer(lent.fd(), PROT_READ | PROT_WRITE);
  View other(lent.fd(), PROT_READ);
  char seen = 0;
  Expect(writer && other, "an export can be mapped twice");
  Expect(writer.Store('x') && other.Load(&seen) && seen == 'x', "what one mapping writes the other reads");
  Expect(fcntl(lent.fd(), F_ADD_SEALS, F_SEAL_SHRINK) < 0, "a holder cannot seal an export against its revoke");
  Proof proof = lent.Revoke();
  Expect(proof.safe && proof.error == 0 && proof.probe == 0, "after a revoke the size is 0");
  Expect(!writer.Store('y') && !other.Load(&seen), "after a revoke each mapping faults");
  Expect(pwrite(lent.fd(), "z", 1, 0) < 0 && errno == EPERM, "after a revoke a write is refused");
  Expect(ftruncate(lent.fd(), kSize) < 0 && errno == EPERM, "after a revoke it cannot grow again");
}

void ExpectReadOnly(MemfdContents& contents) {
  MemfdExport lent({.read_only = true, .size = kSize}, contents);
  char path[32];
  snprintf(path, sizeof path, "/proc/self/fd/%d", lent.fd());
  Fd reopened(Check(open(path, O_RDWR | O_CLOEXEC), "open"));
  View reader(lent.fd(), PROT_READ);
  char seen = 0;
  Expect(pwrite(reopened.get(), "x", 1, 0) < 0 && errno == EPERM, "nobody can write to a read-only export");
  Expect(!View(reopened.get(), PROT_READ | PROT_WRITE), "nobody can map a read-only export for writing");
  Expect(lent.Write(0, "m", 1) && reader && reader.Load(&seen) && seen == 'm',
         "we still can refresh a read-only export");
}

}  // namespace

Capability MemfdExporter::SelfTest() {
  MemfdContents nothing;
  try {
    ExpectRevocable(nothing);
    ExpectReadOnly(nothing);
  } catch (const std::exception& failure) {
    return {.words = failure.what()};
  }
  return {.works = true,
          .method = protocol::Method::kTruncate,
          .scope = protocol::Scope::kBuffer,
          .words =
              "an export of 4 KiB was mapped twice, revoked and seen gone: size 0, its mappings fault, it cannot grow; "
              "read-only holds against its owner too"};
}

}  // namespace lendbuf
