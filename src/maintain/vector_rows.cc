#include "maintain/vector_rows.h"

#include <cmath>
#include <numeric>

namespace firn::maintain {
namespace {

using arrow::TypeId;

void AppendFloats(std::vector<float>& out, const arrow::Array& items, TypeId type, std::int64_t begin,
                  std::int64_t end) {
  const auto append = [&]<class T>(T) {
    const std::span<const T> values = items.Values<T>();
    for (std::int64_t i = begin; i < end; i++) out.push_back(static_cast<float>(values[static_cast<std::size_t>(i)]));
  };
  switch (type) {
    case TypeId::kFloat32:
      return append(float{});
    case TypeId::kFloat64:
      return append(double{});
    case TypeId::kUInt8:
      return append(std::uint8_t{});
    case TypeId::kInt8:
      return append(std::int8_t{});
    default: {
      const std::span<const std::uint16_t> values = items.Values<std::uint16_t>();
      for (std::int64_t i = begin; i < end; i++) out.push_back(arrow::HalfToFloat(values[static_cast<std::size_t>(i)]));
    }
  }
}

}  // namespace

FloatRows ToFloats(const table::Snapshot::Piece& piece, std::span<const std::int64_t> rows) {
  const arrow::Array& column = piece.batch.columns.front();
  const arrow::Array& items = column.child(0);
  FloatRows out;
  out.dims = static_cast<std::size_t>(column.type().list_size);
  out.values.reserve(rows.size() * out.dims);
  for (const std::int64_t row : rows) {
    if (column.IsNull(row)) continue;
    const auto [begin, end] = column.ItemsAt(row);
    AppendFloats(out.values, items, column.type().children[0].type->id, begin, end);
    float sum = 0;  // not finite when any value is not
    for (std::size_t i = out.values.size() - out.dims; i < out.values.size(); i++) sum += out.values[i] * 0.0F;
    if (std::isfinite(sum)) {
      out.offsets.push_back(static_cast<std::uint32_t>(piece.OffsetOf(row)));
    } else {
      out.values.resize(out.values.size() - out.dims);
    }
  }
  return out;
}

std::vector<std::int64_t> PositionsOf(const table::Snapshot::Piece& piece) {
  if (!piece.every_row) return piece.selected;
  std::vector<std::int64_t> rows(static_cast<std::size_t>(piece.batch.rows));
  std::iota(rows.begin(), rows.end(), std::int64_t{0});
  return rows;
}

}  // namespace firn::maintain
