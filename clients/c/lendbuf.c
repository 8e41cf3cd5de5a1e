#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "lendbuf.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

enum {
  kPacketBytes = 65536,  // docs/protocol.md
  kMostFds = 16,         // likewise
  kDeepest = 32,         // lists and objects within each other; the agent's answers have seven
  kMostEvents = 4096,    // of one connection that wait to be read
  kConnectSeconds = 2,   // while an agent's backlog is full
  kTryAgainMs = 50,      // where none is there, and one may come
};

// What failed.
struct failure {
  int error;  // negative errno; 0: none
  char code[32];
  char text[1024];
};

static _Thread_local struct failure last;

const char* lendbuf_last_error(void) { return last.text; }

const char* lendbuf_last_code(void) { return last.code; }

const char* lendbuf_version(void) { return LENDBUF_VERSION; }

__attribute__((format(printf, 3, 4))) static void describe(struct failure* failure, int error, const char* format,
                                                           ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(failure->text, sizeof failure->text, format, arguments);
  va_end(arguments);
  failure->error = -error;
  failure->code[0] = 0;
}

// For `return fail(EINVAL, …)`.
#define fail(number, ...) (describe(&last, number, __VA_ARGS__), last.error)

static int no_memory(void) { return fail(ENOMEM, "There is no memory left for what the agent has to say."); }

// A refusal's errno, for who has no use for its code.
static const struct {
  const char* code;
  int error;
} refusals[] = {
    {"BAD_INPUT", EINVAL},
    {"UNKNOWN_METHOD", ENOSYS},
    {"NOT_FOUND", ENOENT},
    {"NOT_YOURS", EPERM},
    {"NOT_ALLOWED", EACCES},
    {"WRONG_DOOR", EOPNOTSUPP},
    {"BUSY", EBUSY},
    {"RESERVED", EBUSY},
    {"DRAINED", EBUSY},
    {"NOT_READY", EAGAIN},
    {"ENDED", ESTALE},
    {"ALREADY_CLAIMED", EALREADY},
    {"ALREADY_EXISTS", EEXIST},
    {"OVERLAP", EADDRINUSE},
    {"IN_USE", EBUSY},
    {"BLAST_RADIUS", EBUSY},
    {"UNSUPPORTED", EOPNOTSUPP},
    {"LIMIT", EDQUOT},
    {"UNREAD_CLAIM", ETOOMANYREFS},
    {"STORE_READ_ONLY", EROFS},
    {"DEVICE_LOST", ENODEV},
    {"EXPORT_FAILED", EIO},
    {"CANCELLED", ECANCELED},
    {"INTERNAL", EREMOTEIO},
};

static int errno_of(const char* code) {
  for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
    if (strcmp(refusals[i].code, code) == 0) return refusals[i].error;
  return EREMOTEIO;
}

static const int64_t kNever = INT64_MAX;

// Nanoseconds of CLOCK_MONOTONIC.
static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static int64_t deadline_after(int64_t ms) { return ms < 0 || ms > kNever / 2000000 ? kNever : now() + ms * 1000000; }

// Waits until the descriptor is readable. -EAGAIN at the deadline.
static int wait_readable(int fd, int64_t deadline) {
  for (;;) {
    struct timespec left = {0};
    if (deadline != kNever) {
      int64_t ns = deadline - now();
      if (ns > 0) left = (struct timespec){.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    }
    int ready = ppoll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, deadline == kNever ? NULL : &left, NULL);
    if (ready > 0) return 0;
    if (ready == 0) return -EAGAIN;
    if (errno != EINTR) return -errno;
  }
}

// JSON: reads a text in place, which was found to be whole before anything is looked for in it.

struct json {
  const char* at;  // NULL: there is no such value
  const char* end;
};

static const char* skip_value(const char* at, const char* end, int depth);

static const char* skip_space(const char* at, const char* end) {
  while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')) at++;
  return at;
}

static bool is_digit(const char* at, const char* end) { return at < end && *at >= '0' && *at <= '9'; }

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// The number of four hexadecimal digits, or -1.
static int32_t hex_word(const char* at, const char* end) {
  int32_t word = 0;
  if (end - at < 4) return -1;
  for (int i = 0; i < 4; i++) {
    int digit = hex_digit(at[i]);
    if (digit < 0) return -1;
    word = word * 16 + digit;
  }
  return word;
}

static const char* skip_escape(const char* at, const char* end) {
  if (at == end) return NULL;
  if (*at == 'u') return hex_word(at + 1, end) < 0 ? NULL : at + 5;
  return memchr("\"\\/bfnrt", *at, 8) ? at + 1 : NULL;
}

static const char* skip_string(const char* at, const char* end) {
  if (at == end || *at++ != '"') return NULL;
  while (at && at < end && *at != '"') {
    if ((unsigned char)*at < ' ') return NULL;
    at = *at == '\\' ? skip_escape(at + 1, end) : at + 1;
  }
  return at && at < end ? at + 1 : NULL;
}

static const char* skip_digits(const char* at, const char* end) {
  if (!is_digit(at, end)) return NULL;
  while (is_digit(at, end)) at++;
  return at;
}

static const char* skip_number(const char* at, const char* end) {
  if (*at == '-') at++;
  if (at < end && *at == '0')
    at++;
  else
    at = skip_digits(at, end);
  if (at && at < end && *at == '.') at = skip_digits(at + 1, end);
  if (at && at < end && (*at == 'e' || *at == 'E')) {
    at++;
    if (at < end && (*at == '+' || *at == '-')) at++;
    at = skip_digits(at, end);
  }
  return at;
}

static const char* skip_word(const char* at, const char* end) {
  static const char* const words[] = {"true", "false", "null"};
  for (int i = 0; i < 3; i++) {
    size_t length = strlen(words[i]);
    if ((size_t)(end - at) >= length && memcmp(at, words[i], length) == 0) return at + length;
  }
  return NULL;
}

static const char* skip_key(const char* at, const char* end) {
  at = skip_string(at, end);
  if (at) at = skip_space(at, end);
  return at && at < end && *at == ':' ? skip_space(at + 1, end) : NULL;
}

// An array or an object.
static const char* skip_list(const char* at, const char* end, int depth) {
  bool has_keys = *at == '{';
  char last_of_it = has_keys ? '}' : ']';
  if (depth == 0) return NULL;
  at = skip_space(at + 1, end);
  if (at < end && *at == last_of_it) return at + 1;
  for (;;) {
    if (has_keys) at = skip_key(at, end);
    if (at) at = skip_value(at, end, depth - 1);
    if (at) at = skip_space(at, end);
    if (!at || at == end) return NULL;
    if (*at == last_of_it) return at + 1;
    if (*at != ',') return NULL;
    at = skip_space(at + 1, end);
  }
}

// The end of the value that begins here; NULL where there is none, or one that is deeper than `depth`.
static const char* skip_value(const char* at, const char* end, int depth) {
  if (at == end) return NULL;
  if (*at == '{' || *at == '[') return skip_list(at, end, depth);
  if (*at == '"') return skip_string(at, end);
  if (*at == '-' || is_digit(at, end)) return skip_number(at, end);
  return skip_word(at, end);
}

