#include "warden.h"

#include <poll.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <new>

#include "error.h"
#include "packet.h"
#include "request.h"

namespace lendbuf {

using protocol::Type;

namespace {

constexpr size_t kMany = 16;
constexpr int kGatherMs = 1;

template <class T>
void Append(std::vector<char>& bytes, const T& value) {
  size_t at = bytes.size();
  bytes.resize(at + sizeof value);
  memcpy(bytes.data() + at, &value, sizeof value);
}

void AppendWords(std::vector<char>& bytes, const std::string& words) {
  bytes.insert(bytes.end(), words.begin(), words.end());
}

void AppendText(std::vector<char>& bytes, const std::string& words) {
  AppendWords(bytes, words);
  bytes.push_back('\0');
}

}  // namespace

Warden::Warden(Device& device, Fd agent, std::string door)
    : device_(device),
      agent_(std::move(agent)),
      succession_(std::move(door)),
      regions_(device.regions()),
      timer_(Check(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK), "timerfd_create")),
      outbox_(agent_.get(), [this](const Outbox::Packet& packet, int error) { return TakeBack(packet, error); }),
      space_(protocol::kMaxPacket) {
  for (Exporter* exporter : device.exporters()) offers_.push_back({*exporter, exporter->SelfTest()});
}

void Warden::Serve() {
  SendReady();
  for (;;) {
    if (agent_ && outbox_.closed() && !LoseAgent()) return;
    short from_agent =
        static_cast<short>(POLLRDHUP | (outbox_.crowded() ? 0 : POLLIN) | (outbox_.waiting() ? POLLOUT : 0));
    bool gathering = IsGathering();
    int answers = gathering ? -1 : exports_.fd();
    pollfd events[] = {{agent_.get(), from_agent, 0},
                       {answers, POLLIN, 0},
                       {timer_.get(), POLLIN, 0},
                       {device_.loss(), POLLIN, 0},
                       {jobs_.fd(), POLLIN, 0},
                       {succession_.listener(), POLLIN, 0},
                       {succession_.candidate(), POLLIN, 0},
                       {succession_.alarm(), POLLIN, 0}};
    if (poll(events, std::size(events), gathering ? kGatherMs : -1) < 0) continue;
    if (events[0].revents & (POLLHUP | POLLRDHUP | POLLERR | POLLNVAL)) {
      if (!LoseAgent()) return;
      continue;
    }
    if (events[1].revents) AnswerRevokes();
    if (events[4].revents) AnswerJobs();
    if (events[0].revents & POLLOUT) outbox_.Flush();
    if (events[0].revents & POLLIN) ReadFromAgent();
    if (events[2].revents) Tick();
    // Told at once: the revokes that follow may take without limit, and the last word says what became of them.
    if (events[3].revents) return SendLost(device_.WhyLost());
    if (exports_.giving_up() && exports_.empty() && !outbox_.waiting())
      return SendLost("it was given up to revoke every export of it");
    if (events[7].revents && OnAlarm()) return;
    if (events[5].revents) Admit();
    if (events[6].revents && !HearCandidate()) return;
    ArmTick();
  }
}

// The agent is gone. True where we wait for another one.
bool Warden::LoseAgent() {
  if (succession_.allowed()) ReadWhatIsLeft();
  agent_.Reset();
  outbox_.Close();
  if (!succession_.allowed()) return false;
  succession_.Open();
  return !OnAlarm();
}

// What it asked for before it went is done, first of all its last word on whether we are to wait.
void Warden::ReadWhatIsLeft() {
  for (;;) {
    Received received = ReceivePacket(agent_.get(), space_, false);
    if (received.size == -ECONNRESET) continue;  // said once: it left something of ours unread
    if (received.size <= 0) return;
    Handle(received);
  }
}

// Revokes what is due while no agent is there. True where none will come any more.
bool Warden::OnAlarm() {
  uint64_t now = BootNow();
  if (succession_.IsOver(now)) return true;
  succession_.Arm(exports_.RevokeDue(now));
  return false;
}

void Warden::Admit() {
  succession_.Admit();
  OnAlarm();  // it must not take its time
}

// False where whoever came wants us to go.
bool Warden::HearCandidate() {
  std::optional<protocol::Adopt> adopt = succession_.Hear();
  return !adopt || Welcome(*adopt);
}

