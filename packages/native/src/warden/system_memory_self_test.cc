// That the kernel counts whoever has an export, tried on one of our own: an end that is proven by the count is worth no
// more than that.
#include <fcntl.h>

#include "error.h"
#include "last_reference.h"
#include "system_memory.h"
#include "view.h"

namespace lendbuf {

namespace {

void Expect(bool held, int error, const std::string& promise) {
  if (!held) throw Refusal(error, "the self-test failed: " + promise);
}

void ExpectOthers(int dmabuf, int expected, const std::string& when) {
  int others = CountOthers(dmabuf);
  Expect(others == expected, EIO,
         when + " the kernel counts " + std::to_string(others) + " other references, not " + std::to_string(expected));
}

void ExpectMemory(const View& writer, const View& reader) {
  Expect(bool(writer), writer.error(), "an export can be mapped");
  Expect(bool(reader), reader.error(), "an export can be mapped twice");
}

}  // namespace

// Answers what was seen.
std::string SystemMemoryExporter::TryLastReference() {
  LastReferenceExport lent(Allocate(View::kSize, false));
  ExpectOthers(lent.fd(), 0, "before anybody has it");
  {
    View writer(lent.fd(), PROT_READ | PROT_WRITE);
    View reader(lent.fd(), PROT_READ);
    ExpectMemory(writer, reader);
    char seen = 'x';
    Expect(reader.Load(&seen) && seen == 0, EIO, "its memory is born as zeros");
    Expect(writer.Store('x') && reader.Load(&seen) && seen == 'x', EIO, "what one mapping writes the other reads");
    ExpectOthers(lent.fd(), 2, "mapped twice");
    Expect(!lent.Revoke().safe, EIO, "it has not ended while it is mapped");
  }
  ExpectOthers(lent.fd(), 0, "unmapped");
  {
    Fd copy(Check(fcntl(lent.fd(), F_DUPFD_CLOEXEC, 0), "fcntl(F_DUPFD_CLOEXEC)"));
    ExpectOthers(lent.fd(), 1, "with a copy of its descriptor");
  }
  Expect(lent.Revoke().safe, EBUSY, "it ends once nobody else has it");
  return "an export of 4 KiB was mapped twice and copied once; the kernel counted each, and nobody once they were "
         "gone. "
         "Nothing takes it back by force: it ends when its holders let go";
}

Capability SystemMemoryExporter::SelfTest() {
  Rung rung{.method = protocol::Method::kLastReference, .scope = protocol::Scope::kNone, .works = true};
  try {
    rung.words = TryLastReference();
  } catch (const Refusal& failure) {
    return {.words = failure.what()};
  } catch (const SystemError& failure) {
    return {.words = failure.what()};
  }
  return {.works = true,
          .method = rung.method,
          .scope = rung.scope,
          .mappable = true,
          .words = rung.words,
          .rungs = {rung}};
}

}  // namespace lendbuf
