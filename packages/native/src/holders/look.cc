#include "look.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "fd.h"

namespace lendbuf {

namespace {

constexpr size_t kMaxFds = 8;
constexpr size_t kChunk = 65536;
constexpr unsigned long kKernelThread = 0x00200000;  // PF_KTHREAD
// How the kernel begins their names, whatever their makers and holders called them.
constexpr std::string_view kMemfd = "/memfd:";
constexpr std::string_view kDmaBuf = "/dmabuf:";

// The file behind a link of /proc/PID/fd. Never asks its file system: a FUSE server would answer when it likes.
std::optional<Key> KeyOf(int folder, const char* name) {
  struct statx facts;
  if (statx(folder, name, AT_STATX_DONT_SYNC, STATX_INO, &facts) != 0) return std::nullopt;
  return Key{makedev(facts.stx_dev_major, facts.stx_dev_minor), facts.stx_ino};
}

std::string ReadSmall(int folder, const char* name) {
  Fd file(openat(folder, name, O_RDONLY | O_CLOEXEC));
  std::string text;
  if (file) ReadAll(file.get(), &text);
  return text;
}

// A kernel thread or a zombie: it has neither files nor memory.
bool HasNothing(int process) {
  std::string stat = ReadSmall(process, "stat");
  size_t end = stat.rfind(')');  // the name before it may hold anything
  char state;
  unsigned long flags;
  if (end == std::string::npos || sscanf(stat.c_str() + end, ") %c %*d %*d %*d %*d %*d %lu", &state, &flags) != 2)
    return false;
  return state == 'Z' || (flags & kKernelThread);
}

// The effective uid: what SO_PEERCRED says of a client too.
uid_t UidOf(int process) {
  std::string status = ReadSmall(process, "status");
  size_t at = status.find("\nUid:\t");
  unsigned uid = 0;
  if (at != std::string::npos) sscanf(status.c_str() + at, "\nUid:\t%*u\t%u", &uid);
  return uid;
}

}  // namespace

Look::Result Look::At(int process, pid_t pid) {
  int files = LookAtFds(process);
  int memory = LookAtMaps(process);
  if (!holders_.empty()) {
    std::string command = ReadSmall(process, "comm");
    if (command.ends_with('\n')) command.pop_back();
    uid_t uid = UidOf(process);
    for (auto& [key, holder] : holders_) {
      holder.pid = pid;
      holder.uid = uid;
      holder.command = command;
    }
  }
  for (int error : {files, memory})
    if (error != 0 && ResultOf(error) == Result::kHidden) return HasNothing(process) ? Result::kSeen : Result::kHidden;
  return files != 0 ? Result::kGone : Result::kSeen;
}

Look::Result Look::ResultOf(int error) { return error == EACCES || error == EPERM ? Result::kHidden : Result::kGone; }

std::vector<Holder> Look::TakeHolders() {
  std::vector<Holder> holders;
  for (auto& [key, holder] : holders_) holders.push_back(std::move(holder));
  holders_.clear();
  return holders;
}

// 0, or the errno of what could not be seen.
int Look::LookAtFds(int process) {
  Fd folder(openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return errno;
  DIR* entries = fdopendir(folder.get());
  if (!entries) return errno;
  int fd = folder.Release();  // the stream's from now on
  int hidden = 0;
  while (const dirent* entry = readdir(entries)) {
    if (!isdigit(entry->d_name[0])) continue;
    char target[16];
    ssize_t length = readlinkat(fd, entry->d_name, target, sizeof target);
    if (length < 0 && (errno == EACCES || errno == EPERM)) hidden = errno;
    if (length <= 0) continue;
    std::string_view link(target, length);
    if (link.starts_with(kMemfd)) {
      auto key = KeyOf(fd, entry->d_name);
      if (key && wanted_.contains(*key)) TakeFd(*key, entry->d_name);
    } else if (link.starts_with(kDmaBuf)) {
      TakeDmaBuf(process, fd, entry->d_name);
    }
  }
  closedir(entries);
  return hidden;
}

void Look::TakeFd(const Key& key, const char* name) {
  Holder& holder = HolderOf(key);
  if (holder.fd_count++ < kMaxFds) holder.fds.push_back(strtoul(name, nullptr, 10));
}

// Any file could be called so in a name space of its own: only a dma-buf's fdinfo names an exporter.
void Look::TakeDmaBuf(int process, int folder, const char* name) {
  auto key = KeyOf(folder, name);
  if (!key) return;
  if (!told_.contains(*key)) {
    std::string fdinfo = ReadSmall(process, (std::string("fdinfo/") + name).c_str());
    if (fdinfo.find("\nexp_name:\t") == std::string::npos) return;
    told_.insert(*key);
    dma_bufs_.emplace(*key, std::move(fdinfo));
  }
  TakeFd(*key, name);
  HolderOf(*key).is_dma_buf = true;
}

int Look::LookAtMaps(int process) {
  Fd maps(openat(process, "maps", O_RDONLY | O_CLOEXEC));
  if (!maps) return errno;
  std::string text;
  for (;;) {
    size_t kept = text.size();
    text.resize(kept + kChunk);
    ssize_t length = read(maps.get(), text.data() + kept, kChunk);
    if (length < 0) return errno;
    text.resize(kept + length);
    if (length == 0) return 0;
    size_t begin = 0;
    for (size_t end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1)
      TakeMapping(std::string_view(text).substr(begin, end - begin));
    text.erase(0, begin);
  }
}

// "7f1c…-7f1d… rw-s 00000000 00:01 2064    /memfd:name (deleted)"; a newline in a name stands there as \012.
void Look::TakeMapping(std::string_view line) {
  size_t path = line.find('/');
  if (path == std::string_view::npos) return;
  bool is_dma_buf = line.substr(path).starts_with(kDmaBuf);
  if (!is_dma_buf && !line.substr(path).starts_with(kMemfd)) return;
  unsigned major, minor;
  unsigned long long inode;
  if (sscanf(std::string(line.substr(0, path)).c_str(), "%*s %*s %*s %x:%x %llu", &major, &minor, &inode) != 3) return;
  Key key{makedev(major, minor), inode};
  // Without a descriptor to read its fdinfo from, the name and a device that is no disk must do.
  is_dma_buf = is_dma_buf && (told_.contains(key) || major == 0);
  if (!is_dma_buf && !wanted_.contains(key)) return;
  Holder& holder = HolderOf(key);
  ++holder.mapping_count;
  holder.is_dma_buf |= is_dma_buf;
}

Holder& Look::HolderOf(const Key& key) {
  Holder& holder = holders_[key];
  holder.key = key;
  return holder;
}

bool ReadAll(int fd, std::string* text) {
  for (;;) {
    size_t kept = text->size();
    text->resize(kept + kChunk);
    ssize_t length = read(fd, text->data() + kept, kChunk);
    int error = errno;
    text->resize(kept + (length > 0 ? length : 0));
    errno = error;
    if (length <= 0) return length == 0;
  }
}

}  // namespace lendbuf
