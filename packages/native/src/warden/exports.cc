#include "exports.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <unordered_set>

#include "overlap.h"

namespace lendbuf {

namespace {

// What could not be revoked when it was due is tried again.
constexpr uint64_t kRetryNs = 1'000'000'000;

}  // namespace

void Exports::CheckFresh(uint64_t id) const {
  if (any_ && id <= highest_)
    throw Refusal(EINVAL, "export id " + std::to_string(id) + " is not above " + std::to_string(highest_) +
                              ", which was used: give each export an id above all before it");
}

void Exports::Add(const Request& request, std::shared_ptr<Export> lent) {
  live_.emplace(request.id, Live{.lent = std::move(lent), .request = request});
  highest_ = request.id;
  any_ = true;
  made_++;
}

std::shared_ptr<Export> Exports::Find(uint64_t id) const {
  auto found = live_.find(id);
  return found == live_.end() ? nullptr : found->second.lent;
}

bool Exports::HasWriterOf(const Request& request) const {
  return std::any_of(live_.begin(), live_.end(), [&](const auto& one) {
    return !one.second.request.read_only && Overlap(one.second.request, request);
  });
}

bool Exports::HasWriter() const {
  return std::any_of(live_.begin(), live_.end(), [](const auto& one) { return !one.second.request.read_only; });
}

void Exports::Revoke(uint32_t serial, std::span<const uint64_t> ids, bool device_wide, std::vector<Answer>& answers) {
  bool ends_all = EndsAll(ids);
  bool may_end_all = !ends_all || giving_up_ || device_wide || NamesAll(ids);
  std::unordered_set<uint64_t> begun;
  for (uint64_t id : ids) {
    auto found = live_.find(id);
    if (found == live_.end()) {
      answers.push_back({serial, AnswerWithoutRevoke(id)});
    } else if (!may_end_all && found->second.lent->scope() == protocol::Scope::kDevice) {
      answers.push_back({serial, {.id = id, .method = protocol::Method::kNone, .error = EBUSY}});
    } else {
      BeginFor(serial, id, found->second);
      begun.insert(id);
    }
  }
  if (!ends_all || !may_end_all) return;
  giving_up_ = true;
  for (auto& [id, live] : live_)
    if (!begun.contains(id)) BeginFor(serial, id, live);
}

void Exports::SetDeadline(uint64_t id, uint64_t at_ns) {
  auto found = live_.find(id);
  if (found != live_.end()) found->second.deadline_ns = at_ns;
}

uint64_t Exports::RevokeDue(uint64_t now_ns) {
  std::vector<uint64_t> due;
  uint64_t next = std::numeric_limits<uint64_t>::max();
  for (const auto& [id, live] : live_) {
    if (live.deadline_ns == 0) continue;
    if (live.deadline_ns <= now_ns)
      due.push_back(id);
    else
      next = std::min(next, live.deadline_ns);
  }
  if (due.empty()) return next;
  // All that are due in one, as where a revoke ends all exports of the device it is tried only when it names each.
  std::vector<Answer> nobodys;
  Revoke(0, due, false, nobodys);
  return std::min(next, now_ns + kRetryNs);
}

std::vector<Exports::Lent> Exports::All() const {
  std::vector<Lent> all;
  all.reserve(live_.size());
  for (const auto& [id, live] : live_) all.push_back({id, live.deadline_ns, live.revoking, live.lent});
  return all;
}

bool Exports::EndsAll(std::span<const uint64_t> ids) const {
  return std::any_of(ids.begin(), ids.end(), [this](uint64_t id) {
    auto found = live_.find(id);
    return found != live_.end() && found->second.lent->scope() == protocol::Scope::kDevice;
  });
}

bool Exports::NamesAll(std::span<const uint64_t> ids) const {
  std::unordered_set<uint64_t> named(ids.begin(), ids.end());
  return std::all_of(live_.begin(), live_.end(), [&](const auto& one) { return named.contains(one.first); });
}

void Exports::BeginFor(uint32_t serial, uint64_t id, Live& live) {
  live.askers.push_back(serial);
  if (!live.revoking) Begin(id, live);
}

protocol::RevokedEntry Exports::AnswerWithoutRevoke(uint64_t id) const {
  bool exported = any_ && id <= highest_;
  return {.id = id, .method = exported ? protocol::Method::kEndedBefore : protocol::Method::kNeverExported, .safe = 1};
}

void Exports::Begin(uint64_t id, Live& live) {
  live.revoking = true;
  revocations_.Start(id, live.lent);
}

std::vector<Exports::Answer> Exports::Collect(std::vector<std::shared_ptr<Export>>& ended) {
  std::vector<Answer> answers;
  for (Revocations::Done& done : revocations_.TakeDone()) {
    auto found = live_.find(done.id);
    for (uint32_t serial : std::exchange(found->second.askers, {}))
      answers.push_back({serial,
                         {.id = done.id,
                          .duration_ns = done.duration_ns,
                          .method = done.proof.method,
                          .error = done.proof.error,
                          .safe = done.proof.safe,
                          .probe = done.proof.probe}});
    found->second.revoking = false;
    if (done.proof.safe) live_.erase(found);
    ended.push_back(std::move(done.lent));
  }
  return answers;
}

std::vector<Exports::Unrevoked> Exports::RevokeAll() {
  revocations_.Hurry();
  size_t pending = 0;
  for (auto& [id, live] : live_) {
    pending++;
    if (!live.revoking) Begin(id, live);
  }
  std::vector<Unrevoked> unrevoked;
  std::vector<std::shared_ptr<Export>> ended;  // closed when all are cut: closing takes time
  while (pending > 0) {
    pollfd wait{.fd = revocations_.fd(), .events = POLLIN};
    poll(&wait, 1, -1);
    for (Revocations::Done& done : revocations_.TakeDone()) {
      pending--;
      if (!done.proof.safe) unrevoked.push_back({done.id, done.proof.error, done.lent->ends_with_device()});
      ended.push_back(std::move(done.lent));
    }
  }
  return unrevoked;
}

}  // namespace lendbuf
