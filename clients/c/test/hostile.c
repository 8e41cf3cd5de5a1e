// An agent that says what no agent says, or too late. It is a thread here, with a real socket.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <lendbuf.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cases.h"

enum { kMostPackets = 3, kLong = 70000, kEvents = 5000 };

// What it answers to the first request: "@" in a packet stands for the request's id.
struct script {
  const char* name;
  const char* packets[kMostPackets];
  int fds;             // with the first packet
  int error;           // what lendbuf_borrow answers
  const char* code;    // or NULL
  const char* words;   // that lendbuf_last_error has; or NULL
  bool gives_back;     // the client releases what it was sent
  bool hangs_up;       // after the packets
  bool reads_nothing;  // and closes with the request unread
  size_t length;       // of the first packet, which is filled up with spaces; 0: as it is
};

#define GRANT(size, fds)                                                                                       \
  "{\"jsonrpc\":\"2.0\",\"id\":@,\"result\":{\"delegation\":{\"id\":7,\"access\":\"read-only\"},\"fds\":[" fds \
  "],\"size\":" size "}}"
#define GOOD GRANT("4096", "\"export\"")
#define REFUSAL(members) "{\"jsonrpc\":\"2.0\",\"id\":@,\"error\":{" members "}}"

static const struct script scripts[] = {
    {.name = "a grant", .packets = {GOOD}, .fds = 1},
    {.name = "no JSON", .packets = {"this is not JSON"}, .error = EPROTO, .words = "no JSON object"},
    {.name = "a batch", .packets = {"[]"}, .error = EPROTO},
    {.name = "half a packet",
     .packets = {"{\"jsonrpc\":\"2.0\",\"id\":@,\"result\":{\"deleg"},
     .error = EPROTO,
     .fds = 1},
    {.name = "a string without an end", .packets = {"{\"id\":@,\"result\":\"\\"}, .error = EPROTO},
    {.name = "half an escape", .packets = {"{\"id\":@,\"result\":\"\\u12"}, .error = EPROTO},
    {.name = "something after the object", .packets = {"{\"id\":@,\"result\":{}} {}"}, .error = EPROTO},
    {.name = "a packet that is too long",
     .packets = {GOOD},
     .fds = 1,
     .length = kLong,
     .error = EPROTO,
     .words = "too long"},
    {.name = "the longest packet", .packets = {GOOD}, .fds = 1, .length = 65536},
    {.name = "an end of the connection", .hangs_up = true, .error = ECONNRESET, .words = "the agent is gone"},
    {.name = "a complaint before the end",
     .packets = {"{\"id\":null,\"error\":{\"message\":\"Too many.\",\"data\":{\"code\":\"LIMIT\"}}}"},
     .hangs_up = true,
     .error = EDQUOT,
     .code = "LIMIT",
     .words = "Too many."},
    {.name = "a complaint before the end, with the request unread",
     .packets = {"{\"id\":null,\"error\":{\"message\":\"Go.\",\"data\":{\"code\":\"LIMIT\"}}}"},
     .reads_nothing = true,
     .error = EDQUOT,
     .code = "LIMIT",
     .words = "Go."},
    {.name = "neither result nor error", .packets = {"{\"id\":@}"}, .error = EPROTO},
    {.name = "a result of null", .packets = {"{\"id\":@,\"result\":null}"}, .error = EPROTO},
    {.name = "no descriptor", .packets = {GOOD}, .error = EPROTO},
    {.name = "descriptors that it does not name", .packets = {GOOD}, .fds = 3},
    {.name = "as many descriptors as there is room for", .packets = {GOOD}, .fds = 16},
    {.name = "more descriptors than there is room for",
     .packets = {GOOD},
     .fds = 40,
     .error = EMFILE,
     .gives_back = true},
    {.name = "a descriptor of another name",
     .packets = {GRANT("4096", "\"irq\"")},
     .fds = 1,
     .error = EPROTO,
     .gives_back = true},
    {.name = "names that are no texts",
     .packets = {GRANT("4096", "1,[],{}")},
     .fds = 1,
     .error = EPROTO,
     .gives_back = true},
    {.name = "the second of two names", .packets = {GRANT("4096", "\"irq\", \"export\"")}, .fds = 2},
    {.name = "a size of nothing", .packets = {GRANT("0", "\"export\"")}, .fds = 1, .error = EPROTO, .gives_back = true},
    {.name = "a size below nothing",
     .packets = {GRANT("-1", "\"export\"")},
     .fds = 1,
     .error = EPROTO,
     .gives_back = true},
    {.name = "a size with a fraction",
     .packets = {GRANT("4096.5", "\"export\"")},
     .fds = 1,
     .error = EPROTO,
     .gives_back = true},
    {.name = "a size of 2^53",
     .packets = {GRANT("9007199254740992", "\"export\"")},
     .fds = 1,
     .error = EPROTO,
     .gives_back = true},
    {.name = "a size beyond 64 bits",
     .packets = {GRANT("99999999999999999999999", "\"export\"")},
     .fds = 1,
     .error = EPROTO,
     .gives_back = true},
    {.name = "a size beyond all numbers",
     .packets = {GRANT("1e999", "\"export\"")},
     .fds = 1,
     .error = EPROTO,
     .gives_back = true},
    {.name = "a size that is a text",
     .packets = {GRANT("\"4096\"", "\"export\"")},
     .fds = 1,
     .error = EPROTO,
     .gives_back = true},
    {.name = "a grant of no delegation",
     .packets = {"{\"id\":@,\"result\":{\"fds\":[\"export\"],\"size\":1}}"},
     .fds = 1,
     .error = EPROTO},
    {.name = "a refusal with a descriptor",
     .packets = {REFUSAL("\"message\":\"no\",\"data\":{\"code\":\"BUSY\"}")},
     .fds = 1,
     .error = EBUSY,
     .code = "BUSY",
     .words = "no"},
    {.name = "a refusal without words", .packets = {REFUSAL("")}, .error = EREMOTEIO, .code = "INTERNAL"},
    {.name = "a refusal of a new kind",
     .packets = {REFUSAL("\"message\":\"m\",\"data\":{\"code\":\"NEW\"}")},
     .error = EREMOTEIO,
     .code = "NEW"},
    {.name = "a system call's refusal",
     .packets = {REFUSAL("\"message\":\"m\",\"data\":{\"code\":\"ENOSPC\",\"errno\":-28}")},
     .error = ENOSPC,
     .code = "ENOSPC"},
    {.name = "a system call's refusal with an errno that is none",
     .packets = {REFUSAL("\"data\":{\"code\":\"E\",\"errno\":99999}")},
     .error = EREMOTEIO},
    {.name = "words with escapes",
     .packets = {REFUSAL("\"message\":\"\\u0041\\n\\ud83d\\ude00\\ud83d\\u0000\\u00e9\\\"\"")},
     .error = EREMOTEIO,
     .words = "A\n\xf0\x9f\x98\x80\xef\xbf\xbd\xef\xbf\xbd\xc3\xa9\""},
    {.name = "packets that a newer agent may send",
     .packets = {"{\"method\":\"news\",\"params\":[1]}", "{\"id\":\"x\",\"result\":1}", GOOD},
     .error = EPROTO,
     .fds = 1},
    {.name = "an answer to nobody",
     .packets = {"{\"id\":12345,\"result\":{\"delegation\":{\"id\":9}}}", REFUSAL("\"data\":{\"code\":\"BUSY\"}")},
     .fds = 2,
     .error = EBUSY,
     .gives_back = true},
    {.name = "events of no subscription",
     .packets = {"{\"method\":\"event\",\"params\":{\"subscription\":5,\"data\":{}}}", "{\"method\":\"event\"}",
                 REFUSAL("\"data\":{\"code\":\"BUSY\"}")},
     .error = EBUSY},
};

