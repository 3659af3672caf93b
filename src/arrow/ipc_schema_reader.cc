#include <string>

#include "arrow/ipc_format.h"
#include "arrow/ipc_schema.h"

namespace firn::arrow::ipc {
namespace {

constexpr int kMaxDepth = 64;

Error Foreign(const std::string& name, std::string_view type) {
  return Unsupported("column \"" + name + "\" is of Arrow type " + std::string(type) + ", which Firn does not read",
                     "Cast it before you send it");
}

class SchemaReader {
 public:
  // A field takes at least 16 bytes of metadata, and few writers share strings; schemas that unfold to more are
  // attacks.
  explicit SchemaReader(std::size_t metadata_bytes)
      : fields_left_(metadata_bytes / 16), characters_left_(4 * metadata_bytes) {}

  Result<WireSchema> Read(const FlatTable& table) {
    FIRN_TRY(const auto endianness, table.Scalar<std::int16_t>(schema::kEndianness, 0));
    if (endianness != 0) return Unsupported("Arrow data is big-endian", "Write it on a little-endian machine");
    Schema out;
    FIRN_TRY(out.metadata, ReadMetadata(table, schema::kMetadata));
    WireSchema wire;
    FIRN_TRY(wire.fields, ReadFields(table, schema::kFields, 0));
    for (const WireField& field : wire.fields) out.fields.push_back(field.field);
    wire.schema = std::make_shared<const Schema>(std::move(out));
    return wire;
  }

 private:
  Result<std::vector<WireField>> ReadFields(const FlatTable& table, int number, int depth) {
    FIRN_TRY(const FlatVector vector, table.Vector(number, 4));
    std::vector<WireField> fields;
    for (std::size_t i = 0; i < vector.count; i++) {
      FIRN_TRY(const FlatTable child, table.TableAt(vector, i));
      FIRN_TRY(WireField field, ReadField(child, depth));
      fields.push_back(std::move(field));
    }
    return fields;
  }

  Result<WireField> ReadField(const FlatTable& table, int depth) {
    if (depth > kMaxDepth) return Unsupported("Arrow types nest deeper than " + std::to_string(kMaxDepth));
    if (fields_left_ == 0) return DataCorruption("Arrow metadata has more fields than its size allows");
    fields_left_--;
    WireField wire;
    FIRN_TRY(wire.field.name, ReadText(table, field::kName));
    FIRN_TRY(const auto nullable, table.Scalar<std::uint8_t>(field::kNullable, 0));
    wire.field.nullable = nullable != 0;
    FIRN_TRY(wire.field.metadata, ReadMetadata(table, field::kMetadata));
    FIRN_TRY(wire.children, ReadFields(table, field::kChildren, depth + 1));
    FIRN_TRY(Type type, ReadType(table, wire));
    for (const WireField& child : wire.children) type.children.push_back(child.field);
    wire.field.type = std::make_shared<const Type>(std::move(type));

    FIRN_TRY(const auto dictionary, table.Table(field::kDictionary));
    if (!dictionary) return wire;
    if (!wire.children.empty() || wire.is_view) return Foreign(wire.field.name, "dictionary of nested or view values");
    FIRN_TRY(wire.dictionary_id, dictionary->Scalar<std::int64_t>(dictionary_encoding::kId, 0));
    FIRN_TRY(const auto index, dictionary->Table(dictionary_encoding::kIndexType));
    wire.index_type = Simple(TypeId::kInt32);  // when the writer left it out
    if (index) {
      FIRN_TRY(const TypeId id, ReadInteger(*index));
      wire.index_type = Simple(id);
    }
    return wire;
  }

