// The library from C++: handles that free themselves, and a lambda as a guarded access.
#include <lendbuf.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <type_traits>

template <class Handle, auto Free>
using Owned = std::unique_ptr<Handle, std::integral_constant<decltype(Free), Free>>;

static void Must(int error) {
  if (error == 0) return;
  std::fprintf(stderr, "%s\n", lendbuf_last_error());
  std::exit(1);
}

int main() {
  lendbuf_connection* connection = nullptr;
  lendbuf_lease* lease = nullptr;
  lendbuf_mapping* mapping = nullptr;
  lendbuf_options options = {};
  options.buffer = "sim0/regs";
  Must(lendbuf_connect(nullptr, &connection));
  Owned<lendbuf_connection, lendbuf_close> closes(connection);
  Must(lendbuf_borrow(connection, &options, &lease));
  Must(lendbuf_map(lease, &mapping));
  Owned<lendbuf_mapping, lendbuf_unmap> unmaps(mapping);

  std::uint32_t loaded = 0, seen = 0;
  Must(lendbuf_load32(mapping, 0, &loaded));
  auto look = [](void* address, void* to) {
    *static_cast<std::uint32_t*>(to) = *static_cast<volatile std::uint32_t*>(address);
  };
  Must(lendbuf_guard(mapping, look, &seen));
  Must(lendbuf_release(lease));
  int after = lendbuf_guard(mapping, look, &seen);
  std::printf("0x%08x 0x%08x %s\n", loaded, seen, after == -EFAULT ? "EFAULT" : "still there");
  return 0;
}
