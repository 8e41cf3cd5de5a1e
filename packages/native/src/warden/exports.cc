#include "exports.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <unordered_set>

namespace lendbuf {

void Exports::CheckFresh(uint64_t id) const {
  if (any_ && id <= highest_)
    throw Refusal(EINVAL, "export id " + std::to_string(id) + " is not above " + std::to_string(highest_) +
                              ", which was used: give each export an id above all before it");
}

void Exports::Add(uint64_t id, std::shared_ptr<Export> lent) {
  live_.emplace(id, Live{.lent = std::move(lent)});
  highest_ = id;
  any_ = true;
  made_++;
}

void Exports::Revoke(uint32_t serial, std::span<const uint64_t> ids, bool device_wide, std::vector<Answer>& answers) {
  bool ends_all = scope_ == protocol::Scope::kDevice;
  bool may_begin = !ends_all || giving_up_ || device_wide || NamesAll(ids);
  std::unordered_set<uint64_t> begun;
  for (uint64_t id : ids) {
    auto found = live_.find(id);
    if (found == live_.end()) {
      answers.push_back({serial, AnswerWithoutRevoke(id)});
    } else if (!may_begin) {
      answers.push_back({serial, {.id = id, .method = protocol::Method::kNone, .error = EBUSY}});
    } else {
      BeginFor(serial, id, found->second);
      begun.insert(id);
    }
  }
  if (!ends_all || (begun.empty() && !device_wide)) return;
  giving_up_ = giving_up_ || may_begin;
  for (auto& [id, live] : live_)
    if (!begun.contains(id)) BeginFor(serial, id, live);
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
  return {.id = id, .method = exported ? method_ : protocol::Method::kNeverExported, .safe = 1};
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
                          .probe_size = done.proof.probe}});
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
      if (!done.proof.safe) unrevoked.push_back({done.id, done.proof.error});
      ended.push_back(std::move(done.lent));
    }
  }
  return unrevoked;
}

}  // namespace lendbuf
