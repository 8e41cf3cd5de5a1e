// Lends a device's memory to a GPU: it imports the lease's dma-buf, without a copy.
//   import_drm BUFFER /dev/dri/renderD128
// It takes a real device: the simulated one's memory is a memfd, which no device imports. After a revoke the kernel
// takes the memory from the GPU too: what is in flight ends, and its later accesses fault.
#define _POSIX_C_SOURCE 200809L
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <lendbuf.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#if defined(__has_include) && __has_include(<libdrm/drm.h>)
#include <libdrm/drm.h>
#elif defined(__has_include) && __has_include(<drm/drm.h>)
#include <drm/drm.h>
#else
// As in Linux's include/uapi/drm/drm.h (since 3.3), for machines without libdrm-dev.
struct drm_prime_handle {
  uint32_t handle;
  uint32_t flags;
  int32_t fd;
};
#define DRM_IOCTL_PRIME_FD_TO_HANDLE _IOWR('d', 0x2e, struct drm_prime_handle)
#endif

int main(int count, char** arguments) {
  if (count != 3) errx(2, "usage: %s BUFFER RENDER-NODE", arguments[0]);
  struct lendbuf_options options = {.buffer = arguments[1], .purpose = "import_drm"};
  lendbuf_connection* agent;
  lendbuf_lease* lease;
  int gpu = open(arguments[2], O_RDWR | O_CLOEXEC);
  if (gpu < 0) err(1, "%s", arguments[2]);
  if (lendbuf_connect(NULL, &agent) < 0 || lendbuf_borrow(agent, &options, &lease) < 0)
    errx(1, "%s", lendbuf_last_error());

  struct drm_prime_handle import = {.fd = lendbuf_fd(lease)};
  if (ioctl(gpu, DRM_IOCTL_PRIME_FD_TO_HANDLE, &import) != 0)
    err(1, "%s cannot import delegation %llu", arguments[2], (unsigned long long)lendbuf_id(lease));
  printf("GEM handle %u has %zu bytes\n", import.handle, lendbuf_size(lease));
  // Give the GPU its commands here. Its handle keeps the dma-buf, so close it before the memory is given back.

  close(gpu);
  if (lendbuf_release(lease) < 0) errx(1, "%s", lendbuf_last_error());
  lendbuf_close(agent);
  return 0;
}
