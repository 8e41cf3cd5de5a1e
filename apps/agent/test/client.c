// A client of the agent in a process of its own: does what it is told, a line per command, a line per answer.
//   client SOCKET
// Descriptor 3 takes what readers print, 4 is a board (see readers.c).
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { kMemory = 3, kTold = 3, kBoard = 4, kPacket = 65536, kMost = 4096, kPage = 4096, kLifeSeconds = 120 };

static int agent;
static struct {
  int fd;
  volatile unsigned char* memory;
  volatile unsigned char* writable;
} lent[kMost];
static int count;
static sigjmp_buf fault;
static char packet[kPacket + 1];

static void say(const char* text) {
  puts(text);
  fflush(stdout);
}

static void on_bus_error(int signal) {
  (void)signal;
  siglongjmp(fault, 1);
}

static int connect_to(const char* path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  return fd >= 0 && connect(fd, (struct sockaddr*)&address, sizeof address) == 0 ? fd : -1;
}

// Reads one packet; gives the index of the fd that came with it, -1 without one, -2 at the end.
static int receive(void) {
  char control[CMSG_SPACE(sizeof(int))];
  struct iovec data = {packet, kPacket};
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  ssize_t size = recvmsg(agent, &message, MSG_CMSG_CLOEXEC);
  if (size <= 0) return -2;
  packet[size] = 0;
  struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (!header || count == kMost) return -1;
  memcpy(&lent[count].fd, CMSG_DATA(header), sizeof(int));
  return count++;
}

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

// With the time at which it had arrived.
static void answer(void) {
  int index = receive();
  if (index == -2) return say("closed");
  printf("%d %llu %s\n", index, (unsigned long long)now(), packet);
  fflush(stdout);
}

static int touch(volatile unsigned char* memory) {
  if (sigsetjmp(fault, 1)) return 0;
  (void)*memory;
  return 1;
}

static volatile unsigned char* map(int index) {
  if (!lent[index].memory) {
    void* memory = mmap(NULL, kPage, PROT_READ, MAP_SHARED, lent[index].fd, 0);
    if (memory == MAP_FAILED) return NULL;
    lent[index].memory = memory;
  }
  return lent[index].memory;
}

// By a mapping of its own, for the readers' is none to write to.
static const char* store(int index) {
  if (!lent[index].writable) {
    void* memory = mmap(NULL, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, lent[index].fd, 0);
    if (memory == MAP_FAILED) return strerrorname_np(errno);
    lent[index].writable = memory;
  }
  if (sigsetjmp(fault, 1)) return "EFAULT";
  *lent[index].writable = 1;
  return "ok";
}

// What the fd gives: its size, what a read of it brings, and what a new mapping does.
static void inspect(int index) {
  struct stat facts;
  char byte;
  lent[index].memory = NULL;
  fstat(lent[index].fd, &facts);
  ssize_t got = pread(lent[index].fd, &byte, 1, 0);
  volatile unsigned char* memory = map(index);
  printf("size %lld, read %zd, mapping %s\n", (long long)facts.st_size, got,
         !memory ? strerrorname_np(errno) : touch(memory) ? "ok" : "EFAULT");
  fflush(stdout);
}

static void borrow_many(int times, const char* request) {
  for (int i = 0; i < times; i++) {
    if (send(agent, request, strlen(request), MSG_NOSIGNAL) < 0 || receive() < 0) return say(packet);
  }
  say("borrowed");
}

// One process reads all of them in turn, and notes when it last could.
static void read_all(void) {
  volatile uint64_t* slot = mmap(NULL, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, kBoard, 0);
  for (int i = 0; i < count; i++)
    if (!map(i)) return say(strerrorname_np(errno));
  pid_t child = fork();
  if (child != 0) {
    while (slot[0] < (uint64_t)count) usleep(500);
    return say("reading");
  }
  close(agent);
  alarm(kLifeSeconds);  // whatever becomes of the test
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (int i = 0;; i = (i + 1) % count) {
    uint64_t start = now();
    if (touch(lent[i].memory)) {
      slot[1] = start;
      slot[0]++;
    } else if (++slot[2] > 20u * (uint64_t)count) {
      _exit(0);
    }
  }
}

// The readers outlive us: a group and an output of their own.
static void lend(int index, char* command) {
  char* arguments[16];
  int n = 0;
  for (char* word = strtok(command, " "); word && n < 15; word = strtok(NULL, " ")) arguments[n++] = word;
  arguments[n] = NULL;
  pid_t child = fork();
  if (child == 0) {
    setpgid(0, 0);
    dup2(kTold, STDOUT_FILENO);
    dup2(lent[index].fd, kMemory);
    close(STDIN_FILENO);
    execv(arguments[0], arguments);
    _exit(1);
  }
  setpgid(child, child);
  close(kTold);
  printf("%d\n", child);
  fflush(stdout);
}

// Its number may be the next one's.
static void forget(int index) {
  close(lent[index].fd);
  lent[index].fd = -1;
  say("closed");
}

static void obey(char* line) {
  int index, at = 0;
  if (strncmp(line, "send ", 5) == 0)
    return say(send(agent, line + 5, strlen(line + 5), MSG_NOSIGNAL) < 0 ? strerrorname_np(errno) : "sent");
  if (strcmp(line, "receive") == 0) return answer();
  if (strcmp(line, "arrived") == 0) {
    poll(&(struct pollfd){.fd = agent, .events = POLLIN}, 1, -1);
    return say("arrived");
  }
  if (sscanf(line, "many %d %n", &index, &at) == 1 && at) return borrow_many(index, line + at);
  if (strcmp(line, "read all") == 0) return read_all();
  if (sscanf(line, "read %d", &index) == 1) return say(map(index) && touch(map(index)) ? "ok" : "EFAULT");
  if (sscanf(line, "write %d", &index) == 1) return say(store(index));
  if (sscanf(line, "inspect %d", &index) == 1) return inspect(index);
  if (sscanf(line, "lend %d %n", &index, &at) == 1 && at) return lend(index, line + at);
  if (sscanf(line, "close %d", &index) == 1) return forget(index);
  say("EINVAL");
}

int main(int arguments, char** argument) {
  static char line[kPacket + 64];
  struct rlimit files;
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // never outlives its test
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  sigaction(SIGBUS, &(struct sigaction){.sa_handler = on_bus_error, .sa_flags = SA_NODEFER}, NULL);
  agent = arguments > 1 ? connect_to(argument[1]) : -1;
  say(agent < 0 ? strerrorname_np(errno) : "connected");
  while (fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\n")] = 0;
    obey(line);
  }
  return 0;
}
