// One device, one agent: serves EXPORT, REVOKE and ACCESS until the agent's end closes; then another agent's, where
// that was wanted and one comes in time.
#pragma once
#include <atomic>
#include <chrono>
#include <span>
#include <string>
#include <vector>

#include "device.h"
#include "exports.h"
#include "fd.h"
#include "jobs.h"
#include "outbox.h"
#include "packet.h"
#include "succession.h"

namespace lendbuf {

class Warden {
 public:
  // `door`: where to wait for another agent.
  Warden(Device& device, Fd agent, std::string door);
  // Returns when the agent or the device is gone; throws BrokenAgent where it broke the protocol, SystemError where no
  // door could be opened. RevokeAll is due either way.
  void Serve();
  std::vector<Exports::Unrevoked> RevokeAll() { return exports_.RevokeAll(); }
  uint64_t made() const { return exports_.made(); }
  // -1 while none is there.
  int agent() const { return agent_.get(); }

 private:
  void SendReady();
  void SendLost(const std::string& why);
  void ReadFromAgent();
  void Handle(const Received& received);
  void ReadWhatIsLeft();
  bool LoseAgent();
  bool Welcome(const protocol::Adopt& adopt);
  void SendAdopted();
  void SendHeld(const Exports::Lent& held);
  bool OnAlarm();
  void Admit();
  bool HearCandidate();
  void Handle(std::span<const char> bytes);
  void HandleExport(std::span<const char> bytes);
  void HandleRevoke(std::span<const char> bytes);
  void HandleAccess(std::span<const char> bytes);
  void HandleSync(std::span<const char> bytes);
  void HandleSuspend(std::span<const char> bytes);
  void HandleScrub(std::span<const char> bytes);
  void HandleReset(std::span<const char> bytes);
  void HandleDeadline(std::span<const char> bytes);
  void MakeExport(const protocol::Export& packet, Request request);
  void SendExported(const protocol::Export& packet, int error, const std::string& words,
                    std::shared_ptr<Export> lent = nullptr);
  Outbox::Packet TakeBack(const Outbox::Packet& packet, int error);
  void SendRevoked(std::vector<Exports::Answer> answers);
  void AnswerRevokes();
  void AnswerJobs();
  void SendDone(const Jobs::Done& done);
  bool IsGathering();
  void ArmTick();
  void Tick();

  struct Offer {
    Exporter& exporter;
    Capability capability;
  };
  const Offer& OfferOf(protocol::Kind kind) const;

  Device& device_;
  Fd agent_;
  Succession succession_;
  std::vector<protocol::Region> regions_;
  std::vector<Offer> offers_;
  Fd timer_;
  int tick_period_ms_ = 0;
  Exports exports_;
  std::atomic<bool> suspended_ = false;
  Jobs jobs_;
  std::chrono::steady_clock::time_point last_answers_;
  Outbox outbox_;
  std::vector<char> space_;
  uint32_t highest_serial_ = 0;
};

}  // namespace lendbuf
