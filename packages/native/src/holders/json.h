// One line of JSON on stdout: an object with its kind and the fields that are added. Texts come from other processes
// and may be any bytes but 0: control characters are escaped, the rest goes as it is.
#pragma once
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace lendbuf {

class JsonLine {
 public:
  explicit JsonLine(const char* kind) : line_("{\"kind\":") { Quote(kind); }

  void Number(const char* name, uint64_t value) {
    Name(name);
    line_ += std::to_string(value);
  }

  void Boolean(const char* name, bool value) {
    Name(name);
    line_ += value ? "true" : "false";
  }

  void Text(const char* name, std::string_view value) {
    Name(name);
    Quote(value);
  }

  void Numbers(const char* name, const std::vector<uint32_t>& values) {
    Name(name);
    line_ += '[';
    for (uint32_t value : values) {
      if (line_.back() != '[') line_ += ',';
      line_ += std::to_string(value);
    }
    line_ += ']';
  }

  void Print() const { printf("%s}\n", line_.c_str()); }

 private:
  void Name(const char* name) {
    line_ += ',';
    Quote(name);
    line_ += ':';
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
