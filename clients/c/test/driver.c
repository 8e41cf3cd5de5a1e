// A program that uses the library as it is told: a line per command, a line per answer.
//   driver
// An answer is "ok …", or what failed: "ERRNO CODE words" with "-" where the agent gave no code.
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <lendbuf.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

enum { kMost = 64, kAnswer = 70000 };

static lendbuf_connection* agent;
static struct {
  lendbuf_lease* lease;
  lendbuf_mapping* mapping;
} lent[kMost];
static int count;
static char line[kAnswer];

// What another thread does, and its answer.
static pthread_t helper;
static char task[kAnswer], task_answer[kAnswer];

static void answer(char* to, int error, const char* ok) {
  const char* code = lendbuf_last_code();
  if (error == 0)
    snprintf(to, kAnswer, "ok %s", ok);
  else
    snprintf(to, kAnswer, "%s %s %s", strerrorname_np(-error), *code ? code : "-", lendbuf_last_error());
}

static void say(const char* text) {
  puts(text);
  fflush(stdout);
}

static void keep_lease(int error, lendbuf_lease* lease, char* to) {
  char facts[64] = "";
  if (error == 0) {
    snprintf(facts, sizeof facts, "%d %" PRIu64 " %zu", count, lendbuf_id(lease), lendbuf_size(lease));
    lent[count++].lease = lease;
  }
  answer(to, error, facts);
}

// BUFFER ACCESS SHARE LEASE-MS WAIT-MS KEEP PURPOSE
static void borrow(const char* words, char* to) {
  char buffer[200], access[20], share[20], purpose[300] = "";
  int keep;
  struct lendbuf_options options = {.buffer = buffer};
  lendbuf_lease* lease = NULL;
  sscanf(words, "%199s %19s %19s %" SCNd64 " %" SCNd64 " %d %299[^\n]", buffer, access, share, &options.lease_ms,
         &options.wait_ms, &keep, purpose);
  if (strcmp(access, "read-only") == 0) options.access = LENDBUF_READ_ONLY;
  if (strcmp(share, "shared") == 0) options.share = LENDBUF_SHARED;
  if (strcmp(share, "exclusive") == 0) options.share = LENDBUF_EXCLUSIVE;
  options.keep = keep;
  options.purpose = *purpose ? purpose : NULL;
  int error = lendbuf_borrow(agent, &options, &lease);
  keep_lease(error, lease, to);
}

static void load(int index, int width, size_t offset) {
  const lendbuf_mapping* from = lent[index].mapping;
  uint8_t v8 = 0;
  uint16_t v16 = 0;
  uint32_t v32 = 0;
  uint64_t v64 = 0;
  int error = width == 8    ? lendbuf_load8(from, offset, &v8)
              : width == 16 ? lendbuf_load16(from, offset, &v16)
              : width == 32 ? lendbuf_load32(from, offset, &v32)
                            : lendbuf_load64(from, offset, &v64);
  char value[32];
  snprintf(value, sizeof value, "0x%" PRIx64, v8 | v16 | v32 | v64);
  answer(line, error, value);
}

static void store(int index, int width, size_t offset, uint64_t value) {
  const lendbuf_mapping* to = lent[index].mapping;
  int error = width == 8    ? lendbuf_store8(to, offset, (uint8_t)value)
              : width == 16 ? lendbuf_store16(to, offset, (uint16_t)value)
              : width == 32 ? lendbuf_store32(to, offset, (uint32_t)value)
                            : lendbuf_store64(to, offset, value);
  answer(line, error, "");
}

// Writes text, and reads as much of it back.
static void copy(int index, size_t offset, const char* text) {
  char back[256] = "";
  size_t size = strlen(text);
  int error = lendbuf_copy_to(lent[index].mapping, offset, text, size);
  if (error == 0) error = lendbuf_copy_from(lent[index].mapping, offset, back, size);
  answer(line, error, back);
}

