// pair BYTES filled|empty COUNT: lends a sealed memfd over a SEQPACKET socket and truncates it, as often as asked: one
// round trip to grant, one to revoke, nothing written down, nobody checked. Prints the nanoseconds of each cycle.
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "raw.h"

enum { kWarmUp = 100 };

static size_t size;
static char* contents;  // NULL: the memory stays a hole

static int make(void) {
  int fd = memfd_create("pair", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  check(fd >= 0 && ftruncate(fd, (off_t)size) == 0, "memfd_create");
  check(!contents || pwrite(fd, contents, size, 0) == (ssize_t)size, "pwrite");
  check(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SEAL) == 0, "fcntl(F_ADD_SEALS)");
  return fd;
}

static void lend(int socket) {
  int fd = -1;
  for (char request; read(socket, &request, 1) == 1;) {
    if (request == 'g') {
      send_fd(socket, fd = make());
    } else {
      check(ftruncate(fd, 0) == 0 && write(socket, &request, 1) == 1, "revoke");
      close(fd);
    }
  }
}

static uint64_t borrow_once(int socket) {
  char byte;
  uint64_t start = now_ns();
  check(write(socket, "g", 1) == 1, "write");
  int fd = receive_fd(socket);
  check(write(socket, "r", 1) == 1 && read(socket, &byte, 1) == 1, "revoke");
  uint64_t taken = now_ns() - start;
  close(fd);
  return taken;
}

int main(int count, char** arguments) {
  check(count == 4, "usage: pair BYTES filled|empty COUNT");
  size = strtoull(arguments[1], NULL, 10);
  int cycles = atoi(arguments[3]);
  if (arguments[2][0] == 'f') contents = memset(malloc(size), 1, size);
  int ends[2];
  check(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0, "socketpair");
  if (fork() == 0) {
    close(ends[0]);
    lend(ends[1]);
    _exit(0);
  }
  close(ends[1]);
  for (int i = 0; i < kWarmUp; i++) borrow_once(ends[0]);
  uint64_t* taken = malloc((size_t)cycles * sizeof *taken);
  for (int i = 0; i < cycles; i++) taken[i] = borrow_once(ends[0]);
  for (int i = 0; i < cycles; i++) printf("%lu\n", taken[i]);
  close(ends[0]);
  wait(NULL);
  return 0;
}
