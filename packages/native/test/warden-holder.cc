// A second process that holds an export (fd 3): does one thing for each line of its standard input, and answers with
// one line, which is "ok", a value or an errno's name.
#include <dirent.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
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
#include "../src/common/packet.h"

namespace {

constexpr int kExport = 3;
constexpr size_t kPage = 4096;
char* mapping;
size_t size;
int faults = -1;
int timeline = -1;
int leaked = -1;
int flight[2] = {-1, -1};
pid_t heir = -1;

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

// Another process that has all that we have, until `reap` or our end.
std::string Spawn() {
  heir = fork();
  if (heir == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) pause();
  }
  return Answer(heir);
}

std::string Reap() {
  kill(heir, SIGKILL);
  return Answer(waitpid(heir, nullptr, 0));
}

// Sends the export to nobody: from now on it is in a socket alone, until `land`.
std::string Fly() {
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, flight)) return Answer(-1);
  int fds[] = {kExport};
  errno = lendbuf::SendPacket(flight[0], std::string("x"), fds);
  return Answer(errno ? -1 : close(kExport));
}

std::string Land() {
  close(flight[0]);
  return Answer(close(flight[1]));
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

std::string MapBeyond() {
  struct stat seen;
  fstat(kExport, &seen);
  void* start = mmap(nullptr, kPage, PROT_READ, MAP_SHARED, kExport, seen.st_size);
  return start == MAP_FAILED ? Answer(-1) : "ok";
}

std::string NameOf(int fd) {
  char name[128] = {};
  std::string link = "/proc/self/fd/" + std::to_string(fd);
  return readlink(link.c_str(), name, sizeof name - 1) < 0 ? Answer(-1) : name;
}

// A fence that never signals (include/uapi/linux/sync_file.h, drivers/dma-buf/sw_sync.c): a revoke waits for it until
// `unhang`.
std::string Hang() {
  struct {
    uint32_t value;
    char name[32];
    int32_t fence;
  } create{.value = 1000};
  timeline = open("/sys/kernel/debug/sync/sw_sync", O_RDWR | O_CLOEXEC);
  if (timeline < 0 || ioctl(timeline, _IOWR('W', 0, create), &create)) return Answer(-1);
  dma_buf_import_sync_file add{.flags = DMA_BUF_SYNC_RW, .fd = create.fence};
  return Answer(ioctl(kExport, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &add));
}

// Takes a copy of a VFIO device that process `pid` has open.
std::string Leak(const std::string& pid) {
  std::string folder = "/proc/" + pid + "/fd";
  DIR* entries = opendir(folder.c_str());
  if (!entries) return Answer(-1);
  int process = static_cast<int>(syscall(SYS_pidfd_open, std::stoi(pid), 0));
  while (dirent* entry = readdir(entries)) {
    char link[128] = {};
    if (readlink((folder + "/" + entry->d_name).c_str(), link, sizeof link - 1) < 0) continue;
    if (strstr(link, "[vfio-device]") || strstr(link, "/dev/vfio/devices/"))
      leaked = static_cast<int>(syscall(SYS_pidfd_getfd, process, std::stoi(entry->d_name), 0));
  }
  closedir(entries);
  close(process);
  return leaked < 0 ? "nothing to leak" : "ok";
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
  if (what == "spawn") return Spawn();
  if (what == "reap") return Reap();
  if (what == "fly") return Fly();
  if (what == "land") return Land();
  if (what == "close") return Answer(close(kExport));
  if (what == "unmap") return Answer(munmap(mapping, size));
  if (what == "pwrite") return Answer(pwrite(kExport, "x", 1, 0));
  if (what == "punch") return Answer(fallocate(kExport, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, kPage));
  if (what == "allocate") return Answer(fallocate(kExport, 0, 0, kPage));
  if (what == "truncate" && arguments >> number) return Answer(ftruncate(kExport, static_cast<off_t>(number)));
  if (what == "seal") return Answer(fcntl(kExport, F_ADD_SEALS, F_SEAL_SHRINK));
  if (what == "reopen" && arguments >> path) return Reopen(path);
  if (what == "map-beyond") return MapBeyond();
  if (what == "name") return NameOf(kExport);
  if (what == "hang") return Hang();
  if (what == "unhang") return Answer(close(timeline));
  if (what == "leak" && arguments >> path) return Leak(path);
  if (what == "unleak") return Answer(close(leaked));
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
