// The lab kernel under stress: exports are given to clients that map, touch, fork, import and fence them, while others
// revoke them by both forms, switch the device's memory off and on, and close the device. What was taken back must stay
// gone.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "proof.h"

enum { kStart = 0x400000, kPlaces = 512, kMostPages = 16, kReadWrite = PROT_READ | PROT_WRITE };
enum { kSlots = 8, kMostExports = 1 << 18, kRoundMs = 300, kTouches = 64, kPauseUs = 5000 };
enum { kClients = 2, kMappers = 2, kOwners = 4 };

// What all processes see of an export: whether somebody was told that it is over.
struct export {
  uint32_t pages, generation;
  atomic_bool over;
};

// What they share. A generation is one opening of the device.
static struct board {
  atomic_bool stop;
  atomic_uint made, closed_generation;
  atomic_uint touches, faults, maps, imports, fences, forks, by_ioctl, by_feature, waiting, suspended;
  atomic_uint touched_after, mapped_after, imported_after, misanswered;
  struct export exports[kMostExports];
} * board;

static bool is_over(const struct export* export) {
  return export->over || export->generation <= board->closed_generation;
}

static int between(unsigned* seed, int low, int high) { return low + rand_r(seed) % (high - low + 1); }

// ---- Clients: programs that have exports, and nothing else of ours.

struct gift {
  uint32_t index;
  int fd;
};

// Waits for an export; false at the end.
static bool receive(int socket, struct gift* gift) {
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control;
  struct iovec data = {&gift->index, sizeof gift->index};
  struct msghdr message = {
      .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) <= 0 || !CMSG_FIRSTHDR(&message)) return false;
  memcpy(&gift->fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof gift->fd);
  return true;
}

static void touch(const struct export* export, volatile uint32_t* memory, unsigned* seed) {
  volatile uint32_t* word = memory + between(seed, 0, export->pages * kPage / sizeof *word - 1);
  bool was_over = is_over(export);
  uint32_t value;
  int raised = rand_r(seed) % 2 ? load(word, &value) : store(word, 1);
  if (raised) {
    board->faults++;
  } else {
    board->touches++;
    if (was_over) board->touched_after++;
  }
}

// NULL where it cannot be mapped any more.
static volatile uint32_t* map_gift(const struct gift* gift) {
  const struct export* export = &board->exports[gift->index];
  bool was_over = is_over(export);
  void* memory = mmap(NULL, export->pages * kPage, kReadWrite, MAP_SHARED, gift->fd, 0);
  if (memory == MAP_FAILED) return NULL;
  board->maps++;
  if (was_over) board->mapped_after++;
  return memory;
}