// The agent.
static int listener;
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static char request[kLong], told[4 * kLong];

static void send_with_fds(int to, const char* text, size_t length, int fds) {
  union {
    char space[CMSG_SPACE(64 * sizeof(int))];
    struct cmsghdr aligned;
  } control = {0};
  struct iovec part = {(char*)text, length};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  if (fds > 0) {
    message.msg_control = control.space;
    message.msg_controllen = CMSG_SPACE((size_t)fds * sizeof(int));
    struct cmsghdr* rights = CMSG_FIRSTHDR(&message);
    *rights = (struct cmsghdr){CMSG_LEN((size_t)fds * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
    int memory = memfd_create("lent", MFD_CLOEXEC);
    if (ftruncate(memory, 4096) != 0) abort();
    for (int i = 0; i < fds; i++) memcpy(CMSG_DATA(rights) + (size_t)i * sizeof(int), &memory, sizeof memory);
    sendmsg(to, &message, MSG_NOSIGNAL);
    close(memory);
  } else {
    sendmsg(to, &message, MSG_NOSIGNAL);
  }
}

static unsigned long long id_of(const char* text) {
  const char* id = strstr(text, "\"id\":");
  return id ? strtoull(id + 5, NULL, 10) : 0;
}

// The id stands where "@" does.
static void send_packet(int to, const char* packet, unsigned long long id, int fds, size_t length) {
  static char text[2 * kLong];
  const char* place = strchr(packet, '@');
  if (place)
    snprintf(text, sizeof text, "%.*s%llu%s", (int)(place - packet), packet, id, place + 1);
  else
    snprintf(text, sizeof text, "%s", packet);
  size_t own = strlen(text);
  if (length > own) memset(text + own, ' ', length - own);
  send_with_fds(to, text, length > own ? length : own, fds);
}

static bool take(int from) {
  ssize_t length = recv(from, request, sizeof request - 1, 0);
  if (length <= 0) return false;
  request[length] = 0;
  strncat(told, request, sizeof told - strlen(told) - 1);
  return true;
}

static void* play(void* argument) {
  const struct script* script = argument;
  int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
  if (script->reads_nothing)
    poll(&(struct pollfd){.fd = client, .events = POLLIN}, 1, -1);
  else
    take(client);
  for (int i = 0; i < kMostPackets && script->packets[i]; i++)
    send_packet(client, script->packets[i], id_of(request), i == 0 ? script->fds : 0, i == 0 ? script->length : 0);
  if (script->hangs_up) shutdown(client, SHUT_RDWR);
  bool goes_on = !script->reads_nothing;
  while (goes_on) goes_on = take(client);
  close(client);
  return NULL;
}

static int open_files(void) {
  int count = 0;
  DIR* folder = opendir("/proc/self/fd");
  while (readdir(folder)) count++;
  closedir(folder);
  return count;
}

static lendbuf_connection* start(pthread_t* agent, void* (*body)(void*), const void* argument) {
  lendbuf_connection* connection = NULL;
  *told = 0;
  pthread_create(agent, NULL, body, (void*)argument);
  if (lendbuf_connect(address.sun_path, &connection) != 0) abort();
  return connection;
}

static void try_script(const struct script* script) {
  pthread_t agent;
  lendbuf_lease* lease = NULL;
  struct lendbuf_options options = {.buffer = "b"};
  int files = open_files();
  lendbuf_connection* connection = start(&agent, play, script);
  int error = lendbuf_borrow(connection, &options, &lease);
  bool code_fits = !script->code || strcmp(lendbuf_last_code(), script->code) == 0;
  bool words_fit = !script->words || strstr(lendbuf_last_error(), script->words);
  lendbuf_leave(lease);
  lendbuf_close(connection);
  pthread_join(agent, NULL);
  bool gave_back = strstr(told, "delegations.release");
  report(error == -script->error && code_fits && words_fit && !lease == (error != 0) &&
             gave_back == script->gives_back && open_files() == files,
         script->name, "%s, code %s, %s, gave back: %d, files %d then %d", strerror(-error), lendbuf_last_code(),
         lendbuf_last_error(), gave_back, files, open_files());
}

// Lists in lists, in a result.
static void try_depth(int depth, int error, const char* name) {
  static char packet[2 * kLong] = "{\"id\":@,\"result\":";
  size_t start_of_lists = strlen("{\"id\":@,\"result\":");
  memset(packet + start_of_lists, '[', (size_t)depth);
  memset(packet + start_of_lists + depth, ']', (size_t)depth);
  strcpy(packet + start_of_lists + 2 * depth, "}");
  struct script script = {.name = name, .packets = {packet}, .error = error};
  pthread_t agent;
  lendbuf_connection* connection = start(&agent, play, &script);
  int answer = lendbuf_call(connection, "any", NULL, NULL);
  lendbuf_close(connection);
  pthread_join(agent, NULL);
  report(answer == -error, name, "%s", lendbuf_last_error());
}

// Answers only what comes after the first: a client that waits gives up first.
static void* answer_late(void* nothing) {
  int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
  take(client);
  unsigned long long id = id_of(request);
  take(client);
  send_packet(client, GOOD, id, 1, 0);
  if (strstr(request, "\"cancel\"")) send_packet(client, "{\"id\":@,\"result\":{}}", id_of(request), 0, 0);
  if (strstr(request, "\"any\"")) send_packet(client, "{\"id\":@,\"result\":{}}", id_of(request), 0, 0);
  while (take(client))
    ;
  close(client);
  return nothing;
}

static void try_late_grant(void) {
  pthread_t agent;
  lendbuf_lease* lease = NULL;
  struct lendbuf_options options = {.buffer = "b"};
  lendbuf_connection* connection = start(&agent, answer_late, NULL);
  lendbuf_set_timeout(connection, 20);
  int error = lendbuf_borrow(connection, &options, &lease);
  lendbuf_set_timeout(connection, LENDBUF_FOREVER);
  int later = lendbuf_call(connection, "any", NULL, NULL);
  lendbuf_close(connection);
  pthread_join(agent, NULL);
  report(error == -ETIMEDOUT && later == 0 && !lease && strstr(told, "delegations.release"),
         "a grant that comes too late is given back", "%d, %d, %s", error, later, told);
}

static void try_late_turn(void) {
  pthread_t agent;
  lendbuf_lease* lease = NULL;
  struct lendbuf_options options = {.buffer = "b", .wait_ms = 20};
  lendbuf_connection* connection = start(&agent, answer_late, NULL);
  int error = lendbuf_borrow(connection, &options, &lease);
  uint64_t id = lease ? lendbuf_id(lease) : 0;
  lendbuf_leave(lease);
  lendbuf_close(connection);
  pthread_join(agent, NULL);
  report(error == 0 && id == 7 && strstr(told, "\"cancel\""), "a turn that comes with the end of the wait is taken",
         "%d, %s", error, told);
}

// A subscription and all that follows, then the answer to a second request.
static void* flood(void* kind) {
  int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
  char event[256];
  take(client);
  unsigned long long id = id_of(request);
  send_packet(client, "{\"id\":@,\"result\":{\"subscription\":1}}", id, 0, 0);
  take(client);
  unsigned long long second = id_of(request);
  for (int i = 1; i <= kEvents; i++) {
    snprintf(event, sizeof event,
             "{\"method\":\"event\",\"params\":{\"subscription\":1,%s\"data\":{\"id\":%d,\"state\":\"active\"}}}",
             (const char*)kind, i);
    send_packet(client, event, 0, 0, 0);
  }
  send_packet(client, "{\"id\":@,\"result\":{}}", second, 0, 0);
  while (take(client))
    ;
  close(client);
  return NULL;
}

static void try_flood(const char* kind, int expected, enum lendbuf_event_kind last_kind, const char* name) {
  pthread_t agent;
  lendbuf_connection* connection = start(&agent, flood, kind);
  struct lendbuf_event event = {0};
  uint64_t last = 0;
  enum lendbuf_event_kind ends_with = LENDBUF_STATE;
  int count = 0;
  int error = lendbuf_call(connection, "audit.watch", NULL, NULL);
  if (error == 0) error = lendbuf_call(connection, "any", NULL, NULL);
  bool is_ready = poll(&(struct pollfd){.fd = lendbuf_poll_fd(connection), .events = POLLIN}, 1, 0) == 1;
  for (; lendbuf_next_event(connection, 0, &event) == 0; count++) {
    last = event.delegation ? event.delegation : last;
    ends_with = event.kind;
    lendbuf_event_free(&event);
  }
  bool is_quiet = poll(&(struct pollfd){.fd = lendbuf_poll_fd(connection), .events = POLLIN}, 1, 0) == 0;
  lendbuf_close(connection);
  pthread_join(agent, NULL);
  report(error == 0 && count == expected && ends_with == last_kind && is_ready && is_quiet, name,
         "%d: %d events, the last of kind %d and about %d; ready %d, then quiet %d", error, count, ends_with, (int)last,
         is_ready, is_quiet);
}

// Nothing of these is sent: the agent would end the connection for it.
static void try_bad_arguments(void) {
  static const char* const bad[] = {"",           "nonsense", "[]",  "{",          "{}{}", "{\"a\":tru}",
                                    "{\"a\":01}", "{\"a\"}",  "{,}", "{\"a\":1,}", "\"\""};
  struct script script = {.packets = {"{\"id\":@,\"result\":{}}"}};
  pthread_t agent;
  lendbuf_lease* lease;
  char* long_text = calloc(1, kLong);
  lendbuf_connection* connection = start(&agent, play, &script);
  bool is_ok = true;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    is_ok &= lendbuf_call(connection, "any", bad[i], NULL) == -EINVAL;
  memset(long_text, 'x', kLong - 1);
  is_ok &= lendbuf_call(connection, long_text, NULL, NULL) == -EMSGSIZE;
  is_ok &= lendbuf_call(connection, "delegations.borrow", "{}", NULL) == -EINVAL;
  is_ok &= lendbuf_borrow(connection, &(struct lendbuf_options){0}, &lease) == -EINVAL;
  is_ok &= lendbuf_borrow(connection, &(struct lendbuf_options){.buffer = "b", .reserved = {0, 1}}, &lease) == -EINVAL;
  is_ok &= *told == 0;
  is_ok &= lendbuf_call(connection, "quo\"te\\\n", NULL, NULL) == 0 && strstr(told, "\"quo\\\"te\\\\\\u000a\"");
  lendbuf_close(connection);
  pthread_join(agent, NULL);
  free(long_text);
  report(is_ok, "bad arguments are refused before they are sent", "%s; the agent was told %s", lendbuf_last_error(),
         told);
}

static void try_options(void) {
  static const struct lendbuf_options options = {.buffer = "b",
                                                 .access = LENDBUF_READ_ONLY,
                                                 .share = LENDBUF_EXCLUSIVE,
                                                 .lease_ms = 5000,
                                                 .wait_ms = LENDBUF_FOREVER,
                                                 .keep = true,
                                                 .purpose = "to \"see\"",
                                                 .exporter = "staged"};
  static const char expected[] =
      "\"params\":{\"buffer\":\"b\",\"access\":\"read-only\",\"share\":\"exclusive\",\"leaseMs\":5000,\"wait\":true,"
      "\"keep\":true,\"purpose\":\"to \\\"see\\\"\",\"exporter\":\"staged\"}}";
  struct script script = {.packets = {GOOD}, .fds = 1};
  pthread_t agent;
  lendbuf_lease* lease = NULL;
  lendbuf_connection* connection = start(&agent, play, &script);
  int error = lendbuf_borrow(connection, &options, &lease);
  lendbuf_leave(lease);
  lendbuf_close(connection);
  pthread_join(agent, NULL);
  report(error == 0 && strstr(told, expected), "each option reaches the agent", "%d, %s", error, told);
}

static void try_freed_late(void) {
  struct script script = {.packets = {GOOD}, .fds = 1};
  pthread_t agent;
  lendbuf_lease* lease = NULL;
  lendbuf_connection* connection = start(&agent, play, &script);
  int error = lendbuf_borrow(connection, &(struct lendbuf_options){.buffer = "b"}, &lease);
  lendbuf_close(connection);
  int extended = error ? 0 : lendbuf_extend(lease, 1, NULL);
  int released = error ? 0 : lendbuf_release(lease);
  pthread_join(agent, NULL);
  report(extended == -ESHUTDOWN && released == -ESHUTDOWN, "a lease may be freed after its connection", "%d, %d",
         extended, released);
}

// hostile FOLDER: where its socket is to be; whoever made that removes it, however this ends.
int main(int count, char** arguments) {
  alarm(60);
  if (count != 2) return 2;
  size_t length = (size_t)snprintf(address.sun_path, sizeof address.sun_path, "%s/agent.sock", arguments[1]);
  if (length >= sizeof address.sun_path) return 2;
  listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (bind(listener, (struct sockaddr*)&address, sizeof address) != 0 || listen(listener, 8) != 0) return 1;
  for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) try_script(&scripts[i]);
  try_depth(31, 0, "lists in lists");
  try_depth(32, EPROTO, "lists that are too deep");
  try_depth(30000, EPROTO, "lists that are far too deep");
  try_late_grant();
  try_late_turn();
  try_flood("", 1, LENDBUF_STATE, "only the last of the states that nobody read is kept");
  try_flood("\"eventId\":\"1\",", 4097, LENDBUF_FAILED,
            "events of the audit are kept up to a limit, and then end with an error");
  try_bad_arguments();
  try_options();
  try_freed_late();
  close(listener);
  return 0;
}