static void read_text(int index, size_t offset, size_t size) {
  char back[256] = "";
  answer(line, lendbuf_copy_from(lent[index].mapping, offset, back, size), back);
}

static void next_event(int64_t ms) {
  struct lendbuf_event event = {0};
  char facts[256] = "";
  int error = lendbuf_next_event(agent, ms, &event);
  static const char* const kinds[] = {"state", "done", "failed"};
  if (error == 0)
    snprintf(facts, sizeof facts, "%s %" PRIu64 " %s %s %d %d %d", kinds[event.kind], event.delegation,
             *event.state ? event.state : "-", *event.reason ? event.reason : "-", event.ending_at_ms > 0,
             event.expires_at_ms > 0, event.suspended);
  answer(line, error, facts);
  lendbuf_event_free(&event);
}

// Events until one tells of a state.
static void await_state(const char* state) {
  struct lendbuf_event event = {0};
  char facts[64] = "";
  int error;
  for (bool is_it = false; !is_it && (error = lendbuf_next_event(agent, 5000, &event)) == 0;) {
    is_it = strcmp(event.state, state) == 0;
    snprintf(facts, sizeof facts, "%" PRIu64 " %s", event.delegation, event.reason);
    lendbuf_event_free(&event);
  }
  answer(line, error, facts);
}

static void extend(int index, int64_t by_ms) {
  int64_t end = 0;
  char facts[32];
  int error = lendbuf_extend(lent[index].lease, by_ms, &end);
  snprintf(facts, sizeof facts, "%" PRId64, end);
  answer(line, error, facts);
}

static void call(const char* method, const char* params) {
  char* result = NULL;
  int error = lendbuf_call(agent, method, *params ? params : NULL, &result);
  answer(line, error, result ? result : "");
  free(result);
}

// Copies until it cannot any more, in a second thread.
static void* spin(void* from) {
  static char bytes[1 << 20];
  int error;
  do {
    error = lendbuf_copy_from(from, 0, bytes, 4096);
  } while (error == 0);
  answer(task_answer, error, "");
  return NULL;
}

static void* borrow_task(void* nothing) {
  borrow(task, task_answer);
  return nothing;
}

static void churn(int times, const char* buffer) {
  struct lendbuf_options options = {.buffer = buffer};
  int error = 0;
  for (int i = 0; i < times && error == 0; i++) {
    lendbuf_lease* lease;
    lendbuf_mapping* mapping;
    uint32_t word;
    if ((error = lendbuf_borrow(agent, &options, &lease)) != 0) break;
    if ((error = lendbuf_map(lease, &mapping)) == 0) {
      error = lendbuf_load32(mapping, 0, &word);
      lendbuf_unmap(mapping);
    }
    int released = lendbuf_release(lease);
    if (error == 0) error = released;
  }
  answer(line, error, "");
}

static void end(int index, bool gives_back) {
  int error = gives_back ? lendbuf_release(lent[index].lease) : 0;
  if (!gives_back) lendbuf_leave(lent[index].lease);
  lent[index].lease = NULL;
  answer(line, error, "");
}

static void on_signal(int number) {
  (void)number;
  lendbuf_shutdown(agent);
}

static void wait_for_input(int ms) {
  struct pollfd one = {.fd = lendbuf_poll_fd(agent), .events = POLLIN};
  answer(line, 0, poll(&one, 1, ms) == 1 ? "ready" : "quiet");
}

