#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "filter/cast.h"
#include "filter/compare.h"
#include "filter/functions.h"
#include "filter/types.h"

namespace firn::filter {
namespace {

using arrow::TypeId;
using arrow::TypePtr;

constexpr std::int64_t kMin64 = std::numeric_limits<std::int64_t>::min();

/// An int64 as the narrower type keeps it: wrapped around, as Arrow's arithmetic is.
std::int64_t Wrap(std::int64_t value, TypeId id) {
  switch (id) {
    case TypeId::kInt8:
      return static_cast<std::int8_t>(value);
    case TypeId::kInt16:
      return static_cast<std::int16_t>(value);
    case TypeId::kInt32:
      return static_cast<std::int32_t>(value);
    case TypeId::kUInt8:
      return static_cast<std::uint8_t>(value);
    case TypeId::kUInt16:
      return static_cast<std::uint16_t>(value);
    case TypeId::kUInt32:
      return static_cast<std::uint32_t>(value);
    default:
      return value;
  }
}

Error DivisionByZero() { return InvalidArgument("division by zero", "NULLIF(x, 0) as the divisor gives NULL instead"); }
Error Overflow(const arrow::Type& type) { return InvalidArgument("the result is too large for " + type.ToString()); }

Result<std::int64_t> ComputeInt(char op, std::int64_t a, std::int64_t b, const arrow::Type& type) {
  const auto x = static_cast<std::uint64_t>(a);
  const auto y = static_cast<std::uint64_t>(b);
  switch (op) {
    case '+':
      return Wrap(static_cast<std::int64_t>(x + y), type.id);
    case '-':
      return Wrap(static_cast<std::int64_t>(x - y), type.id);
    case '*':
      return Wrap(static_cast<std::int64_t>(x * y), type.id);
    default:
      break;
  }
  if (b == 0) return DivisionByZero();
  if (op == '%') return b == -1 ? 0 : a % b;
  if (b == -1) {
    if (a == kMin64 || Wrap(-a, type.id) != -a) return Overflow(type);
    return -a;
  }
  return a / b;
}

Result<std::uint64_t> ComputeUInt(char op, std::uint64_t a, std::uint64_t b) {
  switch (op) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    default:
      break;
  }
  if (b == 0) return DivisionByZero();
  return op == '/' ? a / b : a % b;
}

double ComputeFloat(char op, double a, double b) {
  switch (op) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
      return a / b;
    default:
      return std::fmod(a, b);
  }
}

/// Runs `compute(a, b) -> Result<T>` over two columns.
template <class T, class F>
Kernel Elementwise(const TypePtr& type, F compute) {
  return [type, compute](std::span<const Vector> args, std::int64_t rows) -> Result<Vector> {
    Vector out = MakeVector(type, rows);
    const Reader<T> a(args[0]);
    const Reader<T> b(args[1]);
    std::vector<T>& to = out.Get<T>();
    for (std::int64_t i = 0; i < rows; i++) {
      if (a.IsNull(i) || b.IsNull(i)) continue;
      FIRN_TRY(to[i], compute(a[i], b[i]));
    }
    return out;
  };
}

Kernel DecimalKernel(char op, const TypePtr& a_type, const TypePtr& b_type, const TypePtr& type) {
  // + - %: both at the result's scale. *: scales add up. /: the dividend is scaled up first.
  const std::int32_t a_scale = a_type->scale;
  const std::int32_t b_scale = b_type->scale;
  const auto scale_up = [](Int128 value, std::int32_t digits) -> std::optional<Int128> {
    Int128 out = 0;
    if (digits < 0 || digits > 38 || __builtin_mul_overflow(value, PowerOfTen(digits), &out)) return std::nullopt;
    return out;
  };
  return Elementwise<Int128>(type, [=](Int128 a, Int128 b) -> Result<Int128> {
    Int128 out = 0;
    if (op == '*') {
      if (__builtin_mul_overflow(a, b, &out)) return Overflow(*type);
      return out;
    }
    if ((op == '/' || op == '%') && b == 0) return DivisionByZero();
    if (op == '/') {
      const auto dividend = scale_up(a, type->scale - a_scale + b_scale);
      if (!dividend) return Overflow(*type);
      if (b == -1 && __builtin_sub_overflow(Int128{0}, *dividend, &out)) return Overflow(*type);
      return b == -1 ? out : *dividend / b;
    }
    const auto x = scale_up(a, type->scale - a_scale);
    const auto y = scale_up(b, type->scale - b_scale);
    if (!x || !y) return Overflow(*type);
    if (op == '%') return *y == -1 ? Int128{0} : *x % *y;
    const bool over = op == '+' ? __builtin_add_overflow(*x, *y, &out) : __builtin_sub_overflow(*x, *y, &out);
    if (over) return Overflow(*type);
    return out;
  });
}