bool Warden::Welcome(const protocol::Adopt& adopt) {
  agent_ = succession_.Take();
  outbox_.Open(agent_.get());
  if (adopt.dismiss) SendLost("the agent did not want to go on with what is lent");
  if (!adopt.dismiss && adopt.version != protocol::kVersion)
    SendLost("it is of another build than the agent (protocol " + std::to_string(protocol::kVersion) + ", not " +
             std::to_string(adopt.version) + ")");
  if (adopt.dismiss || adopt.version != protocol::kVersion) return false;
  SendReady();
  SendAdopted();
  return true;
}

void Warden::SendAdopted() {
  std::vector<Exports::Lent> all = exports_.All();
  Outbox::Packet packet;
  Append(packet.bytes, protocol::Adopted{.header = {Type::kAdopted, 0},
                                         .highest = exports_.highest(),
                                         .count = static_cast<uint32_t>(all.size()),
                                         .serial = highest_serial_,
                                         .suspended = suspended_});
  outbox_.Send(std::move(packet));
  for (const Exports::Lent& held : all) SendHeld(held);
}

void Warden::SendHeld(const Exports::Lent& held) {
  protocol::Held answer{
      .header = {Type::kHeld, 0}, .id = held.id, .deadline_ns = held.deadline_ns, .revoking = held.revoking};
  Outbox::Packet packet{.lent = held.lent};
  try {
    held.lent->PrepareDelivery();
  } catch (const SystemError& failure) {
    answer.error = failure.error();
    packet.lent = nullptr;
  }
  Append(packet.bytes, answer);
  outbox_.Send(std::move(packet));
}

void Warden::SendReady() {
  Outbox::Packet packet;
  std::vector<char>& bytes = packet.bytes;
  Append(bytes, protocol::Ready{.header = {Type::kReady, 0},
                                .version = protocol::kVersion,
                                .region_count = static_cast<uint32_t>(regions_.size()),
                                .exporter_count = static_cast<uint32_t>(offers_.size()),
                                .access = device_.access()});
  for (const protocol::Region& region : regions_) Append(bytes, region);
  for (const auto& [exporter, found] : offers_)
    Append(bytes, protocol::Exporter{.kind = exporter.kind(),
                                     .works = found.works,
                                     .method = found.method,
                                     .scope = found.scope,
                                     .mappable = found.mappable,
                                     .rung_count = static_cast<uint32_t>(found.rungs.size())});
  for (const auto& [exporter, found] : offers_)
    for (const Rung& rung : found.rungs)
      Append(bytes,
             protocol::Rung{.method = rung.method, .scope = rung.scope, .works = rung.works, .error = rung.error});
  for (const auto& [exporter, found] : offers_) AppendText(bytes, found.words);
  for (const auto& [exporter, found] : offers_)
    for (const Rung& rung : found.rungs) AppendText(bytes, rung.words);
  outbox_.Send(std::move(packet));
}

void Warden::SendLost(const std::string& why) {
  Outbox::Packet packet;
  Append(packet.bytes, protocol::Header{Type::kLost, 0});
  AppendWords(packet.bytes, why);
  outbox_.Send(std::move(packet));
}

void Warden::ReadFromAgent() {
  Received received = ReceivePacket(agent_.get(), space_, false);
  if (received.size == -EAGAIN) return;
  if (received.size < 0) throw BrokenAgent(SystemError(static_cast<int>(-received.size), "recvmsg").what());
  if (received.size == 0) throw BrokenAgent("an empty packet");
  Handle(received);
}

void Warden::Handle(const Received& received) {
  if (received.truncated) throw BrokenAgent("a packet longer than " + std::to_string(protocol::kMaxPacket) + " bytes");
  if (received.control_truncated) throw BrokenAgent("a packet that carries fds");
  Handle({space_.data(), static_cast<size_t>(received.size)});
}

