// Threads for calls that may block without limit. Few while all goes well; more as soon as some are stuck.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <mutex>
#include <thread>

namespace lendbuf {

class Pool {
 public:
  explicit Pool(size_t usual_threads);
  ~Pool();  // waits until all jobs are done
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // Runs `job`, which must not throw, soon: jobs that block delay it by some milliseconds at most.
  void Run(std::function<void()> job);
  size_t threads();

 private:
  using Threads = std::list<std::thread>;
  void Start();
  void Work(Threads::iterator self, bool may_leave);
  bool AwaitJob(std::unique_lock<std::mutex>& lock, bool may_leave);
  void Watch();
  void Grow();

  const size_t usual_threads_;
  std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable watch_;
  std::deque<std::function<void()>> jobs_;
  Threads threads_;
  Threads left_;  // to be joined
  size_t idle_ = 0;
  uint64_t finished_ = 0;
  bool closing_ = false;
  std::thread watcher_;
};

}  // namespace lendbuf
