// The inner loops here are what a scan spends its time in; they are written so that the compiler turns them into vector
// code.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3")
#endif

#include "filter/compare.h"

#include <cmath>
#include <functional>

namespace firn::filter {
namespace {

using arrow::Array;
using arrow::TypeId;

template <Comparison Op, class T>
bool Holds(const T& a, const T& b) {
  if constexpr (Op == Comparison::kEqual) return a == b;
  if constexpr (Op == Comparison::kNotEqual) return !(a == b);
  if constexpr (Op == Comparison::kLess) return a < b;
  if constexpr (Op == Comparison::kLessEqual) return a <= b;
  // Written as negations, so that a NaN on the left is above every number.
  if constexpr (Op == Comparison::kGreater) return !(a <= b);
  if constexpr (Op == Comparison::kGreaterEqual) return !(a < b);
}

/// Without a branch: half the rows of a typical filter would be mispredicted.
Truth TruthOf(bool holds) { return static_cast<Truth>(static_cast<Truth>(holds) * kTrue); }

/// Calls f with Op as a template argument.
template <class F>
auto WithOp(Comparison op, F f) {
  using enum Comparison;
  switch (op) {
    case kEqual:
      return f.template operator()<kEqual>();
    case kNotEqual:
      return f.template operator()<kNotEqual>();
    case kLess:
      return f.template operator()<kLess>();
    case kLessEqual:
      return f.template operator()<kLessEqual>();
    case kGreater:
      return f.template operator()<kGreater>();
    case kGreaterEqual:
      return f.template operator()<kGreaterEqual>();
  }
  return f.template operator()<kEqual>();
}

int OrderFloats(double a, double b) {
  const bool a_nan = std::isnan(a);
  const bool b_nan = std::isnan(b);
  if (a_nan || b_nan) return static_cast<int>(a_nan) - static_cast<int>(b_nan);
  return a < b ? -1 : a > b ? 1 : 0;
}

template <class T>
int Order(const T& a, const T& b) {
  return a < b ? -1 : b < a ? 1 : 0;
}
int Order(const std::string_view& a, const std::string_view& b) { return a.compare(b); }

bool FromOrder(Comparison op, int order) {
  return WithOp(op, [&]<Comparison Op>() { return Holds<Op>(order, 0); });
}

int OrderLists(const Vector& a, std::int64_t i, const Vector& b, std::int64_t j) {
  const ItemRange x = a.lists().ranges[a.Slot(i)];
  const ItemRange y = b.lists().ranges[b.Slot(j)];
  const Vector& left = *a.lists().items;
  const Vector& right = *b.lists().items;
  for (std::int64_t k = 0; k < x.end - x.begin && k < y.end - y.begin; k++) {
    const bool left_null = left.IsNull(x.begin + k);
    const bool right_null = right.IsNull(y.begin + k);
    if (left_null != right_null) return left_null ? 1 : -1;
    if (left_null) continue;
    if (const int order = CompareItems(left, x.begin + k, right, y.begin + k); order != 0) return order;
  }
  return Order(x.end - x.begin, y.end - y.begin);
}

template <class T>
void CompareFixed(Comparison op, const Vector& a, const Vector& b, std::vector<Truth>& out) {
  const T* x = a.Get<T>().data();
  const T* y = b.Get<T>().data();
  Truth* to = out.data();
  const auto rows = static_cast<std::int64_t>(out.size());
  const std::int64_t x_step = a.constant ? 0 : 1;
  const std::int64_t y_step = b.constant ? 0 : 1;
  WithOp(op, [&]<Comparison Op>() {
    if (y_step == 0 && x_step == 1) {
      const T value = y[0];
      for (std::int64_t i = 0; i < rows; i++) to[i] = TruthOf(Holds<Op>(x[i], value));
    } else {
      for (std::int64_t i = 0; i < rows; i++) to[i] = TruthOf(Holds<Op>(x[i * x_step], y[i * y_step]));
    }
  });
}

/// UNKNOWN wherever the column is null; eight rows to a byte of its bitmap.
void MaskNulls(const Array& column, const Rows& rows, std::vector<Truth>& truths) {
  if (column.null_count() == 0) return;
  for (std::int64_t i = 0; i < rows.count; i++) {
    const std::int64_t row = rows.begin + i;
    if ((row & 7) == 0 && i + 8 <= rows.count) {
      const std::uint8_t bits = column.data().validity.data()[row >> 3];
      if (bits != 0xFF) {
        for (int b = 0; b < 8; b++) {
          if ((bits >> b & 1) == 0) truths[i + b] = kUnknown;
        }
      }
      i += 7;
    } else if (column.IsNull(row)) {
      truths[i] = kUnknown;
    }
  }
}

template <class T>
std::vector<Truth> CompareValues(Comparison op, const Array& column, T literal, const Rows& rows) {
  std::vector<Truth> out(static_cast<std::size_t>(rows.count));
  const T* values = column.Values<T>().data() + rows.begin;
  Truth* to = out.data();
  WithOp(op, [&]<Comparison Op>() {
    for (std::int64_t i = 0; i < rows.count; i++) to[i] = TruthOf(Holds<Op>(values[i], literal));
  });
  MaskNulls(column, rows, out);
  return out;
}

template <class Offset>
std::vector<Truth> CompareTexts(Comparison op, const Array& column, std::string_view literal, const Rows& rows) {
  std::vector<Truth> out(static_cast<std::size_t>(rows.count));
  const auto* offsets = reinterpret_cast<const Offset*>(column.data().data.data()) + rows.begin;
  const char* bytes = column.data().bytes.chars().data();
  if (op == Comparison::kEqual || op == Comparison::kNotEqual) {
    const Truth hit = op == Comparison::kEqual ? kTrue : kFalse;
    for (std::int64_t i = 0; i < rows.count; i++) {
      const std::string_view value(bytes + offsets[i], static_cast<std::size_t>(offsets[i + 1] - offsets[i]));
      out[i] = value == literal ? hit : static_cast<Truth>(kTrue - hit);
    }
  } else {
    WithOp(op, [&]<Comparison Op>() {
      for (std::int64_t i = 0; i < rows.count; i++) {
        const std::string_view value(bytes + offsets[i], static_cast<std::size_t>(offsets[i + 1] - offsets[i]));
        out[i] = TruthOf(Holds<Op>(value.compare(literal), 0));
      }
    });
  }
  MaskNulls(column, rows, out);
  return out;
}

}  // namespace

std::string_view SymbolOf(Comparison op) {
  using enum Comparison;
  switch (op) {
    case kEqual:
      return "=";
    case kNotEqual:
      return "<>";
    case kLess:
      return "<";
    case kLessEqual:
      return "<=";
    case kGreater:
      return ">";
    case kGreaterEqual:
      return ">=";
  }
  return "=";
}

Comparison Mirrored(Comparison op) {
  using enum Comparison;
  switch (op) {
    case kLess:
      return kGreater;
    case kLessEqual:
      return kGreaterEqual;
    case kGreater:
      return kLess;
    case kGreaterEqual:
      return kLessEqual;
    default:
      return op;
  }
}

int CompareItems(const Vector& a, std::int64_t i, const Vector& b, std::int64_t j) {
  const std::int64_t x = a.Slot(i);
  const std::int64_t y = b.Slot(j);
  switch (a.kind()) {
    case Kind::kBool:
      return Order(a.Get<Truth>()[x], b.Get<Truth>()[y]);
    case Kind::kInt:
      return Order(a.Get<std::int64_t>()[x], b.Get<std::int64_t>()[y]);
    case Kind::kUInt:
      return Order(a.Get<std::uint64_t>()[x], b.Get<std::uint64_t>()[y]);
    case Kind::kFloat:
      return OrderFloats(a.Get<double>()[x], b.Get<double>()[y]);
    case Kind::kDecimal:
      return Order(a.Get<Int128>()[x], b.Get<Int128>()[y]);
    case Kind::kText:
      return Order(a.Get<std::string_view>()[x], b.Get<std::string_view>()[y]);
    case Kind::kList:
      return OrderLists(a, i, b, j);
    case Kind::kNull:
    case Kind::kStruct:
      return 0;
  }
  return 0;
}

std::size_t HashItem(const Vector& v, std::int64_t i) {
  const std::int64_t slot = v.Slot(i);
  switch (v.kind()) {
    case Kind::kBool:
      return v.Get<Truth>()[slot];
    case Kind::kInt:
      return std::hash<std::int64_t>()(v.Get<std::int64_t>()[slot] * 0x9E3779B97F4A7C15ULL);
    case Kind::kUInt:
      return std::hash<std::uint64_t>()(v.Get<std::uint64_t>()[slot] * 0x9E3779B97F4A7C15ULL);
    case Kind::kFloat: {
      const double value = v.Get<double>()[slot];
      return std::isnan(value) ? 1 : std::hash<double>()(value);
    }
    case Kind::kDecimal: {
      const Int128 value = v.Get<Int128>()[slot];
      return std::hash<std::uint64_t>()((static_cast<std::uint64_t>(value) ^ static_cast<std::uint64_t>(value >> 64)) *
                                        0x9E3779B97F4A7C15ULL);
    }
    case Kind::kText:
      return std::hash<std::string_view>()(v.Get<std::string_view>()[slot]);
    default:
      return 0;
  }
}

Vector Compare(Comparison op, const Vector& a, const Vector& b) {
  std::vector<Truth> out(static_cast<std::size_t>(a.rows));
  const Kind kind = a.kind();
  if (kind == Kind::kNull || b.kind() == Kind::kNull) {
    std::fill(out.begin(), out.end(), kUnknown);
    return BoolVector(std::move(out));
  }
  if (kind == Kind::kInt) {
    CompareFixed<std::int64_t>(op, a, b, out);
  } else if (kind == Kind::kUInt) {
    CompareFixed<std::uint64_t>(op, a, b, out);
  } else if (kind == Kind::kDecimal) {
    CompareFixed<Int128>(op, a, b, out);
  } else {
    for (std::int64_t i = 0; i < a.rows; i++) {
      if (a.IsNull(i) || b.IsNull(i)) continue;
      out[i] = FromOrder(op, CompareItems(a, i, b, i)) ? kTrue : kFalse;
    }
  }
  Vector result = BoolVector(std::move(out));
  const Vector* arguments[] = {&a, &b};
  MergeNulls(result, arguments);
  return result;
}

Vector SameValue(const Vector& a, const Vector& b) {
  std::vector<Truth> out(static_cast<std::size_t>(a.rows));
  for (std::int64_t i = 0; i < a.rows; i++) {
    const bool a_null = a.IsNull(i);
    const bool b_null = b.IsNull(i);
    out[i] = (a_null || b_null ? a_null && b_null : CompareItems(a, i, b, i) == 0) ? kTrue : kFalse;
  }
  return BoolVector(std::move(out));
}

std::optional<std::vector<Truth>> CompareColumn(Comparison op, const Array& column, const Vector& literal,
                                                const Rows& rows) {
  if (rows.index != nullptr) return std::nullopt;
  switch (literal.kind()) {
    case Kind::kInt: {
      const std::int64_t value = literal.Get<std::int64_t>()[0];
      switch (column.type().id) {
        case TypeId::kInt8:
          return CompareValues(op, column, static_cast<std::int8_t>(value), rows);
        case TypeId::kInt16:
          return CompareValues(op, column, static_cast<std::int16_t>(value), rows);
        case TypeId::kUInt8:
          return CompareValues(op, column, static_cast<std::uint8_t>(value), rows);
        case TypeId::kUInt16:
          return CompareValues(op, column, static_cast<std::uint16_t>(value), rows);
        case TypeId::kUInt32:
          return CompareValues(op, column, static_cast<std::uint32_t>(value), rows);
        case TypeId::kInt32:
        case TypeId::kDate32:
        case TypeId::kTime32:
          return CompareValues(op, column, static_cast<std::int32_t>(value), rows);
        default:
          return CompareValues(op, column, value, rows);
      }
    }
    case Kind::kUInt:
      return CompareValues(op, column, literal.Get<std::uint64_t>()[0], rows);
    case Kind::kFloat: {
      const double value = literal.Get<double>()[0];
      if (std::isnan(value)) return std::nullopt;
      if (column.type().id == TypeId::kFloat64) return CompareValues(op, column, value, rows);
      if (column.type().id == TypeId::kFloat32) return CompareValues(op, column, static_cast<float>(value), rows);
      return std::nullopt;
    }
    case Kind::kText: {
      if (column.type().id == TypeId::kFixedSizeBinary || column.length() == 0) return std::nullopt;
      const std::string_view value = literal.Get<std::string_view>()[0];
      return arrow::HasLargeOffsets(column.type().id) ? CompareTexts<std::int64_t>(op, column, value, rows)
                                                      : CompareTexts<std::int32_t>(op, column, value, rows);
    }
    default:
      return std::nullopt;
  }
}

}  // namespace firn::filter
