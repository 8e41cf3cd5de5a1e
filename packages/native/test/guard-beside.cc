// Our SIGBUS handler beside another one, in memory that is none of ours.
//   guard-beside jumps|circle
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "guard.h"

static sigjmp_buf out;
static struct sigaction ours;

static void Jump(int) { siglongjmp(out, 1); }

static void PassBack(int number, siginfo_t* info, void* context) { ours.sa_sigaction(number, info, context); }

static void TouchLostMemory() {
  int fd = memfd_create("beside", 0);
  if (ftruncate(fd, 4096) != 0) return;
  auto* memory = static_cast<volatile char*>(mmap(nullptr, 4096, PROT_READ, MAP_SHARED, fd, 0));
  if (ftruncate(fd, 0) == 0) (void)*memory;
}

// The handler that was there first survives its faults by a jump.
static void Jumps() {
  struct sigaction jump {};
  jump.sa_handler = Jump;
  sigaction(SIGBUS, &jump, nullptr);
  lendbuf::InstallGuard();
  volatile int survived = 0;
  for (volatile int i = 0; i < 3; i++) {
    if (sigsetjmp(out, 1))
      survived = survived + 1;
    else
      TouchLostMemory();
  }
  std::printf("%d\n", survived);
}

// Each of two handlers takes the other for the one before.
static void Circle() {
  lendbuf::InstallGuard();
  struct sigaction pass_back {};
  pass_back.sa_sigaction = PassBack;
  pass_back.sa_flags = SA_SIGINFO | SA_NODEFER;
  sigaction(SIGBUS, &pass_back, &ours);
  lendbuf::InstallGuard();
  TouchLostMemory();
}

int main(int, char** arguments) {
  if (std::strcmp(arguments[1], "jumps") == 0)
    Jumps();
  else
    Circle();
}
