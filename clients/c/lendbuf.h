// A client of the Lendbuf agent: borrow memory of a device, use it, and survive that it is taken back.
//
//   lendbuf_connection* agent;
//   lendbuf_lease* lease;
//   lendbuf_mapping* registers;
//   uint32_t id;
//   struct lendbuf_options options = {.buffer = "sim0/regs", .lease_ms = 60000};
//   if (lendbuf_connect(NULL, &agent) < 0 || lendbuf_borrow(agent, &options, &lease) < 0 ||
//       lendbuf_map(lease, &registers) < 0 || lendbuf_load32(registers, 0, &id) < 0)
//     errx(1, "%s", lendbuf_last_error());
//
// Answers. What answers int gives 0, or a negative errno; lendbuf_last_error() then says for people what was asked,
// what is in the way and what to do, and lendbuf_last_code() which refusal of the agent's it was. Handles are set only
// by success.
//
// Threads. Any thread may call anything on any handle, also while others do: a thread that waits in lendbuf_borrow
// keeps nobody from lendbuf_extend. Only what frees a handle (lendbuf_close, lendbuf_release, lendbuf_leave,
// lendbuf_unmap) must be the last call on it, and no other thread may be in one. Handles may be freed in any order.
//
// Signals. Guarded access handles SIGBUS: the first lendbuf_map installs a handler, which gives every fault that is not
// its own to the handler that it found. A handler of yours that is installed later must do the same with ours, and no
// thread may block SIGBUS while it uses a mapping. Calls go on after other signals; lendbuf_shutdown ends them.
//
// Processes. After fork a connection and its leases are the parent's: leave them alone. Mappings work in both, and in
// neither once the memory was taken back. Descriptors are not inherited through exec.
#ifndef LENDBUF_H
#define LENDBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LENDBUF_VERSION "0.1.0"

// A program that has lendbuf.c in its own sources may define this as nothing, and compile with -fvisibility=hidden.
#ifndef LENDBUF_API
#define LENDBUF_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

// To an agent. What is borrowed through it ends with it, unless it is kept.
typedef struct lendbuf_connection lendbuf_connection;
// Memory that was lent: a descriptor, and the right to it for a limited time.
typedef struct lendbuf_lease lendbuf_lease;
// A view of lent memory, for guarded access. Lives on when its lease is freed, and then answers -EFAULT.
typedef struct lendbuf_mapping lendbuf_mapping;

// Milliseconds, where there is no limit.
#define LENDBUF_FOREVER (-1)

// Of this thread's last call that failed. Never NULL; valid until the thread's next failure.
LENDBUF_API const char* lendbuf_last_error(void);
// The agent's code of it ("BUSY", "NOT_FOUND", …: docs/protocol.md), or empty where the agent refused nothing.
LENDBUF_API const char* lendbuf_last_code(void);
// Of the library that is running, which may be newer than LENDBUF_VERSION.
LENDBUF_API const char* lendbuf_version(void);

// Connects to the agent at `path`. NULL: where LENDBUF_SOCKET says, else where this user's or the system's agent
// listens. -ENOENT and -ECONNREFUSED: no agent; -EACCES: not a member of the socket's group; -EPERM: whoever answers in
// a place that anybody can take is neither this user nor root; -EAGAIN: it does not take connections for the moment.
LENDBUF_API int lendbuf_connect(const char* path, lendbuf_connection** connection);

// Ends the connection, and everything that was borrowed through it and is not kept. NULL is allowed.
LENDBUF_API void lendbuf_close(lendbuf_connection* connection);

// Makes all calls on the connection answer -ESHUTDOWN, those that wait as well, and ends what lendbuf_close ends; that
// is still to be called. May be called from a signal handler.
LENDBUF_API void lendbuf_shutdown(lendbuf_connection* connection);

// After -ECONNRESET: waits for the agent that follows the one that was lost, and takes up there what was borrowed
// through this connection, where the agents were told to hand it over (--adopt-time). The memory stays mapped all the
// time. 0: the connection works again, at once where it was never lost; a delegation that ended meanwhile answers
// -ESTALE to what its lease is asked for. Subscriptions do not go on: follow anew. -ECONNRESET: nothing here outlives
// its agent, or none came within `timeout_ms` (LENDBUF_FOREVER: while it is worth waiting). Other threads' calls answer
// -ECONNRESET until it has returned. Call it soon: what nobody takes up ends.
LENDBUF_API int lendbuf_resume(lendbuf_connection* connection, int64_t timeout_ms);

