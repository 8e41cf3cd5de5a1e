// count-calls PID…: how many system calls all threads of these processes make, from its line "counting" until SIGTERM.
// Prints a number for each process. By ptrace, which every kernel has.
#define _GNU_SOURCE
#include <dirent.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "raw.h"

enum { kMaxThreads = 4096, kCallStop = SIGTRAP | 0x80 };

static struct {
  pid_t process;
  unsigned long stops;  // one at the begin of a call, one at its end
} threads[kMaxThreads];

static int process_of(pid_t thread) {
  char path[64], line[128];
  int process = 0;
  snprintf(path, sizeof path, "/proc/%d/status", thread);
  FILE* status = fopen(path, "r");
  while (status && fgets(line, sizeof line, status))
    if (sscanf(line, "Tgid: %d", &process) == 1) break;
  if (status) fclose(status);
  return process;
}

static void attach(pid_t process) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/task", process);
  DIR* folder = opendir(path);
  check(folder != NULL, path);
  for (struct dirent* entry; (entry = readdir(folder));) {
    pid_t thread = atoi(entry->d_name);
    if (thread == 0) continue;
    check(ptrace(PTRACE_SEIZE, thread, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE) == 0, "PTRACE_SEIZE");
    check(ptrace(PTRACE_INTERRUPT, thread, 0, 0) == 0, "PTRACE_INTERRUPT");
    int status;
    check(waitpid(thread, &status, __WALL) == thread, "waitpid");
    check(ptrace(PTRACE_SYSCALL, thread, 0, 0) == 0, "PTRACE_SYSCALL");
  }
  closedir(folder);
}

static void go_on(pid_t thread, int status) {
  if (!WIFSTOPPED(status) || thread >= kMaxThreads) return;
  if (threads[thread].process == 0) threads[thread].process = process_of(thread);
  int is_call = WSTOPSIG(status) == kCallStop;
  if (is_call) threads[thread].stops++;
  int is_event = status >> 16;
  ptrace(PTRACE_SYSCALL, thread, 0, is_call || is_event ? 0 : WSTOPSIG(status));
}

int main(int count, char** arguments) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGCHLD);
  sigaddset(&signals, SIGTERM);
  sigprocmask(SIG_BLOCK, &signals, NULL);
  for (int i = 1; i < count; i++) attach(atoi(arguments[i]));
  puts("counting");
  fflush(stdout);
  int status, number;
  do {
    number = sigwaitinfo(&signals, NULL);
    for (pid_t thread; (thread = waitpid(-1, &status, WNOHANG | __WALL)) > 0;) go_on(thread, status);
  } while (number != SIGTERM);
  for (int i = 1; i < count; i++) {
    unsigned long stops = 0;
    for (int thread = 0; thread < kMaxThreads; thread++)
      if (threads[thread].process == atoi(arguments[i])) stops += threads[thread].stops;
    printf("%lu\n", stops / 2);
  }
  return 0;  // and the kernel lets go of all
}
