// One line of JSON on stdout: an object with its kind and the fields that are added. Texts come from other processes
// and may be any bytes but 0: control characters are escaped, the rest goes as it is.
#pragma once
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace lendbuf {

class JsonLine {
 public:
  explicit JsonLine(const char* kind) : line_("{\"kind\":") { Quote(kind); }

  void Number(const char* name, uint64_t value) {
    Name(name);
    line_ += std::to_string(value);
  }

  void Text(const char* name, std::string_view value) {
    Name(name);
    Quote(value);
  }

  // A list, of numbers or of lists.
  void Begin(const char* name) {
    Name(name);
    line_ += '[';
  }

  void BeginItem() {
    Separate();
    line_ += '[';
  }

  void Item(uint64_t value) {
    Separate();
    line_ += std::to_string(value);
  }

  void End() { line_ += ']'; }

  void Print() const { printf("%s}\n", line_.c_str()); }

 private:
  void Name(const char* name) {
    line_ += ',';
    Quote(name);
    line_ += ':';
  }

  void Separate() {
    if (line_.back() != '[') line_ += ',';
  }

  void Quote(std::string_view text) {
    line_ += '"';
    for (unsigned char c : text) {
      if (c == '"' || c == '\\') {
        line_ += '\\';
        line_ += static_cast<char>(c);
      } else if (c < 0x20) {
        char escaped[8];
        snprintf(escaped, sizeof escaped, "\\u%04x", c);
        line_ += escaped;
      } else {
        line_ += static_cast<char>(c);
      }
    }
    line_ += '"';
  }

  std::string line_;
};

}  // namespace lendbuf
