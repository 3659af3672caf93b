#pragma once
// Randomness, passed in: seeded in tests, from the system's entropy in production.

#include <cstdint>
#include <mutex>
#include <string>

namespace firn {

/// SplitMix64 (Steele, Lea, Flood 2014) behind a lock. Thread-safe. Not for secrets.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  static std::uint64_t EntropySeed();

  std::uint64_t Next();
  /// Uniform in [0, bound); bound > 0.
  std::uint64_t Below(std::uint64_t bound) { return Next() % bound; }
  /// Uniform in [0, 1).
  double Unit() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }
  /// A random (version 4) UUID in its 36-character form.
  std::string Uuid();

 private:
  std::mutex mutex_;
  std::uint64_t state_;
};

}  // namespace firn
