// Reads lent memory through a mapping, byte sum by byte sum, and survives that it is taken back (SIGBUS).
//   cc -O2 -o peek examples/c/peek.c && npx lendbuf exec sim0/ch0 --read-only -- ./peek
// Exit codes: 0 done, 1 no memory was lent, 3 the memory was taken back.
#define _POSIX_C_SOURCE 200809L
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

static sigjmp_buf taken_back;
static const unsigned char* memory;
static size_t size;

// Only for faults in the lent memory: any other SIGBUS is a bug and ends the program as usual.
static void on_bus_error(int signal_number, siginfo_t* info, void* context) {
  const unsigned char* at = info->si_addr;

  (void)context;
  if (at >= memory && at < memory + size) siglongjmp(taken_back, 1);
  signal(signal_number, SIG_DFL);
}

static uint64_t sum_of(const volatile unsigned char* bytes, size_t count) {
  uint64_t sum = 0;

  for (size_t i = 0; i < count; i++) sum += bytes[i];
  return sum;
}

static void look(long times) {
  struct timespec second = {.tv_sec = 1};

  for (; times > 0; times--) {
    printf("%zu bytes, sum %llu\n", size, (unsigned long long)sum_of(memory, size));
    fflush(stdout);
    if (times > 1) nanosleep(&second, NULL);
  }
}

int main(int argc, char** argv) {
  const char *fd = getenv("LENDBUF_FD"), *bytes = getenv("LENDBUF_SIZE");
  struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};

  if (!fd || !bytes) {
    fprintf(stderr, "No memory was lent. Start it with: lendbuf exec BUFFER -- %s\n", argv[0]);
    return 1;
  }
  size = strtoull(bytes, NULL, 10);
  memory = mmap(NULL, size, PROT_READ, MAP_SHARED, atoi(fd), 0);
  if (memory == MAP_FAILED) {
    perror("mmap");
    return 1;
  }
  sigaction(SIGBUS, &action, NULL);
  if (sigsetjmp(taken_back, 1)) {
    fprintf(stderr, "The memory was taken back.\n");
    return 3;
  }
  look(argc > 1 ? atol(argv[1]) : 10);
  return 0;
}