Result<BoundFunction> BindDecimal(char op, const TypePtr& a, const TypePtr& b) {
  const auto as_decimal = [](const TypePtr& t) { return t->id == TypeId::kDecimal128 ? t : arrow::Decimal128(20, 0); };
  const TypePtr x = as_decimal(a);
  const TypePtr y = as_decimal(b);
  std::int32_t scale = std::max(x->scale, y->scale);
  if (op == '*') scale = x->scale + y->scale;
  if (op == '/') scale = std::min(38, x->scale + 4);
  if (scale > 38) return InvalidArgument("the product needs more than 38 digits", "cast one side to DOUBLE");
  const TypePtr type = arrow::Decimal128(38, scale);
  return BoundFunction{type, {x, y}, DecimalKernel(op, x, y, type), {.can_fail = true}};
}

Result<TypePtr> WantNumber(const Arguments& a, std::size_t i) {
  if (a.type(i)->id == TypeId::kNull) return Int64();
  if (IsNumeric(*a.type(i))) return a.type(i);
  return a.Wants(i, "a number");
}

/// double -> double
Result<BoundFunction> Real(const Arguments& a, double (*f)(double)) {
  FIRN_TRY(const TypePtr type, WantNumber(a, 0));
  Kernel kernel = [f](std::span<const Vector> args, std::int64_t rows) -> Result<Vector> {
    Vector out = MakeVector(Float64(), rows);
    const Reader<double> x(args[0]);
    for (std::int64_t i = 0; i < rows; i++) out.Get<double>()[i] = f(x[i]);
    return out;
  };
  return BoundFunction{Float64(), {Float64()}, std::move(kernel), {}};
}

Result<BoundFunction> Real2(const Arguments& a, double (*f)(double, double)) {
  for (std::size_t i = 0; i < 2; i++) FIRN_CHECK(WantNumber(a, i));
  Kernel kernel = Elementwise<double>(Float64(), [f](double x, double y) -> Result<double> { return f(x, y); });
  return BoundFunction{Float64(), {Float64(), Float64()}, std::move(kernel), {}};
}

/// Whole numbers stay as they are; the others go through f.
Result<BoundFunction> Rounding(const Arguments& a, double (*f)(double)) {
  FIRN_TRY(const TypePtr type, WantNumber(a, 0));
  if (!arrow::IsInteger(type->id)) return Real(a, f);
  return BoundFunction{
      type, {type}, [](std::span<const Vector> args, std::int64_t) -> Result<Vector> { return args[0]; }, {}};
}

/// round(x), round(x, digits): half away from zero. trunc: towards zero.
Result<BoundFunction> RoundTo(const Arguments& a, double (*f)(double)) {
  if (a.size() == 1) return Rounding(a, f);
  for (std::size_t i = 0; i < 2; i++) FIRN_CHECK(WantNumber(a, i));
  if (!arrow::IsInteger(a.type(1)->id) && a.type(1)->id != TypeId::kNull) return a.Wants(1, "a whole number");
  Kernel kernel = [f](std::span<const Vector> args, std::int64_t rows) -> Result<Vector> {
    Vector out = MakeVector(Float64(), rows);
    const Reader<double> x(args[0]);
    const Reader<std::int64_t> digits(args[1]);
    for (std::int64_t i = 0; i < rows; i++) {
      const double power = std::pow(10.0, static_cast<double>(std::clamp<std::int64_t>(digits[i], -400, 400)));
      const double scaled = f(x[i] * power);
      out.Get<double>()[i] = std::isfinite(x[i]) && std::isfinite(x[i] * power) && power > 0 ? scaled / power
                             : power > 0                                                     ? x[i]
                                                                                             : 0.0;
    }
    return out;
  };
  return BoundFunction{Float64(), {Float64(), Int64()}, std::move(kernel), {}};
}

