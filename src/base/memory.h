#pragma once
// How much memory is left before somebody is killed for it.

#include <cstdint>
#include <functional>
#include <optional>

namespace firn {

struct MemoryState {
  std::uint64_t limit = 0;      // bytes that the container, or the machine, has
  std::uint64_t available = 0;  // of them, bytes that can be had without taking any from others; page cache counts
};

/// Of the machine (/proc/meminfo) or of the control group (version 2), whichever has less left. Empty where neither can
/// be read. Some microseconds.
std::optional<MemoryState> ReadMemoryState();

/// Passed to those who must know, so that tests can say what is left.
using MemoryGauge = std::function<std::optional<MemoryState>()>;

}  // namespace firn
