// Filters from outside: whatever the text, parsing, binding and selecting end in rows or an error.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "arrow/builder.h"
#include "base/clock.h"
#include "filter/filter.h"

namespace {

using firn::arrow::Builder;
using firn::arrow::Simple;
using firn::arrow::TypeId;
using firn::arrow::TypePtr;

void Append(Builder& to, int row) {
  if (row % 4 == 3) return to.AppendNull();
  switch (to.type().id) {
    case TypeId::kBool:
      return to.AppendBool(row % 2 == 0);
    case TypeId::kFloat32:
    case TypeId::kFloat64:
      return to.AppendFloating(row == 0 ? 0.0 : row == 1 ? 1e300 : -1.5);
    case TypeId::kUtf8:
    case TypeId::kLargeUtf8:
    case TypeId::kBinary:
      return to.AppendBytes(row == 0 ? "" : row == 1 ? "h\xc3\xa9llo 12" : "2024-01-01");
    case TypeId::kDecimal128:
      return to.Append<__int128>(row * 12345 - 7);
    case TypeId::kList:
      for (int i = 0; i < row; i++) Append(to.child(0), i);
      return to.CloseList();
    case TypeId::kStruct:
      for (std::size_t i = 0; i < to.type().children.size(); i++) Append(to.child(i), row);
      return to.CloseStruct();
    case TypeId::kUInt64:
      return to.Append<std::uint64_t>(row == 1 ? ~0ULL : 3);
    case TypeId::kInt64:
    case TypeId::kTimestamp:
      return to.AppendInteger(row == 0 ? INT64_MIN : row == 1 ? INT64_MAX : 1'700'000'000'000'000);
    default:
      return to.AppendInteger(row == 0 ? 0 : row == 1 ? 127 : 1);
  }
}

firn::arrow::RecordBatch MakeBatch() {
  const std::pair<const char*, TypePtr> fields[] = {
      {"a", Simple(TypeId::kInt64)},
      {"b", Simple(TypeId::kBool)},
      {"c", Simple(TypeId::kInt8)},
      {"u", Simple(TypeId::kUInt64)},
      {"f", Simple(TypeId::kFloat32)},
      {"g", Simple(TypeId::kFloat64)},
      {"s", Simple(TypeId::kUtf8)},
      {"t", Simple(TypeId::kLargeUtf8)},
      {"x", Simple(TypeId::kBinary)},
      {"d", Simple(TypeId::kDate32)},
      {"e", firn::arrow::Timestamp(firn::arrow::TimeUnit::kMicro)},
      {"z", firn::arrow::Timestamp(firn::arrow::TimeUnit::kNano, "UTC")},
      {"m", firn::arrow::Decimal128(10, 2)},
      {"l", firn::arrow::List(Simple(TypeId::kInt64))},
      {"k", firn::arrow::List(Simple(TypeId::kUtf8))},
      {"o", firn::arrow::Struct({{"p", Simple(TypeId::kInt64), true, {}}, {"q", Simple(TypeId::kUtf8), true, {}}})},
  };
  firn::arrow::Schema schema;
  firn::arrow::RecordBatch batch;
  for (const auto& [name, type] : fields) {
    schema.fields.push_back({name, type, true, {}});
    Builder builder(type);
    for (int row = 0; row < 5; row++) Append(builder, row);
    batch.columns.push_back(builder.Finish());
  }
  batch.schema = std::make_shared<const firn::arrow::Schema>(std::move(schema));
  batch.rows = 5;
  return batch;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const firn::arrow::RecordBatch batch = MakeBatch();
  static const firn::ManualClock clock;  // now() is the same in every run
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto predicate = firn::filter::ParseFilter(text, *batch.schema, clock);
  if (!predicate) {
    if (predicate.error().kind == firn::ErrorKind::kInternal || predicate.error().message.empty()) __builtin_trap();
    return 0;
  }
  static_cast<void>(predicate->ToString());
  const auto rows = predicate->Select(batch);
  if (!rows && rows.error().kind != firn::ErrorKind::kInvalidArgument) __builtin_trap();
  std::int64_t last = -1;
  for (const std::int64_t row : rows ? *rows : std::vector<std::int64_t>{}) {
    if (row <= last || row >= batch.rows) __builtin_trap();
    last = row;
  }
  return 0;
}
