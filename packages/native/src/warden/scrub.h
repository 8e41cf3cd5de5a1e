// Writing over what a borrower left, and seeing that it is gone.
#pragma once
#include <cstdint>
#include <vector>

namespace lendbuf {

// `size` bytes of the word, one after the other, little-endian as PCI is.
std::vector<char> PatternOf(uint64_t word, uint32_t width, uint64_t size);

// Throws Refusal (EIO) with the first byte that differs.
void CheckPattern(const char* seen, const char* wanted, uint64_t size, uint32_t region, uint64_t offset);

}  // namespace lendbuf
