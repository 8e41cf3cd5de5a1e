// raw-socket SOCKET BUFFER COUNT: borrows a buffer of the agent's and gives it back, as often as asked, by packets
// whose text is made by hand: no JSON is parsed, nothing is looked at but the delegation's id. Prints the nanoseconds
// of each.
#define _GNU_SOURCE
#include <sys/un.h>

#include "raw.h"

enum { kWarmUp = 300, kPacket = 65536 };

static char packet[kPacket + 1];

static int open_socket(const char* path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  check(strlen(path) < sizeof address.sun_path, "the socket's path is too long");
  strcpy(address.sun_path, path);
  int agent = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  check(agent >= 0 && connect(agent, (struct sockaddr*)&address, sizeof address) == 0, "connect");
  return agent;
}

static int receive(int agent) {
  char control[CMSG_SPACE(sizeof(int))];
  struct iovec data = {packet, kPacket};
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  ssize_t length = recvmsg(agent, &message, MSG_CMSG_CLOEXEC);
  check(length > 0, "recvmsg");
  packet[length] = 0;
  if (strstr(packet, "\"error\":{")) {
    fprintf(stderr, "%s\n", packet);
    _exit(1);
  }
  int fd = -1;
  if (CMSG_FIRSTHDR(&message)) memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
  return fd;
}

static uint64_t cycle(int agent, const char* borrow) {
  char release[128];
  uint64_t start = now_ns();
  check(write(agent, borrow, strlen(borrow)) > 0, "write");
  int fd = receive(agent);
  const char* record = strstr(packet, "\"delegation\":{\"id\":");
  check(fd >= 0 && record, "the answer has no delegation or brought no descriptor");
  int length = snprintf(release, sizeof release,
                        "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"delegations.release\",\"params\":{\"id\":%ld}}",
                        strtol(record + strlen("\"delegation\":{\"id\":"), NULL, 10));
  check(write(agent, release, (size_t)length) == length, "write");
  receive(agent);
  close(fd);
  return now_ns() - start;
}

int main(int count, char** arguments) {
  check(count == 4, "usage: raw-socket SOCKET BUFFER COUNT");
  int agent = open_socket(arguments[1]), cycles = atoi(arguments[3]);
  char borrow[512];
  snprintf(borrow, sizeof borrow,
           "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"delegations.borrow\",\"params\":{\"buffer\":\"%s\"}}",
           arguments[2]);
  for (int i = 0; i < kWarmUp; i++) cycle(agent, borrow);
  uint64_t* taken = malloc((size_t)cycles * sizeof *taken);
  for (int i = 0; i < cycles; i++) taken[i] = cycle(agent, borrow);
  for (int i = 0; i < cycles; i++) printf("%lu\n", taken[i]);
  return 0;
}
