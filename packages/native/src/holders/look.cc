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
#include <cstring>
#include <optional>

#include "fd.h"

namespace lendbuf {

namespace {

constexpr size_t kMaxFds = 8;
constexpr size_t kChunk = 65536;
constexpr size_t kPage = 4096;
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

// The effective uid: what SO_PEERCRED says of a client too. The directory itself belongs to it, also where what is in
// there is root's (task_dump_owner in the kernel's fs/proc/base.c).
uid_t UidOf(int process) {
  struct stat facts;
  return fstat(process, &facts) == 0 ? facts.st_uid : 0;
}

}  // namespace

Look::Result Look::At(int process, pid_t pid) {
  int files = LookAtFds(process);
  int memory = LookAtMaps(process);
  if (!held_.empty()) {
    process_ = {pid, UidOf(process), ReadSmall(process, "comm")};
    if (process_.command.ends_with('\n')) process_.command.pop_back();
  }
  for (int error : {files, memory})
    if (error != 0 && ResultOf(error) == Result::kHidden) return HasNothing(process) ? Result::kSeen : Result::kHidden;
  return files != 0 ? Result::kGone : Result::kSeen;
}

Look::Result Look::ResultOf(int error) { return error == EACCES || error == EPERM ? Result::kHidden : Result::kGone; }

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
  Held& held = held_[key];
  if (held.fd_count++ < kMaxFds) held.fds.push_back(strtoul(name, nullptr, 10));
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
  held_[*key].is_dma_buf = true;
}

int Look::LookAtMaps(int process) {
  Fd maps(openat(process, "maps", O_RDONLY | O_CLOEXEC));
  if (!maps) return errno;
  size_t kept = 0;  // of a line whose end was not read yet
  for (;;) {
    if (kept == text_.size()) text_.resize(kept + kChunk);
    ssize_t length = read(maps.get(), text_.data() + kept, text_.size() - kept);
    if (length < 0) return errno;
    if (length == 0) return 0;
    std::string_view text(text_.data(), kept + length);
    for (size_t end; (end = text.find('\n')) != std::string_view::npos; text.remove_prefix(end + 1))
      TakeMapping(text.substr(0, end));
    kept = text.size();
    memmove(text_.data(), text.data(), kept);
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
  Held& held = held_[key];
  ++held.mapping_count;
  held.is_dma_buf |= is_dma_buf;
}

bool ReadAll(int fd, std::string* text) {
  for (;;) {
    char chunk[kPage];
    ssize_t length = read(fd, chunk, sizeof chunk);
    if (length <= 0) return length == 0;
    text->append(chunk, length);
  }
}

}  // namespace lendbuf
