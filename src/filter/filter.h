#pragma once
// The SQL predicate language that LanceDB users write: parse, bind to a schema, evaluate over columns.
//   Parse   text -> syntax tree; errors point at the place in the text
//   Bind    names and types against a schema; constants folded and coerced
//   Select  which rows of a batch are TRUE (three-valued logic: NULL is not TRUE)

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "arrow/array.h"
#include "base/clock.h"

namespace firn::filter {

struct SyntaxTree;
struct BoundTree;

/// A predicate bound to a schema. Immutable, thread-safe, cheap to copy.
class Predicate {
 public:
  explicit Predicate(std::shared_ptr<const BoundTree> tree);

  /// Top-level columns that it reads, each once, in the schema's order.
  std::span<const std::string> columns() const;
  /// Row numbers (ascending) for which the predicate is TRUE. `batch` has at least columns(), with the bound types.
  /// Runtime errors (a cast that fails, division by zero) are InvalidArgument naming the expression.
  Result<std::vector<std::int64_t>> Select(const arrow::RecordBatch& batch) const;
  /// The bound expression as text, for explain.
  std::string ToString() const;

 private:
  std::shared_ptr<const BoundTree> tree_;
};

/// Parses and binds. InvalidArgument: what is wrong, the column (1-based) in the text, the text with a caret below it,
/// and where a name is unknown the nearest column names. The text is at most 64 KiB and nests at most 200 deep. `clock`
/// gives now().
Result<Predicate> ParseFilter(std::string_view text, const arrow::Schema& schema, const Clock& clock = SystemClock());

}  // namespace firn::filter