// The object that the text is, and nothing else.
static struct json json_object(const char* text, size_t length) {
  const char* end = text + length;
  const char* at = skip_space(text, end);
  if (at == end || *at != '{') return (struct json){0};
  const char* after = skip_value(at, end, kDeepest);
  return after && skip_space(after, end) == end ? (struct json){at, after} : (struct json){0};
}

static struct json value_at(const char* at, const char* end) {
  return (struct json){at, skip_value(at, end, kDeepest)};
}

// The value under a key, the first of that name; keys with escapes are not ours.
static struct json member(struct json object, const char* key) {
  size_t length = strlen(key);
  if (!object.at || *object.at != '{') return (struct json){0};
  const char* at = skip_space(object.at + 1, object.end);
  while (*at == '"') {
    bool is_it = strncmp(at + 1, key, length) == 0 && at[length + 1] == '"';
    struct json value = value_at(skip_key(at, object.end), object.end);
    if (is_it) return value;
    at = skip_space(value.end, object.end);
    if (*at == ',') at = skip_space(at + 1, object.end);
  }
  return (struct json){0};
}

static bool is_text(struct json value, const char* text) {
  size_t length = strlen(text);
  return value.at && (size_t)(value.end - value.at) == length + 2 && *value.at == '"' &&
         memcmp(value.at + 1, text, length) == 0;
}

static bool is_true(struct json value) { return value.at && *value.at == 't'; }

// Where in an array of texts that one is; -1: it is not.
static int index_of(struct json array, const char* text) {
  if (!array.at || *array.at != '[') return -1;
  const char* at = skip_space(array.at + 1, array.end);
  for (int i = 0; *at != ']'; i++) {
    struct json value = value_at(at, array.end);
    if (is_text(value, text)) return i;
    at = skip_space(value.end, array.end);
    if (*at == ',') at = skip_space(at + 1, array.end);
  }
  return -1;
}

// A whole number from 0 to 2^53 - 1, which every JSON reader has exactly. False where it is something else.
static bool whole_number(struct json value, uint64_t* number) {
  uint64_t sum = 0;
  if (!value.at || value.end - value.at > 16) return false;
  for (const char* at = value.at; at < value.end; at++) {
    if (!is_digit(at, value.end)) return false;
    sum = sum * 10 + (uint64_t)(*at - '0');
  }
  *number = sum;
  return sum < UINT64_C(1) << 53;
}

static int64_t number_or_0(struct json value) {
  uint64_t number;
  return whole_number(value, &number) ? (int64_t)number : 0;
}

static size_t encode_utf8(uint32_t character, char* to) {
  if (character < 0x80) return *to = (char)character, 1;
  if (character < 0x800) {
    to[0] = (char)(0xc0 | character >> 6);
    to[1] = (char)(0x80 | (character & 0x3f));
    return 2;
  }
  if (character < 0x10000) {
    to[0] = (char)(0xe0 | character >> 12);
    to[1] = (char)(0x80 | (character >> 6 & 0x3f));
    to[2] = (char)(0x80 | (character & 0x3f));
    return 3;
  }
  to[0] = (char)(0xf0 | character >> 18);
  to[1] = (char)(0x80 | (character >> 12 & 0x3f));
  to[2] = (char)(0x80 | (character >> 6 & 0x3f));
  to[3] = (char)(0x80 | (character & 0x3f));
  return 4;
}

// The character of an escape that begins after its backslash. Half of a pair, and NUL, which would end a C string,
// become U+FFFD.
static uint32_t unescape(const char** at, const char* end) {
  static const char names[] = "bfnrt", meanings[] = "\b\f\n\r\t";
  char name = *(*at)++;
  if (name != 'u') {
    const char* known = strchr(names, name);
    return (uint32_t)(known ? meanings[known - names] : name);
  }
  uint32_t word = (uint32_t)hex_word(*at, end);
  *at += 4;
  if (word >= 0xd800 && word < 0xdc00 && end - *at >= 6 && (*at)[0] == '\\' && (*at)[1] == 'u') {
    uint32_t low = (uint32_t)hex_word(*at + 2, end);
    if (low >= 0xdc00 && low < 0xe000) return *at += 6, 0x10000 + ((word & 0x3ff) << 10 | (low & 0x3ff));
  }
  return word == 0 || (word >= 0xd800 && word < 0xe000) ? 0xfffd : word;
}

// The string's text, as much of it as there is room for. False, and an empty text, where it is no string.
static bool copy_string(struct json value, char* to, size_t size) {
  char* const stop = to + size - 1;
  *to = 0;
  if (!value.at || *value.at != '"') return false;
  for (const char* at = value.at + 1; at < value.end - 1 && stop - to >= 4;) {
    if (*at == '\\') {
      at++;
      to += encode_utf8(unescape(&at, value.end), to);
    } else {
      *to++ = *at++;
    }
  }
  *to = 0;
  return true;
}

static char* copy_json(struct json value) { return strndup(value.at, (size_t)(value.end - value.at)); }

static void put_string(FILE* to, const char* text) {
  fputc('"', to);
  for (; *text; text++) {
    if (*text == '"' || *text == '\\')
      fprintf(to, "\\%c", *text);
    else if ((unsigned char)*text < ' ')
      fprintf(to, "\\u%04x", (unsigned)(unsigned char)*text);
    else
      fputc(*text, to);
  }
  fputc('"', to);
}

struct packet {
  char* text;
  size_t length;
  int fds[kMostFds];
  int fd_count;
  bool lost_fds;  // more had come than were taken
};

static void close_fds(struct packet* packet) {
  for (int i = 0; i < packet->fd_count; i++) close(packet->fds[i]);
  packet->fd_count = 0;
}

static void free_packet(struct packet* packet) {
  close_fds(packet);
  free(packet->text);
  packet->text = NULL;
}

static void take_fds(struct msghdr* message, struct packet* packet) {
  for (struct cmsghdr* part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; i++) {
      int fd;
      memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
      if (packet->fd_count < kMostFds)
        packet->fds[packet->fd_count++] = fd;
      else
        close(fd), packet->lost_fds = true;
    }
  }
}

// The next packet, into `packet->text`, which has room for one. -EAGAIN at the deadline; -ECONNRESET at the end.
static int receive(int socket, int64_t deadline, struct packet* packet) {
  for (;;) {
    union {
      char space[CMSG_SPACE(kMostFds * sizeof(int))];
      struct cmsghdr aligned;
    } control;
    struct iovec part = {.iov_base = packet->text, .iov_len = kPacketBytes};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof control.space};
    ssize_t length = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (length < 0) {
      // ECONNRESET comes once, and what the agent said last comes after it.
      if (errno == EINTR || errno == ECONNRESET) continue;
      int error = errno == EAGAIN ? wait_readable(socket, deadline) : -errno;
      if (error) return error;
      continue;
    }
    packet->length = (size_t)length;
    packet->lost_fds = message.msg_flags & MSG_CTRUNC;
    take_fds(&message, packet);
    if (message.msg_flags & MSG_TRUNC) return -EMSGSIZE;
    return length == 0 ? -ECONNRESET : 0;
  }
}

