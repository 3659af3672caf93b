// Random expressions against a reference that looks at one row at a time and knows nothing of chunks, selections or
// constants.

#include <gtest/gtest.h>

#include <functional>
#include <optional>

#include "arrow/builder.h"
#include "base/random.h"
#include "filter/filter.h"

namespace firn::filter {
namespace {

using Number = std::optional<std::int64_t>;
using Bool3 = std::optional<bool>;

struct Columns {
  std::vector<Number> a;  // small numbers
  std::vector<Number> b;  // any numbers
  std::vector<Bool3> p;
  arrow::RecordBatch batch;
};

Columns MakeColumns(Random& random, std::int64_t rows) {
  Columns columns;
  arrow::Builder a(arrow::Simple(arrow::TypeId::kInt32));
  arrow::Builder b(arrow::Simple(arrow::TypeId::kInt64));
  arrow::Builder p(arrow::Simple(arrow::TypeId::kBool));
  const std::uint64_t null_share = random.Below(4);  // sometimes no nulls at all
  const auto null = [&] { return random.Below(8) < null_share; };
  for (std::int64_t i = 0; i < rows; i++) {
    columns.a.push_back(null() ? Number() : Number(static_cast<std::int64_t>(random.Below(9)) - 4));
    columns.b.push_back(null() ? Number() : Number(static_cast<std::int64_t>(random.Next())));
    columns.p.push_back(null() ? Bool3() : Bool3(random.Below(2) == 0));
    columns.a.back() ? a.AppendInteger(*columns.a.back()) : a.AppendNull();
    columns.b.back() ? b.AppendInteger(*columns.b.back()) : b.AppendNull();
    columns.p.back() ? p.AppendBool(*columns.p.back()) : p.AppendNull();
  }
  columns.batch.rows = rows;
  columns.batch.columns = {a.Finish(), b.Finish(), p.Finish()};
  columns.batch.schema =
      std::make_shared<const arrow::Schema>(arrow::Schema{{{"a", arrow::Simple(arrow::TypeId::kInt32), true, {}},
                                                           {"b", arrow::Simple(arrow::TypeId::kInt64), true, {}},
                                                           {"p", arrow::Simple(arrow::TypeId::kBool), true, {}}},
                                                          {}});
  return columns;
}

struct NumberExpression {
  std::string text;
  std::function<Number(std::size_t row)> value;
};
struct BoolExpression {
  std::string text;
  std::function<Bool3(std::size_t row)> value;
};

class Generator {
 public:
  Generator(Random& random, const Columns& columns) : random_(random), columns_(columns) {}

  NumberExpression MakeNumber(int depth) {
    switch (random_.Below(depth > 0 ? 7 : 3)) {
      case 0:
        return {"a", [this](std::size_t r) { return columns_.a[r]; }};
      case 1:
        return {"b", [this](std::size_t r) { return columns_.b[r]; }};
      case 2: {
        const std::int64_t n = static_cast<std::int64_t>(random_.Below(7)) - 3;
        return {"CAST(" + std::to_string(n) + " AS BIGINT)", [n](std::size_t) { return n; }};
      }
      case 3: {
        NumberExpression x = MakeNumber(depth - 1);
        NumberExpression y = MakeNumber(depth - 1);
        BoolExpression when = MakeBool(depth - 1);
        return {"CASE WHEN " + when.text + " THEN " + x.text + " ELSE " + y.text + " END",
                [=](std::size_t r) { return when.value(r).value_or(false) ? x.value(r) : y.value(r); }};
      }
      case 4: {
        NumberExpression x = MakeNumber(depth - 1);
        NumberExpression y = MakeNumber(depth - 1);
        return {"COALESCE(" + x.text + ", " + y.text + ")",
                [=](std::size_t r) { return x.value(r) ? x.value(r) : y.value(r); }};
      }
      default: {
        NumberExpression x = MakeNumber(depth - 1);
        NumberExpression y = MakeNumber(depth - 1);
        const char op = "+-*"[random_.Below(3)];
        // In 64 bits on both sides, where sums wrap around.
        return {"(CAST(" + x.text + " AS BIGINT) " + op + " " + y.text + ")", [=](std::size_t r) -> Number {
                  const Number u = x.value(r);
                  const Number v = y.value(r);
                  if (!u || !v) return std::nullopt;
                  const auto m = static_cast<std::uint64_t>(*u);
                  const auto n = static_cast<std::uint64_t>(*v);
                  return static_cast<std::int64_t>(op == '+' ? m + n : op == '-' ? m - n : m * n);
                }};
      }
    }
  }

