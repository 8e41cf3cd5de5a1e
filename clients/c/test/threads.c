// Many threads on one connection to a real agent, each with a buffer of its own, and one that takes all events.
//   threads SOCKET BUFFER…
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <lendbuf.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { kTimes = 20, kMost = 16 };

static lendbuf_connection* agent;

static void must(int error) {
  if (error) errx(1, "%s", lendbuf_last_error());
}

static void* work(void* buffer) {
  struct lendbuf_options options = {.buffer = buffer};
  for (int i = 0; i < kTimes; i++) {
    lendbuf_lease* lease;
    lendbuf_mapping* mapping;
    uint32_t word;
    char* list;
    must(lendbuf_borrow(agent, &options, &lease));
    must(lendbuf_follow(lease));
    must(lendbuf_map(lease, &mapping));
    must(lendbuf_load32(mapping, 0, &word));
    must(lendbuf_call(agent, "delegations.list", "{\"limit\":3}", &list));
    if (!strstr(list, buffer) && !strstr(list, "sim0/")) errx(1, "another thread's answer: %s", list);
    free(list);
    must(lendbuf_extend(lease, 1000, NULL));
    must(lendbuf_release(lease));
    if (lendbuf_load32(mapping, 0, &word) != -EFAULT) errx(1, "the memory is still there");
    lendbuf_unmap(mapping);
  }
  return NULL;
}

static int ends;

// Until it was told of every end.
static void* listen_to_events(void* expected) {
  struct lendbuf_event event;
  while (ends < *(int*)expected) {
    must(lendbuf_next_event(agent, LENDBUF_FOREVER, &event));
    ends += event.kind == LENDBUF_DONE;
    lendbuf_event_free(&event);
  }
  return NULL;
}

int main(int count, char** arguments) {
  pthread_t workers[kMost], listener;
  int expected = (count - 2) * kTimes;
  must(lendbuf_connect(arguments[1], &agent));
  pthread_create(&listener, NULL, listen_to_events, &expected);
  for (int i = 2; i < count; i++) pthread_create(&workers[i - 2], NULL, work, arguments[i]);
  for (int i = 2; i < count; i++) pthread_join(workers[i - 2], NULL);
  pthread_join(listener, NULL);
  lendbuf_close(agent);
  printf("%d ends\n", ends);
  return 0;
}