// A request's text; NULL where there is no memory. `params` is JSON.
static char* request_text(uint64_t id, const char* method, const char* params, size_t* length) {
  char* text = NULL;
  FILE* stream = open_memstream(&text, length);
  if (!stream) return NULL;
  fprintf(stream, "{\"jsonrpc\":\"2.0\",\"id\":%" PRIu64 ",\"method\":", id);
  put_string(stream, method);
  if (params) fprintf(stream, ",\"params\":%s", params);
  fputc('}', stream);
  if (fclose(stream) == 0) return text;
  free(text);
  return NULL;
}

// A request that somebody waits for; on the stack of its thread.
struct call {
  uint64_t id;
  bool is_done;
  struct packet reply;
  struct call* next;
};

struct subscription {
  uint64_t id;
  struct subscription* next;
};

// A delegation that outlives its agent.
struct held {
  uint64_t id;
  int64_t resume_ms;  // for how long it is worth coming back
  bool is_bound;      // to the connection as it is now
  struct held* next;
};

struct queued_event {
  struct lendbuf_event event;
  bool must_stay;  // an entry of the audit, which nothing overtakes
  struct queued_event* next;
};

struct lendbuf_connection {
  int socket;
  int poll_fd;     // an epoll of `socket` and `has_events`
  int has_events;  // an eventfd
  atomic_bool is_shut_down;
  _Atomic int64_t timeout_ms;
  char path[sizeof((struct sockaddr_un*)0)->sun_path];
  uid_t agent_uid;

  pthread_mutex_t lock;    // of all that follows
  pthread_cond_t changed;  // a packet was handed out, or nobody reads any more
  int references;          // one is the connection's own, one is each lease's
  bool is_reading;         // one of the threads that wait reads for all
  struct failure lost;
  struct failure complaint;  // what the agent said before it closed the connection
  uint64_t last_id;
  struct call* calls;
  struct subscription* subscriptions;
  struct held* held;
  struct queued_event* events;
  struct queued_event** events_end;
  size_t event_count;

  char buffer[kPacketBytes];  // of the thread that reads
};

// Nobody gets an answer any more; the first reason stays. The agent takes back what was borrowed.
static void lose(lendbuf_connection* connection, const struct failure* why) {
  if (!connection->lost.error) connection->lost = *why;
  shutdown(connection->socket, SHUT_RDWR);
  pthread_cond_broadcast(&connection->changed);
}

static void lose_for(lendbuf_connection* connection, int error, const char* why) {
  struct failure lost;
  describe(&lost, error, "The connection to the agent at %s has ended: %s.", connection->path, why);
  lose(connection, &lost);
}

static void lose_for_memory(lendbuf_connection* connection) {
  lose_for(connection, ENOMEM, "there is no memory left here");
}

// The socket said so.
static void lose_socket(lendbuf_connection* connection, int error) {
  if (connection->is_shut_down)
    lose_for(connection, ESHUTDOWN, "it was shut down here");
  else if (error == EMSGSIZE)
    lose_for(connection, EPROTO, "the agent sent a packet that is too long");
  else if (connection->complaint.error)
    lose(connection, &connection->complaint);
  else
    lose_for(connection, ECONNRESET, error == ECONNRESET ? "the agent is gone" : strerror(error));
}

static int say_lost(const lendbuf_connection* connection) {
  last = connection->lost;
  return last.error;
}

// Takes over a refusal: its words, its code and its errno.
static void read_refusal(struct json refusal, struct failure* failure) {
  struct json data = member(refusal, "data");
  uint64_t number;
  if (!copy_string(member(refusal, "message"), failure->text, sizeof failure->text))
    snprintf(failure->text, sizeof failure->text, "The agent refused, and did not say why.");
  if (!copy_string(member(data, "code"), failure->code, sizeof failure->code)) strcpy(failure->code, "INTERNAL");
  struct json number_of_call = member(data, "errno");
  if (number_of_call.at && *number_of_call.at == '-') number_of_call.at++;
  bool is_system = whole_number(number_of_call, &number) && number > 0 && number < 4096;
  failure->error = is_system ? -(int)number : -errno_of(failure->code);
}

static int64_t call_deadline(lendbuf_connection* connection) { return deadline_after(connection->timeout_ms); }

static bool is_subscribed(const lendbuf_connection* connection, uint64_t id) {
  for (struct subscription* one = connection->subscriptions; one; one = one->next)
    if (one->id == id) return true;
  return false;
}

static void add_subscription(lendbuf_connection* connection, uint64_t id) {
  struct subscription* one = malloc(sizeof *one);
  if (!one) {
    lose_for_memory(connection);
    return;
  }
  *one = (struct subscription){.id = id, .next = connection->subscriptions};
  connection->subscriptions = one;
}

static void remove_subscription(lendbuf_connection* connection, uint64_t id) {
  for (struct subscription** at = &connection->subscriptions; *at; at = &(*at)->next) {
    struct subscription* one = *at;
    if (one->id != id) continue;
    *at = one->next;
    free(one);
    return;
  }
}

static void let_go(lendbuf_connection* connection, uint64_t id) {
  for (struct held** at = &connection->held; *at; at = &(*at)->next) {
    struct held* one = *at;
    if (one->id != id) continue;
    *at = one->next;
    free(one);
    return;
  }
}

