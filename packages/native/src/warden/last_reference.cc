#include "last_reference.h"

#include <fstream>
#include <string>

#include "error.h"

namespace lendbuf {

// dma_buf_show_fdinfo (drivers/dma-buf/dma-buf.c, Linux 5.3): `count` leaves out the reference that the look itself
// takes. A name that a holder gave comes after it, so the first line that fits is the kernel's.
int CountOthers(int dmabuf) {
  std::string path = "/proc/self/fdinfo/" + std::to_string(dmabuf);
  std::ifstream lines(path);
  if (!lines) throw SystemError(errno, "open", path);
  constexpr std::string_view kKey = "count:\t";
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with(kKey)) return std::stoi(line.substr(kKey.size())) - 1;
  throw SystemError(ENOTSUP, "read count", path);
}

Proof LastReferenceExport::Revoke() {
  Proof proof{.method = protocol::Method::kLastReference};
  try {
    proof.probe = CountOthers(fd());
    proof.error = proof.probe == 0 ? 0 : EBUSY;
    proof.safe = proof.probe == 0;
  } catch (const SystemError& failure) {
    proof.error = failure.error();
    proof.probe = -1;
  }
  return proof;
}

}  // namespace lendbuf
