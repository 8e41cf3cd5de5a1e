// What a warden leaves on disk for the next agent: that all it ever exported is revoked, but for what it lists. Its
// file is locked (flock) for as long as the warden works, so whoever gets the lock knows that there is no more to wait
// for.
#pragma once
#include <string>
#include <vector>

#include "exports.h"
#include "fd.h"

namespace lendbuf {

class LastWord {
 public:
  // Reserves the file's space now, so that a full disk cannot keep us silent later. Throws Refusal with what to do
  // about it.
  explicit LastWord(const std::string& path);
  // Once, when everything has been tried. False where it does not fit on the disk: then nothing is said.
  bool Write(const std::string& instance, const std::string& device, uint64_t made,
             const std::vector<Exports::Unrevoked>& unrevoked);

 private:
  Fd file_;
};

}  // namespace lendbuf