// Sends without waiting. -EAGAIN where there is no room.
static int send_now(lendbuf_connection* connection, const char* text, size_t length) {
  while (send(connection->socket, text, length, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
    if (errno != EINTR) return -errno;
  return 0;
}

// For requests whose answer nobody needs.
static void tell(lendbuf_connection* connection, const char* method, uint64_t id) {
  char params[32];
  size_t length;
  snprintf(params, sizeof params, "{\"id\":%" PRIu64 "}", id);
  char* text = request_text(++connection->last_id, method, params, &length);
  if (text) send_now(connection, text, length);
  free(text);
}

// What was granted and cannot be taken, or to a call that nobody waits for any more.
static void give_back(lendbuf_connection* connection, struct packet* packet, struct json result) {
  uint64_t id;
  bool has_fds = packet->fd_count > 0 || packet->lost_fds;
  if (whole_number(member(result, "subscription"), &id)) tell(connection, "cancel", id);
  if (has_fds && whole_number(member(member(result, "delegation"), "id"), &id))
    tell(connection, "delegations.release", id);
  close_fds(packet);
}

// Nobody waits for its reply any more.
static void abandon(lendbuf_connection* connection, struct call* call) {
  for (struct call** at = &connection->calls; *at; at = &(*at)->next) {
    if (*at != call) continue;
    *at = call->next;
    return;
  }
}

static void take_reply(lendbuf_connection* connection, uint64_t id, struct packet* packet, struct json text) {
  struct json result = member(text, "result");
  uint64_t subscription;
  struct call* call = connection->calls;
  while (call && call->id != id) call = call->next;
  char* copy = call ? malloc(packet->length) : NULL;
  if (call && !copy) lose_for_memory(connection);
  if (!copy) {
    give_back(connection, packet, result);
    return;
  }
  if (whole_number(member(result, "subscription"), &subscription) && subscription == id)
    add_subscription(connection, id);
  abandon(connection, call);
  memcpy(copy, packet->text, packet->length);
  call->reply = *packet;
  call->reply.text = copy;
  call->is_done = true;
  packet->fd_count = 0;
}

void lendbuf_event_free(struct lendbuf_event* event) {
  free(event->json);
  event->json = NULL;
}

// An event that tells of one delegation has its fields.
static void read_delegation(struct json record, struct lendbuf_event* event) {
  struct json ending = member(record, "ending");
  if (!copy_string(member(record, "state"), event->state, sizeof event->state)) return;
  event->delegation = (uint64_t)number_or_0(member(record, "id"));
  if (!copy_string(member(record, "reason"), event->reason, sizeof event->reason))
    copy_string(member(ending, "reason"), event->reason, sizeof event->reason);
  event->ending_at_ms = number_or_0(member(ending, "at"));
  event->expires_at_ms = number_or_0(member(record, "expiresAt"));
  event->suspended = is_true(member(record, "suspended"));
}

static void queue_event(lendbuf_connection* connection, const struct lendbuf_event* event, bool must_stay) {
  struct queued_event* queued = malloc(sizeof *queued);
  if (!queued) {
    free(event->json);
    lose_for_memory(connection);
    return;
  }
  *queued = (struct queued_event){.event = *event, .must_stay = must_stay};
  *connection->events_end = queued;
  connection->events_end = &queued->next;
  if (connection->event_count++ == 0) eventfd_write(connection->has_events, 1);
}

// A state takes the place of the one that nobody has read yet.
static bool overtake(lendbuf_connection* connection, const struct lendbuf_event* event) {
  for (struct queued_event* queued = connection->events; queued; queued = queued->next) {
    if (queued->must_stay || queued->event.subscription != event->subscription) continue;
    lendbuf_event_free(&queued->event);
    queued->event = *event;
    return true;
  }
  return false;
}

static void end_subscription(lendbuf_connection* connection, const struct lendbuf_event* event) {
  remove_subscription(connection, event->subscription);
  queue_event(connection, event, true);
}

// The events of the audit are complete or they end: what cannot be kept is not left out in silence.
static void end_unread(lendbuf_connection* connection, struct lendbuf_event* event) {
  static const char text[] =
      "{\"message\":\"Too many events wait to be read, so the subscription was cancelled. Read them as they come.\","
      "\"data\":{\"code\":\"LIMIT\"}}";
  free(event->json);
  *event = (struct lendbuf_event){
      .kind = LENDBUF_FAILED, .subscription = event->subscription, .json = strndup(text, sizeof text)};
  tell(connection, "cancel", event->subscription);
  end_subscription(connection, event);
}

static void keep_state(lendbuf_connection* connection, struct lendbuf_event* event, bool must_stay) {
  if (!must_stay && overtake(connection, event)) return;
  if (connection->event_count < kMostEvents)
    queue_event(connection, event, must_stay);
  else
    end_unread(connection, event);
}

static void take_event(lendbuf_connection* connection, struct json params) {
  struct lendbuf_event event = {.kind = LENDBUF_STATE};
  struct json data = member(params, "data"), error = member(params, "error");
  bool must_stay = member(params, "eventId").at;
  if (!whole_number(member(params, "subscription"), &event.subscription)) return;
  if (!is_subscribed(connection, event.subscription)) return;
  if (is_true(member(params, "done"))) event.kind = LENDBUF_DONE;
  if (error.at) event.kind = LENDBUF_FAILED, data = error;
  if (data.at && !(event.json = copy_json(data))) {
    lose_for_memory(connection);
  } else if (event.kind != LENDBUF_STATE) {
    end_subscription(connection, &event);
  } else {
    read_delegation(data, &event);
    keep_state(connection, &event, must_stay);
  }
}

// Gives a packet to whom it concerns, with its descriptors. Ignores what it does not know: a newer agent may say it.
static void hand_out(lendbuf_connection* connection, struct packet* packet) {
  struct json text = json_object(packet->text, packet->length);
  uint64_t id;
  if (!text.at) {
    lose_for(connection, EPROTO, "the agent sent a packet that is no JSON object, or one that is too deep");
  } else if (whole_number(member(text, "id"), &id)) {
    take_reply(connection, id, packet, text);
  } else if (is_text(member(text, "method"), "event")) {
    take_event(connection, member(text, "params"));
  } else if (member(text, "error").at) {
    read_refusal(member(text, "error"), &connection->complaint);
  }
}

// Until the thread that reads has handed something out, or has left. -EAGAIN at the deadline.
static int wait_for_reader(lendbuf_connection* connection, int64_t deadline) {
  if (deadline == kNever) return -pthread_cond_wait(&connection->changed, &connection->lock);
  struct timespec until = {.tv_sec = deadline / 1000000000, .tv_nsec = deadline % 1000000000};
  return pthread_cond_timedwait(&connection->changed, &connection->lock, &until) ? -EAGAIN : 0;
}

// Takes a packet, or waits until another thread has: something may have changed. -EAGAIN at the deadline.
static int advance(lendbuf_connection* connection, int64_t deadline) {
  if (connection->is_reading) return wait_for_reader(connection, deadline);
  struct packet packet = {.text = connection->buffer};
  connection->is_reading = true;
  pthread_mutex_unlock(&connection->lock);
  int error = receive(connection->socket, deadline, &packet);
  pthread_mutex_lock(&connection->lock);
  connection->is_reading = false;
  if (error == 0) hand_out(connection, &packet);
  close_fds(&packet);
  if (error < 0 && error != -EAGAIN) lose_socket(connection, -error);
  pthread_cond_broadcast(&connection->changed);
  return error == -EAGAIN ? error : 0;
}

// Sends a request. It waits by reading: an agent whose answers nobody takes takes no requests.
static int begin(lendbuf_connection* connection, struct call* call, const char* method, const char* params,
                 int64_t deadline) {
  size_t length;
  *call = (struct call){.id = ++connection->last_id, .next = connection->calls};
  char* text = request_text(call->id, method, params, &length);
  if (!text) return no_memory();
  int error = length > kPacketBytes ? -EMSGSIZE : connection->lost.error;
  while (error == 0 && (error = send_now(connection, text, length)) == -EAGAIN)
    if ((error = advance(connection, deadline)) == 0) error = connection->lost.error;
  free(text);
  if (connection->lost.error) return say_lost(connection);
  if (error == -EAGAIN) return fail(ETIMEDOUT, "The agent did not take the request %s in time.", method);
  if (error == -EMSGSIZE)
    return fail(EMSGSIZE, "The request %s has %zu bytes, and a packet takes %d.", method, length, kPacketBytes);
  if (error) {  // the agent may have said why before it closed
    while (!connection->lost.error) advance(connection, kNever);
    return say_lost(connection);
  }
  call->next = connection->calls;
  connection->calls = call;
  return 0;
}

// Waits for a reply. -EAGAIN at the deadline, and the call goes on.
static int finish(lendbuf_connection* connection, struct call* call, int64_t deadline) {
  int error = 0;
  while (!call->is_done && !connection->lost.error && error == 0) error = advance(connection, deadline);
  if (call->is_done) return 0;
  if (!connection->lost.error) return error;
  abandon(connection, call);
  return say_lost(connection);
}

// The result of a reply, which points into it.
static int read_reply(const struct call* call, struct json* result) {
  struct json text = json_object(call->reply.text, call->reply.length);
  struct json refusal = member(text, "error");
  *result = member(text, "result");
  if (refusal.at) return read_refusal(refusal, &last), last.error;
  if (!result->at) return fail(EPROTO, "The agent's answer has neither a result nor an error.");
  return 0;
}

// A request and its reply, of which `call` must be freed after success.
static int request(lendbuf_connection* connection, struct call* call, const char* method, const char* params,
                   struct json* result) {
  int64_t deadline = call_deadline(connection);
  pthread_mutex_lock(&connection->lock);
  int error = begin(connection, call, method, params, deadline);
  if (error == 0 && (error = finish(connection, call, deadline)) == -EAGAIN) {
    abandon(connection, call);
    error = fail(ETIMEDOUT, "The agent did not answer %s in time.", method);
  }
  pthread_mutex_unlock(&connection->lock);
  if (error == 0 && (error = read_reply(call, result)) != 0) free_packet(&call->reply);
  return error;
}

static bool is_lending(const char* method) {
  return strcmp(method, "delegations.borrow") == 0 || strcmp(method, "delegations.claim") == 0;
}

int lendbuf_call(lendbuf_connection* connection, const char* method, const char* params, char** result) {
  struct call call;
  struct json value;
  if (is_lending(method))
    return fail(EINVAL, "%s answers with a descriptor: call lendbuf_borrow or lendbuf_claim instead.", method);
  // The agent would end the connection, and with it all that was borrowed.
  if (params && !json_object(params, strlen(params)).at)
    return fail(EINVAL, "What was given to %s is not the text of a JSON object, up to %d deep.", method, kDeepest);
  int error = request(connection, &call, method, params, &value);
  if (error) return error;
  char* copy = copy_json(value);
  free_packet(&call.reply);
  if (!copy) return no_memory();
  if (result)
    *result = copy;
  else
    free(copy);
  return 0;
}

void lendbuf_set_timeout(lendbuf_connection* connection, int64_t timeout_ms) { connection->timeout_ms = timeout_ms; }

void lendbuf_shutdown(lendbuf_connection* connection) {
  int kept = errno;
  connection->is_shut_down = true;
  shutdown(connection->socket, SHUT_RDWR);
  errno = kept;
}

int lendbuf_poll_fd(const lendbuf_connection* connection) { return connection->poll_fd; }

static void pop_event(lendbuf_connection* connection, struct lendbuf_event* event) {
  struct queued_event* first = connection->events;
  eventfd_t count;
  *event = first->event;
  connection->events = first->next;
  if (!first->next) connection->events_end = &connection->events;
  if (--connection->event_count == 0) eventfd_read(connection->has_events, &count);
  free(first);
}

int lendbuf_next_event(lendbuf_connection* connection, int64_t timeout_ms, struct lendbuf_event* event) {
  int64_t deadline = deadline_after(timeout_ms);
  int error = 0;
  pthread_mutex_lock(&connection->lock);
  while (!connection->events && !connection->lost.error && error == 0) error = advance(connection, deadline);
  if (connection->events)
    pop_event(connection, event), error = 0;
  else if (connection->lost.error)
    error = say_lost(connection);
  else
    error = fail(EAGAIN, "No event came in time.");
  pthread_mutex_unlock(&connection->lock);
  return error;
}

static void free_connection(lendbuf_connection* connection) {
  pthread_cond_destroy(&connection->changed);
  pthread_mutex_destroy(&connection->lock);
  free(connection);
}

static void refer(lendbuf_connection* connection, int change) {
  pthread_mutex_lock(&connection->lock);
  bool is_last = (connection->references += change) == 0;
  pthread_mutex_unlock(&connection->lock);
  if (is_last) free_connection(connection);
}

void lendbuf_close(lendbuf_connection* connection) {
  if (!connection) return;
  pthread_mutex_lock(&connection->lock);
  lose_for(connection, ESHUTDOWN, "it was closed here");
  close(connection->poll_fd);
  close(connection->has_events);
  close(connection->socket);
  connection->poll_fd = connection->has_events = connection->socket = -1;
  while (connection->subscriptions) remove_subscription(connection, connection->subscriptions->id);
  while (connection->held) let_go(connection, connection->held->id);
  for (struct queued_event *one = connection->events, *next; one; one = next) {
    next = one->next;
    lendbuf_event_free(&one->event);
    free(one);
  }
  connection->events = NULL;
  pthread_mutex_unlock(&connection->lock);
  refer(connection, -1);
}

static const char system_socket[] = "/run/lendbuf/agent.sock";

enum { kMostPlaces = 2 };

// Where to look for an agent, in order; how many there are. packages/shared/src/paths.ts is the model.
static int list_places(const char* wanted, char (*places)[PATH_MAX]) {
  const char* runtime = secure_getenv("XDG_RUNTIME_DIR");
  int count = 0;
  if (!wanted) wanted = secure_getenv("LENDBUF_SOCKET");
  if (wanted && *wanted) return snprintf(places[0], PATH_MAX, "%s", wanted), 1;
  if (geteuid() != 0 && runtime && *runtime)
    snprintf(places[count++], PATH_MAX, "%s/lendbuf/agent.sock", runtime);
  else if (geteuid() != 0)
    snprintf(places[count++], PATH_MAX, "/tmp/lendbuf-%u/agent.sock", (unsigned)geteuid());
  snprintf(places[count++], PATH_MAX, "%s", system_socket);
  return count;
}

// A socket that is connected to a path, or a negative errno.
static int connect_to(const char* path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  struct timeval patience = {.tv_sec = kConnectSeconds}, none = {0};
  if (strlen(path) >= sizeof address.sun_path) return -ENAMETOOLONG;
  strcpy(address.sun_path, path);
  int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  int error;
  do {
    error = connect(fd, (struct sockaddr*)&address, sizeof address) == 0 ? 0 : -errno;
  } while (error == -EINTR);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof none);
  if (error == 0) return fd;
  close(fd);
  return error;
}

// (uid_t)-1 where the kernel does not say.
static uid_t uid_of_peer(int fd) {
  struct ucred peer = {.uid = (uid_t)-1};
  socklen_t size = sizeof peer;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) return (uid_t)-1;
  return peer.uid;
}