void Warden::Handle(std::span<const char> bytes) {
  auto [type, serial] = ReadPacket<protocol::Header>(bytes);
  highest_serial_ = std::max(highest_serial_, serial);
  if (type == Type::kExport) return HandleExport(bytes);
  if (type == Type::kRevoke) return HandleRevoke(bytes);
  if (type == Type::kAccess) return HandleAccess(bytes);
  if (type == Type::kSync) return HandleSync(bytes);
  if (type == Type::kSuspend) return HandleSuspend(bytes);
  if (type == Type::kScrub) return HandleScrub(bytes);
  if (type == Type::kReset) return HandleReset(bytes);
  if (type == Type::kWait) return succession_.Allow(ReadWhole<protocol::Wait>(bytes));
  if (type == Type::kDeadline) return HandleDeadline(bytes);
  throw BrokenAgent("a packet of unknown type " + std::to_string(static_cast<uint32_t>(type)));
}

void Warden::HandleExport(std::span<const char> bytes) {
  auto packet = ReadPacket<protocol::Export>(bytes);
  Request request = ReadExport(bytes, packet);
  try {
    MakeExport(packet, std::move(request));
  } catch (const Refusal& refusal) {
    SendExported(packet, refusal.error(), refusal.what());
  } catch (const SystemError& failure) {
    SendExported(packet, failure.error(), failure.what());
  } catch (const std::bad_alloc&) {
    SendExported(packet, ENOMEM, "the warden is out of memory");
  }
}

void Warden::MakeExport(const protocol::Export& packet, Request request) {
  const Offer& offer = OfferOf(packet.kind);
  if (exports_.giving_up())
    throw Refusal(ENODEV, "the device is being given up to revoke every export of it: wait for the next warden");
  exports_.CheckFresh(request.id);
  CheckRequest(request, packet.flags, regions_);
  std::shared_ptr<Export> lent = offer.exporter.Make(request);
  exports_.Add(request, lent);
  SendExported(packet, 0, "", std::move(lent));
}

const Warden::Offer& Warden::OfferOf(protocol::Kind kind) const {
  for (const Offer& offer : offers_) {
    if (offer.exporter.kind() != kind) continue;
    if (!offer.capability.works) throw Refusal(ENOTSUP, offer.capability.words);
    return offer;
  }
  throw Refusal(EINVAL,
                "this device is not lent by an exporter of kind " + std::to_string(static_cast<uint32_t>(kind)));
}

void Warden::SendExported(const protocol::Export& packet, int error, const std::string& words,
                          std::shared_ptr<Export> lent) {
  Outbox::Packet answer{.lent = std::move(lent)};
  Append(answer.bytes,
         protocol::Exported{.header = {Type::kExported, packet.header.serial}, .id = packet.id, .error = error});
  AppendWords(answer.bytes, words);
  outbox_.Send(std::move(answer));
}

Outbox::Packet Warden::TakeBack(const Outbox::Packet& packet, int error) {
  if (ReadPacket<protocol::Header>(packet.bytes).type == Type::kHeld) {
    auto held = ReadPacket<protocol::Held>(packet.bytes);
    held.error = error;
    Outbox::Packet without;
    Append(without.bytes, held);
    return without;
  }
  auto exported = ReadPacket<protocol::Exported>(packet.bytes);
  exports_.Withdraw(exported.id);
  exported.error = error;
  Outbox::Packet instead;
  Append(instead.bytes, exported);
  AppendWords(instead.bytes, SystemError(error, "sendmsg").what());
  return instead;
}

void Warden::HandleRevoke(std::span<const char> bytes) {
  auto packet = ReadPacket<protocol::Revoke>(bytes);
  size_t ids_size = bytes.size() - sizeof packet;
  if (packet.count == 0 || packet.count > protocol::kMaxIds || ids_size != packet.count * sizeof(uint64_t))
    throw BrokenAgent("a REVOKE of " + std::to_string(packet.count) + " ids has " + std::to_string(bytes.size()) +
                      " bytes");
  std::vector<uint64_t> ids(packet.count);
  memcpy(ids.data(), bytes.data() + sizeof packet, ids_size);
  std::vector<Exports::Answer> answers;
  exports_.Revoke(packet.header.serial, ids, (packet.flags & protocol::kDeviceWide) != 0, answers);
  SendRevoked(std::move(answers));
}

void Warden::HandleAccess(std::span<const char> bytes) {
  auto access = ReadWhole<protocol::RegisterAccess>(bytes);
  jobs_.Start(access.header.serial, [this, access] {
    CheckAccess(access, regions_);
    return device_.MakeAccess(access);
  });
}

