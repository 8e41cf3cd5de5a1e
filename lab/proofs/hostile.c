// What must not be believed, and what a client can do to be in the way: the wrong device, a leaked device descriptor, a
// fence that never signals.
#define _GNU_SOURCE
#include <linux/udmabuf.h>
#include <pthread.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "proof.h"

enum { kOffset = 0x200000, kReadWrite = PROT_READ | PROT_WRITE, kPatienceMs = 20000 };

static int iommufd;
static char *ivshmem_folder, *edu_folder;

static int open_enabled(const char* folder) {
  int device = open_cdev(folder, iommufd);
  set_command(device, kMemory, 0);
  return device;
}

static int make_udmabuf(void) {
  int memory = NEED(memfd_create("lab", MFD_ALLOW_SEALING | MFD_CLOEXEC));
  NEED(ftruncate(memory, kPage));
  NEED(fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK));
  int maker = NEED(open("/dev/udmabuf", O_RDWR | O_CLOEXEC));
  struct udmabuf_create request = {.memfd = memory, .flags = UDMABUF_FLAGS_CLOEXEC, .size = kPage};
  return NEED(ioctl(maker, UDMABUF_CREATE, &request));
}

static void wrong_device(int ivshmem, int edu) {
  int lent = NEED(export_range(ivshmem, kIvshmemBar, kOffset, kPage, O_RDWR));
  volatile uint32_t* memory = map(lent, kPage, kReadWrite);
  int error = revoke_by_device(edu, lent, 0);
  proves("the feature of another device answers ENODEV, and the mapping goes on writing",
         error == ENODEV && store(memory, 0x2222) == 0 && reads(memory, 0x2222), "%s", name_of(error));

  int foreign = make_udmabuf();
  volatile uint32_t* system_memory = map(foreign, kPage, kReadWrite);
  error = revoke_by_device(ivshmem, foreign, 0);
  proves("the feature answers ENODEV for a udmabuf, and its mapping goes on writing",
         error == ENODEV && store(system_memory, 1) == 0 && reads(system_memory, 1), "%s", name_of(error));
  error = revoke_export(foreign);
  proves("DMA_BUF_IOCTL_REVOKE answers EINVAL for a udmabuf", error == EINVAL, "%s", name_of(error));
}

static void guarded_copies(int ivshmem) {
  int lent = NEED(export_range(ivshmem, kIvshmemBar, kOffset, kPage, O_RDWR));
  volatile uint32_t* memory = map(lent, kPage, kReadWrite);
  store(memory, 0x1111);
  uint32_t word = 0;
  struct iovec ours = {&word, sizeof word}, theirs = {(void*)memory, sizeof word};
  int error = error_of(process_vm_readv(getpid(), &ours, 1, &theirs, 1, 0));
  proves("process_vm_readv answers EFAULT for device memory, also while it is lent", error == EFAULT, "%s",
         name_of(error));

  int ends[2];
  NEED(pipe(ends));
  ssize_t written = write(ends[1], (void*)memory, sizeof word);
  ssize_t got = read(ends[0], &word, sizeof word);
  proves("a copy through a pipe reads device memory", written == sizeof word && got == written && word == 0x1111, "%x",
         word);
  word = 0x3333;
  NEED(write(ends[1], &word, sizeof word));
  got = read(ends[0], (void*)memory, sizeof word);
  proves("a copy through a pipe writes device memory", got == sizeof word && reads(memory, 0x3333), "%zd bytes", got);

  NEED(revoke_export(lent) ? -1 : 0);
  error = error_of(write(ends[1], (void*)memory, sizeof word));
  proves("after a revoke, a copy out of the memory answers EFAULT", error == EFAULT, "%s", name_of(error));
  NEED(write(ends[1], &word, sizeof word));
  error = error_of(read(ends[0], (void*)memory, sizeof word));
  proves("after a revoke, a copy into the memory answers EFAULT", error == EFAULT, "%s", name_of(error));
}

// Answers the device, opened anew.
static int leaked_descriptor(int ivshmem) {
  int lent = NEED(export_range(ivshmem, kIvshmemBar, kOffset, kPage, O_RDWR));
  volatile uint32_t* memory = map(lent, kPage, kReadWrite);
  int leaked = NEED(dup(ivshmem));
  NEED(close(ivshmem));
  proves("while a copy of the device's descriptor lives, closing it takes nothing away", store(memory, 0x4444) == 0,
         "%s", "store");
  int error;
  bind_cdev(ivshmem_folder, iommufd, &error);
  proves("and the device cannot be bound anew: EINVAL", error == EINVAL, "%s", name_of(error));
  NEED(close(leaked));
  proves("after the last close the mapping is gone", is_gone(memory), "%s", "load");
  int anew = bind_cdev(ivshmem_folder, iommufd, &error);
  proves("and the device can be bound anew", error == 0, "%s", name_of(error));
  set_command(NEED(anew), kMemory, 0);
  return anew;
}

// What the processes tell each other.
static struct board {
  volatile uint32_t evil_ready, evil_cut, evil_pid;
  volatile uint32_t neighbour_ready, neighbour_go, neighbour_done, neighbour_pid;
  volatile uint32_t other_reads, other_cut;
  volatile uint32_t revoke_returned;
} * board;

static void await(volatile uint32_t* word) {
  while (!*word) usleep(1000);
}

// Whether a word becomes at least `value` before our patience ends.
static bool reaches(volatile uint32_t* word, uint32_t value) {
  for (int waited = 0; waited < kPatienceMs && *word < value; waited++) usleep(1000);
  return *word >= value;
}

