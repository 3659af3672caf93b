// Arbitrary bytes as a Lance data file. Input: [u8 type of the column, an index into ColumnTypes()][the file].
// Whatever it holds: an error, or well-formed arrays as long as asked; bounded memory.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "arrow/array.h"
#include "lance/file_metadata.h"
#include "lance/fragment_reader.h"
#include "lance/schema.h"
#include "store/memory/memory_store.h"

namespace firn {
namespace {

using arrow::Simple;
using arrow::TypeId;

struct ColumnType {
  arrow::TypePtr type;
  bool packed = false;  // a struct in a column of its own
};

/// The order is that of make_data_file_seeds.py.
std::vector<ColumnType> ColumnTypes() {
  const arrow::TypePtr i32 = Simple(TypeId::kInt32);
  const arrow::TypePtr i64 = Simple(TypeId::kInt64);
  const arrow::TypePtr f32 = Simple(TypeId::kFloat32);
  const arrow::TypePtr utf8 = Simple(TypeId::kUtf8);
  const arrow::TypePtr ab = arrow::Struct({{"a", i32, true, {}}, {"b", utf8, true, {}}});
  return {{i64},
          {Simple(TypeId::kUInt8)},
          {i32},
          {Simple(TypeId::kFloat64)},
          {Simple(TypeId::kBool)},
          {utf8},
          {Simple(TypeId::kLargeUtf8)},
          {arrow::FixedSizeBinary(7)},
          {arrow::Decimal128(20, 2)},
          {Simple(TypeId::kNull)},
          {arrow::FixedSizeList(f32, 4)},
          {arrow::FixedSizeList(f32, 96)},
          {arrow::FixedSizeList(Simple(TypeId::kBool), 9)},
          {arrow::FixedSizeList(arrow::FixedSizeList(f32, 3), 2)},
          {arrow::List(i32)},
          {arrow::List(utf8)},
          {arrow::LargeList(i64)},
          {arrow::List(arrow::List(i32))},
          {ab},
          {arrow::List(ab)},
          {arrow::Struct({{"l", arrow::List(i32), true, {}}})},
          {arrow::Struct({{"a", i32, true, {}}, {"b", Simple(TypeId::kFloat64), true, {}}}), true},
          {ab, true},
          {arrow::List(arrow::FixedSizeList(f32, 96))}};
}

constexpr std::uint64_t kMaxRows = 5000;

/// Rows that the file itself says its first column has; 0 when it does not parse or has too many.
std::uint64_t RowsOf(ByteSpan file) {
  const auto footer = lance::ParseFooter(file, file.size());
  if (!footer || footer->column_count == 0) return 0;
  const lance::ByteRange entry = footer->TableEntry(0);
  const auto range = lance::ParseTableEntry(file.subspan(entry.offset, entry.length), *footer);
  if (!range) return 0;
  const auto column = lance::ParseColumn(file.subspan(range->offset, range->length), *footer);
  return column && column->rows <= kMaxRows ? column->rows : 0;
}

void ReadRows(const lance::ReadContext& context, const lance::Fragment& fragment, const lance::RowSelection& rows) {
  const lance::FragmentRead read{&fragment, rows};
  const std::string column = "c";
  const auto batches = lance::ReadFragments(context, {&read, 1}, {&column, 1}, Deadline::Never());
  if (!batches) return;
  std::uint64_t got = 0;
  for (const arrow::RecordBatch& batch : batches->at(0)) {
    if (!arrow::Validate(batch.columns[0], column)) std::abort();
    got += static_cast<std::uint64_t>(batch.rows);
  }
  if (got != rows.Count()) std::abort();
}

void ReadFile(const ColumnType& column, ByteSpan file) {
  const std::uint64_t rows = RowsOf(file);
  if (rows == 0) return;
  const auto schema = lance::FromArrow(arrow::Schema{{{"c", column.type, true, {}}}, {}});
  if (!schema) std::abort();
  lance::Fragment fragment;
  fragment.physical_rows = rows;
  lance::DataFile data;
  data.path = "f";
  data.size_bytes = file.size();
  if (column.packed) {
    data.field_ids = {schema->fields[0].id};
  } else {
    for (const lance::Field* leaf : lance::LeavesOf(*schema, schema->fields[0])) data.field_ids.push_back(leaf->id);
  }
  for (std::size_t i = 0; i < data.field_ids.size(); i++) data.column_indices.push_back(static_cast<std::int32_t>(i));
  fragment.files.push_back(std::move(data));

  const auto store = store::OpenMemory("fuzz", SystemClock());
  if (!store->Put("data/f", file, store::PutCondition::kNone, Deadline::Never())) std::abort();
  lance::FileMetadataCache cache;
  const lance::ReadContext context{*store, "", *schema, cache};
  ReadRows(context, fragment, lance::RowSelection::Rows(0, rows));
  lance::RowSelection some;
  for (std::uint64_t row = rows / 3; row < rows; row += 1 + rows / 5) some.ranges.push_back({row, row + 1});
  ReadRows(context, fragment, some);
}

}  // namespace
}  // namespace firn

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::vector<firn::ColumnType> types = firn::ColumnTypes();
  if (size == 0) return 0;
  firn::ReadFile(types[data[0] % types.size()], {data + 1, size - 1});
  return 0;
}
