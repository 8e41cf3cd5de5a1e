// Parts of the warden that must behave where this host cannot be brought to misbehave. warden-parts <part> [path]
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <latch>
#include <semaphore>
#include <string>
#include <thread>

#include "last_word.h"
#include "outbox.h"
#include "packet.h"
#include "pci.h"
#include "pool.h"
#include "request.h"
#include "revoke_method.h"

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
  for (uint64_t id = 1; id <= count; id++) failures.push_back({id, EBUSY, false});
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
    protocol::Scope scope() const override { return protocol::Scope::kBuffer; }
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

// As `setpci` shows them: a 64-bit prefetchable BAR 0 (16 MiB), an I/O BAR 2, BAR 3 with the MSI-X table in its second
// page, a small BAR 4, and BAR 5, which is all MSI-X table where `table_bar` is 5.
PciConfig ConfigOf(uint8_t table_bar) {
  std::vector<uint8_t> bytes(256);
  auto put = [&](size_t at, uint32_t value) { memcpy(bytes.data() + at, &value, sizeof value); };
  put(0x04, 0x00100007);  // the list of capabilities is there
  put(0x10, 0xe000000c), put(0x18, 0x0000c001), put(0x1c, 0xfebf0000), put(0x20, 0xfebe0000), put(0x24, 0xfebd0000);
  bytes[0x34] = 0x40;
  put(0x40, 0x00005005);  // MSI, then
  put(0x50, 0x003f0011);  // MSI-X, 64 entries, the last one
  put(0x54, (table_bar == 5 ? 0u : 0x1800u) | table_bar);
  return PciConfig(bytes);
}

void PciBars() {
  using protocol::Unlendable;
  Expect(IsPciAddress("0000:00:03.0") && IsPciAddress("abcd:ff:1f.7"), "addresses as sysfs spells them");
  for (const char* wrong : {"00:03.0", "0000:00:03.8", "0000:00:3.00", "0000:00:03.0/", "../0:00:03.0", "0000:0G:03.0"})
    Expect(!IsPciAddress(wrong), wrong);
  constexpr uint32_t kAll = protocol::kReadable | protocol::kWritable | protocol::kMappable;
  std::array<BarInfo, kBars> bars{{{16 << 20, kAll}, {}, {32, 3}, {64 << 10, kAll}, {256, 3}, {4096, kAll}}};

  PciConfig config = ConfigOf(3);
  auto regions = DescribeBars(config, bars);
  Unlendable why[] = {Unlendable::kNo, Unlendable::kUnassigned, Unlendable::kIoPorts,
                      Unlendable::kNo, Unlendable::kSubPage,    Unlendable::kNo};
  for (uint32_t bar = 0; bar < kBars; bar++)
    Expect(regions[bar].index == bar && regions[bar].unlendable == why[bar] && regions[bar].size == bars[bar].size &&
               regions[bar].flags == bars[bar].flags,
           "each BAR's size, flags and why it cannot be lent");
  Expect(config.IsPrefetchable(0) && !config.IsPrefetchable(3) && !config.IsPrefetchable(2), "prefetchable BARs");
  Expect(regions[3].withheld.offset == 0x1000 && regions[3].withheld.length == 0x1000 && !regions[0].withheld.length,
         "64 entries from 0x1800 on are in the second page");
  Expect(DescribeBars(ConfigOf(5), bars)[5].unlendable == Unlendable::kMsixTable, "a BAR that is all MSI-X table");

  std::vector<uint8_t> loop(256);
  loop[0x06] = 0x10, loop[0x34] = 0x40, loop[0x41] = 0x40;
  Expect(!PciConfig(loop).MsixTable(0).length, "a list of capabilities that bites its tail ends");
  Expect(!PciConfig(std::vector<uint8_t>(256, 0xff)).MsixTable(0).length, "a device that is gone reads as ones");
  puts("ok");
}

void Refused(uint32_t region, protocol::Range range, int error, const char* words) {
  std::array<BarInfo, kBars> bars{{{16 << 20, 7}, {}, {32, 3}, {64 << 10, 7}, {256, 3}, {4096, 7}}};
  auto regions = DescribeBars(ConfigOf(region == 5 ? 5 : 3), bars);
  Request request{.region = region, .ranges = {range}};
  try {
    CheckRequest(request, 0, regions);
    Expect(error == 0, words);
  } catch (const Refusal& refusal) {
    Expect(refusal.error() == error && strstr(refusal.what(), words), refusal.what());
  }
}

