// holder BYTES: maps every memfd that comes over fd 3, and reads them all, over and over, once that end was shut down
// for writing. Ends when every one of them was refused; prints how many there were and CLOCK_MONOTONIC when the last
// read that succeeded began.
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

#include "raw.h"

enum { kMost = 65536, kSocket = 3, kLifeSeconds = 60 };

static volatile char* mappings[kMost];
static sigjmp_buf fault;

static void on_bus_error(int signal) {
  (void)signal;
  siglongjmp(fault, 1);
}

static int is_readable(volatile char* memory) {
  if (sigsetjmp(fault, 0)) return 0;
  (void)*memory;
  return 1;
}

static int map_all(size_t size) {
  int many = 0;
  for (char byte; recv(kSocket, &byte, 1, MSG_PEEK) == 1; many++) {
    int fd = receive_fd(kSocket);
    void* memory = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    check(memory != MAP_FAILED, "mmap");
    mappings[many] = memory;
    close(fd);
  }
  return many;
}

int main(int count, char** arguments) {
  check(count == 2, "usage: holder BYTES");
  alarm(kLifeSeconds);
  sigaction(SIGBUS, &(struct sigaction){.sa_handler = on_bus_error, .sa_flags = SA_NODEFER}, NULL);
  int many = map_all(strtoull(arguments[1], NULL, 10));
  uint64_t last = 0;
  int is_told = 0;
  for (int readable = many; readable > 0;) {
    readable = 0;
    for (int i = 0; i < many; i++) {
      uint64_t start = now_ns();
      if (!is_readable(mappings[i])) continue;
      last = start;
      readable++;
    }
    if (!is_told) printf("%d\n", readable);
    is_told = 1;
    fflush(stdout);
  }
  printf("%lu\n", last);
  return 0;
}
