// Processes that read lent memory without pause, each in its own way, and tell on a board when they last could.
//   readers BYTES bare|guarded|pipe [write] [mapping-only] [undumpable] [paced]
// Descriptor 3 is the memory, 4 the board. Three of them: the holder maps it; its child has only the mapping; the receiver gets the fd
// from the holder through a socket. With mapping-only nobody keeps the fd, and there is no receiver. Prints "reading" when all have
// read, and how each ends.
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { kMemory = 3, kBoard = 4, kPage = 4096, kLifeSeconds = 120, kHolder = 0, kChild, kReceiver, kRoles };

static const char* const kNames[kRoles] = {"holder", "child", "receiver"};

// readers.ts reads these.
struct slot {
  uint64_t reads;
  uint64_t last_read_ns;  // CLOCK_MONOTONIC when the last read that succeeded began
  uint64_t faults;
  uint64_t pid;
  uint64_t first_refused_ns;  // when the first refusal was known
};

static struct {
  enum { kBare, kGuarded, kPipe } mode;
  int writes, mapping_only, undumpable, paced;
  size_t size;
} options;

static volatile struct slot* board;
static volatile unsigned char* memory;
static sigjmp_buf fault;
static int channel[2];

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void check(int is_well, const char* what) {
  if (is_well) return;
  perror(what);
  _exit(1);
}

static void on_bus_error(int signal) {
  (void)signal;
  siglongjmp(fault, 1);
}

static void map(int fd) {
  int protection = PROT_READ | (options.writes ? PROT_WRITE : 0);
  void* at = mmap((void*)memory, options.size, protection, MAP_SHARED | (memory ? MAP_FIXED : 0), fd, 0);
  check(at != MAP_FAILED, "mmap");
  memory = at;
}

static int touch_bare(size_t offset) {
  unsigned char seen = memory[offset];
  if (options.writes) memory[offset] = seen;
  return 1;
}

static int touch_guarded(size_t offset) {
  if (sigsetjmp(fault, 0)) return 0;
  return touch_bare(offset);
}

// The kernel copies: no signal at all.
static int touch_pipe(size_t offset) {
  void* at = (void*)(memory + offset);
  unsigned char word[8];
  if (write(channel[1], at, sizeof word) != sizeof word) return errno == EFAULT ? 0 : (check(0, "write"), 0);
  if (options.writes && read(channel[0], at, sizeof word) == sizeof word) return 1;
  check(read(channel[0], word, sizeof word) == sizeof word, "read");
  return !options.writes;
}

static int touch(size_t offset) {
  if (options.mode == kBare) return touch_bare(offset);
  return options.mode == kGuarded ? touch_guarded(offset) : touch_pipe(offset);
}

// Whoever still has the fd tries it again, too: a read and a mapping anew.
static int try_anew(int fd) {
  char byte;
  if (fd < 0) return 0;
  if (pread(fd, &byte, 1, 0) > 0) return 1;
  map(fd);
  return 0;
}

static void loop(int role, int fd) {
  volatile struct slot* slot = &board[role];
  slot->pid = (uint64_t)getpid();
  if (options.undumpable) prctl(PR_SET_DUMPABLE, 0);
  if (options.mode == kPipe) check(pipe(channel) == 0, "pipe");
  for (size_t offset = 0;; offset = (offset + kPage) % options.size) {
    uint64_t start = now();
    if (touch(offset) || try_anew(fd)) {
      slot->last_read_ns = start;
      slot->reads++;
    } else {
      if (!slot->first_refused_ns) slot->first_refused_ns = now();
      slot->faults++;
      usleep(500);  // it has lost: leave the processor to others
    }
    if (options.paced) usleep(200);
  }
}

static void send_fd(int socket, int fd) {
  char byte = 0, control[CMSG_SPACE(sizeof fd)] = {0};
  struct iovec data = {&byte, 1};
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  *header = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof fd)};
  memcpy(CMSG_DATA(header), &fd, sizeof fd);
  check(sendmsg(socket, &message, 0) == 1, "sendmsg");
}

static int receive_fd(int socket) {
  char byte, control[CMSG_SPACE(sizeof(int))];
  struct iovec data = {&byte, 1};
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  check(recvmsg(socket, &message, 0) == 1 && CMSG_FIRSTHDR(&message), "recvmsg");
  int fd;
  memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
  return fd;
}

static void be_receiver(int socket) {
  alarm(kLifeSeconds);  // here and below: whatever becomes of the test
  close(kMemory);
  int fd = receive_fd(socket);
  map(fd);
  loop(kReceiver, fd);
}

static void be_holder(int socket) {
  map(kMemory);
  pid_t child = fork();
  check(child >= 0, "fork");
  alarm(kLifeSeconds);
  if (child == 0 || options.mapping_only) {
    if (child != 0) board[kHolder].pid = (uint64_t)getpid();
    close(kMemory);
    loop(child == 0 ? kChild : kHolder, -1);
  }
  send_fd(socket, kMemory);
  loop(kHolder, kMemory);
}

static const char* name_of(pid_t pid) {
  for (int role = 0; role < kRoles; role++)
    if (board[role].pid == (uint64_t)pid) return kNames[role];
  return "stranger";
}

static void parse(int count, char** arguments) {
  check(count > 2, "usage: readers BYTES MODE [write] [mapping-only] [undumpable] [paced]");
  options.size = strtoull(arguments[1], NULL, 10);
  options.mode = arguments[2][0] == 'b' ? kBare : arguments[2][0] == 'g' ? kGuarded : kPipe;
  for (int i = 3; i < count; i++) {
    if (strcmp(arguments[i], "write") == 0) options.writes = 1;
    if (strcmp(arguments[i], "mapping-only") == 0) options.mapping_only = 1;
    if (strcmp(arguments[i], "undumpable") == 0) options.undumpable = 1;
    if (strcmp(arguments[i], "paced") == 0) options.paced = 1;
  }
}

static void await_all_reading(int count) {
  for (;;) {
    int reading = 0;
    for (int role = 0; role < count; role++) reading += board[role].reads > 0;
    if (reading == count) return;
    usleep(500);
  }
}

int main(int count, char** arguments) {
  parse(count, arguments);
  board = mmap(NULL, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, kBoard, 0);
  check(board != MAP_FAILED, "mmap of the board");
  alarm(kLifeSeconds);
  prctl(PR_SET_CHILD_SUBREAPER, 1);  // the child's end is told to us, also once the holder is dead
  if (options.mode == kGuarded) sigaction(SIGBUS, &(struct sigaction){.sa_handler = on_bus_error, .sa_flags = SA_NODEFER}, NULL);
  int ends[2];
  check(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0, "socketpair");
  if (!options.mapping_only && fork() == 0) be_receiver(ends[1]);
  if (fork() == 0) be_holder(ends[0]);
  close(kMemory);
  close(ends[0]);
  close(ends[1]);
  await_all_reading(options.mapping_only ? kReceiver : kRoles);
  puts("reading");
  fflush(stdout);
  int status;
  for (pid_t pid; (pid = wait(&status)) > 0;) {
    if (WIFSIGNALED(status)) printf("%s signal %d\n", name_of(pid), WTERMSIG(status));
    else printf("%s exit %d\n", name_of(pid), WEXITSTATUS(status));
    fflush(stdout);
  }
  return 0;
}
