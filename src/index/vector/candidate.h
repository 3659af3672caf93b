#pragma once
// What lists and graphs find: rows that may be among the nearest, to be compared exactly.

#include <cstdint>

namespace firn::index {

struct Candidate {
  float distance = 0;  // estimated, in the metric's own scale
  float error = 0;     // the estimate is off by more than this only rarely; infinite where nothing is known
  std::uint32_t row = 0;
  friend bool operator<(const Candidate& a, const Candidate& b) {
    return a.distance < b.distance || (a.distance == b.distance && a.row < b.row);
  }
};

}  // namespace firn::index
