// A program that borrows with lendbuf.h, as it is told: program.ts has the orders and their answers. Under `lendbuf
// exec` it has what that lent, says so first, and knows the orders about memory alone.
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <lendbuf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { kMost = 8192 };

static lendbuf_connection* agent;
static lendbuf_lease* lease;
static lendbuf_mapping* memory;
// Of the lease, as was told last.
static int64_t ending_at, expires_at;

static void say(const char* format, ...) {
  va_list words;
  va_start(words, format);
  vprintf(format, words);
  va_end(words);
  putchar('\n');
  fflush(stdout);
}

static void say_hex(const uint8_t* bytes, size_t size) {
  printf("ok ");
  for (size_t i = 0; i < size; i++) printf("%02x", bytes[i]);
  say("");
}

static size_t parse_hex(const char* digits, uint8_t* bytes) {
  size_t size = 0;
  unsigned byte;
  for (; size < kMost && sscanf(digits + 2 * size, "%2x", &byte) == 1; size++) bytes[size] = (uint8_t)byte;
  return size;
}

// By an errno, and by what the agent refused where it did.
static void answer(int error) {
  const char* code = lendbuf_last_code();
  if (error == 0)
    say("ok");
  else
    say("no %s%s%s %s", strerrorname_np(-error), *code ? ":" : "", code, lendbuf_last_error());
}

static void leave(void) {
  lendbuf_unmap(memory);
  lendbuf_leave(lease);
  memory = NULL;
  lease = NULL;
  ending_at = expires_at = 0;
}

static void connect_to(const char* path) {
  leave();
  lendbuf_close(agent);
  agent = NULL;
  answer(lendbuf_connect(path, &agent));
}

// What an event says that was not known yet, or NULL.
static const char* news(const struct lendbuf_event* event) {
  const char* what = NULL;
  if (strcmp(event->state, "revoked") == 0 || strcmp(event->state, "revoking") == 0)
    what = event->state;
  else if (event->ending_at_ms != ending_at && event->ending_at_ms != 0)
    what = "ending";
  else if (event->expires_at_ms > expires_at && expires_at != 0)
    what = "extended";
  ending_at = event->ending_at_ms;
  expires_at = event->expires_at_ms;
  return what;
}

// The lease as it is when it begins, so that later events are news.
static int learn(void) {
  struct lendbuf_event event;
  int error;
  while ((error = lendbuf_next_event(agent, LENDBUF_FOREVER, &event)) == 0) {
    bool is_it = event.delegation == lendbuf_id(lease);
    if (is_it) news(&event);
    lendbuf_event_free(&event);
    if (is_it) break;
  }
  return error;
}

static void borrow(const char* words) {
  char buffer[200], access[20], exporter[20], purpose[200] = "";
  struct lendbuf_options options = {.buffer = buffer};
  sscanf(words, "%199s %" SCNd64 " %" SCNd64 " %19s %19s %199[^\n]", buffer, &options.lease_ms, &options.wait_ms,
         access, exporter, purpose);
  if (strcmp(access, "read-only") == 0) options.access = LENDBUF_READ_ONLY;
  if (strcmp(exporter, "-") != 0) options.exporter = exporter;
  if (*purpose) options.purpose = purpose;
  leave();
  int error = lendbuf_borrow(agent, &options, &lease);
  if (error == 0) error = lendbuf_map(lease, &memory);
  if (error == 0) error = lendbuf_follow(lease);
  if (error == 0) error = learn();
  if (error != 0) return answer(error);
  say("ok {\"id\":%" PRIu64 ",\"size\":%zu}", lendbuf_id(lease), lendbuf_size(lease));
}

static void read_bytes(size_t offset, size_t size) {
  uint8_t bytes[kMost];
  int error = size > kMost ? -EINVAL : lendbuf_copy_from(memory, offset, bytes, size);
  if (error != 0) return answer(error);
  say_hex(bytes, size);
}

static void write_bytes(size_t offset, const char* digits) {
  uint8_t bytes[kMost];
  size_t size = parse_hex(digits, bytes);
  answer(lendbuf_copy_to(memory, offset, bytes, size));
}

