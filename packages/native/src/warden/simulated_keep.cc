// How what writers leave in the simulated device's memory reaches its backing, and from there the readers' mirrors.
#include <unistd.h>

#include <cstring>

#include "overlap.h"
#include "simulated.h"

namespace lendbuf {

namespace {

constexpr uint64_t kPiece = 256 << 10;  // copied under the lock at a time

uint64_t Seek(const MemfdExport& lent, uint64_t offset, uint64_t end, int whence) {
  off_t found = lseek(lent.memfd(), static_cast<off_t>(offset), whence);
  return found < 0 ? end : std::min(static_cast<uint64_t>(found), end);  // ENXIO: nothing but a hole, or cut short
}

template <class Visit>
void EachPiece(const protocol::Range& range, Visit visit) {
  for (uint64_t done = 0; done < range.length; done += kPiece) visit(done, std::min(kPiece, range.length - done));
}

}  // namespace

void SimulatedDevice::Keep(MemfdExport& lent) {
  const Request& request = lent.request();
  if (request.read_only) return;
  {
    std::lock_guard lock(mutex_);
    leaving_.insert(&lent);
  }
  if (request.region == 0) return KeepRegisters(lent);
  uint64_t export_offset = 0;
  for (const protocol::Range& range : request.ranges) {
    KeepRange(lent, export_offset, range);
    export_offset += range.length;
  }
  std::lock_guard lock(mutex_);
  if (watched_.contains(&lent)) MarkStale(request);
}

void SimulatedDevice::KeepRange(MemfdExport& lent, uint64_t from, const protocol::Range& range) {
  // A hole may get samples while we look at it, so rings are copied whole.
  if (WritesInto(lent.request())) return KeepData(lent, from, range);
  uint64_t end = from + range.length;
  for (uint64_t at = from; at < end;) {
    uint64_t data = Seek(lent, at, end, SEEK_DATA);  // waits where a holder makes it: not under the lock
    uint64_t hole = data < end ? Seek(lent, data, end, SEEK_HOLE) : end;
    if (data > at) {
      std::lock_guard lock(mutex_);
      memory_.Zero(range.offset + (at - from), data - at);
    }
    KeepData(lent, data, {range.offset + (data - from), hole - data});
    at = hole;
  }
}

void SimulatedDevice::KeepData(MemfdExport& lent, uint64_t from, const protocol::Range& range) {
  EachPiece(range, [&](uint64_t done, uint64_t length) {
    std::lock_guard lock(mutex_);
    char* into = memory_.Writable(range.offset + done, length);
    uint64_t count = lent.Read(from + done, into, length);
    memset(into + count, 0, length - count);
  });
}

void SimulatedDevice::Absorb(MemfdExport& writer) {
  bool changed = false;
  uint64_t export_offset = 0;
  for (const protocol::Range& range : writer.request().ranges) {
    EachPiece(range, [&](uint64_t done, uint64_t length) {
      uint64_t count = writer.Read(export_offset + done, scratch_.data(), length);
      for (uint64_t page = 0; page + Backing::kPage <= count; page += Backing::kPage) {
        uint64_t offset = range.offset + done + page;
        if (!memcmp(scratch_.data() + page, memory_.at(offset), Backing::kPage)) continue;
        memcpy(memory_.Writable(offset, Backing::kPage), scratch_.data() + page, Backing::kPage);
        changed = true;
      }
    });
    export_offset += range.length;
  }
  if (changed) MarkStale(writer.request());
}

void SimulatedDevice::MarkStale(const Request& changed) {
  for (MemfdExport* reader : readers_)
    if (Overlap(reader->request(), changed)) stale_.insert(reader);
}

void SimulatedDevice::Refresh(MemfdExport& reader) {
  uint64_t export_offset = 0;
  for (const protocol::Range& range : reader.request().ranges) {
    EachPiece(range, [&](uint64_t done, uint64_t length) {
      uint64_t count = reader.Read(export_offset + done, scratch_.data(), length);
      for (uint64_t page = 0; page + Backing::kPage <= count; page += Backing::kPage) {
        const char* right = memory_.at(range.offset + done + page);
        if (!memcmp(scratch_.data() + page, right, Backing::kPage)) continue;
        if (!reader.Write(export_offset + done + page, right, Backing::kPage)) return;
      }
    });
    export_offset += range.length;
  }
}

}  // namespace lendbuf
