// Revokes under way, each on a thread of its own, and those that are done.
#pragma once
#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "exporter.h"
#include "fd.h"
#include "pool.h"

namespace lendbuf {

class Revocations {
 public:
  struct Done {
    uint64_t id;
    uint64_t duration_ns;
    Proof proof;
    std::shared_ptr<Export> lent;  // so that the last owner is never a thread of the pool
  };

  Revocations();
  void Start(uint64_t id, std::shared_ptr<Export> lent);
  // From now on access ends first: contents that were not kept yet are lost.
  // fd() then tells only when all are done.
  void Hurry() { hurrying_ = true; }
  // Readable when TakeDone has something.
  int fd() const { return signal_.get(); }
  std::vector<Done> TakeDone();
  size_t under_way();

 private:
  void Revoke(uint64_t id, std::shared_ptr<Export> lent);

  std::atomic<bool> hurrying_ = false;
  Fd signal_;
  std::mutex mutex_;
  std::vector<Done> done_;
  size_t under_way_ = 0;
  Pool pool_;  // last: its threads use all of the above
};

}  // namespace lendbuf
