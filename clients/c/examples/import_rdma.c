// Lends a device's memory to an RDMA adapter: peers read and write it over the network, without a copy.
//   import_rdma BUFFER [DEVICE]
// It takes a real device, and an adapter that can lose what it imported: mlx5 with on-demand paging, or irdma. The
// memory region's `lkey` and `rkey` end with a revoke: work requests that use them fail, and the peer sees an access
// error.
#include <err.h>
#include <infiniband/verbs.h>
#include <lendbuf.h>
#include <stdio.h>
#include <string.h>

static struct ibv_context* open_adapter(const char* name) {
  struct ibv_device** adapters = ibv_get_device_list(NULL);
  struct ibv_context* context = NULL;
  for (int i = 0; adapters && adapters[i] && !context; i++)
    if (!name || strcmp(ibv_get_device_name(adapters[i]), name) == 0) context = ibv_open_device(adapters[i]);
  if (adapters) ibv_free_device_list(adapters);
  return context;
}

int main(int count, char** arguments) {
  if (count < 2) errx(2, "usage: %s BUFFER [DEVICE]", arguments[0]);
  struct lendbuf_options options = {.buffer = arguments[1], .purpose = "import_rdma"};
  lendbuf_connection* agent;
  lendbuf_lease* lease;
  struct ibv_context* adapter = open_adapter(count > 2 ? arguments[2] : NULL);
  struct ibv_pd* domain = adapter ? ibv_alloc_pd(adapter) : NULL;
  if (!domain) errx(1, "There is no RDMA adapter that can be opened here.");
  if (lendbuf_connect(NULL, &agent) < 0 || lendbuf_borrow(agent, &options, &lease) < 0)
    errx(1, "%s", lendbuf_last_error());

  struct ibv_mr* region = ibv_reg_dmabuf_mr(domain, 0, lendbuf_size(lease), 0, lendbuf_fd(lease),
                                            IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_WRITE);
  if (!region) err(1, "the adapter cannot import delegation %llu", (unsigned long long)lendbuf_id(lease));
  printf("%zu bytes: lkey 0x%x, rkey 0x%x\n", lendbuf_size(lease), region->lkey, region->rkey);
  // Post work requests here.

  ibv_dereg_mr(region);
  ibv_dealloc_pd(domain);
  ibv_close_device(adapter);
  if (lendbuf_release(lease) < 0) errx(1, "%s", lendbuf_last_error());
  lendbuf_close(agent);
  return 0;
}
