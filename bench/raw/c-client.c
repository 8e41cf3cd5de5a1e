// c-client SOCKET BUFFER COUNT READS: the C client. Prints the nanoseconds of one guarded read of 1 MiB of sim0/ddr,
// and then of each borrow and release.
#include <lendbuf.h>

#include "raw.h"

enum { kWarmUp = 300, kSize = 1 << 20 };

static void need(int answer) {
  if (answer == 0) return;
  fprintf(stderr, "%s\n", lendbuf_last_error());
  _exit(1);
}

static uint64_t cycle(lendbuf_connection* agent, const struct lendbuf_options* options) {
  lendbuf_lease* lease;
  uint64_t start = now_ns();
  need(lendbuf_borrow(agent, options, &lease));
  need(lendbuf_release(lease));
  return now_ns() - start;
}

static double read_of_1_mib(lendbuf_connection* agent, int reads) {
  lendbuf_lease* lease;
  lendbuf_mapping* mapping;
  char* bytes = memset(malloc(kSize), 1, kSize);
  need(lendbuf_borrow(agent, &(struct lendbuf_options){.buffer = "sim0/ddr"}, &lease));
  need(lendbuf_map(lease, &mapping));
  need(lendbuf_copy_to(mapping, 0, bytes, kSize));
  for (int i = 0; i < reads; i++) need(lendbuf_copy_from(mapping, 0, bytes, kSize));  // warms up
  uint64_t start = now_ns();
  for (int i = 0; i < reads; i++) need(lendbuf_copy_from(mapping, 0, bytes, kSize));
  double taken = (double)(now_ns() - start) / reads;
  lendbuf_unmap(mapping);
  need(lendbuf_release(lease));
  return taken;
}

int main(int count, char** arguments) {
  check(count == 5, "usage: c-client SOCKET BUFFER COUNT READS");
  lendbuf_connection* agent;
  struct lendbuf_options options = {.buffer = arguments[2]};
  int cycles = atoi(arguments[3]);
  need(lendbuf_connect(arguments[1], &agent));
  printf("%f\n", read_of_1_mib(agent, atoi(arguments[4])));
  for (int i = 0; i < kWarmUp; i++) cycle(agent, &options);
  uint64_t* taken = malloc((size_t)cycles * sizeof *taken);
  for (int i = 0; i < cycles; i++) taken[i] = cycle(agent, &options);
  for (int i = 0; i < cycles; i++) printf("%lu\n", taken[i]);
  lendbuf_close(agent);
  return 0;
}
