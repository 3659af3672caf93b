#pragma once
// Does this bucket, or folder, give what Firn needs? `firn doctor` shows the answer.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "store/object_store.h"

namespace firn::store {

enum class Verdict : std::uint8_t { kOk, kWarn, kFail };

struct Finding {
  std::string name;  // of the step: "conditional put"
  Verdict verdict = Verdict::kOk;
  std::string message;  // one sentence
  std::string advice;   // what to do; "" when all is well
  Duration took{};
};

struct DoctorReport {
  std::string store;              // Describe()
  std::vector<Finding> findings;  // in the order of the steps

  /// The worst of the findings.
  Verdict Overall() const;
};

/// "ok" | "warn" | "fail".
std::string_view NameOf(Verdict verdict);

/// Lists, writes, reads, races and deletes under a scratch prefix of its own, `_firn/doctor/<uuid>/`, and cleans up
/// behind itself. What fails becomes a finding, and the steps that need it are left out. `store` should not cache, lest
/// its latencies be the cache's. DeadlineExceeded when the time runs out on the way.
Result<DoctorReport> Examine(ObjectStore& store, Clock& clock, Random& random, const Deadline& deadline);

}  // namespace firn::store
