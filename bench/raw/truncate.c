// truncate BYTES COUNT: truncates so many sealed memfds of so many bytes, all pages touched, one after the other.
// Prints the nanoseconds for all of them.
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "raw.h"

int main(int count, char** arguments) {
  check(count == 3, "usage: truncate BYTES COUNT");
  size_t size = strtoull(arguments[1], NULL, 10);
  int many = atoi(arguments[2]);
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  struct rlimit wanted = {(rlim_t)many + 64, limit.rlim_max > (rlim_t)many + 64 ? limit.rlim_max : (rlim_t)many + 64};
  check(setrlimit(RLIMIT_NOFILE, &wanted) == 0, "setrlimit");
  int* fds = malloc((size_t)many * sizeof *fds);
  char* contents = memset(malloc(size), 1, size);
  for (int i = 0; i < many; i++) {
    fds[i] = memfd_create("truncate", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    check(fds[i] >= 0 && ftruncate(fds[i], (off_t)size) == 0, "memfd_create");
    check(pwrite(fds[i], contents, size, 0) == (ssize_t)size, "pwrite");
    check(fcntl(fds[i], F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SEAL) == 0, "fcntl(F_ADD_SEALS)");
  }
  uint64_t start = now_ns();
  for (int i = 0; i < many; i++) check(ftruncate(fds[i], 0) == 0, "ftruncate");
  printf("%lu\n", now_ns() - start);
  return 0;
}