// In a place that anybody may have taken (/tmp) only ourselves and root are believed.
static int refuse_stranger(int fd, const char* path) {
  uid_t owner = uid_of_peer(fd);
  if (owner == geteuid() || owner == 0) return 0;
  return fail(EPERM,
              "Whoever answers at %s is uid %u, neither you nor root. Set LENDBUF_SOCKET to that path if you trust it.",
              path, (unsigned)owner);
}

static int say_nobody(char (*places)[PATH_MAX], const int* errors, int count) {
  static const char advice[] = "Start one, or set LENDBUF_SOCKET to where it listens";
  for (int i = 0; i < count; i++)
    if (errors[i] == -EACCES)
      return fail(EACCES,
                  "Permission denied at the agent's socket %s. It is open to members of its group, which ls -l names: "
                  "have yourself added to it (usermod -aG), and log in anew.",
                  places[i]);
  int error = -errors[count - 1];
  if (count == 1) return fail(error, "No agent answers at %s (%s). %s.", places[0], strerror(error), advice);
  return fail(error, "No agent answers at %s (%s) or %s (%s). %s.", places[0], strerror(-errors[0]), places[1],
              strerror(error), advice);
}

// A socket that is connected to an agent, and its path, as long as an address takes; or a negative errno.
static int find_agent(const char* wanted, char* path) {
  char places[kMostPlaces][PATH_MAX];
  int errors[kMostPlaces];
  int count = list_places(wanted, places);
  for (int i = 0; i < count; i++) {
    int fd = errors[i] = connect_to(places[i]);
    if (fd < 0) continue;
    strcpy(path, places[i]);  // it fits, for connect_to has taken it
    int error = i < count - 1 ? refuse_stranger(fd, path) : 0;
    return error ? close(fd), error : fd;
  }
  return say_nobody(places, errors, count);
}

