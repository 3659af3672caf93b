#include "base/random.h"

#include <cstdio>
#include <random>

namespace firn {

std::uint64_t Random::EntropySeed() {
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

std::uint64_t Random::Next() {
  const std::lock_guard lock(mutex_);
  std::uint64_t z = (state_ += 0x9E3779B97F4A7C15ULL);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

std::string Random::Uuid() {
  const std::uint64_t high = (Next() & ~0xF000ULL) | 0x4000ULL;
  const std::uint64_t low = (Next() & ~(3ULL << 62)) | (2ULL << 62);
  char text[37];
  std::snprintf(text, sizeof text, "%08x-%04x-%04x-%04x-%012llx", static_cast<unsigned>(high >> 32),
                static_cast<unsigned>(high >> 16 & 0xFFFF), static_cast<unsigned>(high & 0xFFFF),
                static_cast<unsigned>(low >> 48), static_cast<unsigned long long>(low & 0xFFFFFFFFFFFFULL));
  return text;
}

}  // namespace firn
