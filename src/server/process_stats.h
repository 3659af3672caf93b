#pragma once
// What this process uses, from /proc/self.

#include <cstdint>

namespace firn::server {

struct ProcessStats {
  double cpu_seconds = 0;  // user and system
  std::uint64_t resident_bytes = 0;
  std::uint64_t open_files = 0;
};

/// Zeroes where the system does not say.
ProcessStats ReadProcessStats();

}  // namespace firn::server