// Protects it, splits it and moves it elsewhere, as any program may; answers where it is now.
static volatile uint32_t* reshape(volatile uint32_t* memory, size_t length, unsigned* seed) {
  NEED(mprotect((void*)memory, kPage, PROT_READ));
  NEED(mprotect((void*)memory, kPage, kReadWrite));
  if (rand_r(seed) % 2) return memory;
  void* place = mmap(NULL, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  void* moved = mremap((void*)memory, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, place);
  return NEED(moved == MAP_FAILED ? (void*)-1 : moved);
}

static void* map_and_touch(void* socket) {
  unsigned seed = pthread_self();
  for (struct gift gift; receive((intptr_t)socket, &gift); close(gift.fd)) {
    const struct export* export = &board->exports[gift.index];
    volatile uint32_t* memory = map_gift(&gift);
    if (!memory) continue;
    memory = reshape(memory, export->pages * kPage, &seed);
    for (int i = between(&seed, 0, kTouches); i > 0; i--) touch(export, memory, &seed);
    munmap((void*)memory, export->pages * kPage);
  }
  return NULL;
}

// Its child has the mapping without the descriptor.
static void* fork_and_touch(void* socket) {
  unsigned seed = pthread_self();
  for (struct gift gift; receive((intptr_t)socket, &gift); close(gift.fd)) {
    const struct export* export = &board->exports[gift.index];
    volatile uint32_t* memory = map_gift(&gift);
    if (!memory) continue;
    touch(export, memory, &seed);
    pid_t child = NEED(fork());
    for (int i = 0; i < kTouches; i++) touch(export, memory, &seed);
    if (child == 0) _exit(0);
    board->forks++;
    munmap((void*)memory, export->pages * kPage);
    NEED(waitpid(child, NULL, 0));
  }
  return NULL;
}

// Has the other device to itself, as an importer.
static void* import(void* socket) {
  int iommufd = NEED(open("/dev/iommu", O_RDWR | O_CLOEXEC));
  uint32_t ioas = allocate_ioas(iommufd);
  attach_ioas(open_cdev(find_device(EDU), iommufd), ioas);
  const uint64_t iova = 0x100000;
  for (struct gift gift; receive((intptr_t)socket, &gift); close(gift.fd)) {
    const struct export* export = &board->exports[gift.index];
    bool was_over = is_over(export);
    if (map_for_dma(iommufd, ioas, gift.fd, export->pages * kPage, iova)) continue;
    board->imports++;
    if (was_over) board->imported_after++;
    struct iommu_ioas_unmap request = {
        .size = sizeof request, .ioas_id = ioas, .iova = iova, .length = export->pages * kPage};
    NEED(ioctl(iommufd, IOMMU_IOAS_UNMAP, &request));
  }
  return NULL;
}

// Lets a revoke wait for it, for a moment.
static void* fence(void* socket) {
  int timeline = open_timeline();
  uint32_t value = 0;
  for (struct gift gift; receive((intptr_t)socket, &gift); close(gift.fd)) {
    add_fence(gift.fd, timeline, ++value);
    board->fences++;
    usleep(500);
    advance(timeline);
  }
  return NULL;
}

static pthread_t start(void* (*work)(void*), intptr_t argument) {
  pthread_t thread;
  NEED(-pthread_create(&thread, NULL, work, (void*)argument));
  return thread;
}

static void client(int socket, bool imports) {
  for (int i = 0; i < kMappers; i++) start(map_and_touch, socket);
  start(fork_and_touch, socket);
  start(fence, socket);
  if (imports) import((void*)(intptr_t)socket);
  pthread_exit(NULL);
}

// ---- The owner: it has the device, and takes back.

static int device = -1, clients[kClients];
static uint32_t generation;
static pthread_rwlock_t opened =
    PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;  // while it is read-locked, the device stays open
static struct slot {
  pthread_mutex_t lock;
  struct gift export;
} slots[kSlots];

// What a slot holds is kept open until this is dropped; a copy, for what was in the slot may go meanwhile.
static struct gift borrow(struct slot* slot) {
  pthread_mutex_lock(&slot->lock);
  struct gift copy = {slot->export.index, slot->export.fd < 0 ? -1 : NEED(dup(slot->export.fd))};
  pthread_mutex_unlock(&slot->lock);
  return copy;
}

// A fresh export takes the place of what was there. The device is open.
static void renew(struct slot* slot, unsigned* seed) {
  struct gift fresh = {.index = board->made++ % kMostExports};
  uint32_t pages = between(seed, 1, kMostPages);
  board->exports[fresh.index] = (struct export){.pages = pages, .generation = generation};
  uint64_t offset = kStart + between(seed, 0, kPlaces) * (uint64_t)kPage;
  fresh.fd = NEED(export_range(device, kIvshmemBar, offset, pages * kPage, O_RDWR));
  pthread_mutex_lock(&slot->lock);
  int old = slot->export.fd;
  slot->export = fresh;
  pthread_mutex_unlock(&slot->lock);
  if (old >= 0) close(old);
}

static void* give(void* argument) {
  (void)argument;
  for (unsigned i = 0; !board->stop; i++) {
    struct gift gift = borrow(&slots[i % kSlots]);
    if (gift.fd < 0) continue;
    union {
      struct cmsghdr header;
      char bytes[CMSG_SPACE(sizeof(int))];
    } control = {.header = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
    memcpy(CMSG_DATA(&control.header), &gift.fd, sizeof gift.fd);
    struct iovec data = {&gift.index, sizeof gift.index};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    NEED(sendmsg(clients[i / kSlots % kClients], &message, 0));  // waits while the client is busy
    close(gift.fd);
  }
  return NULL;
}

static void judge(struct export* export, int error, bool may_be_gone) {
  if (error == 0 || error == EBADFD || (error == ENODEV && may_be_gone)) {
    export->over = true;
  } else if (error == EALREADY) {
    board->waiting++;
  } else {
    board->misanswered++;
  }
}

static void* take_back(void* argument) {
  unsigned seed = (intptr_t)argument;
  while (!board->stop) {
    struct slot* slot = &slots[rand_r(&seed) % kSlots];
    struct gift chosen = borrow(slot);
    if (chosen.fd < 0) continue;
    struct export* export = &board->exports[chosen.index];
    if (rand_r(&seed) % 2) {
      judge(export, revoke_export(chosen.fd), true);  // also while the device is being closed
      board->by_ioctl++;
    }
    pthread_rwlock_rdlock(&opened);
    if (device >= 0 && export->generation == generation && rand_r(&seed) % 4) {
      judge(export, revoke_by_device(device, chosen.fd, 0), false);
      board->by_feature++;
    }
    if (device >= 0) renew(slot, &seed);  // sometimes without a revoke: then its last descriptor is just closed
    pthread_rwlock_unlock(&opened);
    close(chosen.fd);
    usleep(between(&seed, 0, kPauseUs));  // so that clients come to something that is not over yet
  }
  return NULL;
}

static void* suspend(void* argument) {
  (void)argument;
  while (!board->stop) {
    pthread_rwlock_rdlock(&opened);
    if (device >= 0) {
      set_command(device, 0, kMemory);
      set_command(device, kMemory, 0);
      board->suspended++;
    }
    pthread_rwlock_unlock(&opened);
    usleep(kPauseUs);
  }
  return NULL;
}

// Opens the device for a while; clients and revokes go on while it is closed.
static void round_of(const char* folder, int iommufd, unsigned* seed) {
  pthread_rwlock_wrlock(&opened);
  device = open_cdev(folder, iommufd);
  set_command(device, kMemory, 0);
  generation++;
  for (int i = 0; i < kSlots; i++) renew(&slots[i], seed);
  pthread_rwlock_unlock(&opened);
  usleep(kRoundMs * 1000);
  pthread_rwlock_wrlock(&opened);
  NEED(close(device));
  device = -1;
  board->closed_generation = generation;
  pthread_rwlock_unlock(&opened);
}

static void report(void) {
  proves("under stress nothing is read or written through what was taken back", board->touched_after == 0,
         "%u of %u passed, %u faults", board->touched_after, board->touches, board->faults);
  proves("under stress nothing that was taken back is mapped", board->mapped_after == 0, "%u of %u, %u forks",
         board->mapped_after, board->maps, board->forks);
  proves("under stress nothing that was taken back is imported", board->imported_after == 0, "%u of %u",
         board->imported_after, board->imports);
  proves("under stress every revoke is confirmed, or says that it waits", board->misanswered == 0,
         "%u not of %u by ioctl and %u by feature, %u waited, %u fences, %u suspended, %u closed", board->misanswered,
         board->by_ioctl, board->by_feature, board->waiting, board->fences, board->suspended, board->closed_generation);
  proves("the stress was one",
         board->touches && board->faults && board->imports && board->forks && board->fences && board->by_ioctl &&
             board->by_feature && board->suspended,
         "%u exports", board->made);
}

int main(void) {
  guard();
  const char* seconds = getenv("LENDBUF_STRESS_SECONDS");
  void* shared = mmap(NULL, sizeof *board, kReadWrite, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  board = NEED(shared == MAP_FAILED ? (void*)-1 : shared);
  for (int i = 0; i < kClients; i++) {
    int ends[2];
    NEED(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends));
    NEED(setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &(int){1}, sizeof(int)));  // what waits in it is over when it comes
    clients[i] = ends[0];
    if (NEED(fork()) == 0) {
      for (int other = 0; other <= i; other++) close(clients[other]);
      client(ends[1], i == 0);
    }
    close(ends[1]);
  }
  for (int i = 0; i < kSlots; i++) slots[i] = (struct slot){PTHREAD_MUTEX_INITIALIZER, {.fd = -1}};
  unsigned seed = 1;
  const pthread_t owners[kOwners] = {start(give, 0), start(suspend, 0), start(take_back, 1), start(take_back, 2)};
  int iommufd = NEED(open("/dev/iommu", O_RDWR | O_CLOEXEC));
  char* folder = find_device(IVSHMEM);
  for (time_t end = time(NULL) + atoi(seconds ? seconds : "3"); time(NULL) < end;) round_of(folder, iommufd, &seed);
  board->stop = true;
  for (int i = 0; i < kOwners; i++) NEED(-pthread_join(owners[i], NULL));
  for (int i = 0; i < kClients; i++) close(clients[i]);
  int status = 0;
  for (int i = 0; i < kClients; i++) NEED(wait(&status));
  report();
  return status != 0;
}
