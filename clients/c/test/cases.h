// Cases of one program: each prints a line, "ok NAME" or "not ok NAME: why", which the suite turns into its own.
#pragma once
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

__attribute__((format(printf, 3, 4))) static inline void report(bool is_ok, const char* name, const char* why, ...) {
  va_list arguments;
  va_start(arguments, why);
  printf(is_ok ? "ok %s" : "not ok %s: ", name);
  if (!is_ok) vprintf(why, arguments);
  putchar('\n');
  fflush(stdout);
  va_end(arguments);
}
