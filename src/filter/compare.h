#pragma once
// Comparisons: of vectors with each other, and of a column straight from its buffers with one value.

#include <optional>

#include "filter/vector.h"

namespace firn::filter {

enum class Comparison : std::uint8_t { kEqual, kNotEqual, kLess, kLessEqual, kGreater, kGreaterEqual };
std::string_view SymbolOf(Comparison op);
/// The comparison that holds for (b, a) exactly when `op` holds for (a, b).
Comparison Mirrored(Comparison op);

/// Both of one type's family (the binder casts). Floats are in total order: NaN equals itself and is above everything;
/// -0 equals 0.
Vector Compare(Comparison op, const Vector& a, const Vector& b);

/// As Compare, but NULL equals NULL and nothing is unknown: IS NOT DISTINCT FROM.
Vector SameValue(const Vector& a, const Vector& b);

/// Order of two items that are not null: negative, zero, positive.
int CompareItems(const Vector& a, std::int64_t i, const Vector& b, std::int64_t j);

/// One row order for hashing and equality: equal items have equal hashes.
std::size_t HashItem(const Vector& v, std::int64_t i);

/// `column op literal` over a range of rows without copying the column. `literal` is constant, not null, of the
/// column's own type. Empty when there is no such fast way for the type (lists, decimals, NaN) or rows come by index.
std::optional<std::vector<Truth>> CompareColumn(Comparison op, const arrow::Array& column, const Vector& literal,
                                                const Rows& rows);

}  // namespace firn::filter