static void read_on(size_t offset, const char* digits) {
  uint8_t expected[kMost], bytes[kMost];
  size_t size = parse_hex(digits, expected);
  for (int64_t reads = 0;; reads++) {
    int error = lendbuf_copy_from(memory, offset, bytes, size);
    if (error != 0) return answer(error);
    if (memcmp(bytes, expected, size) != 0) return say("no OtherBytes after %" PRId64 " reads", reads);
    if (reads == 0) say("reading");
  }
}

static void sync_window(const char* direction, uint64_t offset, uint64_t size) {
  char input[200];
  snprintf(input, sizeof input,
           "{\"id\":%" PRIu64 ",\"direction\":\"%s\",\"offset\":%" PRIu64 ",\"length\":%" PRIu64 "}", lendbuf_id(lease),
           direction, offset, size);
  answer(lendbuf_call(agent, "delegations.sync", input, NULL));
}

static void extend(int64_t by_ms) {
  int64_t end;
  int error = lendbuf_extend(lease, by_ms, &end);
  if (error != 0) return answer(error);
  say("ok %" PRId64, end);
}

static void hear(void) {
  for (;;) {
    struct lendbuf_event event;
    int error = lendbuf_next_event(agent, LENDBUF_FOREVER, &event);
    if (error == -ECONNRESET) return say("ok lost -");
    if (error != 0) return answer(error);
    const char* what = event.delegation == lendbuf_id(lease) && event.kind == LENDBUF_STATE ? news(&event) : NULL;
    if (what) {
      char state[sizeof event.state], reason[sizeof event.reason];
      snprintf(state, sizeof state, "%s", what);
      snprintf(reason, sizeof reason, "%s", *event.reason ? event.reason : "-");
      lendbuf_event_free(&event);
      return say("ok %s %s", state, reason);
    }
    lendbuf_event_free(&event);
  }
}

static void release(void) {
  lendbuf_unmap(memory);
  memory = NULL;
  int error = lendbuf_release(lease);
  lease = NULL;
  answer(error);
}

static void obey(const char* words) {
  char direction[20];
  size_t offset, size;
  int64_t ms;
  int at = 0;
  if (sscanf(words, "connect %n", &at) == 0 && at) return connect_to(words + at);
  if (sscanf(words, "borrow %n", &at) == 0 && at) return borrow(words + at);
  if (sscanf(words, "read-on %zu %n", &offset, &at) == 1) return read_on(offset, words + at);
  if (sscanf(words, "read %zu %zu", &offset, &size) == 2) return read_bytes(offset, size);
  if (sscanf(words, "write %zu %n", &offset, &at) == 1) return write_bytes(offset, words + at);
  if (sscanf(words, "sync %19s %zu %zu", direction, &offset, &size) == 3) return sync_window(direction, offset, size);
  if (sscanf(words, "extend %" SCNd64, &ms) == 1) return extend(ms);
  if (strcmp(words, "record") == 0) return say("ok %s", lendbuf_record(lease));
  if (strcmp(words, "hear") == 0) return hear();
  if (strcmp(words, "release") == 0) return release();
  say("no Order %s", words);
}

static void take_what_exec_lent(const char* fd) {
  const char* size = getenv("LENDBUF_SIZE");
  enum lendbuf_access access =
      strcmp(getenv("LENDBUF_ACCESS"), "read-only") == 0 ? LENDBUF_READ_ONLY : LENDBUF_READ_WRITE;
  int error = lendbuf_map_fd(atoi(fd), strtoull(size, NULL, 10), access, &memory);
  if (error != 0) return answer(error);
  say("ok {\"id\":%s,\"size\":%s}", getenv("LENDBUF_DELEGATION"), size);
}

int main(void) {
  static char line[4 * kMost];
  const char* fd = getenv("LENDBUF_FD");
  if (fd) take_what_exec_lent(fd);
  while (fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\n")] = 0;
    obey(line);
  }
  leave();
  lendbuf_close(agent);
  return 0;
}
