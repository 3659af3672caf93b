#pragma once
// The functions that a filter may call. Each family is a table; a row says the name, how many arguments, and how to
// bind it.

#include <span>
#include <string_view>
#include <vector>

#include "filter/expression.h"

namespace firn::filter {

/// The arguments of a call while it is bound.
struct Arguments {
  std::string_view name;
  std::span<const ExpressionPtr> values;

  std::size_t size() const { return values.size(); }
  const arrow::TypePtr& type(std::size_t i) const { return values[i]->type(); }
  /// The constant argument `i`, when it is one and not null.
  const Vector* literal(std::size_t i) const;
  /// "lower() takes text as argument 1, not int64".
  Error Wants(std::size_t i, std::string_view what) const;
};

/// How to call it: each argument is cast to its type first.
struct BoundFunction {
  arrow::TypePtr type;
  std::vector<arrow::TypePtr> argument_types;
  Kernel kernel;
  CallTraits traits;
};

struct Function {
  std::string_view name;
  std::size_t least;
  std::size_t most;
  Result<BoundFunction> (*bind)(const Arguments& arguments);
};

std::span<const Function> TextFunctions();
std::span<const Function> PatternFunctions();
std::span<const Function> NumberFunctions();
std::span<const Function> TimeFunctions();
std::span<const Function> ListFunctions();

/// Null when there is none.
const Function* FindFunction(std::string_view name);
/// All names, for hints.
std::vector<std::string_view> FunctionNames();

/// Numbers, with `op` one of + - * / %, both of ArithmeticType's result.
Result<BoundFunction> BindArithmetic(char op, const arrow::TypePtr& a, const arrow::TypePtr& b);
BoundFunction BindNegate(const arrow::TypePtr& type);

/// value LIKE pattern. A constant `pattern` is prepared once.
Result<BoundFunction> BindLike(const Arguments& arguments, bool ignore_case, char escape);
/// value ~ pattern.
Result<BoundFunction> BindRegex(const Arguments& arguments, bool ignore_case);
/// value IN (constant items): `items` is a vector of the value's family.
BoundFunction BindInSet(const arrow::TypePtr& type, Vector items);
/// date or timestamp + months, days and nanoseconds.
struct Interval {
  std::int64_t months = 0;
  std::int64_t days = 0;
  std::int64_t nanos = 0;
};
Result<Interval> ParseInterval(std::string_view text);
BoundFunction BindAddInterval(const arrow::TypePtr& type, Interval interval);
/// list[index], from 1; negative from the end; null outside.
BoundFunction BindElement(const arrow::TypePtr& list, const arrow::TypePtr& index);
/// struct.member
BoundFunction BindMember(const arrow::TypePtr& type, std::size_t member);
/// [a, b, c] of one type.
BoundFunction BindArray(const arrow::TypePtr& item, std::size_t count);

}  // namespace firn::filter