  BoolExpression MakeBool(int depth) {
    switch (random_.Below(depth > 0 ? 9 : 2)) {
      case 0:
        return {"p", [this](std::size_t r) { return columns_.p[r]; }};
      case 1:
        return Literal();
      case 2: {
        BoolExpression x = MakeBool(depth - 1);
        return {"NOT " + x.text, [=](std::size_t r) -> Bool3 { return x.value(r) ? Bool3(!*x.value(r)) : Bool3(); }};
      }
      case 3:
      case 4:
        return Chain(depth);
      case 5:
        return In(depth);
      case 6: {
        BoolExpression x = MakeBool(depth - 1);
        const bool wanted = random_.Below(2) == 0;
        return {"((" + x.text + ") IS " + (wanted ? "TRUE" : "NOT FALSE") + ")", [=](std::size_t r) -> Bool3 {
                  const Bool3 v = x.value(r);
                  return wanted ? v.has_value() && *v : !v.has_value() || *v;
                }};
      }
      case 7: {
        NumberExpression x = MakeNumber(depth - 1);
        return {"((" + x.text + ") IS NULL)", [=](std::size_t r) -> Bool3 { return !x.value(r).has_value(); }};
      }
      default:
        return Comparison(depth);
    }
  }

 private:
  BoolExpression Literal() {
    const std::uint64_t which = random_.Below(3);
    const Bool3 value = which == 0 ? Bool3() : Bool3(which == 1);
    return {which == 0 ? "NULL" : which == 1 ? "TRUE" : "FALSE", [value](std::size_t) { return value; }};
  }

  BoolExpression Comparison(int depth) {
    NumberExpression x = MakeNumber(depth - 1);
    NumberExpression y = MakeNumber(depth - 1);
    static constexpr const char* kSymbols[] = {"=", "<>", "<", "<=", ">", ">="};
    const std::uint64_t op = random_.Below(6);
    return {"(" + x.text + " " + kSymbols[op] + " " + y.text + ")", [=](std::size_t r) -> Bool3 {
              const Number u = x.value(r);
              const Number v = y.value(r);
              if (!u || !v) return std::nullopt;
              const bool results[] = {*u == *v, *u != *v, *u<*v, *u <= *v, *u> * v, *u >= *v};
              return results[op];
            }};
  }

  BoolExpression Chain(int depth) {
    const bool is_and = random_.Below(2) == 0;
    std::vector<BoolExpression> terms;
    std::string text = "(";
    for (std::uint64_t i = 0; i < 2 + random_.Below(3); i++) {
      terms.push_back(MakeBool(depth - 1));
      text += (i > 0 ? (is_and ? " AND " : " OR ") : "") + terms.back().text;
    }
    return {text + ")", [=](std::size_t r) -> Bool3 {
              bool unknown = false;
              for (const BoolExpression& term : terms) {
                const Bool3 v = term.value(r);
                if (v && *v != is_and) return !is_and;
                unknown = unknown || !v;
              }
              return unknown ? Bool3() : Bool3(is_and);
            }};
  }

  BoolExpression In(int depth) {
    NumberExpression x = MakeNumber(depth - 1);
    std::vector<NumberExpression> items;
    std::string text = "(" + x.text + " IN (";
    for (std::uint64_t i = 0; i < 1 + random_.Below(4); i++) {
      items.push_back(MakeNumber(static_cast<int>(random_.Below(2)) * (depth - 1)));
      text += (i > 0 ? ", " : "") + items.back().text;
    }
    return {text + "))", [=](std::size_t r) -> Bool3 {
              const Number v = x.value(r);
              if (!v) return std::nullopt;
              bool unknown = false;
              for (const NumberExpression& item : items) {
                const Number other = item.value(r);
                if (other && *other == *v) return true;
                unknown = unknown || !other;
              }
              return unknown ? Bool3() : Bool3(false);
            }};
  }

  Random& random_;
  const Columns& columns_;
};

TEST(FilterProperty, RandomExpressionsAgreeWithARowAtATimeReference) {
  Random random(20240229);
  int compared = 0;
  for (int round = 0; round < 60; round++) {
    const Columns columns = MakeColumns(random, static_cast<std::int64_t>(random.Below(round % 10 == 0 ? 9000 : 60)));
    Generator generator(random, columns);
    for (int i = 0; i < 40; i++) {
      const BoolExpression expression = generator.MakeBool(4);
      const auto predicate = ParseFilter(expression.text, *columns.batch.schema);
      ASSERT_TRUE(predicate) << expression.text << "\n" << predicate.error().ToString();
      const auto rows = predicate->Select(columns.batch);
      ASSERT_TRUE(rows) << expression.text << "\n" << rows.error().ToString();
      std::vector<std::int64_t> expected;
      for (std::int64_t r = 0; r < columns.batch.rows; r++) {
        if (expression.value(static_cast<std::size_t>(r)).value_or(false)) expected.push_back(r);
      }
      ASSERT_EQ(*rows, expected) << expression.text;
      compared++;
    }
  }
  EXPECT_EQ(compared, 2400);
}

}  // namespace
}  // namespace firn::filter
