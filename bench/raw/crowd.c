// A crowd of processes: each has its share of the descriptors that it was started with open, and mapped.
//   crowd PROCESSES DESCRIPTORS SHARE   descriptors from 3 on; says "ready" when each has its share, and ends when its
//                                       stdin does
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

static void settle(int number, int descriptors, int share) {
  int first = number * share % descriptors;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (int i = 0; i < descriptors; i++) {
    int isOurs = i >= first && i < first + share;
    if (!isOurs) close(3 + i);
    if (isOurs && mmap(NULL, 4096, PROT_READ, MAP_SHARED, 3 + i, 0) == MAP_FAILED) _exit(1);
  }
}

int main(int count, char** arguments) {
  if (count < 4) return 2;
  int processes = atoi(arguments[1]);
  int descriptors = atoi(arguments[2]);
  int share = atoi(arguments[3]);
  int settled[2];
  if (pipe(settled) != 0) return 1;
  for (int i = 0; i < processes; i++) {
    pid_t child = fork();
    if (child < 0) return 1;
    if (child > 0) continue;
    settle(i, descriptors, share);
    if (write(settled[1], "x", 1) != 1) _exit(1);
    pause();
    _exit(0);
  }
  char byte;
  for (int i = 0; i < processes; i++)
    if (read(settled[0], &byte, 1) != 1) return 1;
  puts("ready");
  fflush(stdout);
  return read(0, &byte, 1) < 0;
}
