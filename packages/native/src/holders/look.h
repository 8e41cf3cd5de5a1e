// Looks at one process after the other: which of the wanted files, and which dma-bufs, it has open or mapped.
#pragma once
#include <sys/types.h>

#include <compare>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lendbuf {

// A file, whatever it is called.
struct Key {
  uint64_t device = 0;
  uint64_t inode = 0;
  auto operator<=>(const Key&) const = default;
};

using Keys = std::set<Key>;

struct Process {
  pid_t pid = 0;
  uid_t uid = 0;
  std::string command;
};

// How a process holds a file.
struct Held {
  std::vector<uint32_t> fds;  // the first few
  uint64_t fd_count = 0;
  uint64_t mapping_count = 0;
  bool is_dma_buf = false;
};

class Look {
 public:
  enum class Result { kSeen, kHidden, kGone };

  explicit Look(const Keys& wanted) : wanted_(wanted) {}

  // `process` is its directory in /proc, so it stays that process whoever gets the pid later. Hidden: it has things
  // that we may not see.
  Result At(int process, pid_t pid);

  // What a failed call says of the process that it was about.
  static Result ResultOf(int error);

  // The one that was looked at last, where it holds anything.
  const Process& process() const { return process_; }

  // What was found since they were taken last; the fdinfo of each dma-buf once.
  std::map<Key, Held> TakeHeld() { return std::exchange(held_, {}); }
  std::map<Key, std::string> TakeDmaBufs() { return std::exchange(dma_bufs_, {}); }

 private:
  int LookAtFds(int process);
  int LookAtMaps(int process);
  void TakeFd(const Key& key, const char* name);
  void TakeDmaBuf(int process, int folder, const char* name);
  void TakeMapping(std::string_view line);

  const Keys& wanted_;
  Process process_;
  std::map<Key, Held> held_;
  std::map<Key, std::string> dma_bufs_;
  std::set<Key> told_;
  std::string text_;  // room for maps, kept from process to process
};

// Appends what is left of a file; false with errno where that fails.
bool ReadAll(int fd, std::string* text);

}  // namespace lendbuf
