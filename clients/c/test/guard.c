// Who gets a SIGBUS: each case in a process of its own, for it ends some of them.
//   guard OTHER-COPY    a shared library of the same code, loaded beside the one that is linked in
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <lendbuf.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cases.h"

enum { kSize = 1 << 16, kThreads = 8, kTimes = 100, kFailed = 7 };

#define require(condition) ((condition) ? (void)0 : _exit(kFailed + __LINE__ % 200))

static const char* other_copy;
static sigjmp_buf foreign;

static int new_memory(void) {
  int fd = memfd_create("guard", MFD_CLOEXEC);
  require(fd >= 0 && ftruncate(fd, kSize) == 0);
  return fd;
}

static lendbuf_mapping* map(int fd) {
  lendbuf_mapping* mapping;
  require(lendbuf_map_fd(fd, kSize, LENDBUF_READ_WRITE, &mapping) == 0);
  return mapping;
}

static lendbuf_mapping* lost_mapping(void) {
  int fd = new_memory();
  lendbuf_mapping* mapping = map(fd);
  require(ftruncate(fd, 0) == 0);
  return mapping;
}

static void touch_lost_memory(void) {
  int fd = new_memory();
  volatile char* memory = mmap(NULL, kSize, PROT_READ, MAP_SHARED, fd, 0);
  require(ftruncate(fd, 0) == 0);
  (void)*memory;
}

static void jump(int number) {
  (void)number;
  siglongjmp(foreign, 1);
}

static void jump_with_facts(int number, siginfo_t* info, void* context) {
  require(info->si_code == BUS_ADRERR && info->si_addr && context);
  jump(number);
}

static void require_efault(const lendbuf_mapping* mapping) {
  uint32_t word = 1;
  require(lendbuf_load32(mapping, 0, &word) == -EFAULT && word == 1);
  require(lendbuf_store8(mapping, 100, 1) == -EFAULT);
  require(lendbuf_copy_from(mapping, 0, &word, sizeof word) == -EFAULT);
}

static void survives(void) {
  lendbuf_mapping* mapping = lost_mapping();
  for (int i = 0; i < kTimes; i++) require_efault(mapping);
  require(strstr(lendbuf_last_error(), "taken back"));
}

// Others' faults, between our own.
static void handler_gets_others(struct sigaction action) {
  volatile int jumps = 0;
  require(sigaction(SIGBUS, &action, NULL) == 0);
  lendbuf_mapping* mapping = lost_mapping();
  for (volatile int i = 0; i < kTimes; i++) {
    if (sigsetjmp(foreign, 1) == 0)
      touch_lost_memory();
    else
      jumps++;
    require_efault(mapping);
  }
  require(jumps == kTimes);
}

static void plain_handler(void) { handler_gets_others((struct sigaction){.sa_handler = jump}); }

static void facts_handler(void) {
  handler_gets_others((struct sigaction){.sa_sigaction = jump_with_facts, .sa_flags = SA_SIGINFO});
}

static void others_kill(void) {
  lost_mapping();
  touch_lost_memory();
}

static void sent_kills(void) {
  lost_mapping();
  kill(getpid(), SIGBUS);
}

static void sent_is_ignored(void) {
  signal(SIGBUS, SIG_IGN);
  lendbuf_mapping* mapping = lost_mapping();
  kill(getpid(), SIGBUS);
  require_efault(mapping);
}

static void ignored_faults_kill(void) {
  signal(SIGBUS, SIG_IGN);
  others_kill();
}

static struct sigaction ours;

static void pass_on(int number, siginfo_t* info, void* context) { ours.sa_sigaction(number, info, context); }

static void later_handler(void) {
  lendbuf_mapping* mapping = lost_mapping();
  sigset_t blocked;
  require(sigaction(SIGBUS, &(struct sigaction){.sa_sigaction = pass_on, .sa_flags = SA_SIGINFO}, &ours) == 0);
  for (int i = 0; i < kTimes; i++) require_efault(mapping);
  require(sigprocmask(SIG_SETMASK, NULL, &blocked) == 0 && !sigismember(&blocked, SIGBUS));
}

static void two_copies(void) {
  void* library = dlopen(other_copy, RTLD_NOW | RTLD_LOCAL);
  require(library);
  int (*other_map)(int, size_t, enum lendbuf_access, lendbuf_mapping**);
  int (*other_load)(const lendbuf_mapping*, size_t, uint32_t*);
  *(void**)&other_map = dlsym(library, "lendbuf_map_fd");
  *(void**)&other_load = dlsym(library, "lendbuf_load32");
  require(other_map != lendbuf_map_fd);
  for (int i = 0; i < kTimes; i++) {
    uint32_t word;
    lendbuf_mapping *mine = lost_mapping(), *other;
    int fd = new_memory();
    require(other_map(fd, kSize, LENDBUF_READ_WRITE, &other) == 0 && other_load(other, 0, &word) == 0);
    require(ftruncate(fd, 0) == 0);
    for (int again = 0; again < 3; again++) require(other_load(other, 0, &word) == -EFAULT);
    require_efault(mine);
  }
}

