#pragma once
// Instants in JSON: "2024-05-01T10:00:00.000000Z".

#include <string>

#include "arrow/iso_time.h"
#include "base/clock.h"

namespace firn::server {

inline void AppendTime(std::string& out, WallTime time) {
  const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
  out += '"';
  arrow::AppendIsoInstant(out, micros, arrow::TimeUnit::kMicro, true);
  out += '"';
}

}  // namespace firn::server