static int watch(int epoll, int fd) {
  return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &(struct epoll_event){.events = EPOLLIN});
}

int lendbuf_connect(const char* path, lendbuf_connection** connection) {
  pthread_condattr_t monotonic;
  lendbuf_connection* made = calloc(1, sizeof *made);
  if (!made) return no_memory();
  made->references = 1;
  made->timeout_ms = LENDBUF_FOREVER;
  made->events_end = &made->events;
  pthread_mutex_init(&made->lock, NULL);
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_cond_init(&made->changed, &monotonic);
  pthread_condattr_destroy(&monotonic);
  made->poll_fd = made->has_events = -1;
  int error = made->socket = find_agent(path, made->path);
  if (error < 0) return free_connection(made), error;
  made->agent_uid = uid_of_peer(made->socket);
  made->poll_fd = epoll_create1(EPOLL_CLOEXEC);
  made->has_events = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (watch(made->poll_fd, made->socket) < 0 || watch(made->poll_fd, made->has_events) < 0) {
    error = fail(errno, "The connection to the agent cannot be watched: %s.", strerror(errno));
    lendbuf_close(made);
    return error;
  }
  *connection = made;
  return 0;
}

// Until when it is worth coming back; 0: there is nothing to come back for.
static int64_t return_deadline(const lendbuf_connection* connection) {
  int64_t longest = 0;
  for (const struct held* one = connection->held; one; one = one->next)
    if (one->resume_ms > longest) longest = one->resume_ms;
  return longest ? deadline_after(longest) : 0;
}

// A socket to an agent of the same user, or -ECONNRESET where none comes.
static int await_agent(lendbuf_connection* connection, int64_t deadline) {
  for (;;) {
    int fd = connect_to(connection->path);
    if (fd >= 0 && uid_of_peer(fd) == connection->agent_uid) return fd;
    if (fd >= 0) close(fd);
    if (connection->is_shut_down || now() >= deadline) return -ECONNRESET;
    nanosleep(&(struct timespec){.tv_nsec = kTryAgainMs * 1000000L}, NULL);
  }
}

// Puts another socket in the place of the one that was lost, whose number others may be using.
static int use_socket(lendbuf_connection* connection, int fd) {
  int error = dup3(fd, connection->socket, O_CLOEXEC) < 0 ? -errno : 0;
  close(fd);
  if (error == 0 && watch(connection->poll_fd, connection->socket) < 0) error = -errno;
  if (error) return fail(-error, "The connection to the agent cannot be made anew: %s.", strerror(-error));
  connection->lost = connection->complaint = (struct failure){0};
  for (struct held* one = connection->held; one; one = one->next) one->is_bound = false;
  while (connection->subscriptions) remove_subscription(connection, connection->subscriptions->id);
  if (connection->is_shut_down) shutdown(connection->socket, SHUT_RDWR);
  return 0;
}

// Connects anew, while nobody reads.
static int reconnect(lendbuf_connection* connection, int64_t deadline) {
  connection->is_reading = true;  // nobody else does, nor comes back
  pthread_mutex_unlock(&connection->lock);
  int fd = await_agent(connection, deadline);
  pthread_mutex_lock(&connection->lock);
  int error = fd < 0 ? say_lost(connection) : use_socket(connection, fd);
  connection->is_reading = false;
  pthread_cond_broadcast(&connection->changed);
  return error;
}

static struct held* first_unbound(const lendbuf_connection* connection) {
  struct held* one = connection->held;
  while (one && one->is_bound) one = one->next;
  return one;
}

// What the agent has taken over is bound to this connection; what it has not has ended.
static int take_up(lendbuf_connection* connection) {
  int64_t deadline = call_deadline(connection);
  for (struct held* one; (one = first_unbound(connection));) {
    struct call call;
    struct json result;
    char params[32];
    uint64_t id = one->id;  // others may change the list while we wait
    one->is_bound = true;
    snprintf(params, sizeof params, "{\"id\":%" PRIu64 "}", id);
    int error = begin(connection, &call, "delegations.resume", params, deadline);
    if (error == 0 && (error = finish(connection, &call, deadline)) == -EAGAIN) {
      abandon(connection, &call);
      error = fail(ETIMEDOUT, "The agent did not answer delegations.resume in time.");
    }
    if (error) return error;
    if (read_reply(&call, &result) != 0) let_go(connection, id);
    free_packet(&call.reply);
  }
  return 0;
}

int lendbuf_resume(lendbuf_connection* connection, int64_t timeout_ms) {
  int64_t deadline = deadline_after(timeout_ms);
  pthread_mutex_lock(&connection->lock);
  // Where nobody reads, nobody has noticed yet.
  while (!connection->is_reading && !connection->lost.error && advance(connection, 0) == 0) continue;
  while (connection->is_reading && connection->lost.error) pthread_cond_wait(&connection->changed, &connection->lock);
  int64_t latest = return_deadline(connection);
  int error = 0;
  if (connection->lost.error && (connection->lost.error != -ECONNRESET || latest == 0))
    error = say_lost(connection);
  else if (connection->lost.error)
    error = reconnect(connection, deadline < latest ? deadline : latest);
  if (error == 0) error = take_up(connection);
  pthread_mutex_unlock(&connection->lock);
  return error;
}

struct lendbuf_lease {
  lendbuf_connection* connection;
  uint64_t id;
  size_t size;
  int fd;
  enum lendbuf_access access;
  char* record;
};

uint64_t lendbuf_id(const lendbuf_lease* lease) { return lease->id; }

size_t lendbuf_size(const lendbuf_lease* lease) { return lease->size; }

int lendbuf_fd(const lendbuf_lease* lease) { return lease->fd; }

const char* lendbuf_record(const lendbuf_lease* lease) { return lease->record; }

void lendbuf_leave(lendbuf_lease* lease) {
  if (!lease) return;
  close(lease->fd);
  refer(lease->connection, -1);
  free(lease->record);
  free(lease);
}

static void hold(lendbuf_connection* connection, uint64_t id, int64_t resume_ms) {
  struct held* one = resume_ms > 0 ? malloc(sizeof *one) : NULL;
  if (!one) return;  // without memory for it, it ends with its agent
  pthread_mutex_lock(&connection->lock);
  *one = (struct held){.id = id, .resume_ms = resume_ms, .is_bound = true, .next = connection->held};
  connection->held = one;
  pthread_mutex_unlock(&connection->lock);
}

static int refuse_grant(lendbuf_connection* connection, struct packet* packet, struct json result, int error,
                        const char* why) {
  pthread_mutex_lock(&connection->lock);
  give_back(connection, packet, result);
  pthread_mutex_unlock(&connection->lock);
  return fail(error, "The memory that the agent lent was given back: %s.", why);
}

