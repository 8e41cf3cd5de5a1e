#include "last_word.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <fstream>

#include "error.h"

namespace lendbuf {

namespace {

constexpr size_t kReserved = 4096;

std::string BootId() {
  std::string id;
  std::getline(std::ifstream("/proc/sys/kernel/random/boot_id"), id);
  return id;
}

int Reserve(int file, size_t size) {
  if (int error = posix_fallocate(file, 0, static_cast<off_t>(size))) return error;
  std::string spaces(size, ' ');
  errno = 0;
  return pwrite(file, spaces.data(), size, 0) == static_cast<ssize_t>(size) ? 0 : errno ? errno : ENOSPC;
}

}  // namespace

LastWord::LastWord(const std::string& path) : file_(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600)) {
  if (!file_)
    throw Refusal(errno, "cannot create the last word's file " + path + " (" + SystemError::CodeOf(errno) + ", " +
                             strerror(errno) +
                             "): give --last-word a new path in a directory that this user may write to");
  int error = flock(file_.get(), LOCK_EX | LOCK_NB) ? errno : Reserve(file_.get(), kReserved);
  if (!error) return;
  unlink(path.c_str());
  throw Refusal(error, "cannot lock and reserve 4 KiB for the last word in " + path + " (" +
                           SystemError::CodeOf(error) + ", " + strerror(error) +
                           "): make room there, or give --last-word a path on another disk");
}

bool LastWord::Write(const std::string& instance, const std::string& device, uint64_t made,
                     const std::vector<Exports::Unrevoked>& unrevoked) {
  std::string words = R"({"version":1,"instance":")" + instance + R"(","device":")" + device + R"(","bootId":")" +
                      BootId() + R"(","complete":true,"exports":)" + std::to_string(made) + R"(,"unrevoked":[)";
  for (const Exports::Unrevoked& one : unrevoked) {
    if (&one != &unrevoked.front()) words += ',';
    words += R"({"id":)" + std::to_string(one.id) + R"(,"errno":")" + SystemError::CodeOf(one.error) + R"("})";
  }
  words += "]}";
  if (words.size() < kReserved) words.resize(kReserved - 1, ' ');
  words += '\n';
  if (words.size() > kReserved && Reserve(file_.get(), words.size())) return false;
  return pwrite(file_.get(), words.data(), words.size(), 0) == static_cast<ssize_t>(words.size());
}

}  // namespace lendbuf