static bool obey_about_agent(char* words, int at) {
  int64_t ms;
  if (sscanf(words, "connect%n", &at) == 0 && at)
    return answer(line, lendbuf_connect(words[at] ? words + at + 1 : NULL, &agent), ""), true;
  if (sscanf(words, "borrow %n", &at) == 0 && at) return borrow(words + at, line), true;
  if (sscanf(words, "call %n", &at) == 0 && at) {
    char* params = strchr(words + at, ' ');
    if (params) *params++ = 0;
    return call(words + at, params ? params : ""), true;
  }
  if (sscanf(words, "event %" SCNd64, &ms) == 1) return next_event(ms), true;
  if (sscanf(words, "await %n", &at) == 0 && at) return await_state(words + at), true;
  if (sscanf(words, "resume %" SCNd64, &ms) == 1) return answer(line, lendbuf_resume(agent, ms), ""), true;
  if (sscanf(words, "poll %" SCNd64, &ms) == 1) return wait_for_input((int)ms), true;
  if (sscanf(words, "timeout %" SCNd64, &ms) == 1) return lendbuf_set_timeout(agent, ms), strcpy(line, "ok"), true;
  if (strcmp(words, "close") == 0) return lendbuf_close(agent), agent = NULL, strcpy(line, "ok"), true;
  if (strcmp(words, "shutdown") == 0) return lendbuf_shutdown(agent), strcpy(line, "ok"), true;
  return false;
}

static bool obey_about_leases(char* words, int at) {
  int index, width, times;
  size_t offset, size;
  int64_t ms;
  uint64_t value;
  if (sscanf(words, "claim %" SCNu64, &value) == 1) {
    lendbuf_lease* lease = NULL;
    int error = lendbuf_claim(agent, value, &lease);
    return keep_lease(error, lease, line), true;
  }
  if (sscanf(words, "map %d", &index) == 1)
    return answer(line, lendbuf_map(lent[index].lease, &lent[index].mapping), ""), true;
  if (sscanf(words, "unmap %d", &index) == 1)
    return lendbuf_unmap(lent[index].mapping), lent[index].mapping = NULL, strcpy(line, "ok"), true;
  if (sscanf(words, "load %d %d %zu", &index, &width, &offset) == 3) return load(index, width, offset), true;
  if (sscanf(words, "store %d %d %zu %" SCNi64, &index, &width, &offset, (int64_t*)&value) == 4)
    return store(index, width, offset, value), true;
  if (sscanf(words, "copy %d %zu %n", &index, &offset, &at) == 2) return copy(index, offset, words + at), true;
  if (sscanf(words, "read %d %zu %zu", &index, &offset, &size) == 3) return read_text(index, offset, size), true;
  if (sscanf(words, "extend %d %" SCNd64, &index, &ms) == 2) return extend(index, ms), true;
  if (sscanf(words, "follow %d", &index) == 1) return answer(line, lendbuf_follow(lent[index].lease), ""), true;
  if (sscanf(words, "record %d", &index) == 1) return answer(line, 0, lendbuf_record(lent[index].lease)), true;
  if (sscanf(words, "release %d", &index) == 1) return end(index, true), true;
  if (sscanf(words, "leave %d", &index) == 1) return end(index, false), true;
  if (sscanf(words, "churn %d %n", &times, &at) == 1 && at) return churn(times, words + at), true;
  return false;
}

static bool obey_about_helper(const char* words, int at) {
  int index;
  if (sscanf(words, "aside borrow %n", &at) == 0 && at) {
    strcpy(task, words + at);
    return pthread_create(&helper, NULL, borrow_task, NULL), strcpy(line, "ok"), true;
  }
  if (sscanf(words, "aside spin %d", &index) == 1)
    return pthread_create(&helper, NULL, spin, lent[index].mapping), strcpy(line, "ok"), true;
  if (strcmp(words, "join") == 0) return pthread_join(helper, NULL), strcpy(line, task_answer), true;
  return false;
}

int main(void) {
  static char words[kAnswer];
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // never outlives its test
  signal(SIGUSR1, on_signal);
  while (fgets(words, sizeof words, stdin)) {
    words[strcspn(words, "\n")] = 0;
    if (!obey_about_agent(words, 0) && !obey_about_leases(words, 0) && !obey_about_helper(words, 0))
      strcpy(line, "what?");
    say(line);
  }
  for (int i = 0; i < count; i++) {
    lendbuf_unmap(lent[i].mapping);
    lendbuf_leave(lent[i].lease);
  }
  lendbuf_close(agent);
  return 0;
}
