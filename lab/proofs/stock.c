// What a released kernel can do: it exports, but neither maps an export nor revokes one; only closing the device takes
// memory away.
#define _GNU_SOURCE
#include "proof.h"

enum { kOffset = 0x1000, kLength = 0x4000 };

int main(void) {
  struct grouped ivshmem = open_in_group(find_device(IVSHMEM));
  set_command(ivshmem.device, kMemory, 0);

  int dmabuf = export_range(ivshmem.device, kIvshmemBar, kOffset, kLength, O_RDWR);
  proves("VFIO exports a range of a BAR", dmabuf >= 0, "%s", name_of(error_of(dmabuf)));
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", dmabuf);
  bool named = false;
  char line[128];
  for (FILE* info = NEED((FILE*)fopen(path, "r") ?: (void*)-1); fgets(line, sizeof line, info);)
    named |= strcmp(line, "exp_name:\tvfio_pci_core\n") == 0;
  proves("fdinfo names the exporter", named, "exp_name");
  int error = error_of(export_range(ivshmem.device, kIvshmemBar, 0x10, kLength, O_RDWR));
  proves("a range that is not aligned to pages is refused: EINVAL", error == EINVAL, "%s", name_of(error));

  error = map_error(dmabuf, kLength, PROT_READ);
  proves("an export cannot be mapped: EINVAL", error == EINVAL, "%s", name_of(error));
  error = revoke_export(dmabuf);
  proves("nor revoked: DMA_BUF_IOCTL_REVOKE answers ENOTTY", error == ENOTTY, "%s", name_of(error));
  error = revoke_by_device(ivshmem.device, dmabuf, 0);
  proves("nor revoked through the device", error != 0, "%s", name_of(error));

  int leaked = NEED(dup(ivshmem.device));
  NEED(close(ivshmem.device));
  error = error_of(ioctl(ivshmem.group, VFIO_GROUP_UNSET_CONTAINER));
  proves("while the device is open somewhere, UNSET_CONTAINER answers EBUSY", error == EBUSY, "%s", name_of(error));
  NEED(close(leaked));
  error = error_of(ioctl(ivshmem.group, VFIO_GROUP_UNSET_CONTAINER));
  proves("after the last close it succeeds", error == 0, "%s", name_of(error));
  close(dmabuf);
}
