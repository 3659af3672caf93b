#include "filter/vector.h"

#include <cstring>

namespace firn::filter {
namespace {

using arrow::Array;
using arrow::TypeId;
using arrow::TypePtr;

template <class From, class To>
void LoadFixed(const Array& column, const Rows& rows, std::vector<To>& out) {
  const auto values = column.Values<From>();
  for (std::int64_t i = 0; i < rows.count; i++) out[i] = static_cast<To>(values[rows[i]]);
}

void LoadInts(const Array& column, const Rows& rows, std::vector<std::int64_t>& out) {
  switch (column.type().id) {
    case TypeId::kInt8:
      return LoadFixed<std::int8_t>(column, rows, out);
    case TypeId::kInt16:
      return LoadFixed<std::int16_t>(column, rows, out);
    case TypeId::kUInt8:
      return LoadFixed<std::uint8_t>(column, rows, out);
    case TypeId::kUInt16:
      return LoadFixed<std::uint16_t>(column, rows, out);
    case TypeId::kUInt32:
      return LoadFixed<std::uint32_t>(column, rows, out);
    case TypeId::kInt32:
    case TypeId::kDate32:
    case TypeId::kTime32:
      return LoadFixed<std::int32_t>(column, rows, out);
    default:
      return LoadFixed<std::int64_t>(column, rows, out);
  }
}

void LoadFloats(const Array& column, const Rows& rows, std::vector<double>& out) {
  if (column.type().id == TypeId::kFloat64) return LoadFixed<double>(column, rows, out);
  if (column.type().id == TypeId::kFloat32) return LoadFixed<float>(column, rows, out);
  const auto halves = column.Values<std::uint16_t>();
  for (std::int64_t i = 0; i < rows.count; i++) out[i] = arrow::HalfToFloat(halves[rows[i]]);
}

template <class Offset>
void LoadByOffsets(const Array& column, const Rows& rows, std::vector<std::string_view>& out) {
  const auto* offsets = reinterpret_cast<const Offset*>(column.data().data.data());
  const char* bytes = column.data().bytes.chars().data();
  for (std::int64_t i = 0; i < rows.count; i++) {
    const std::int64_t row = rows[i];
    out[i] = {bytes + offsets[row], static_cast<std::size_t>(offsets[row + 1] - offsets[row])};
  }
}

void LoadTexts(const Array& column, const Rows& rows, std::vector<std::string_view>& out) {
  // Also under nulls: the offsets are sound there, and the bytes are not looked at.
  if (column.type().id != TypeId::kFixedSizeBinary) {
    if (arrow::HasLargeOffsets(column.type().id)) return LoadByOffsets<std::int64_t>(column, rows, out);
    return LoadByOffsets<std::int32_t>(column, rows, out);
  }
  const auto size = static_cast<std::size_t>(column.type().list_size);
  const std::string_view bytes = column.data().data.chars();
  for (std::int64_t i = 0; i < rows.count; i++) out[i] = bytes.substr(static_cast<std::size_t>(rows[i]) * size, size);
}

/// Items of the wanted lists only, so that a selective filter does not convert whole columns.
Lists LoadLists(const Array& column, const Rows& rows) {
  Lists lists;
  lists.ranges.resize(static_cast<std::size_t>(rows.count));
  std::vector<std::int64_t> items;
  for (std::int64_t i = 0; i < rows.count; i++) {
    const std::int64_t row = rows[i];
    const auto begin = static_cast<std::int64_t>(items.size());
    if (!column.IsNull(row)) {
      const ItemRange range = column.ItemsAt(row);
      for (std::int64_t item = range.begin; item < range.end; item++) items.push_back(item);
    }
    lists.ranges[i] = {begin, static_cast<std::int64_t>(items.size())};
  }
  lists.items =
      std::make_shared<Vector>(Load(column.child(0), {0, static_cast<std::int64_t>(items.size()), items.data()}));
  return lists;
}

template <class T>
void PickFixed(std::span<const Vector> sources, std::span<const Pick> picks, Vector& out) {
  std::vector<T>& values = out.Get<T>();
  for (std::size_t i = 0; i < picks.size(); i++) {
    const Vector& from = sources[picks[i].source];
    if (from.IsNull(picks[i].row)) {
      SetNull(out, static_cast<std::int64_t>(i));
    } else {
      values[i] = from.Get<T>()[from.Slot(picks[i].row)];
    }
  }
}

void PickLists(std::span<const Vector> sources, std::span<const Pick> picks, Vector& out) {
  Lists lists;
  std::vector<Vector> items;
  std::vector<std::uint32_t> items_of(sources.size());
  for (std::size_t s = 0; s < sources.size(); s++) {
    if (sources[s].kind() != Kind::kList) continue;
    items_of[s] = static_cast<std::uint32_t>(items.size());
    items.push_back(*sources[s].lists().items);
  }
  std::vector<Pick> item_picks;
  for (std::size_t i = 0; i < picks.size(); i++) {
    const Vector& from = sources[picks[i].source];
    const auto begin = static_cast<std::int64_t>(item_picks.size());
    if (from.IsNull(picks[i].row)) {
      SetNull(out, static_cast<std::int64_t>(i));
    } else {
      const ItemRange range = from.lists().ranges[from.Slot(picks[i].row)];
      for (std::int64_t item = range.begin; item < range.end; item++)
        item_picks.push_back({items_of[picks[i].source], item});
    }
    lists.ranges.push_back({begin, static_cast<std::int64_t>(item_picks.size())});
  }
  lists.items = std::make_shared<Vector>(Interleave(out.type->children[0].type, items, item_picks));
  out.data = std::move(lists);
}

void PickMembers(std::span<const Vector> sources, std::span<const Pick> picks, Vector& out) {
  for (std::size_t i = 0; i < picks.size(); i++) {
    if (sources[picks[i].source].IsNull(picks[i].row)) SetNull(out, static_cast<std::int64_t>(i));
  }
  Members members;
  for (std::size_t m = 0; m < out.type->children.size(); m++) {
    const TypePtr& type = out.type->children[m].type;
    std::vector<Vector> columns;
    std::vector<Pick> slots(picks.begin(), picks.end());
    for (const Vector& source : sources) {
      columns.push_back(source.kind() == Kind::kStruct ? std::get<Members>(source.data).columns[m]
                                                       : NullVector(type, 1));
    }
    for (Pick& pick : slots) pick.row = sources[pick.source].Slot(pick.row);
    members.columns.push_back(Interleave(type, columns, slots));
  }
  out.data = std::move(members);
}

}  // namespace

Kind KindOf(const arrow::Type& type) {
  switch (type.id) {
    case TypeId::kNull:
      return Kind::kNull;
    case TypeId::kBool:
      return Kind::kBool;
    case TypeId::kUInt64:
      return Kind::kUInt;
    case TypeId::kFloat16:
    case TypeId::kFloat32:
    case TypeId::kFloat64:
      return Kind::kFloat;
    case TypeId::kDecimal128:
      return Kind::kDecimal;
    case TypeId::kUtf8:
    case TypeId::kLargeUtf8:
    case TypeId::kBinary:
    case TypeId::kLargeBinary:
    case TypeId::kFixedSizeBinary:
      return Kind::kText;
    case TypeId::kList:
    case TypeId::kLargeList:
    case TypeId::kFixedSizeList:
      return Kind::kList;
    case TypeId::kStruct:
      return Kind::kStruct;
    default:
      return Kind::kInt;
  }
}

bool Vector::IsNull(std::int64_t row) const {
  const Kind k = kind();
  if (k == Kind::kNull) return true;
  if (k == Kind::kBool) return Get<Truth>()[Slot(row)] == kUnknown;
  return !valid.empty() && valid[Slot(row)] == 0;
}

Vector MakeVector(const TypePtr& type, std::int64_t rows) {
  Vector v;
  v.type = type;
  v.rows = rows;
  const auto size = static_cast<std::size_t>(rows);
  switch (v.kind()) {
    case Kind::kNull:
    case Kind::kList:
    case Kind::kStruct:
      break;
    case Kind::kBool:
      v.data = std::vector<Truth>(size);
      break;
    case Kind::kInt:
      v.data = std::vector<std::int64_t>(size);
      break;
    case Kind::kUInt:
      v.data = std::vector<std::uint64_t>(size);
      break;
    case Kind::kFloat:
      v.data = std::vector<double>(size);
      break;
    case Kind::kDecimal:
      v.data = std::vector<Int128>(size);
      break;
    case Kind::kText:
      v.data = std::vector<std::string_view>(size);
      break;
  }
  return v;
}

Vector NullVector(const TypePtr& type, std::int64_t rows) {
  Vector v = MakeVector(type, 1);
  v.rows = rows;
  v.constant = true;
  switch (v.kind()) {
    case Kind::kNull:
      return v;
    case Kind::kBool:
      v.Get<Truth>()[0] = kUnknown;
      return v;
    case Kind::kList:
      v.data = Lists{{{0, 0}}, std::make_shared<Vector>(MakeVector(type->children[0].type, 0))};
      break;
    case Kind::kStruct: {
      Members members;
      for (const arrow::Field& field : type->children) members.columns.push_back(NullVector(field.type, 1));
      v.data = std::move(members);
      break;
    }
    default:
      break;
  }
  v.valid.assign(1, 0);
  return v;
}

Vector BoolVector(std::vector<Truth> truths) {
  Vector v;
  v.type = Bool();
  v.rows = static_cast<std::int64_t>(truths.size());
  v.data = std::move(truths);
  return v;
}

void SetNull(Vector& v, std::int64_t row) {
  if (v.kind() == Kind::kNull) return;
  if (v.kind() == Kind::kBool) {
    v.Get<Truth>()[v.Slot(row)] = kUnknown;
    return;
  }
  if (v.valid.empty()) v.valid.assign(static_cast<std::size_t>(v.stored()), 1);
  v.valid[v.Slot(row)] = 0;
}

void MergeNulls(Vector& result, std::span<const Vector* const> arguments) {
  for (const Vector* argument : arguments) {
    if (argument->valid.empty() && argument->kind() != Kind::kNull && argument->kind() != Kind::kBool) continue;
    for (std::int64_t i = 0; i < result.rows; i++) {
      if (argument->IsNull(i)) SetNull(result, i);
    }
  }
}

Vector Load(const Array& column, const Rows& rows) {
  Vector v = MakeVector(column.type_ptr(), rows.count);
  switch (v.kind()) {
    case Kind::kNull:
      return v;
    case Kind::kBool: {
      std::vector<Truth>& truths = v.Get<Truth>();
      for (std::int64_t i = 0; i < rows.count; i++) {
        const std::int64_t row = rows[i];
        truths[i] = column.IsNull(row) ? kUnknown : column.BoolAt(row) ? kTrue : kFalse;
      }
      return v;
    }
    case Kind::kInt:
      LoadInts(column, rows, v.Get<std::int64_t>());
      break;
    case Kind::kUInt:
      LoadFixed<std::uint64_t>(column, rows, v.Get<std::uint64_t>());
      break;
    case Kind::kFloat:
      LoadFloats(column, rows, v.Get<double>());
      break;
    case Kind::kDecimal: {
      const std::uint8_t* bytes = column.data().data.data();
      std::vector<Int128>& out = v.Get<Int128>();
      for (std::int64_t i = 0; i < rows.count; i++) std::memcpy(&out[i], bytes + rows[i] * 16, 16);
      break;
    }
    case Kind::kText:
      LoadTexts(column, rows, v.Get<std::string_view>());
      break;
    case Kind::kList:
      v.data = LoadLists(column, rows);
      break;
    case Kind::kStruct: {
      Members members;
      for (const Array& child : column.data().children) members.columns.push_back(Load(child, rows));
      v.data = std::move(members);
      break;
    }
  }
  if (column.null_count() > 0) {
    v.valid.resize(static_cast<std::size_t>(rows.count));
    for (std::int64_t i = 0; i < rows.count; i++) v.valid[i] = column.IsNull(rows[i]) ? 0 : 1;
  }
  return v;
}

Vector Interleave(const TypePtr& type, std::span<const Vector> sources, std::span<const Pick> picks) {
  Vector out = MakeVector(type, static_cast<std::int64_t>(picks.size()));
  for (const Vector& source : sources) out.owners.insert(out.owners.end(), source.owners.begin(), source.owners.end());
  switch (out.kind()) {
    case Kind::kNull:
      break;
    case Kind::kBool:
      PickFixed<Truth>(sources, picks, out);
      break;
    case Kind::kInt:
      PickFixed<std::int64_t>(sources, picks, out);
      break;
    case Kind::kUInt:
      PickFixed<std::uint64_t>(sources, picks, out);
      break;
    case Kind::kFloat:
      PickFixed<double>(sources, picks, out);
      break;
    case Kind::kDecimal:
      PickFixed<Int128>(sources, picks, out);
      break;
    case Kind::kText:
      PickFixed<std::string_view>(sources, picks, out);
      break;
    case Kind::kList:
      PickLists(sources, picks, out);
      break;
    case Kind::kStruct:
      PickMembers(sources, picks, out);
      break;
  }
  return out;
}

Status TextWriter::Close() {
  if (full_) {
    return InvalidArgument("makes more than 16 MiB of text in one step", "compute shorter strings");
  }
  ends_.push_back(bytes_.size());
  return {};
}

Vector TextWriter::Finish(const TypePtr& type) {
  auto owner = std::make_shared<const std::string>(std::move(bytes_));
  const std::string_view all = *owner;
  Vector v = MakeVector(type, static_cast<std::int64_t>(ends_.size()));
  std::vector<std::string_view>& texts = v.Get<std::string_view>();
  std::size_t begin = 0;
  for (std::size_t i = 0; i < ends_.size(); i++) {
    texts[i] = all.substr(begin, ends_[i] - begin);
    begin = ends_[i];
  }
  v.owners.push_back(std::move(owner));
  return v;
}

TypePtr Utf8() { return arrow::Simple(TypeId::kUtf8); }
TypePtr Int64() { return arrow::Simple(TypeId::kInt64); }
TypePtr Float64() { return arrow::Simple(TypeId::kFloat64); }
TypePtr Bool() { return arrow::Simple(TypeId::kBool); }
TypePtr Null() { return arrow::Simple(TypeId::kNull); }

}  // namespace firn::filter
