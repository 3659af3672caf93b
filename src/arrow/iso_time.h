#pragma once
// Dates and times as ISO 8601 text, and as the integers that Arrow keeps (proleptic Gregorian calendar, no leap
// seconds).

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "arrow/type.h"

namespace firn::arrow {

/// A moment as text gave it.
struct IsoInstant {
  std::int64_t seconds = 0;  // since 1970-01-01T00:00:00, in UTC when a zone was written
  std::int32_t nanos = 0;    // 0 to 999,999,999
  bool has_zone = false;     // it ended in Z or an offset
};

/// `2024-02-29`: days since 1970-01-01. Years are 0000 to 9999, or longer with a sign (`+12024-01-01`). Empty when it
/// is not exactly that, or no such day exists.
std::optional<std::int64_t> ParseIsoDate(std::string_view text);

/// `03:04`, `03:04:05` or `03:04:05.123456789` (1 to 9 digits): nanoseconds since midnight.
std::optional<std::int64_t> ParseIsoTime(std::string_view text);

/// A date, `T` or a space, a time, and perhaps `Z`, `+01`, `+01:00` or `+0100`.
std::optional<IsoInstant> ParseIsoInstant(std::string_view text);

/// Counted in `unit`, digits beyond it dropped (towards the past); empty when it does not fit 64 bits.
std::optional<std::int64_t> InUnit(const IsoInstant& instant, TimeUnit unit);

/// How many of `unit` a second has: 1, 1,000, 1,000,000 or 1,000,000,000.
std::int64_t UnitsPerSecond(TimeUnit unit);

/// The texts that the functions above read. A fraction is written only when there is one, with all of the unit's
/// digits.
void AppendIsoDate(std::string& out, std::int64_t days);
void AppendIsoTime(std::string& out, std::int64_t units, TimeUnit unit);
void AppendIsoInstant(std::string& out, std::int64_t units, TimeUnit unit, bool zulu);

}  // namespace firn::arrow
