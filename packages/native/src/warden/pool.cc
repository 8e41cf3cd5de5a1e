#include "pool.h"

#include <algorithm>
#include <chrono>
#include <system_error>

namespace lendbuf {

namespace {

using namespace std::chrono_literals;

constexpr auto kPatience = 2ms;  // without a finished job, while others wait, before there are more threads
constexpr auto kIdleLimit = 2s;  // before a thread that is more than usual leaves
constexpr size_t kMostThreads = 8192;

}  // namespace

Pool::Pool(size_t usual_threads) : usual_threads_(usual_threads) {
  std::lock_guard lock(mutex_);
  for (size_t i = 0; i < usual_threads; i++) Start();
  watcher_ = std::thread([this] { Watch(); });
}

Pool::~Pool() {
  {
    std::lock_guard lock(mutex_);
    closing_ = true;
  }
  work_.notify_all();
  watch_.notify_all();
  watcher_.join();
  for (Threads* threads : {&threads_, &left_})
    for (std::thread& thread : *threads) thread.join();
}

void Pool::Run(std::function<void()> job) {
  std::lock_guard lock(mutex_);
  jobs_.push_back(std::move(job));
  bool taken = jobs_.size() <= idle_;  // each job in the queue has an idle thread that was woken for it
  (taken ? work_ : watch_).notify_one();
}

size_t Pool::threads() {
  std::lock_guard lock(mutex_);
  return threads_.size();
}

void Pool::Start() {
  bool may_leave = threads_.size() >= usual_threads_;
  auto self = threads_.emplace(threads_.end());
  try {
    *self = std::thread([this, self, may_leave] { Work(self, may_leave); });
  } catch (...) {
    threads_.erase(self);
    throw;
  }
}

void Pool::Work(Threads::iterator self, bool may_leave) {
  std::unique_lock lock(mutex_);
  while (AwaitJob(lock, may_leave)) {
    std::function<void()> job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job();
    job = nullptr;
    lock.lock();
    finished_++;
  }
  if (!closing_) left_.splice(left_.end(), threads_, self);
}

// False when the thread may end.
bool Pool::AwaitJob(std::unique_lock<std::mutex>& lock, bool may_leave) {
  auto ready = [this] { return closing_ || !jobs_.empty(); };
  idle_++;
  if (may_leave)
    work_.wait_for(lock, kIdleLimit, ready);
  else
    work_.wait(lock, ready);
  idle_--;
  return !jobs_.empty();
}

void Pool::Watch() {
  std::unique_lock lock(mutex_);
  while (!closing_) {
    watch_.wait(lock, [this] { return closing_ || jobs_.size() > idle_; });
    uint64_t finished = finished_;
    watch_.wait_for(lock, kPatience, [this] { return closing_; });
    if (jobs_.size() > idle_ && finished_ == finished) Grow();
    for (std::thread& thread : left_) thread.join();
    left_.clear();
  }
}

void Pool::Grow() {
  size_t wanted = std::min({threads_.size() * 2, threads_.size() + jobs_.size(), kMostThreads});
  try {
    while (threads_.size() < wanted) Start();
  } catch (const std::system_error&) {
    // No more threads to be had now: the jobs wait for those that there are, and this is tried again.
  }
}

}  // namespace lendbuf