// How long a call waits for an agent that does not answer before it gives up with -ETIMEDOUT; LENDBUF_FOREVER at first.
// It does not count while lendbuf_borrow waits in line, nor for lendbuf_next_event.
LENDBUF_API void lendbuf_set_timeout(lendbuf_connection* connection, int64_t timeout_ms);

// Calls any method of docs/protocol.md but delegations.borrow and delegations.claim. `params` is the text of a JSON
// object, or NULL. `result` (or NULL) gets the answer's JSON text; free() it. A subscription's number is in its answer,
// and lendbuf_next_event has what follows. -EINVAL: `params` is no JSON object; -EMSGSIZE: more than a packet takes.
LENDBUF_API int lendbuf_call(lendbuf_connection* connection, const char* method, const char* params, char** result);

enum lendbuf_access { LENDBUF_READ_WRITE, LENDBUF_READ_ONLY };
enum lendbuf_share { LENDBUF_SHARE_DEFAULT, LENDBUF_EXCLUSIVE, LENDBUF_SHARED };

// All zero but `buffer`: to read and write, for the agent's usual time, now or not at all.
struct lendbuf_options {
  const char* buffer;          // its name
  enum lendbuf_access access;  // default: to read and write
  enum lendbuf_share share;    // default: exclusive to read and write, shared to read only
  int64_t lease_ms;            // how long; 0: as long as the agent gives who does not say
  int64_t wait_ms;             // how long to wait in line where it is taken; 0: not at all, or LENDBUF_FOREVER
  bool keep;                   // it stays when the connection ends, and can be claimed again
  const char* purpose;         // for people, or NULL
  const char* exporter;  // by which it is lent: "memfd", "vfio", "staged", …; or NULL: the first that works there
  uint64_t reserved[4];  // 0
};

// -EBUSY: it is taken, and wait_ms is 0. -ETIMEDOUT: it was not free in time, and the place in line was given up.
// -ENOENT: no such buffer. -EOPNOTSUPP: it cannot be lent like that. -EMFILE: no room for a descriptor here.
LENDBUF_API int lendbuf_borrow(lendbuf_connection* connection, const struct lendbuf_options* options,
                               lendbuf_lease** lease);

// Takes what was offered (delegations.request), or what was kept. -EAGAIN: not yet; -ESTALE: it has ended.
LENDBUF_API int lendbuf_claim(lendbuf_connection* connection, uint64_t delegation, lendbuf_lease** lease);

// The delegation's.
LENDBUF_API uint64_t lendbuf_id(const lendbuf_lease* lease);
// Bytes.
LENDBUF_API size_t lendbuf_size(const lendbuf_lease* lease);
// For mmap, for passing on, for an import by another device (DRM, RDMA). Stays the lease's to close.
LENDBUF_API int lendbuf_fd(const lendbuf_lease* lease);
// The JSON text of its record as it was when it was claimed; valid as long as the lease.
LENDBUF_API const char* lendbuf_record(const lendbuf_lease* lease);

// Adds `by_ms` to what is left of the lease. `expires_at_ms` (or NULL) gets its end: milliseconds since 1970, for
// display. -ESTALE: it has ended; -EDQUOT: longer than the agent gives; -EACCES: an end was announced that stands.
LENDBUF_API int lendbuf_extend(lendbuf_lease* lease, int64_t by_ms, int64_t* expires_at_ms);

// From now on lendbuf_next_event tells what becomes of it: each state until it has ended.
LENDBUF_API int lendbuf_follow(lendbuf_lease* lease);

// Gives the memory back and frees the lease, whatever the answer is. 0: the kernel has confirmed that nobody reaches
// the memory; -EINPROGRESS: it has not yet, and the agent goes on; -ECONNRESET: the agent is gone, and takes it by
// itself.
LENDBUF_API int lendbuf_release(lendbuf_lease* lease);

// Frees the lease and closes its descriptor here; the delegation goes on with the connection. NULL is allowed.
LENDBUF_API void lendbuf_leave(lendbuf_lease* lease);

enum lendbuf_event_kind {
  LENDBUF_STATE,  // `json` is what the subscription says, and the fields above it where that is one delegation's record
  LENDBUF_DONE,   // nothing follows
  LENDBUF_FAILED  // nothing follows; `json` is the error's text: {"message": …, "data": {"code": …}}
};

