// lend-bar COUNT: one process lends another a page of ivshmem's BAR 2 over a SEQPACKET socket, COUNT times, and then
// revokes each by the bare ioctl; in the lab machine. Says its pids; then, at each line of stdin, lends all or revokes
// all in turn, and prints the nanoseconds of each: from the request to the fd, and of the ioctl alone.
#define _GNU_SOURCE
#include <sys/wait.h>

#include "../../lab/proofs/proof.h"
#include "raw.h"

enum { kOffset = 0x500000 };

static void lend(int socket, int* exports) {
  struct grouped ivshmem = open_in_group(find_device(IVSHMEM));
  set_command(ivshmem.device, kMemory, 0);
  check(write(socket, "", 1) == 1, "write");
  int count = 0;
  for (char request; read(socket, &request, 1) == 1;) {
    if (request == 'g') {
      exports[count] = NEED(export_range(ivshmem.device, kIvshmemBar, kOffset, kPage, O_RDONLY));
      send_fd(socket, exports[count++]);
    } else {
      uint64_t start = now_ns();
      NEED(-revoke_export(exports[--count]));
      uint64_t taken = now_ns() - start;
      close(exports[count]);
      check(write(socket, &taken, sizeof taken) == sizeof taken, "write");
    }
  }
}

static uint64_t borrow_one(int socket, volatile uint32_t** memory) {
  uint64_t start = now_ns();
  check(write(socket, "g", 1) == 1, "write");
  int fd = receive_fd(socket);
  uint64_t taken = now_ns() - start;
  *memory = map(fd, kPage, PROT_READ);
  (void)**memory;  // there is a page to take away
  close(fd);
  return taken;
}

static uint64_t revoke_one(int socket, volatile uint32_t* memory) {
  uint64_t taken;
  check(write(socket, "r", 1) == 1 && read(socket, &taken, sizeof taken) == sizeof taken, "revoke");
  if (!is_gone(memory)) _exit(3);
  munmap((void*)memory, kPage);
  return taken;
}

int main(int arguments, char** argument) {
  check(arguments == 2, "usage: lend-bar COUNT");
  int count = atoi(argument[1]), ends[2];
  uint64_t* taken = malloc((size_t)count * sizeof *taken);
  volatile uint32_t** memory = malloc((size_t)count * sizeof *memory);
  check(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0, "socketpair");
  pid_t lender = fork();
  if (lender == 0) {
    close(ends[0]);
    lend(ends[1], malloc((size_t)count * sizeof(int)));
    _exit(0);
  }
  close(ends[1]);
  guard();
  char line[8];
  check(read(ends[0], line, 1) == 1, "the lender's device");
  printf("%d %d\n", lender, getpid());
  fflush(stdout);
  for (bool is_lent = false; fgets(line, sizeof line, stdin); is_lent = !is_lent) {
    for (int i = 0; i < count; i++)
      taken[i] = is_lent ? revoke_one(ends[0], memory[count - 1 - i]) : borrow_one(ends[0], &memory[i]);
    for (int i = 0; i < count; i++) printf("%lu\n", taken[i]);
    fflush(stdout);
  }
  close(ends[0]);
  wait(NULL);
  return 0;
}
