#pragma once
// CAST: values of one type as values of another.

#include "filter/vector.h"

namespace firn::filter {

/// Whether such a cast exists at all; `from` and `to` may be equal.
bool CanCast(const arrow::Type& from, const arrow::Type& to);

/// The values as `to`; CanCast holds. A value that has no form in `to` is InvalidArgument naming it, or null when
/// `or_null` (TRY_CAST).
Result<Vector> Cast(const Vector& from, const arrow::TypePtr& to, bool or_null = false);

/// One value as CAST(x AS STRING) writes it: 7.0, 2024-01-31, 1.50.
void AppendValue(std::string& out, const Vector& v, std::int64_t row);

/// 10^n for n in [0, 38].
Int128 PowerOfTen(int n);
void AppendDecimal(std::string& out, Int128 unscaled, std::int32_t scale);
/// "-12.345" (an exponent too) as an unscaled number with `scale` digits behind the point, rounded half away from zero.
std::optional<Int128> ParseDecimal(std::string_view text, std::int32_t scale);

}  // namespace firn::filter
