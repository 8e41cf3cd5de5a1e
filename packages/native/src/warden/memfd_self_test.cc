// What memfd exports promise, tried on exports of our own: sealing, FUTURE_WRITE (Linux 5.1) and /proc may all be
// missing.
#include <fcntl.h>

#include "error.h"
#include "memfd.h"
#include "view.h"

namespace lendbuf {

namespace {

constexpr size_t kSize = View::kSize;

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
  Rung rung{.method = protocol::Method::kTruncate, .scope = protocol::Scope::kBuffer};
  try {
    ExpectRevocable(nothing);
    ExpectReadOnly(nothing);
    rung.works = true;
    rung.words =
        "an export of 4 KiB was mapped twice, revoked and seen gone: size 0, its mappings fault, it cannot grow; "
        "read-only holds against its owner too";
  } catch (const Refusal& failure) {
    rung.error = failure.error();
    rung.words = failure.what();
  } catch (const SystemError& failure) {
    rung.error = failure.error();
    rung.words = failure.what();
  }
  if (!rung.works) return {.words = rung.words, .rungs = {rung}};
  return {.works = true,
          .method = rung.method,
          .scope = rung.scope,
          .mappable = true,
          .words = rung.words,
          .rungs = {rung}};
}

}  // namespace lendbuf
