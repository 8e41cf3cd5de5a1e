// The library's inside, asked line by line: reader valid | reader errno
#include "../lendbuf.c"

int main(int count, char** arguments) {
  static char line[kPacketBytes];
  bool is_errno = count > 1 && strcmp(arguments[1], "errno") == 0;
  while (fgets(line, sizeof line, stdin)) {
    size_t length = strcspn(line, "\n");
    // Its own end, so that a step too far is seen.
    char* text = malloc(length + is_errno);
    memcpy(text, line, length);
    if (is_errno) text[length] = 0;
    puts(is_errno ? strerrorname_np(errno_of(text)) : json_object(text, length).at ? "yes" : "no");
    free(text);
  }
  return 0;
}