Result<BoundFunction> Abs(const Arguments& a) {
  FIRN_TRY(const TypePtr type, WantNumber(a, 0));
  const bool whole = KindOf(*type) == Kind::kInt;
  Kernel kernel = [type](std::span<const Vector> args, std::int64_t rows) -> Result<Vector> {
    Vector out = args[0];
    const std::int64_t stored = args[0].constant ? 1 : rows;
    for (std::int64_t i = 0; i < stored; i++) {
      if (out.IsNull(i)) continue;
      if (out.kind() == Kind::kInt) {
        std::int64_t& v = out.Get<std::int64_t>()[i];
        if (v == kMin64 || Wrap(std::abs(v), type->id) != std::abs(v)) return Overflow(*type);
        v = std::abs(v);
      } else if (out.kind() == Kind::kFloat) {
        out.Get<double>()[i] = std::fabs(out.Get<double>()[i]);
      } else if (out.kind() == Kind::kDecimal) {
        Int128& v = out.Get<Int128>()[i];
        if (v < 0) v = static_cast<Int128>(-static_cast<unsigned __int128>(v));
      }
    }
    return out;
  };
  return BoundFunction{type, {type}, std::move(kernel), {.can_fail = whole}};
}

Result<BoundFunction> Log(const Arguments& a) {
  if (a.size() == 1) return Real(a, [](double x) { return std::log10(x); });
  return Real2(a, [](double base, double x) {
    if (base == 2) return std::log2(x);
    if (base == 10) return std::log10(x);
    return std::log(x) / std::log(base);
  });
}

double Sign(double x) { return x > 0 ? 1 : x < 0 ? -1 : x; }  // NaN stays NaN

Result<BoundFunction> Modulo(const Arguments& a) { return BindArithmetic('%', a.type(0), a.type(1)); }

Result<BoundFunction> TestReal(const Arguments& a, bool (*test)(double)) {
  FIRN_TRY(const TypePtr type, WantNumber(a, 0));
  Kernel kernel = [test](std::span<const Vector> args, std::int64_t rows) -> Result<Vector> {
    const Reader<double> x(args[0]);
    std::vector<Truth> out(static_cast<std::size_t>(rows));
    for (std::int64_t i = 0; i < rows; i++) out[i] = test(x[i]) ? kTrue : kFalse;
    return BoolVector(std::move(out));
  };
  return BoundFunction{Bool(), {Float64()}, std::move(kernel), {}};
}

/// The largest (smallest) of what is not null.
Result<BoundFunction> Extreme(const Arguments& a, bool largest) {
  TypePtr type = a.type(0);
  for (std::size_t i = 1; i < a.size(); i++) {
    const auto common = CommonType(type, a.type(i));
    if (!common) return a.Wants(i, "the same kind of value as before");
    type = *common;
  }
  if (KindOf(*type) == Kind::kStruct) return a.Wants(0, "values that have an order");
  Kernel kernel = [type, largest](std::span<const Vector> args, std::int64_t rows) -> Result<Vector> {
    std::vector<Pick> picks(static_cast<std::size_t>(rows));
    for (std::int64_t i = 0; i < rows; i++) {
      Pick& best = picks[i];
      best = {0, i};
      for (std::uint32_t s = 1; s < args.size(); s++) {
        if (args[s].IsNull(i)) continue;
        const bool better =
            args[best.source].IsNull(i) || (CompareItems(args[s], i, args[best.source], i) > 0) == largest;
        if (better) best = {s, i};
      }
    }
    return Interleave(type, args, picks);
  };
  return BoundFunction{type, std::vector<TypePtr>(a.size(), type), std::move(kernel), {.keeps_nulls = true}};
}

Result<BoundFunction> Pi(const Arguments&) {
  Kernel kernel = [](std::span<const Vector>, std::int64_t rows) -> Result<Vector> {
    Vector out = MakeVector(Float64(), rows);
    std::ranges::fill(out.Get<double>(), std::numbers::pi);
    return out;
  };
  return BoundFunction{Float64(), {}, std::move(kernel), {}};
}

