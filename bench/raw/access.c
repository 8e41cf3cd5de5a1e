// access: prints the nanoseconds of one volatile 32-bit load from a mapped memfd, and of copying 1 MiB out of it.
#define _GNU_SOURCE
#include <sys/mman.h>

#include "raw.h"

enum { kSize = 1 << 20, kLoads = 1 << 22, kCopies = 200 };

int main(void) {
  int fd = memfd_create("access", MFD_CLOEXEC);
  check(fd >= 0 && ftruncate(fd, kSize) == 0, "memfd_create");
  char* memory = mmap(NULL, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  check(memory != MAP_FAILED, "mmap");
  memset(memory, 1, kSize);
  volatile uint32_t* words = (volatile uint32_t*)memory;
  uint64_t start = now_ns();
  for (int i = 0; i < kLoads; i++) (void)words[i & 1023];
  printf("%f\n", (double)(now_ns() - start) / kLoads);
  char* into = memset(malloc(kSize), 0, kSize);
  start = now_ns();
  for (int i = 0; i < kCopies; i++) {
    memcpy(into, memory, kSize);
    __asm__ volatile("" : : "r"(into) : "memory");
  }
  printf("%f\n", (double)(now_ns() - start) / kCopies);
  return 0;
}