static pthread_barrier_t ready;

static void* read_until_lost(void* mapping) {
  char bytes[4096];
  int error = lendbuf_copy_from(mapping, 0, bytes, sizeof bytes);
  require(error == 0);
  pthread_barrier_wait(&ready);
  while (error == 0) error = lendbuf_copy_from(mapping, 0, bytes, sizeof bytes);
  require(error == -EFAULT);
  return NULL;
}

static void many_threads(void) {
  int fd = new_memory();
  pthread_t threads[kThreads];
  pthread_barrier_init(&ready, NULL, kThreads + 1);
  for (int i = 0; i < kThreads; i++) pthread_create(&threads[i], NULL, read_until_lost, map(fd));
  pthread_barrier_wait(&ready);
  require(ftruncate(fd, 0) == 0);
  for (int i = 0; i < kThreads; i++) pthread_join(threads[i], NULL);
}

struct pair {
  const lendbuf_mapping* inner;
  volatile int steps;
};

static void read_inner(void* address, void* argument) {
  struct pair* pair = argument;
  uint8_t byte;
  pair->steps++;
  if (lendbuf_load8(pair->inner, 0, &byte) == -EFAULT) pair->steps++;
  (void)*(volatile char*)address;
  pair->steps++;
}

static void nested(void) {
  struct pair pair = {.inner = lost_mapping()};
  require(lendbuf_guard(map(new_memory()), read_inner, &pair) == 0 && pair.steps == 3);
  require(lendbuf_guard(lost_mapping(), read_inner, &pair) == -EFAULT && pair.steps == 5);
}

static void outer_is_lost(void) {
  struct pair pair = {.inner = map(new_memory())};
  require(lendbuf_guard(lost_mapping(), read_inner, &pair) == -EFAULT && pair.steps == 1);
}

static void touch_another(void* address, void* argument) {
  (void)address, (void)argument;
  touch_lost_memory();
}

static void others_within_kill(void) { lendbuf_guard(map(new_memory()), touch_another, NULL); }

static void bounds(void) {
  lendbuf_mapping *mapping = map(new_memory()), *read_only;
  uint64_t word;
  char bytes[8];
  require(lendbuf_load64(mapping, kSize - 8, &word) == 0 && lendbuf_load64(mapping, kSize, &word) == -ERANGE);
  require(lendbuf_load64(mapping, SIZE_MAX - 7, &word) == -ERANGE && lendbuf_load64(mapping, 4, &word) == -EINVAL);
  require(lendbuf_copy_from(mapping, 1, bytes, SIZE_MAX) == -ERANGE && lendbuf_copy_to(mapping, kSize, bytes, 0) == 0);
  require(lendbuf_copy_from(mapping, kSize - 7, bytes, 8) == -ERANGE);
  require(lendbuf_map_fd(new_memory(), kSize, LENDBUF_READ_ONLY, &read_only) == 0);
  require(lendbuf_store32(read_only, 0, 1) == -EACCES && lendbuf_copy_to(read_only, 0, bytes, 8) == -EACCES);
  require(lendbuf_map_fd(-1, kSize, LENDBUF_READ_ONLY, &read_only) == -EBADF);
}

// In a child; `signal_number` is what ends it, 0 where it is to live.
static void run(const char* name, void (*body)(void), int signal_number) {
  int status;
  pid_t child = fork();
  if (child == 0) {
    alarm(20);
    body();
    _exit(0);
  }
  waitpid(child, &status, 0);
  bool is_ok = signal_number ? WIFSIGNALED(status) && WTERMSIG(status) == signal_number : status == 0;
  report(is_ok, name, "the process ended with 0x%x; an exit code of 7 and more is 7 + a line's number modulo 200",
         status);
}

int main(int count, char** arguments) {
  other_copy = count > 1 ? arguments[1] : "";
  run("an access to memory that is gone is EFAULT, as often as it is tried", survives, 0);
  run("an access outside of the memory, one that is not aligned, and a store to what is read only are refused", bounds,
      0);
  run("a handler that was there before gets the faults that are not ours", plain_handler, 0);
  run("a handler with SA_SIGINFO gets them with their facts", facts_handler, 0);
  run("without one a fault that is not ours ends the process", others_kill, SIGBUS);
  run("a SIGBUS that somebody sent ends the process", sent_kills, SIGBUS);
  run("a SIGBUS that somebody sent is ignored where it was", sent_is_ignored, 0);
  run("a fault is not ignored", ignored_faults_kill, SIGBUS);
  run("a handler that is installed later may pass on to ours, and blocks nothing", later_handler, 0);
  run("two copies of the library in one process each have their own faults", two_copies, 0);
  run("all threads survive that the memory goes while they read it", many_threads, 0);
  run("a guarded access may be part of another", nested, 0);
  run("and the other is guarded after it as before", outer_is_lost, 0);
  run("a fault in other memory during a guarded access ends the process", others_within_kill, SIGBUS);
  return 0;
}