struct lendbuf_event {
  enum lendbuf_event_kind kind;
  uint64_t subscription;  // as lendbuf_call answered it
  uint64_t delegation;    // its id; 0 where the event is about something else
  char state[16];         // "active", "revoking", "revoked", …
  char reason[24];        // why it ends: "operator", "expired", "released", …; empty where no end is known
  int64_t ending_at_ms;   // when an announced end comes, in milliseconds since 1970; 0 where none was announced
  int64_t expires_at_ms;  // when the lease ends, likewise; 0 where it has not begun
  bool suspended;         // the device took the memory away for now
  char* json;             // NULL where done
};

// The next event, which waits up to `timeout_ms` (0: not at all, or LENDBUF_FOREVER). An end is told after the memory
// was taken. Who reads slowly misses states that were overtaken, but no entry of the audit. -EAGAIN: none came in time;
// -ECONNRESET: the agent is gone, and so is the memory, but for what lendbuf_resume takes up. Call lendbuf_event_free
// afterwards.
LENDBUF_API int lendbuf_next_event(lendbuf_connection* connection, int64_t timeout_ms, struct lendbuf_event* event);
LENDBUF_API void lendbuf_event_free(struct lendbuf_event* event);

// A descriptor for poll, select or epoll: readable when lendbuf_next_event with 0 has something to do, which may turn
// out not to be an event (-EAGAIN). Stays the connection's to close; nothing else may be done with it.
LENDBUF_API int lendbuf_poll_fd(const lendbuf_connection* connection);

// Maps all of a lease's memory, writable where it may be written. -ENODEV, -EINVAL: the kernel lets nobody map it:
// have a device import the descriptor, or borrow with the exporter "staged" and lendbuf_call delegations.sync.
LENDBUF_API int lendbuf_map(const lendbuf_lease* lease, lendbuf_mapping** mapping);

// Maps `size` bytes of a descriptor that came some other way, such as from `lendbuf exec` or another process.
LENDBUF_API int lendbuf_map_fd(int fd, size_t size, enum lendbuf_access access, lendbuf_mapping** mapping);

// NULL is allowed.
LENDBUF_API void lendbuf_unmap(lendbuf_mapping* mapping);

// The memory itself. Whoever touches it other than through the functions below dies of SIGBUS once it was taken back.
LENDBUF_API void* lendbuf_address(const lendbuf_mapping* mapping);

// Guarded access: a load or store is one access of exactly its width (64 bits: on 64-bit machines), `offset` a multiple
// of it. -EFAULT: the memory was taken back; -ERANGE: outside of the mapping; -EINVAL: not aligned; -EACCES: it may
// only be read. `value` is set only by success.
LENDBUF_API int lendbuf_load8(const lendbuf_mapping* mapping, size_t offset, uint8_t* value);
LENDBUF_API int lendbuf_load16(const lendbuf_mapping* mapping, size_t offset, uint16_t* value);
LENDBUF_API int lendbuf_load32(const lendbuf_mapping* mapping, size_t offset, uint32_t* value);
LENDBUF_API int lendbuf_load64(const lendbuf_mapping* mapping, size_t offset, uint64_t* value);
LENDBUF_API int lendbuf_store8(const lendbuf_mapping* mapping, size_t offset, uint8_t value);
LENDBUF_API int lendbuf_store16(const lendbuf_mapping* mapping, size_t offset, uint16_t value);
LENDBUF_API int lendbuf_store32(const lendbuf_mapping* mapping, size_t offset, uint32_t value);
LENDBUF_API int lendbuf_store64(const lendbuf_mapping* mapping, size_t offset, uint64_t value);

// Copies `size` bytes, in accesses of any width. -EFAULT: some may have been copied, and the memory is gone.
LENDBUF_API int lendbuf_copy_from(const lendbuf_mapping* mapping, size_t offset, void* to, size_t size);
LENDBUF_API int lendbuf_copy_to(const lendbuf_mapping* mapping, size_t offset, const void* from, size_t size);

// Runs `access(address, argument)`, which may touch the whole mapping. -EFAULT: it was left in its middle, by a jump:
// it must hold no lock, own no allocation, and (C++) have no object that is to be destroyed.
LENDBUF_API int lendbuf_guard(const lendbuf_mapping* mapping, void (*access)(void* address, void* argument),
                              void* argument);

#ifdef __cplusplus
}
#endif
#endif