void Warden::HandleSync(std::span<const char> bytes) {
  auto sync = ReadWhole<protocol::Sync>(bytes);
  jobs_.Start(sync.header.serial, [sync, lent = exports_.Find(sync.id)] {
    if (!lent) throw Refusal(EBADFD, "the export has been revoked");
    lent->Sync(sync);
    return sync.length;
  });
}

void Warden::HandleSuspend(std::span<const char> bytes) {
  auto packet = ReadWhole<protocol::Suspend>(bytes);
  jobs_.Start(packet.header.serial, [this, packet] {
    device_.Suspend(packet.suspend != 0);
    suspended_ = packet.suspend != 0;
    return 0;
  });
}

void Warden::HandleDeadline(std::span<const char> bytes) {
  auto deadline = ReadWhole<protocol::Deadline>(bytes);
  exports_.SetDeadline(deadline.id, deadline.at_ns);
}

void Warden::HandleScrub(std::span<const char> bytes) {
  auto packet = ReadPacket<protocol::Scrub>(bytes);
  Request request = ReadScrub(bytes, packet);
  bool is_lent = exports_.HasWriterOf(request);
  jobs_.Start(packet.header.serial, [this, packet, request, is_lent]() mutable {
    if (is_lent) throw Refusal(EBUSY, "somebody may still write there: revoke that first");
    CheckWord(packet.word, packet.width);
    CheckRequest(request, 0, regions_);
    return device_.Scrub(request, packet.word, packet.width);
  });
}

void Warden::HandleReset(std::span<const char> bytes) {
  auto packet = ReadWhole<protocol::Reset>(bytes);
  bool is_lent = exports_.HasWriter();
  jobs_.Start(packet.header.serial, [this, is_lent] {
    if (is_lent) throw Refusal(EBUSY, "some of the device is lent: revoke that first");
    device_.Reset();
    return 0;
  });
}

void Warden::AnswerJobs() {
  for (const Jobs::Done& done : jobs_.TakeDone()) SendDone(done);
}

void Warden::SendDone(const Jobs::Done& done) {
  Outbox::Packet packet;
  Append(packet.bytes, done.answer);
  AppendWords(packet.bytes, done.words);
  outbox_.Send(std::move(packet));
}

// While many revokes are under way their answers wait for each other for a moment: a wake-up and a packet for each
// would take the processor from the revokes themselves.
bool Warden::IsGathering() {
  if (exports_.under_way() < kMany) return false;
  return std::chrono::steady_clock::now() - last_answers_ < std::chrono::milliseconds(kGatherMs);
}

void Warden::AnswerRevokes() {
  last_answers_ = std::chrono::steady_clock::now();
  std::vector<std::shared_ptr<Export>> ended;  // dropped after the answers: closing takes time
  SendRevoked(exports_.Collect(ended));
}

void Warden::SendRevoked(std::vector<Exports::Answer> answers) {
  std::stable_sort(answers.begin(), answers.end(), [](auto& a, auto& b) { return a.serial < b.serial; });
  for (size_t start = 0, end; start < answers.size(); start = end) {
    uint32_t serial = answers[start].serial;
    size_t limit = std::min(answers.size(), start + protocol::kMaxRevokedEntries);
    for (end = start; end < limit && answers[end].serial == serial;) end++;
    Outbox::Packet packet;
    packet.bytes.reserve(sizeof(protocol::Revoked) + (end - start) * sizeof(protocol::RevokedEntry));
    Append(packet.bytes,
           protocol::Revoked{.header = {Type::kRevoked, serial}, .count = static_cast<uint32_t>(end - start)});
    for (size_t i = start; i < end; i++) Append(packet.bytes, answers[i].entry);
    outbox_.Send(std::move(packet));
  }
}

void Warden::ArmTick() {
  int period_ms = device_.tick_period_ms();
  if (period_ms == tick_period_ms_) return;
  tick_period_ms_ = period_ms;
  timespec period{period_ms / 1000, period_ms % 1000 * 1'000'000L};
  itimerspec setting{.it_interval = period, .it_value = period};
  Check(timerfd_settime(timer_.get(), 0, &setting, nullptr), "timerfd_settime");
}

void Warden::Tick() {
  uint64_t missed;
  if (read(timer_.get(), &missed, sizeof missed) == sizeof missed) device_.Tick();
}

}  // namespace lendbuf