  /// The type without its children; sees to it that there are as many as the type needs.
  Result<Type> ReadType(const FlatTable& table, WireField& wire) {
    FIRN_TRY(const auto kind, table.Scalar<std::uint8_t>(field::kTypeType, 0));
    FIRN_TRY(const FlatTable detail, table.RequiredTable(field::kType, "a field's type"));
    const std::string& name = wire.field.name;
    Type type;
    std::size_t children = 0;
    switch (static_cast<WireType>(kind)) {
      case WireType::kNull:
        type.id = TypeId::kNull;
        break;
      case WireType::kBool:
        type.id = TypeId::kBool;
        break;
      case WireType::kUtf8View:
        wire.is_view = true;
        [[fallthrough]];
      case WireType::kUtf8:
        type.id = TypeId::kUtf8;
        break;
      case WireType::kBinaryView:
        wire.is_view = true;
        [[fallthrough]];
      case WireType::kBinary:
        type.id = TypeId::kBinary;
        break;
      case WireType::kLargeUtf8:
        type.id = TypeId::kLargeUtf8;
        break;
      case WireType::kLargeBinary:
        type.id = TypeId::kLargeBinary;
        break;
      case WireType::kInt: {
        FIRN_TRY(type.id, ReadInteger(detail));
        break;
      }
      case WireType::kFloatingPoint: {
        FIRN_TRY(const auto precision, detail.Scalar<std::int16_t>(0, 0));
        if (precision < 0 || precision > 2)
          return DataCorruption("column \"" + name + "\" has an unknown float precision");
        type.id = precision == 0 ? TypeId::kFloat16 : precision == 1 ? TypeId::kFloat32 : TypeId::kFloat64;
        break;
      }
      case WireType::kDecimal: {
        type.id = TypeId::kDecimal128;
        FIRN_TRY(type.precision, detail.Scalar<std::int32_t>(0, 0));
        FIRN_TRY(type.scale, detail.Scalar<std::int32_t>(1, 0));
        FIRN_TRY(const auto bits, detail.Scalar<std::int32_t>(2, 128));
        if (bits != 128) return Foreign(name, "decimal of " + std::to_string(bits) + " bits");
        if (type.precision < 1 || type.precision > 38)
          return DataCorruption("column \"" + name + "\" has no valid precision");
        break;
      }
      case WireType::kDate: {
        FIRN_TRY(const auto unit, detail.Scalar<std::int16_t>(0, 1));
        type.id = unit == 0 ? TypeId::kDate32 : TypeId::kDate64;
        break;
      }
      case WireType::kTime: {
        FIRN_TRY(type.unit, ReadUnit(detail, 1, name));
        type.id = type.unit <= TimeUnit::kMilli ? TypeId::kTime32 : TypeId::kTime64;
        FIRN_TRY(const auto bits, detail.Scalar<std::int32_t>(1, 32));
        if (bits != (type.id == TypeId::kTime32 ? 32 : 64))
          return DataCorruption("column \"" + name + "\" has a unit and a width that do not fit");
        break;
      }
      case WireType::kTimestamp: {
        type.id = TypeId::kTimestamp;
        FIRN_TRY(type.unit, ReadUnit(detail, 0, name));
        FIRN_TRY(type.timezone, ReadText(detail, 1));
        break;
      }
      case WireType::kDuration: {
        type.id = TypeId::kDuration;
        FIRN_TRY(type.unit, ReadUnit(detail, 1, name));
        break;
      }
      case WireType::kFixedSizeBinary:
      case WireType::kFixedSizeList: {
        const bool list = static_cast<WireType>(kind) == WireType::kFixedSizeList;
        type.id = list ? TypeId::kFixedSizeList : TypeId::kFixedSizeBinary;
        FIRN_TRY(type.list_size, detail.Scalar<std::int32_t>(0, 0));
        if (type.list_size < 0) return DataCorruption("column \"" + name + "\" has a negative size");
        children = list ? 1 : 0;
        break;
      }
      case WireType::kList:
        type.id = TypeId::kList;
        children = 1;
        break;
      case WireType::kLargeList:
        type.id = TypeId::kLargeList;
        children = 1;
        break;
      case WireType::kStruct:
        type.id = TypeId::kStruct;
        children = wire.children.size();
        break;
      case WireType::kInterval:
        return Foreign(name, "interval");
      case WireType::kUnion:
        return Foreign(name, "union");
      case WireType::kMap:
        return Foreign(name, "map");
      case WireType::kRunEndEncoded:
        return Foreign(name, "run_end_encoded");
      case WireType::kListView:
      case WireType::kLargeListView:
        return Foreign(name, "list_view");
      default:
        return Foreign(name, "number " + std::to_string(kind));
    }
    if (wire.children.size() != children) {
      return DataCorruption("column \"" + name + "\" has " + std::to_string(wire.children.size()) +
                            " child fields, its type wants " + std::to_string(children));
    }
    return type;
  }

  static Result<TypeId> ReadInteger(const FlatTable& table) {
    FIRN_TRY(const auto bits, table.Scalar<std::int32_t>(0, 0));
    FIRN_TRY(const auto is_signed, table.Scalar<std::uint8_t>(1, 0));
    switch (bits) {
      case 8:
        return is_signed != 0 ? TypeId::kInt8 : TypeId::kUInt8;
      case 16:
        return is_signed != 0 ? TypeId::kInt16 : TypeId::kUInt16;
      case 32:
        return is_signed != 0 ? TypeId::kInt32 : TypeId::kUInt32;
      case 64:
        return is_signed != 0 ? TypeId::kInt64 : TypeId::kUInt64;
      default:
        return DataCorruption("Arrow metadata has an integer of " + std::to_string(bits) + " bits");
    }
  }

  static Result<TimeUnit> ReadUnit(const FlatTable& table, std::int16_t otherwise, const std::string& name) {
    FIRN_TRY(const auto unit, table.Scalar<std::int16_t>(0, otherwise));
    if (unit < 0 || unit > 3) return DataCorruption("column \"" + name + "\" has an unknown time unit");
    return static_cast<TimeUnit>(unit);
  }

  Result<std::string> ReadText(const FlatTable& table, int number) {
    FIRN_TRY(const std::string_view text, table.String(number));
    if (text.size() > characters_left_) return DataCorruption("Arrow metadata has more text than its size allows");
    characters_left_ -= text.size();
    return std::string(text);
  }

  Result<Metadata> ReadMetadata(const FlatTable& table, int number) {
    FIRN_TRY(const FlatVector pairs, table.Vector(number, 4));
    Metadata metadata;
    for (std::size_t i = 0; i < pairs.count; i++) {
      FIRN_TRY(const FlatTable pair, table.TableAt(pairs, i));
      FIRN_TRY(std::string key, ReadText(pair, key_value::kKey));
      FIRN_TRY(metadata[std::move(key)], ReadText(pair, key_value::kValue));
    }
    return metadata;
  }

  std::size_t fields_left_;
  std::size_t characters_left_;
};

}  // namespace

Result<WireSchema> ReadSchema(const FlatTable& table, std::size_t metadata_bytes) {
  return SchemaReader(metadata_bytes).Read(table);
}

}  // namespace firn::arrow::ipc