using A = const Arguments&;
constexpr Function kFunctions[] = {
    {"abs", 1, 1, Abs},
    {"ceil", 1, 1, [](A a) { return Rounding(a, [](double x) { return std::ceil(x); }); }},
    {"ceiling", 1, 1, [](A a) { return Rounding(a, [](double x) { return std::ceil(x); }); }},
    {"floor", 1, 1, [](A a) { return Rounding(a, [](double x) { return std::floor(x); }); }},
    {"round", 1, 2, [](A a) { return RoundTo(a, [](double x) { return std::round(x); }); }},
    {"trunc", 1, 2, [](A a) { return RoundTo(a, [](double x) { return std::trunc(x); }); }},
    {"sqrt", 1, 1, [](A a) { return Real(a, [](double x) { return std::sqrt(x); }); }},
    {"cbrt", 1, 1, [](A a) { return Real(a, [](double x) { return std::cbrt(x); }); }},
    {"exp", 1, 1, [](A a) { return Real(a, [](double x) { return std::exp(x); }); }},
    {"ln", 1, 1, [](A a) { return Real(a, [](double x) { return std::log(x); }); }},
    {"log", 1, 2, Log},
    {"log10", 1, 1, [](A a) { return Real(a, [](double x) { return std::log10(x); }); }},
    {"log2", 1, 1, [](A a) { return Real(a, [](double x) { return std::log2(x); }); }},
    {"power", 2, 2, [](A a) { return Real2(a, [](double x, double y) { return std::pow(x, y); }); }},
    {"pow", 2, 2, [](A a) { return Real2(a, [](double x, double y) { return std::pow(x, y); }); }},
    {"sign", 1, 1, [](A a) { return Real(a, Sign); }},
    {"signum", 1, 1, [](A a) { return Real(a, Sign); }},
    {"mod", 2, 2, Modulo},
    {"isnan", 1, 1, [](A a) { return TestReal(a, [](double x) { return std::isnan(x); }); }},
    {"iszero", 1, 1, [](A a) { return TestReal(a, [](double x) { return x == 0; }); }},
    {"greatest", 1, 10'000, [](A a) { return Extreme(a, true); }},
    {"least", 1, 10'000, [](A a) { return Extreme(a, false); }},
    {"pi", 0, 0, Pi},
};

}  // namespace

std::span<const Function> NumberFunctions() { return kFunctions; }

Result<BoundFunction> BindArithmetic(char op, const TypePtr& a, const TypePtr& b) {
  const auto common = ArithmeticType(a, b);
  if (!common)
    return InvalidArgument("cannot compute " + a->ToString() + " " + op + " " + b->ToString(),
                           "CAST one of them to a number");
  const TypePtr& type = *common;
  if (KindOf(*type) == Kind::kDecimal) {
    return BindDecimal(op, a->id == TypeId::kNull ? type : a, b->id == TypeId::kNull ? type : b);
  }
  const bool can_fail = (op == '/' || op == '%') && KindOf(*type) != Kind::kFloat;
  Kernel kernel;
  if (KindOf(*type) == Kind::kFloat) {
    const bool single = type->id == TypeId::kFloat32;
    kernel = Elementwise<double>(type, [op, single](double x, double y) -> Result<double> {
      const double value = ComputeFloat(op, x, y);
      return single ? static_cast<double>(static_cast<float>(value)) : value;
    });
  } else if (KindOf(*type) == Kind::kUInt) {
    kernel = Elementwise<std::uint64_t>(type, [op](std::uint64_t x, std::uint64_t y) { return ComputeUInt(op, x, y); });
  } else {
    kernel = Elementwise<std::int64_t>(
        type, [op, type](std::int64_t x, std::int64_t y) { return ComputeInt(op, x, y, *type); });
  }
  return BoundFunction{type, {type, type}, std::move(kernel), {.can_fail = can_fail}};
}

BoundFunction BindNegate(const TypePtr& type) {
  // Unsigned numbers become signed ones first.
  TypePtr wide = type;
  if (type->id == TypeId::kNull || type->id == TypeId::kUInt8 || type->id == TypeId::kUInt16 ||
      type->id == TypeId::kUInt32)
    wide = Int64();
  if (type->id == TypeId::kUInt64) wide = arrow::Decimal128(20, 0);
  Kernel kernel = [wide](std::span<const Vector> args, std::int64_t) -> Result<Vector> {
    Vector out = args[0];
    if (out.kind() == Kind::kInt) {
      for (std::int64_t& v : out.Get<std::int64_t>())
        v = Wrap(static_cast<std::int64_t>(0 - static_cast<std::uint64_t>(v)), wide->id);
    } else if (out.kind() == Kind::kFloat) {
      for (double& v : out.Get<double>()) v = -v;
    } else {
      for (Int128& v : out.Get<Int128>()) v = static_cast<Int128>(-static_cast<unsigned __int128>(v));
    }
    return out;
  };
  return {wide, {wide}, std::move(kernel), {}};
}

}  // namespace firn::filter