// Makes a lease of what was granted, and takes its descriptor out of the packet.
static int take_lease(lendbuf_connection* connection, struct packet* packet, struct json result,
                      lendbuf_lease** lease) {
  struct json record = member(result, "delegation");
  int index = index_of(member(result, "fds"), "export");
  uint64_t id, size;
  if (packet->lost_fds)
    return refuse_grant(connection, packet, result, EMFILE, "this process may have no more descriptors open");
  if (!whole_number(member(record, "id"), &id) || !whole_number(member(result, "size"), &size) || size == 0 ||
      size > SIZE_MAX || index < 0 || index >= packet->fd_count)
    return refuse_grant(connection, packet, result, EPROTO,
                        "its answer does not say what it is, or brought no descriptor");
  lendbuf_lease* made = malloc(sizeof *made);
  char* text = copy_json(record);
  if (!made || !text) {
    free(made), free(text);
    return refuse_grant(connection, packet, result, ENOMEM, "there is no memory left here");
  }
  bool is_read_only = is_text(member(record, "access"), "read-only");
  *made = (struct lendbuf_lease){.connection = connection,
                                 .id = id,
                                 .size = (size_t)size,
                                 .fd = packet->fds[index],
                                 .access = is_read_only ? LENDBUF_READ_ONLY : LENDBUF_READ_WRITE,
                                 .record = text};
  packet->fds[index] = packet->fds[--packet->fd_count];
  refer(connection, 1);
  hold(connection, id, number_or_0(member(result, "resumeMs")));
  *lease = made;
  return 0;
}

// Waits for a grant. Where that takes too long the agent is told, and its answer counts: it may have been granted after
// all. -ETIMEDOUT where it does not answer.
static int await_grant(lendbuf_connection* connection, struct call* call, int64_t wait_ms, bool* gave_up) {
  int error = finish(connection, call, wait_ms ? deadline_after(wait_ms) : call_deadline(connection));
  if (error == -EAGAIN && wait_ms) {
    *gave_up = true;
    tell(connection, "cancel", call->id);
    error = finish(connection, call, call_deadline(connection));
  }
  if (error != -EAGAIN) return error;
  abandon(connection, call);
  return fail(ETIMEDOUT, "The agent did not answer in time. What it grants later is given back.");
}

static int lend(lendbuf_connection* connection, const char* method, const char* params, int64_t wait_ms,
                lendbuf_lease** lease) {
  struct call call;
  struct json result;
  bool gave_up = false;
  pthread_mutex_lock(&connection->lock);
  int error = begin(connection, &call, method, params, call_deadline(connection));
  if (error == 0) error = await_grant(connection, &call, wait_ms, &gave_up);
  pthread_mutex_unlock(&connection->lock);
  if (error) return error;
  error = read_reply(&call, &result);
  if (error == 0) error = take_lease(connection, &call.reply, result, lease);
  free_packet(&call.reply);
  if (error == -ECANCELED && gave_up)
    return fail(ETIMEDOUT, "It was not free within %" PRId64 " ms, and the place in line was given up.", wait_ms);
  return error;
}

static char* borrow_params(const struct lendbuf_options* options) {
  char* text = NULL;
  size_t length;
  FILE* stream = open_memstream(&text, &length);
  if (!stream) return NULL;
  fputs("{\"buffer\":", stream);
  put_string(stream, options->buffer);
  if (options->access == LENDBUF_READ_ONLY) fputs(",\"access\":\"read-only\"", stream);
  if (options->share == LENDBUF_EXCLUSIVE) fputs(",\"share\":\"exclusive\"", stream);
  if (options->share == LENDBUF_SHARED) fputs(",\"share\":\"shared\"", stream);
  if (options->lease_ms) fprintf(stream, ",\"leaseMs\":%" PRId64, options->lease_ms);
  if (options->wait_ms) fputs(",\"wait\":true", stream);
  if (options->keep) fputs(",\"keep\":true", stream);
  if (options->purpose) fputs(",\"purpose\":", stream), put_string(stream, options->purpose);
  if (options->exporter) fputs(",\"exporter\":", stream), put_string(stream, options->exporter);
  fputc('}', stream);
  if (fclose(stream) == 0) return text;
  free(text);
  return NULL;
}

int lendbuf_borrow(lendbuf_connection* connection, const struct lendbuf_options* options, lendbuf_lease** lease) {
  static const uint64_t zeros[sizeof options->reserved / sizeof *options->reserved];
  if (!options->buffer) return fail(EINVAL, "lendbuf_options.buffer is NULL: say which buffer to borrow.");
  if (memcmp(options->reserved, zeros, sizeof zeros) != 0)
    return fail(EINVAL, "lendbuf_options.reserved is not 0: set all of the structure to 0 first.");
  char* params = borrow_params(options);
  if (!params) return no_memory();
  int error = lend(connection, "delegations.borrow", params, options->wait_ms, lease);
  free(params);
  return error;
}

int lendbuf_claim(lendbuf_connection* connection, uint64_t delegation, lendbuf_lease** lease) {
  char params[32];
  snprintf(params, sizeof params, "{\"id\":%" PRIu64 "}", delegation);
  return lend(connection, "delegations.claim", params, 0, lease);
}

// One request about a lease, of which `call` must be freed after success. `more` is further members, or empty.
static int ask_about(const lendbuf_lease* lease, const char* method, const char* more, struct call* call,
                     struct json* result) {
  char params[64];
  snprintf(params, sizeof params, "{\"id\":%" PRIu64 "%s}", lease->id, more);
  return request(lease->connection, call, method, params, result);
}

int lendbuf_extend(lendbuf_lease* lease, int64_t by_ms, int64_t* expires_at_ms) {
  struct call call;
  struct json record;
  char by[32];
  snprintf(by, sizeof by, ",\"byMs\":%" PRId64, by_ms);
  int error = ask_about(lease, "delegations.extend", by, &call, &record);
  if (error) return error;
  if (expires_at_ms) *expires_at_ms = number_or_0(member(record, "expiresAt"));
  free_packet(&call.reply);
  return 0;
}

int lendbuf_follow(lendbuf_lease* lease) {
  struct call call;
  struct json result;
  int error = ask_about(lease, "delegations.follow", "", &call, &result);
  if (error == 0) free_packet(&call.reply);
  return error;
}

int lendbuf_release(lendbuf_lease* lease) {
  struct call call;
  struct json record;
  int error = ask_about(lease, "delegations.release", "", &call, &record);
  if (error == 0) {
    if (!is_text(member(record, "state"), "revoked"))
      error = fail(EINPROGRESS, "The kernel has not confirmed yet that nobody reaches the memory; the agent goes on.");
    free_packet(&call.reply);
  }
  pthread_mutex_lock(&lease->connection->lock);
  let_go(lease->connection, lease->id);
  pthread_mutex_unlock(&lease->connection->lock);
  lendbuf_leave(lease);
  return error;
}

// Guarded access: one SIGBUS handler in the process, one armed range in each thread.

struct lendbuf_mapping {
  char* base;
  size_t size;
  bool is_writable;
};

