// Reads a register of a device for as long as it may, and says why it may no longer.
//   read_register [BUFFER [OFFSET [SECONDS]]]
// Exit codes: 0 done, 1 refused, 3 the memory was taken back.
#include <errno.h>
#include <inttypes.h>
#include <lendbuf.h>
#include <stdio.h>
#include <stdlib.h>

static int say_refusal(void) {
  fprintf(stderr, "%s\n", lendbuf_last_error());
  return 1;
}

// Waits for the record that says it, for the memory goes first and the word comes after.
static int say_why(lendbuf_connection* agent) {
  struct lendbuf_event event;
  char reason[sizeof event.reason] = "";
  while (!*reason && lendbuf_next_event(agent, 1000, &event) == 0) {
    snprintf(reason, sizeof reason, "%s", event.reason);
    lendbuf_event_free(&event);
  }
  fprintf(stderr, "The memory was taken back: %s.\n", *reason ? reason : lendbuf_last_error());
  return 3;
}

// Once a second; an event that comes meanwhile is told at once.
static int watch(lendbuf_connection* agent, const lendbuf_mapping* registers, size_t offset, long seconds) {
  for (;;) {
    uint32_t value;
    struct lendbuf_event event;
    int error = lendbuf_load32(registers, offset, &value);
    if (error == -EFAULT) return say_why(agent);
    if (error) return say_refusal();
    printf("0x%08" PRIx32 "\n", value);
    fflush(stdout);
    if (seconds-- <= 0) return 0;
    if (lendbuf_next_event(agent, 1000, &event) == 0) {
      if (event.ending_at_ms) printf("It will be taken back: %s.\n", event.reason);
      lendbuf_event_free(&event);
    }
  }
}

int main(int count, char** arguments) {
  struct lendbuf_options options = {
      .buffer = count > 1 ? arguments[1] : "sim0/regs", .lease_ms = 10 * 60 * 1000, .purpose = "read_register"};
  size_t offset = count > 2 ? strtoul(arguments[2], NULL, 0) : 0;
  lendbuf_connection* agent;
  lendbuf_lease* lease;
  lendbuf_mapping* registers;

  if (lendbuf_connect(NULL, &agent) < 0 || lendbuf_borrow(agent, &options, &lease) < 0) return say_refusal();
  if (lendbuf_follow(lease) < 0 || lendbuf_map(lease, &registers) < 0) return say_refusal();
  int code = watch(agent, registers, offset, count > 3 ? atol(arguments[3]) : 0);
  lendbuf_unmap(registers);
  lendbuf_release(lease);
  lendbuf_close(agent);
  return code;
}
