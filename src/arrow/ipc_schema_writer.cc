#include "arrow/ipc_format.h"
#include "arrow/ipc_schema.h"

namespace firn::arrow::ipc {
namespace {

WireType WireTypeOf(TypeId id) {
  switch (id) {
    case TypeId::kNull:
      return WireType::kNull;
    case TypeId::kBool:
      return WireType::kBool;
    case TypeId::kInt8:
    case TypeId::kInt16:
    case TypeId::kInt32:
    case TypeId::kInt64:
    case TypeId::kUInt8:
    case TypeId::kUInt16:
    case TypeId::kUInt32:
    case TypeId::kUInt64:
      return WireType::kInt;
    case TypeId::kFloat16:
    case TypeId::kFloat32:
    case TypeId::kFloat64:
      return WireType::kFloatingPoint;
    case TypeId::kDecimal128:
      return WireType::kDecimal;
    case TypeId::kDate32:
    case TypeId::kDate64:
      return WireType::kDate;
    case TypeId::kTime32:
    case TypeId::kTime64:
      return WireType::kTime;
    case TypeId::kTimestamp:
      return WireType::kTimestamp;
    case TypeId::kDuration:
      return WireType::kDuration;
    case TypeId::kUtf8:
      return WireType::kUtf8;
    case TypeId::kLargeUtf8:
      return WireType::kLargeUtf8;
    case TypeId::kBinary:
      return WireType::kBinary;
    case TypeId::kLargeBinary:
      return WireType::kLargeBinary;
    case TypeId::kFixedSizeBinary:
      return WireType::kFixedSizeBinary;
    case TypeId::kList:
      return WireType::kList;
    case TypeId::kLargeList:
      return WireType::kLargeList;
    case TypeId::kFixedSizeList:
      return WireType::kFixedSizeList;
    case TypeId::kStruct:
      return WireType::kStruct;
  }
  return WireType::kNone;
}

/// The table that says the type's parameters.
void WriteType(FlatWriter& writer, std::size_t slot, const Type& type) {
  const auto unit = static_cast<std::int16_t>(type.unit);
  switch (WireTypeOf(type.id)) {
    case WireType::kInt:
      writer.AddTable(slot, {FlatScalar(0, static_cast<std::int32_t>(BitWidth(type))),
                             FlatScalar(1, static_cast<std::uint8_t>(IsSigned(type.id) ? 1 : 0))});
      return;
    case WireType::kFloatingPoint:
      writer.AddTable(slot, {FlatScalar(0, static_cast<std::int16_t>(BitWidth(type) / 32))});  // 16, 32, 64: 0, 1, 2
      return;
    case WireType::kDecimal:
      writer.AddTable(slot,
                      {FlatScalar(0, type.precision), FlatScalar(1, type.scale), FlatScalar(2, std::int32_t{128})});
      return;
    case WireType::kDate:
      writer.AddTable(slot, {FlatScalar(0, static_cast<std::int16_t>(type.id == TypeId::kDate32 ? 0 : 1))});
      return;
    case WireType::kTime:
      writer.AddTable(slot, {FlatScalar(0, unit), FlatScalar(1, static_cast<std::int32_t>(BitWidth(type)))});
      return;
    case WireType::kTimestamp: {
      if (type.timezone.empty()) {
        writer.AddTable(slot, {FlatScalar(0, unit)});
        return;
      }
      const std::size_t table = writer.AddTable(slot, {FlatScalar(0, unit), FlatReference(1)});
      writer.AddString(writer.SlotOf(table, 1), type.timezone);
      return;
    }
    case WireType::kDuration:
      writer.AddTable(slot, {FlatScalar(0, unit)});
      return;
    case WireType::kFixedSizeBinary:
    case WireType::kFixedSizeList:
      writer.AddTable(slot, {FlatScalar(0, type.list_size)});
      return;
    default:
      writer.AddTable(slot, {});
      return;
  }
}

void WriteMetadata(FlatWriter& writer, std::size_t slot, const Metadata& metadata) {
  std::size_t pair_slot = writer.AddReferences(slot, metadata.size());
  for (const auto& [key, value] : metadata) {
    const std::size_t pair =
        writer.AddTable(pair_slot, {FlatReference(key_value::kKey), FlatReference(key_value::kValue)});
    writer.AddString(writer.SlotOf(pair, key_value::kKey), key);
    writer.AddString(writer.SlotOf(pair, key_value::kValue), value);
    pair_slot += 4;
  }
}

void WriteFields(FlatWriter& writer, std::size_t slot, const std::vector<Field>& fields);

void WriteField(FlatWriter& writer, std::size_t slot, const Field& field) {
  std::vector<FlatField> members = {FlatReference(field::kName),
                                    FlatScalar(field::kNullable, static_cast<std::uint8_t>(field.nullable ? 1 : 0)),
                                    FlatScalar(field::kTypeType, static_cast<std::uint8_t>(WireTypeOf(field.type->id))),
                                    FlatReference(field::kType), FlatReference(field::kChildren)};
  if (!field.metadata.empty()) members.push_back(FlatReference(field::kMetadata));
  const std::size_t table = writer.AddTable(slot, members);
  writer.AddString(writer.SlotOf(table, field::kName), field.name);
  WriteType(writer, writer.SlotOf(table, field::kType), *field.type);
  WriteFields(writer, writer.SlotOf(table, field::kChildren), field.type->children);
  if (!field.metadata.empty()) WriteMetadata(writer, writer.SlotOf(table, field::kMetadata), field.metadata);
}

void WriteFields(FlatWriter& writer, std::size_t slot, const std::vector<Field>& fields) {
  std::size_t field_slot = writer.AddReferences(slot, fields.size());
  for (const Field& field : fields) {
    WriteField(writer, field_slot, field);
    field_slot += 4;
  }
}

}  // namespace

void WriteSchema(FlatWriter& writer, std::size_t slot, const Schema& schema) {
  std::vector<FlatField> members = {FlatScalar(schema::kEndianness, std::int16_t{0}), FlatReference(schema::kFields)};
  if (!schema.metadata.empty()) members.push_back(FlatReference(schema::kMetadata));
  const std::size_t table = writer.AddTable(slot, members);
  WriteFields(writer, writer.SlotOf(table, schema::kFields), schema.fields);
  if (!schema.metadata.empty()) WriteMetadata(writer, writer.SlotOf(table, schema::kMetadata), schema.metadata);
}

}  // namespace firn::arrow::ipc