struct armed {
  sigjmp_buf* jump;
  const char* low;
  const char* high;
};

// initial-exec: the handler must not meet a thread-local block that is allocated on first use.
static _Thread_local __attribute__((tls_model("initial-exec"))) struct armed armed;
static struct sigaction found;  // the handler that was there before ours
static pthread_once_t installed = PTHREAD_ONCE_INIT;

// Does what would have been done without us. Holds no state, for the handler that we found may jump.
static void pass_on(int number, siginfo_t* info, void* context) {
  bool is_sent = info->si_code <= 0;  // by kill(2), which no access repeats
  if (found.sa_flags & SA_SIGINFO) {
    found.sa_sigaction(number, info, context);
  } else if (found.sa_handler != SIG_IGN && found.sa_handler != SIG_DFL) {
    found.sa_handler(number);
  } else if (found.sa_handler == SIG_DFL || !is_sent) {
    signal(number, SIG_DFL);  // the access is repeated, and ends the process where it would have ended
    if (is_sent) raise(number);
  }
}

static void on_bus_error(int number, siginfo_t* info, void* context) {
  const char* address = info->si_addr;
  bool is_ours = info->si_code > 0 && armed.jump && address >= armed.low && address < armed.high;
  if (!is_ours) {
    pass_on(number, info, context);
    return;
  }
  // A handler that passed it on to us may run without SA_NODEFER: leave no signal blocked behind the jump.
  pthread_sigmask(SIG_SETMASK, &((ucontext_t*)context)->uc_sigmask, NULL);
  siglongjmp(*armed.jump, 1);
}

// Once: whoever comes later passes on to us, and one that is installed twice is found by itself.
static void install(void) {
  struct sigaction ours = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
  sigemptyset(&ours.sa_mask);
  sigaction(SIGBUS, NULL, &found);  // first, for a fault may come in between
  sigaction(SIGBUS, &ours, NULL);
}

int lendbuf_guard(const lendbuf_mapping* mapping, void (*access)(void* address, void* argument), void* argument) {
  const struct armed outer = armed;  // of an access that this one is part of, or interrupts
  sigjmp_buf jump;
  if (sigsetjmp(jump, 0)) {  // 0: the handler restores the mask, which spares a system call on each access
    armed = outer;
    return fail(EFAULT, "The memory was taken back. lendbuf_next_event says why, where the lease is followed.");
  }
  armed = (struct armed){&jump, mapping->base, mapping->base + mapping->size};
  atomic_signal_fence(memory_order_seq_cst);
  access(mapping->base, argument);
  atomic_signal_fence(memory_order_seq_cst);
  armed = outer;
  return 0;
}

static int say_unmappable(int error) {
  if (error == ENODEV || error == EINVAL)
    return fail(
        error,
        "The kernel lets no process map this memory (%s): hand its descriptor to a device, or borrow it as \"staged\".",
        strerror(error));
  return fail(error, "The memory cannot be mapped: %s.", strerror(error));
}

int lendbuf_map_fd(int fd, size_t size, enum lendbuf_access access, lendbuf_mapping** mapping) {
  bool is_writable = access == LENDBUF_READ_WRITE;
  lendbuf_mapping* made = malloc(sizeof *made);
  if (!made) return no_memory();
  void* base = mmap(NULL, size, is_writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);
  if (base == MAP_FAILED) {
    int error = say_unmappable(errno);
    free(made);
    return error;
  }
  pthread_once(&installed, install);
  *made = (struct lendbuf_mapping){.base = base, .size = size, .is_writable = is_writable};
  *mapping = made;
  return 0;
}

int lendbuf_map(const lendbuf_lease* lease, lendbuf_mapping** mapping) {
  return lendbuf_map_fd(lease->fd, lease->size, lease->access, mapping);
}

void lendbuf_unmap(lendbuf_mapping* mapping) {
  if (!mapping) return;
  munmap(mapping->base, mapping->size);
  free(mapping);
}

void* lendbuf_address(const lendbuf_mapping* mapping) { return mapping->base; }

static int check_range(const lendbuf_mapping* mapping, size_t offset, size_t size, bool is_store) {
  if (size > mapping->size || offset > mapping->size - size)
    return fail(ERANGE, "%zu bytes at %zu are not in a mapping of %zu.", size, offset, mapping->size);
  if (is_store && !mapping->is_writable) return fail(EACCES, "The memory was lent to be read only.");
  return 0;
}

// Both ways of one access.
struct transfer {
  size_t offset;
  size_t size;
  void* to;
  const void* from;
};

static int access_word(const lendbuf_mapping* mapping, struct transfer transfer, void (*access)(void*, void*)) {
  int error = check_range(mapping, transfer.offset, transfer.size, transfer.from);
  if (error) return error;
  if (transfer.offset % transfer.size != 0)
    return fail(EINVAL, "Offset %zu is not a multiple of %zu.", transfer.offset, transfer.size);
  return lendbuf_guard(mapping, access, &transfer);
}

#define DEFINE_WORD(bits)                                                                                 \
  static void load##bits(void* base, void* argument) {                                                    \
    const struct transfer* transfer = argument;                                                           \
    *(uint##bits##_t*)transfer->to = *(volatile uint##bits##_t*)((char*)base + transfer->offset);         \
  }                                                                                                       \
  static void store##bits(void* base, void* argument) {                                                   \
    const struct transfer* transfer = argument;                                                           \
    *(volatile uint##bits##_t*)((char*)base + transfer->offset) = *(const uint##bits##_t*)transfer->from; \
  }                                                                                                       \
  int lendbuf_load##bits(const lendbuf_mapping* mapping, size_t offset, uint##bits##_t* value) {          \
    struct transfer transfer = {.offset = offset, .size = sizeof *value, .to = value};                    \
    return access_word(mapping, transfer, load##bits);                                                    \
  }                                                                                                       \
  int lendbuf_store##bits(const lendbuf_mapping* mapping, size_t offset, uint##bits##_t value) {          \
    struct transfer transfer = {.offset = offset, .size = sizeof value, .from = &value};                  \
    return access_word(mapping, transfer, store##bits);                                                   \
  }

DEFINE_WORD(8)
DEFINE_WORD(16)
DEFINE_WORD(32)
DEFINE_WORD(64)

static void copy_from(void* base, void* argument) {
  const struct transfer* transfer = argument;
  memcpy(transfer->to, (char*)base + transfer->offset, transfer->size);
}

static void copy_to(void* base, void* argument) {
  const struct transfer* transfer = argument;
  memcpy((char*)base + transfer->offset, transfer->from, transfer->size);
}

int lendbuf_copy_from(const lendbuf_mapping* mapping, size_t offset, void* to, size_t size) {
  struct transfer transfer = {.offset = offset, .size = size, .to = to};
  int error = check_range(mapping, offset, size, false);
  return error || size == 0 ? error : lendbuf_guard(mapping, copy_from, &transfer);
}

int lendbuf_copy_to(const lendbuf_mapping* mapping, size_t offset, const void* from, size_t size) {
  struct transfer transfer = {.offset = offset, .size = size, .from = from};
  int error = check_range(mapping, offset, size, true);
  return error || size == 0 ? error : lendbuf_guard(mapping, copy_to, &transfer);
}
