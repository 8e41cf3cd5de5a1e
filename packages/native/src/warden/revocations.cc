#include "revocations.h"

#include <sys/eventfd.h>

#include <algorithm>
#include <chrono>

#include "error.h"

namespace lendbuf {

Revocations::Revocations()
    : signal_(Check(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")),
      pool_(std::max(2u, std::thread::hardware_concurrency())) {}

void Revocations::Start(uint64_t id, std::shared_ptr<Export> lent) {
  {
    std::lock_guard lock(mutex_);
    under_way_++;
  }
  pool_.Run([this, id, lent = std::move(lent)]() mutable { Revoke(id, std::move(lent)); });
}

void Revocations::Revoke(uint64_t id, std::shared_ptr<Export> lent) {
  using Clock = std::chrono::steady_clock;
  if (!hurrying_) lent->KeepContents();
  Clock::time_point start = Clock::now();
  Proof proof = lent->Revoke();
  std::chrono::nanoseconds duration = Clock::now() - start;

  std::lock_guard lock(mutex_);
  done_.push_back({id, static_cast<uint64_t>(duration.count()), proof, std::move(lent)});
  under_way_--;
  if (under_way_ == 0 || (done_.size() == 1 && !hurrying_)) eventfd_write(signal_.get(), 1);
}

std::vector<Revocations::Done> Revocations::TakeDone() {
  std::lock_guard lock(mutex_);
  eventfd_t ignored;
  eventfd_read(signal_.get(), &ignored);
  return std::exchange(done_, {});
}

size_t Revocations::under_way() {
  std::lock_guard lock(mutex_);
  return under_way_;
}

}  // namespace lendbuf
