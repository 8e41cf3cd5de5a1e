// A process that holds memory it was handed: maps descriptor 3 and touches it as it is told, a line per command, a line per answer.
//   holder BYTES [read-only] [unguarded]
// Guarded, it answers EFAULT where the memory is gone; unguarded, SIGBUS ends it, as it ends most programs.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { kFd = 3, kPage = 4096, kMaxBytes = 65536 };

static sigjmp_buf fault;
static volatile unsigned char* memory;
static size_t size;
static int writable = 1;

static void on_bus_error(int signal) {
  (void)signal;
  siglongjmp(fault, 1);
}

static void say(const char* text) {
  puts(text);
  fflush(stdout);
}

static void map(void) {
  void* address = mmap(NULL, size, PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED, kFd, 0);
  if (address == MAP_FAILED) return say(strerrorname_np(errno));
  memory = address;
  say("ok");
}

static void read_bytes(size_t offset, size_t length) {
  static char hex[2 * kMaxBytes + 1];
  if (length > kMaxBytes || offset + length > size) return say("ERANGE");
  for (size_t i = 0; i < length; i++) sprintf(hex + 2 * i, "%02x", memory[offset + i]);
  hex[2 * length] = 0;
  say(hex);
}

static void write_bytes(size_t offset, const char* hex) {
  if (offset + strlen(hex) / 2 > size) return say("ERANGE");
  for (; hex[0] && hex[1]; hex += 2) {
    unsigned byte;
    sscanf(hex, "%2x", &byte);
    memory[offset++] = byte;
  }
  say("ok");
}

// Touches every page until the memory is gone, or until a line comes in.
static void loop(int writes) {
  struct pollfd input = {.fd = 0, .events = POLLIN};
  volatile unsigned char seen = 0;
  say("looping");
  while (poll(&input, 1, 0) == 0) {
    for (size_t offset = 0; offset < size; offset += kPage) {
      seen = memory[offset];
      if (writes) memory[offset] = seen;
    }
  }
  say("stopped");
}

static void open_again(void) {
  int fd = open("/proc/self/fd/3", O_RDWR | O_CLOEXEC);
  say(fd < 0 ? strerrorname_np(errno) : "ok");
  if (fd >= 0) close(fd);
}

static void tell_size(void) {
  struct stat facts;
  char text[32];
  if (fstat(kFd, &facts) != 0) return say(strerrorname_np(errno));
  snprintf(text, sizeof text, "%lld", (long long)facts.st_size);
  say(text);
}

static void obey(char* line) {
  size_t offset, length;
  static char hex[2 * kMaxBytes + 1];
  if (sscanf(line, "read %zu %zu", &offset, &length) == 2) return read_bytes(offset, length);
  if (sscanf(line, "write %zu %131072s", &offset, hex) == 2) return write_bytes(offset, hex);
  if (strcmp(line, "loop read") == 0) return loop(0);
  if (strcmp(line, "loop write") == 0) return loop(1);
  if (strcmp(line, "map") == 0) return map();
  if (strcmp(line, "reopen") == 0) return open_again();
  if (strcmp(line, "size") == 0) return tell_size();
  say("EINVAL");
}

int main(int count, char** arguments) {
  int guarded = 1;
  size = count > 1 ? strtoull(arguments[1], NULL, 10) : 0;
  for (int i = 2; i < count; i++) {
    if (strcmp(arguments[i], "read-only") == 0) writable = 0;
    if (strcmp(arguments[i], "unguarded") == 0) guarded = 0;
  }
  if (guarded) sigaction(SIGBUS, &(struct sigaction){.sa_handler = on_bus_error, .sa_flags = SA_NODEFER}, NULL);
  map();
  static char line[2 * kMaxBytes + 64];
  for (;;) {
    if (sigsetjmp(fault, 1)) say("EFAULT");
    if (!fgets(line, sizeof line, stdin)) return 0;
    line[strcspn(line, "\n")] = 0;
    obey(line);
  }
}
