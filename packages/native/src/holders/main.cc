// lendbuf-holders [PID…] < KEYS   who holds these files, and every dma-buf of the host; the PIDs are not looked at
// lendbuf-holders --bufinfo       what debugfs says of all dma-bufs
//
// KEYS are lines of "DEV INO" in decimal, as fstat(2) has them. Prints a line of JSON for each thing found, and a last
// one: without that it did not come to the end. A process of its own, because looking at another process may block for
// as long as that one likes (it holds its mmap lock, say): whoever started this kills it then. Its name, in
// /proc/PID/comm, is the process that it looks at.
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <set>
#include <string>

#include "error.h"
#include "fd.h"
#include "json.h"
#include "look.h"

namespace lendbuf {

namespace {

Keys ReadKeys() {
  Keys keys;
  Key key;
  while (std::cin >> key.device >> key.inode) keys.insert(key);
  return keys;
}

void Show(const Holder& holder) {
  JsonLine line("holder");
  line.Number("dev", holder.key.device);
  line.Number("ino", holder.key.inode);
  line.Number("pid", holder.pid);
  line.Number("uid", holder.uid);
  line.Text("command", holder.command);
  line.Numbers("fds", holder.fds);
  line.Number("fdCount", holder.fd_count);
  line.Number("mappingCount", holder.mapping_count);
  line.Boolean("isDmaBuf", holder.is_dma_buf);
  line.Print();
}

void Show(const Key& key, const std::string& fdinfo) {
  JsonLine line("dmabuf");
  line.Number("dev", key.device);
  line.Number("ino", key.inode);
  line.Text("fdinfo", fdinfo);
  line.Print();
}

void LookAtAll(const Keys& keys, const std::set<long>& skipped) {
  DIR* proc = opendir("/proc");
  if (!proc) throw SystemError(errno, "opendir", "/proc");
  Look look(keys);
  uint64_t seen = 0;
  uint64_t hidden = 0;
  while (const dirent* entry = readdir(proc)) {
    long pid = atol(entry->d_name);
    if (pid <= 0 || pid == getpid()) continue;
    Look::Result result = Look::Result::kHidden;
    if (!skipped.contains(pid)) {
      prctl(PR_SET_NAME, entry->d_name);
      Fd process(openat(dirfd(proc), entry->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC));
      result = process ? look.At(process.get(), pid) : Look::ResultOf(errno);
    }
    if (result == Look::Result::kGone) continue;
    ++seen;
    if (result == Look::Result::kHidden) ++hidden;
    for (const auto& [key, fdinfo] : look.TakeDmaBufs()) Show(key, fdinfo);
    for (const Holder& holder : look.TakeHolders()) Show(holder);
    fflush(stdout);
  }
  closedir(proc);
  JsonLine line("end");
  line.Number("processes", seen);
  line.Number("hidden", hidden);
  line.Print();
}

void ShowBufinfo() {
  JsonLine line("bufinfo");
  Fd file(open("/sys/kernel/debug/dma_buf/bufinfo", O_RDONLY | O_CLOEXEC));
  std::string text;
  if (!file || !ReadAll(file.get(), &text)) return line.Text("error", SystemError::CodeOf(errno)), line.Print();
  line.Text("text", text);
  line.Print();
}

int Main(int count, char** arguments) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // nobody reads on
  try {
    if (count == 2 && !strcmp(arguments[1], "--bufinfo")) {
      ShowBufinfo();
    } else {
      std::set<long> skipped;
      for (int i = 1; i < count; i++) skipped.insert(atol(arguments[i]));
      LookAtAll(ReadKeys(), skipped);
    }
    return fflush(stdout) == 0 ? 0 : 1;
  } catch (const std::exception& error) {
    fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}

}  // namespace

}  // namespace lendbuf

int main(int count, char** arguments) { return lendbuf::Main(count, arguments); }
