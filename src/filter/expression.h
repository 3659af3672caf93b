#pragma once
// The bound tree: every node knows its type and computes itself over the rows of a chunk.

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "filter/compare.h"
#include "filter/lexer.h"
#include "filter/vector.h"

namespace firn::filter {

/// What a node sees while it computes. Columns are in BoundTree::columns' order.
struct Context {
  std::string_view text;  // the filter, for errors
  std::vector<const arrow::Array*> columns;
};

/// Immutable, thread-safe.
class Expression {
 public:
  Expression(arrow::TypePtr type, Span span) : type_(std::move(type)), span_(span) {}
  virtual ~Expression() = default;

  virtual Result<Vector> Evaluate(const Context& context, const Rows& rows) const = 0;
  virtual std::string ToString() const = 0;
  /// Whether some value can make it fail. What cannot fail may be computed for rows that do not matter.
  virtual bool CanFail() const { return false; }
  /// The value, when it is the same for every row.
  virtual const Vector* Literal() const { return nullptr; }
  /// Made by MakeColumn.
  virtual bool IsColumn() const { return false; }

  const arrow::TypePtr& type() const { return type_; }
  Span span() const { return span_; }

 protected:
  arrow::TypePtr type_;
  Span span_;
};
using ExpressionPtr = std::shared_ptr<const Expression>;

struct BoundTree {
  std::string text;
  ExpressionPtr root;  // of type bool
  std::vector<std::string> columns;
  std::vector<arrow::TypePtr> column_types;
};

/// A function over whole vectors: arguments (constant ones marked so), then the number of rows.
using Kernel = std::function<Result<Vector>(std::span<const Vector> arguments, std::int64_t rows)>;

/// `value` is constant. Text in it must be owned by it.
ExpressionPtr MakeLiteral(Vector value, Span span);
/// `path` leads from the column through struct members.
ExpressionPtr MakeColumn(arrow::TypePtr type, Span span, std::size_t column, std::vector<std::size_t> path,
                         std::string name);
/// column op literal; `column` IsColumn, `literal` has the column's own type and is not null.
ExpressionPtr MakeColumnComparison(Span span, Comparison op, ExpressionPtr column, ExpressionPtr literal);
struct CallTraits {
  bool can_fail = false;
  bool keeps_nulls = false;  // the kernel handles nulls itself; else NULL in any argument is NULL out
};
ExpressionPtr MakeCall(std::string name, arrow::TypePtr type, Span span, std::vector<ExpressionPtr> arguments,
                       Kernel kernel, CallTraits traits);
/// Kleene AND / OR over two or more; a row that is settled is not looked at by later terms that can fail.
ExpressionPtr MakeLogic(bool is_and, Span span, std::vector<ExpressionPtr> terms);
/// value IS NULL; of a column it looks at the validity alone.
ExpressionPtr MakeIsNull(Span span, ExpressionPtr value);
ExpressionPtr MakeNot(Span span, ExpressionPtr value);
/// CASE: conditions.size() values, then the value for the rest. All values have `type`. Only the rows that a branch
/// answers are computed in it.
ExpressionPtr MakeCase(arrow::TypePtr type, Span span, std::vector<ExpressionPtr> conditions,
                       std::vector<ExpressionPtr> values);
/// The first that is not null. All have `type`.
ExpressionPtr MakeCoalesce(arrow::TypePtr type, Span span, std::vector<ExpressionPtr> values);

}  // namespace firn::filter
