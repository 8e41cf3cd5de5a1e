// A second process that holds an export (fd 3): does one thing for each line of its standard input, and answers with
// one line, which is "ok", a value or an errno's name.
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <sstream>
#include <string>
#include <thread>

#include "../src/common/guard.h"

namespace {

constexpr int kExport = 3;
constexpr size_t kPage = 4096;
char* mapping;
size_t size;
int faults = -1;

std::string Answer(long result) { return result < 0 ? strerrorname_np(errno) : "ok"; }

std::string Map(int protection) {
  struct stat seen;
  if (fstat(kExport, &seen) == 0) size = static_cast<size_t>(seen.st_size);
  void* start = mmap(nullptr, size, protection, MAP_SHARED, kExport, 0);
  if (start == MAP_FAILED) return Answer(-1);
  mapping = static_cast<char*>(start);
  return "ok";
}

std::string Load(size_t offset) {
  const volatile char* at = mapping + offset;
  char value = 0;
  bool reached = lendbuf::Guarded(mapping, mapping + size, [&] { value = *at; });
  return reached ? std::to_string(value) : "EFAULT";
}

std::string Store(size_t offset, char value) {
  volatile char* at = mapping + offset;
  return lendbuf::Guarded(mapping, mapping + size, [&] { *at = value; }) ? "ok" : "EFAULT";
}

// The child goes on, with the mapping alone.
std::string Fork() {
  if (pid_t child = fork()) {
    waitpid(child, nullptr, 0);
    _exit(0);
  }
  close(kExport);
  return "ok";
}

std::string Reopen(const std::string& path) {
  int opened = open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (opened < 0) return Answer(opened);
  dup2(opened, kExport);
  return "ok";
}

// Writes to the export from memory whose page fault nobody answers: the kernel then holds the inode's lock until
// `unstall`.
std::string Stall() {
  faults = static_cast<int>(syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK));
  if (faults < 0) return Answer(faults);
  uffdio_api api{.api = UFFD_API};
  void* missing = mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  uffdio_register range{.range = {reinterpret_cast<uintptr_t>(missing), kPage}, .mode = UFFDIO_REGISTER_MODE_MISSING};
  if (ioctl(faults, UFFDIO_API, &api) || ioctl(faults, UFFDIO_REGISTER, &range)) return Answer(-1);
  std::thread([missing] { (void)!pwrite(kExport, missing, 1, 0); }).detach();
  pollfd wait{.fd = faults, .events = POLLIN};
  return poll(&wait, 1, 10'000) == 1 && wait.revents == POLLIN ? "ok" : "no fault";
}

std::string Do(const std::string& what, std::istream& arguments) {
  size_t number = 0;
  int value = 0;
  std::string path;
  if (what == "map-readable") return Map(PROT_READ);
  if (what == "map-writable") return Map(PROT_READ | PROT_WRITE);
  if (what == "load" && arguments >> number) return Load(number);
  if (what == "store" && arguments >> number >> value) return Store(number, static_cast<char>(value));
  if (what == "make-writable") return Answer(mprotect(mapping, size, PROT_READ | PROT_WRITE));
  if (what == "fork") return Fork();
  if (what == "pwrite") return Answer(pwrite(kExport, "x", 1, 0));
  if (what == "punch") return Answer(fallocate(kExport, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, kPage));
  if (what == "allocate") return Answer(fallocate(kExport, 0, 0, kPage));
  if (what == "truncate" && arguments >> number) return Answer(ftruncate(kExport, static_cast<off_t>(number)));
  if (what == "seal") return Answer(fcntl(kExport, F_ADD_SEALS, F_SEAL_SHRINK));
  if (what == "reopen" && arguments >> path) return Reopen(path);
  if (what == "stall") return Stall();
  if (what == "unstall") return Answer(close(faults));
  return "what?";
}

}  // namespace

int main() {
  lendbuf::InstallGuard();
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string what;
    words >> what;
    std::cout << Do(what, words) << std::endl;
  }
}
