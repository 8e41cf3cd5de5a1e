// A library that touches memory beyond the end of its file as soon as it is loaded: a SIGBUS that is none of ours.
#include <sys/mman.h>
#include <unistd.h>

__attribute__((constructor)) static void Fault() {
  int fd = memfd_create("fault", 0);
  if (ftruncate(fd, 4096) != 0) return;
  auto* memory = static_cast<volatile char*>(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  if (ftruncate(fd, 0) == 0) *memory = 1;
}
