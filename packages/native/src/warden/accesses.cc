#include "accesses.h"

#include <sys/eventfd.h>

#include <utility>

#include "error.h"

namespace lendbuf {

Accesses::Accesses(Device& device)
    : device_(device), signal_(Check(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")), pool_(1) {}

void Accesses::Start(const protocol::RegisterAccess& access) {
  pool_.Run([this, access] {
    Done done = Make(access);
    std::lock_guard lock(mutex_);
    done_.push_back(std::move(done));
    eventfd_write(signal_.get(), 1);
  });
}

Accesses::Done Accesses::Make(const protocol::RegisterAccess& access) {
  Done done{.answer = {.header = {protocol::Type::kAccessed, access.header.serial}}};
  try {
    done.answer.value = device_.MakeAccess(access);
  } catch (const Refusal& refusal) {
    done.answer.error = refusal.error();
    done.words = refusal.what();
  } catch (const SystemError& failure) {
    done.answer.error = failure.error();
    done.words = failure.what();
  }
  return done;
}

std::vector<Accesses::Done> Accesses::TakeDone() {
  std::lock_guard lock(mutex_);
  eventfd_t ignored;
  eventfd_read(signal_.get(), &ignored);
  return std::exchange(done_, {});
}

}  // namespace lendbuf