static void evil_client(int dmabuf) {
  volatile uint32_t* memory = map(dmabuf, kPage, kReadWrite);
  add_fence(dmabuf, open_timeline(), 1);
  board->evil_pid = getpid();
  for (uint32_t i = 1; store(memory, i) == 0; i++) board->evil_ready = 1;
  board->evil_cut = 1;
  for (;;) pause();  // and holds on to its fence
}

static void neighbour(int dmabuf) {
  volatile uint32_t* memory = map(dmabuf, 2 * kPage, kReadWrite);
  store(memory, 1);
  board->neighbour_pid = getpid();
  board->neighbour_ready = 1;
  await(&board->neighbour_go);
  board->neighbour_done = store(memory + kPage / sizeof *memory, 1) == 0;  // a page that it has not touched before
  for (;;) pause();
}

static void client_of_other_device(int dmabuf) {
  volatile uint32_t* memory = map(dmabuf, kPage, kReadWrite);
  for (uint32_t value; load(memory, &value) == 0; usleep(1000)) board->other_reads++;
  board->other_cut = 1;
  _exit(0);
}

static void* revoke_in_thread(void* dmabuf) {
  revoke_export(*(int*)dmabuf);
  board->revoke_returned = 1;
  return NULL;
}

// A client is another program: it has the export and nothing else of ours.
static void start_client(void (*client)(int), int dmabuf, const int devices[2]) {
  if (NEED(fork()) > 0) return;
  close(devices[0]);
  close(devices[1]);
  client(dmabuf);
}

// Holds both devices in one process, as an agent without wardens would.
static void agent(const int devices[2]) {
  int evil = NEED(export_range(devices[0], kIvshmemBar, kOffset, kPage, O_RDWR));
  int other = NEED(export_range(devices[0], kIvshmemBar, kOffset + kPage, 2 * kPage, O_RDWR));
  int registers = NEED(export_range(devices[1], kEduBar, 0, kPage, O_RDWR));
  start_client(evil_client, evil, devices);
  start_client(neighbour, other, devices);
  start_client(client_of_other_device, registers, devices);
  await(&board->evil_ready);
  await(&board->neighbour_ready);
  await(&board->other_reads);
  pthread_t thread;
  NEED(-pthread_create(&thread, NULL, revoke_in_thread, &evil));
  for (;;) pause();
}

static void endless_fence(int ivshmem, int edu) {
  const int devices[2] = {ivshmem, edu};
  void* shared = mmap(NULL, kPage, kReadWrite, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  board = NEED(shared == MAP_FAILED ? (void*)-1 : shared);
  pid_t pid = NEED(fork());
  if (pid == 0) agent(devices);
  close(ivshmem);
  close(edu);

  bool cut = reaches(&board->evil_cut, 1);
  proves("a client whose fence never signals is cut off, though the revoke waits for the fence",
         cut && !board->revoke_returned, "returned: %u", board->revoke_returned);
  board->neighbour_go = 1;
  bool done = reaches(&board->neighbour_done, 1);
  proves("meanwhile its neighbour on the device goes on", done && !board->revoke_returned, "returned: %u",
         board->revoke_returned);

  NEED(kill(pid, SIGKILL));
  bool lives = reaches(&board->other_reads, board->other_reads + 500);  // half a second and more
  int error;
  bind_cdev(edu_folder, iommufd, &error);
  proves("a killed process that waits for it keeps its other devices: clients read, EINVAL for the next owner",
         lives && error == EINVAL, "%s", name_of(error));

  NEED(kill(board->evil_pid, SIGKILL));
  NEED(waitpid(pid, NULL, 0));
  cut = reaches(&board->other_cut, 1);
  bind_cdev(edu_folder, iommufd, &error);
  proves("once the fence's owner is gone, so is the killed process, and its devices are free", cut && error == 0, "%s",
         name_of(error));
  NEED(kill(board->neighbour_pid, SIGKILL));
}

// The neighbour's export comes after the evil client's, so the device's close comes to it later.
static void owner_of_both(int ivshmem) {
  const int devices[2] = {ivshmem, -1};
  int evil = NEED(export_range(ivshmem, kIvshmemBar, kOffset, kPage, O_RDWR));
  int other = NEED(export_range(ivshmem, kIvshmemBar, kOffset + kPage, kPage, O_RDWR));
  start_client(evil_client, evil, devices);
  start_client(client_of_other_device, other, devices);
  for (;;) pause();
}

static void fence_at_close(void) {
  memset((void*)board, 0, sizeof *board);
  int ivshmem = open_enabled(ivshmem_folder);
  pid_t pid = NEED(fork());
  if (pid == 0) owner_of_both(ivshmem);
  close(ivshmem);
  await(&board->evil_ready);
  await(&board->other_reads);
  NEED(kill(pid, SIGKILL));
  bool cut = reaches(&board->evil_cut, 1) && reaches(&board->other_cut, 1);
  bool waits = NEED(waitpid(pid, NULL, WNOHANG)) == 0;
  proves("when the device's owner dies, all clients are cut off, though its close waits for the fence of one",
         cut && waits, "waits: %d, cut: %u and %u", waits, board->evil_cut, board->other_cut);
  NEED(kill(board->evil_pid, SIGKILL));
  if (waits) NEED(waitpid(pid, NULL, 0));
}

int main(void) {
  guard();
  ivshmem_folder = find_device(IVSHMEM);
  edu_folder = find_device(EDU);
  iommufd = NEED(open("/dev/iommu", O_RDWR | O_CLOEXEC));
  int ivshmem = open_enabled(ivshmem_folder);
  int edu = open_enabled(edu_folder);
  wrong_device(ivshmem, edu);
  guarded_copies(ivshmem);
  ivshmem = leaked_descriptor(ivshmem);
  endless_fence(ivshmem, edu);
  fence_at_close();
}
