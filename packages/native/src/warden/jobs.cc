#include "jobs.h"

#include <sys/eventfd.h>

#include <utility>

#include "error.h"
#include "exporter.h"

namespace lendbuf {

Jobs::Jobs() : signal_(Check(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")), pool_(1) {}

void Jobs::Start(uint32_t serial, std::function<uint64_t()> job) {
  pool_.Run([this, serial, job = std::move(job)] {
    Done done = Run(serial, job);
    std::lock_guard lock(mutex_);
    done_.push_back(std::move(done));
    eventfd_write(signal_.get(), 1);
  });
}

Jobs::Done Jobs::Run(uint32_t serial, const std::function<uint64_t()>& job) {
  Done done{.answer = {.header = {protocol::Type::kDone, serial}}};
  try {
    done.answer.value = job();
  } catch (const Refusal& refusal) {
    done.answer.error = refusal.error();
    done.words = refusal.what();
  } catch (const SystemError& failure) {
    done.answer.error = failure.error();
    done.words = failure.what();
  }
  return done;
}

std::vector<Jobs::Done> Jobs::TakeDone() {
  std::lock_guard lock(mutex_);
  eventfd_t ignored;
  eventfd_read(signal_.get(), &ignored);
  return std::exchange(done_, {});
}

}  // namespace lendbuf