void BarRanges() {
  Refused(0, {0x1000, 0x4000}, 0, "a range of a BAR");
  Refused(1, {0, 0x1000}, ENODEV, "no address assigned");
  Refused(2, {0, 0x1000}, EINVAL, "I/O BAR");
  Refused(4, {0, 0x1000}, EINVAL, "less than a page");
  Refused(5, {0, 0x1000}, EPERM, "MSI-X table and nothing else");
  Refused(3, {0, 0x1000}, 0, "before the MSI-X table");
  Refused(3, {0x2000, 0x1000}, 0, "after the MSI-X table");
  Refused(3, {0, 0x2000}, EPERM, "meets the MSI-X table");
  Refused(3, {0x1000, 0x1000}, EPERM, "meets the MSI-X table");
  Refused(3, {0, 0x10000}, EPERM, "meets the MSI-X table");
  puts("ok");
}

// DESIGN: which answers prove an end, and that ENODEV does so for the ioctl alone.
void SafeAnswers() {
  auto safe = [](std::span<const int> answers, int error) {
    return std::find(answers.begin(), answers.end(), error) != answers.end();
  };
  for (int error = 1; error < 200; error++) {
    Expect(safe(DmaBufRevoke::kSafe, error) == (error == EBADFD || error == ENODEV), "DMA_BUF_IOCTL_REVOKE");
    Expect(safe(FeatureRevoke::kSafe, error) == (error == EBADFD), "VFIO_DEVICE_FEATURE");
    Expect(!safe(DeviceClose::kSafe, error), "closing the device");
  }
  Expect(safe(DmaBufRevoke::kSafe, 0) && safe(FeatureRevoke::kSafe, 0) && safe(DeviceClose::kSafe, 0), "0 is safe");
  puts("ok");
}

// A device that somebody else still has open at first.
struct Closing : Export {
  explicit Closing(std::atomic<bool>& open) : open(open) {}
  int fd() const override { return -1; }
  protocol::Scope scope() const override { return protocol::Scope::kDevice; }
  Proof Revoke() override {
    return {.method = protocol::Method::kDeviceClose, .error = open ? EINVAL : 0, .safe = !open};
  }
  std::atomic<bool>& open;
};

std::vector<Exports::Answer> Await(Exports& exports, size_t count) {
  std::vector<Exports::Answer> answers;
  std::vector<std::shared_ptr<Export>> ended;
  while (answers.size() < count) {
    pollfd wait{.fd = exports.fd(), .events = POLLIN};
    poll(&wait, 1, -1);
    for (Exports::Answer& answer : exports.Collect(ended)) answers.push_back(answer);
  }
  return answers;
}

void DeviceWide() {
  std::atomic<bool> open = true;
  Exports exports;
  for (uint64_t id : {1, 2, 3}) exports.Add({.id = id}, std::make_shared<Closing>(open));
  std::vector<Exports::Answer> answers;

  exports.Revoke(1, std::vector<uint64_t>{1, 2, 9}, false, answers);
  Expect(answers.size() == 3 && answers[0].entry.error == EBUSY && answers[1].entry.error == EBUSY &&
             answers[0].entry.method == protocol::Method::kNone && !answers[0].entry.safe && answers[2].entry.safe &&
             !exports.giving_up() && exports.under_way() == 0,
         "what would end others is not tried");

  answers.clear();
  exports.Revoke(2, std::vector<uint64_t>{2}, true, answers);
  answers = Await(exports, 3);
  Expect(exports.giving_up() && !exports.empty(), "the device is given up, and nothing has ended yet");
  for (auto& [serial, entry] : answers) Expect(serial == 2 && !entry.safe && entry.error == EINVAL, "not confirmed");

  open = false;
  exports.Revoke(3, std::vector<uint64_t>{3}, false, answers);
  answers = Await(exports, 3);
  for (auto& [serial, entry] : answers) Expect(serial == 3 && entry.safe && entry.error == 0, "confirmed, for all");
  Expect(exports.empty(), "nothing lives");

  Exports whole;
  for (uint64_t id : {1, 2}) whole.Add({.id = id}, std::make_shared<Closing>(open));
  whole.Revoke(1, std::vector<uint64_t>{2, 1}, false, answers);
  Expect(Await(whole, 2).size() == 2 && whole.empty(), "a revoke that names all needs no permission");
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
  if (part == "pci-bars") PciBars();
  if (part == "bar-ranges") BarRanges();
  if (part == "safe-answers") SafeAnswers();
  if (part == "device-wide") DeviceWide();
}
