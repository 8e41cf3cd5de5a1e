// The exports of this warden: which are live, which are being revoked and who asked for it.
#pragma once
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "revocations.h"

namespace lendbuf {

class Exports {
 public:
  struct Answer {
    uint32_t serial;
    protocol::RevokedEntry entry;
  };
  struct Unrevoked {
    uint64_t id;
    int error;
    bool ends_with_device;
  };

  // Throws Refusal where the id is not above all before it.
  void CheckFresh(uint64_t id) const;
  void Add(const Request& request, std::shared_ptr<Export> lent);
  // The export never left us: its id was not used.
  void Withdraw(uint64_t id) { live_.erase(id); }
  // Null where it has ended, or never was.
  std::shared_ptr<Export> Find(uint64_t id) const;
  // Whether somebody may write into these ranges through an export, or into anything.
  bool HasWriterOf(const Request& request) const;
  bool HasWriter() const;
  // Begins to revoke; what needs no revoke, or must not be tried, is answered at once. `device_wide`: those that are
  // not named may end too.
  void Revoke(uint32_t serial, std::span<const uint64_t> ids, bool device_wide, std::vector<Answer>& answers);
  // When the export must have been revoked, CLOCK_BOOTTIME; for while no agent is there. Ignored where it has ended.
  void SetDeadline(uint64_t id, uint64_t at_ns);
  // Begins to revoke those whose deadline has come, without an answer to anybody. Gives the time at which to call it
  // again.
  uint64_t RevokeDue(uint64_t now_ns);
  struct Lent {
    uint64_t id;
    uint64_t deadline_ns;
    bool revoking;
    std::shared_ptr<Export> lent;
  };
  std::vector<Lent> All() const;
  // 0: none was made.
  uint64_t highest() const { return highest_; }
  // A revoke gives the device up: no export can be made any more.
  bool giving_up() const { return giving_up_; }
  bool empty() const { return live_.empty(); }
  // Readable while there is something to Collect.
  int fd() const { return revocations_.fd(); }
  size_t under_way() { return revocations_.under_way(); }
  // The answers to all revokes that are done. `ended` receives what may be dropped once they are sent.
  std::vector<Answer> Collect(std::vector<std::shared_ptr<Export>>& ended);
  // Revokes everything, without keeping contents. Returns when each has been tried, however long that takes.
  std::vector<Unrevoked> RevokeAll();
  uint64_t made() const { return made_; }

 private:
  struct Live {
    std::shared_ptr<Export> lent;
    Request request;
    std::vector<uint32_t> askers;  // serials that await the revoke under way
    bool revoking = false;
    uint64_t deadline_ns = 0;  // 0: none
  };
  protocol::RevokedEntry AnswerWithoutRevoke(uint64_t id) const;
  bool EndsAll(std::span<const uint64_t> ids) const;
  bool NamesAll(std::span<const uint64_t> ids) const;
  void BeginFor(uint32_t serial, uint64_t id, Live& live);
  void Begin(uint64_t id, Live& live);

  bool giving_up_ = false;
  std::unordered_map<uint64_t, Live> live_;
  uint64_t highest_ = 0;
  bool any_ = false;
  uint64_t made_ = 0;
  Revocations revocations_;
};

}  // namespace lendbuf
