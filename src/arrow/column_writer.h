#pragma once
// JSON values and text cells into one column of a given type. Inside the arrow module only (it shows simdjson).

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <simdjson.h>

#include "arrow/builder.h"
#include "arrow/json_parser.h"
#include "arrow/member_matcher.h"
#include "arrow/type.h"

namespace firn::arrow {

/// What is wrong with a value: `path` leads to it below its column (".size", "[2]"; empty for the value itself).
struct ValueProblem {
  ErrorKind kind = ErrorKind::kInvalidArgument;
  std::string path;
  std::string what;
  std::string hint;
};

/// Appends to one column. A call that returns false has set the problem and left the column unusable: the caller gives
/// up. `field` must outlive it. Not thread-safe.
class ColumnWriter {
 public:
  explicit ColumnWriter(const Field& field);

  [[nodiscard]] bool Append(simdjson::dom::element value, ValueProblem& problem);
  /// A CSV cell: scalars as text, everything else as JSON.
  [[nodiscard]] bool AppendText(std::string_view cell, JsonParser& parser, ValueProblem& problem);
  [[nodiscard]] bool AppendNull(ValueProblem& problem);

  /// About how many bytes the column has grown to, texts apart (they are as long as their source).
  std::size_t size_bytes() const { return size_bytes_; }
  /// The column so far; the writer starts again, empty.
  Array Finish();

 private:
  /// What to know of a type and of each below it.
  struct Plan {
    explicit Plan(const Field& field);
    const Field* field;
    std::size_t null_bytes;  // that one null takes
    std::unique_ptr<MemberMatcher> members;
    std::vector<Plan> children;
  };

  bool Charge(std::size_t bytes, ValueProblem& problem);
  bool Write(Plan& plan, Builder& to, simdjson::dom::element value, ValueProblem& problem);
  bool WriteNull(const Plan& plan, Builder& to, ValueProblem& problem);
  bool WriteList(Plan& plan, Builder& to, simdjson::dom::array items, ValueProblem& problem);
  bool WriteStruct(Plan& plan, Builder& to, simdjson::dom::object members, ValueProblem& problem);
  bool AppendVector(simdjson::dom::array items, ValueProblem& problem);
  template <class T>
  bool AppendItems(simdjson::dom::array items, ValueProblem& problem);
  Array FinishVectors();

  Plan plan_;
  std::size_t size_bytes_ = 0;
  std::size_t row_limit_bytes_ = 0;
  Builder builder_;
  // Vectors go past the builder, which would take their items one by one.
  bool is_vector_ = false;
  std::int64_t vectors_ = 0;
  std::vector<std::uint8_t> items_;
  BitmapBuilder validity_;
};

}  // namespace firn::arrow
