// Parts of the warden that must behave where this host cannot be brought to misbehave. warden-parts <part> [path]
#include <fcntl.h>
#include <sys/stat.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <latch>
#include <semaphore>
#include <string>
#include <thread>

#include "last_word.h"
#include "outbox.h"
#include "packet.h"
#include "pool.h"

using namespace lendbuf;
using namespace std::chrono_literals;

namespace {

void Expect(bool held, const char* what) {
  if (held) return;
  printf("not so: %s\n", what);
  exit(3);
}

// 100 jobs that wait without limit, and one after them.
void StuckJobs() {
  std::latch release(1), stuck(100), done(1);
  {
    Pool pool(2);
    for (int i = 0; i < 100; i++)
      pool.Run([&] {
        stuck.count_down();
        release.wait();
      });
    stuck.wait();
    pool.Run([&] { done.count_down(); });
    done.wait();
    Expect(pool.threads() >= 101, "each stuck job has a thread of its own");
    release.count_down();
    while (pool.threads() > 2) std::this_thread::sleep_for(10ms);
  }
  puts("ok");
}

void ManyJobs() {
  std::atomic<int> sum = 0;
  size_t threads;
  {
    Pool pool(2);
    for (int i = 0; i < 100'000; i++) pool.Run([&] { sum++; });
    while (sum < 100'000) std::this_thread::yield();
    threads = pool.threads();
  }
  Expect(sum == 100'000, "each job runs once");
  printf("%zu threads\n", threads);
}

std::vector<Exports::Unrevoked> Failures(size_t count) {
  std::vector<Exports::Unrevoked> failures;
  for (uint64_t id = 1; id <= count; id++) failures.push_back({id, EBUSY});
  return failures;
}

void LongLastWord(const char* path) {
  LastWord word(path);
  Expect(word.Write("instance", "sim0", 1000, Failures(1000)), "a long list makes the file grow");
  puts("ok");
}

// The disk is filled by the test between the two lines.
void LongLastWordOnFullDisk(const char* path) {
  LastWord word(path);
  puts("ready");
  fflush(stdout);
  getchar();
  Expect(!word.Write("instance", "sim0", 1000, Failures(1000)), "a list that does not fit on the disk is not written");
  puts("ok");
}

// The kernel refuses an fd in flight: the packet that goes instead says so, and keeps its place.
void RefusedFd() {
  class Nothing : public Export {
   public:
    int fd() const override { return 12345; }
    Proof Revoke() override { return {}; }
  };
  int ends[2];
  Expect(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), "socketpair");
  Fd left(ends[0]), right(ends[1]);
  Outbox outbox(left.get(), [](const Outbox::Packet&, int error) {
    Expect(error == EBADF, "the handler learns why");
    return Outbox::Packet{{'n', 'o'}, nullptr};
  });
  for (int i = 0; i < 2000; i++) outbox.Send({std::vector<char>(1000, 'x'), nullptr});
  Expect(outbox.waiting() && outbox.crowded(), "the socket is full");
  outbox.Send({{'f', 'd'}, std::make_shared<Nothing>()});
  std::vector<char> space(4096);
  int packets = 0;
  ssize_t last = 0;
  for (;; outbox.Flush()) {
    Received received = ReceivePacket(right.get(), space, true);
    if (received.size == -EAGAIN && !outbox.waiting()) break;
    if (received.size < 0) continue;
    packets++;
    last = received.size;
  }
  Expect(packets == 2001 && last == 2 && space[0] == 'n', "all arrive in order, the refusal in place of the fd");
  puts("ok");
}

}  // namespace

int main(int count, char** arguments) {
  std::string part = arguments[1];
  const char* path = count > 2 ? arguments[2] : "";
  if (part == "stuck-jobs") StuckJobs();
  if (part == "many-jobs") ManyJobs();
  if (part == "long-last-word") LongLastWord(path);
  if (part == "full-disk") LongLastWordOnFullDisk(path);
  if (part == "refused-fd") RefusedFd();
}
