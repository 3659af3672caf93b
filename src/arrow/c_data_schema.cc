// Schemas across the C Data Interface: format strings and metadata.
#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <string>

#include "arrow/c_data.h"
#include "arrow/c_data_type.h"

namespace firn::arrow {
namespace {

constexpr int kMaxDepth = 64;

struct FormatName {
  std::string_view format;
  TypeId id;
};
/// The formats without parameters.
constexpr std::array kFormats = std::to_array<FormatName>({
    {"n", TypeId::kNull},        {"b", TypeId::kBool},     {"c", TypeId::kInt8},      {"C", TypeId::kUInt8},
    {"s", TypeId::kInt16},       {"S", TypeId::kUInt16},   {"i", TypeId::kInt32},     {"I", TypeId::kUInt32},
    {"l", TypeId::kInt64},       {"L", TypeId::kUInt64},   {"e", TypeId::kFloat16},   {"f", TypeId::kFloat32},
    {"g", TypeId::kFloat64},     {"u", TypeId::kUtf8},     {"U", TypeId::kLargeUtf8}, {"z", TypeId::kBinary},
    {"Z", TypeId::kLargeBinary}, {"tdD", TypeId::kDate32}, {"tdm", TypeId::kDate64},  {"+l", TypeId::kList},
    {"+L", TypeId::kLargeList},  {"+s", TypeId::kStruct},
});

constexpr std::string_view kUnits = "smun";

Error Foreign(const std::string& name, std::string_view format) {
  return Unsupported(
      "column \"" + name + "\" has the Arrow format \"" + std::string(format) + "\", which Firn does not read",
      "Cast it before you hand it over");
}

/// All of `text` as a number.
bool ReadNumber(std::string_view text, std::int32_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

/// "10,2", and perhaps the width in bits.
bool ReadDecimal(std::string_view text, Type& type) {
  const std::size_t comma = text.find(',');
  if (comma == std::string_view::npos) return false;
  if (const std::size_t width = text.find(',', comma + 1); width != std::string_view::npos) {
    if (text.substr(width) != ",128") return false;
    text = text.substr(0, width);
  }
  type.id = TypeId::kDecimal128;
  return ReadNumber(text.substr(0, comma), type.precision) && ReadNumber(text.substr(comma + 1), type.scale) &&
         type.precision >= 1 && type.precision <= 38;
}

/// False when the format is none that Firn has.
bool ReadFormat(std::string_view format, Type& type) {
  for (const FormatName& name : kFormats) {
    if (format == name.format) {
      type.id = name.id;
      return true;
    }
  }
  if (format.starts_with("d:")) return ReadDecimal(format.substr(2), type);
  if (format.starts_with("w:") || format.starts_with("+w:")) {
    type.id = format[0] == 'w' ? TypeId::kFixedSizeBinary : TypeId::kFixedSizeList;
    return ReadNumber(format.substr(format.find(':') + 1), type.list_size) && type.list_size >= 0;
  }
  if (format.size() < 3 || format[0] != 't') return false;
  const std::size_t unit = kUnits.find(format[2]);
  if (unit == std::string_view::npos) return false;
  type.unit = static_cast<TimeUnit>(unit);
  if (format[1] == 's') {
    type.id = TypeId::kTimestamp;
    if (format.size() < 4 || format[3] != ':') return false;
    type.timezone = format.substr(4);
    return true;
  }
  if (format.size() != 3) return false;
  if (format[1] == 'D') type.id = TypeId::kDuration;
  if (format[1] == 't') type.id = unit <= 1 ? TypeId::kTime32 : TypeId::kTime64;
  return format[1] == 'D' || format[1] == 't';
}

std::string FormatOf(const Type& type) {
  const std::string unit(1, kUnits[static_cast<std::size_t>(type.unit)]);
  switch (type.id) {
    case TypeId::kDecimal128:
      return "d:" + std::to_string(type.precision) + "," + std::to_string(type.scale);
    case TypeId::kTime32:
    case TypeId::kTime64:
      return "tt" + unit;
    case TypeId::kTimestamp:
      return "ts" + unit + ":" + type.timezone;
    case TypeId::kDuration:
      return "tD" + unit;
    case TypeId::kFixedSizeBinary:
      return "w:" + std::to_string(type.list_size);
    case TypeId::kFixedSizeList:
      return "+w:" + std::to_string(type.list_size);
    default:
      for (const FormatName& name : kFormats) {
        if (name.id == type.id) return std::string(name.format);
      }
      return "n";
  }
}

/// Pairs behind their count: | count i32 | size i32 | key | size i32 | value | ...
Metadata ReadMetadata(const char* at) {
  Metadata metadata;
  if (at == nullptr) return metadata;
  const auto number = [&at] {
    const auto value = LoadLe<std::int32_t>(at);
    at += 4;
    return value;
  };
  const auto text = [&] {
    const std::int32_t size = number();
    std::string value(at, static_cast<std::size_t>(std::max(size, 0)));
    at += value.size();
    return value;
  };
  for (std::int32_t pairs = number(); pairs > 0; pairs--) {
    std::string key = text();
    metadata[std::move(key)] = text();
  }
  return metadata;
}

std::string MetadataText(const Metadata& metadata) {
  std::string out;
  if (metadata.empty()) return out;
  AppendLe(out, static_cast<std::int32_t>(metadata.size()));
  for (const auto& [key, value] : metadata) {
    AppendLe(out, static_cast<std::int32_t>(key.size()));
    out += key;
    AppendLe(out, static_cast<std::int32_t>(value.size()));
    out += value;
  }
  return out;
}

/// What an exported ArrowSchema points to.
struct ExportedField {
  std::string format;
  std::string name;
  std::string metadata;
  std::vector<ArrowSchema> children;
  std::vector<ArrowSchema*> pointers;
};

void ReleaseExportedField(ArrowSchema* schema) {
  auto* owned = static_cast<ExportedField*>(schema->private_data);
  for (ArrowSchema& child : owned->children) {
    if (child.release != nullptr) child.release(&child);  // else the receiver has moved it out
  }
  delete owned;
  schema->release = nullptr;
}

void ExportFields(const std::vector<Field>& fields, ExportedField& to) {
  to.children.resize(fields.size());
  for (std::size_t i = 0; i < fields.size(); i++) {
    ExportField(fields[i], &to.children[i]);
    to.pointers.push_back(&to.children[i]);
  }
}

void Publish(std::unique_ptr<ExportedField> owned, bool nullable, ArrowSchema* out) {
  *out = {};
  out->format = owned->format.c_str();
  out->name = owned->name.c_str();
  out->metadata = owned->metadata.empty() ? nullptr : owned->metadata.data();
  out->flags = nullable ? ARROW_FLAG_NULLABLE : 0;
  out->n_children = static_cast<std::int64_t>(owned->children.size());
  out->children = owned->pointers.data();
  out->release = ReleaseExportedField;
  out->private_data = owned.release();
}

}  // namespace

Result<ForeignField> ReadForeignField(const ArrowSchema& schema, int depth) {
  ForeignField foreign;
  Field& field = foreign.field;
  field.name = schema.name == nullptr ? "" : schema.name;
  if (depth > kMaxDepth)
    return Unsupported("column \"" + field.name + "\" nests deeper than " + std::to_string(kMaxDepth));
  field.nullable = (schema.flags & ARROW_FLAG_NULLABLE) != 0;
  field.metadata = ReadMetadata(schema.metadata);
  if (schema.format == nullptr) return InvalidArgument("column \"" + field.name + "\" has no Arrow format");
  std::string_view format = schema.format;
  if (format == "vu" || format == "vz") {
    foreign.is_view = true;
    format.remove_prefix(1);
  }
  Type type;
  if (!ReadFormat(format, type)) return Foreign(field.name, schema.format);
  const bool one_child = type.id == TypeId::kList || type.id == TypeId::kLargeList || type.id == TypeId::kFixedSizeList;
  if (type.id != TypeId::kStruct && schema.n_children != (one_child ? 1 : 0)) {
    return DataCorruption("column \"" + field.name + "\" has " + std::to_string(schema.n_children) + " child fields");
  }
  for (std::int64_t i = 0; i < schema.n_children; i++) {
    FIRN_TRY(ForeignField child, ReadForeignField(*schema.children[i], depth + 1));
    type.children.push_back(child.field);
    foreign.children.push_back(std::move(child));
  }
  field.type = std::make_shared<const Type>(std::move(type));
  if (schema.dictionary == nullptr) return foreign;

  FIRN_TRY(ForeignField values, ReadForeignField(*schema.dictionary, depth + 1));
  if (!IsInteger(field.type->id) || !values.children.empty() || values.is_view || values.index_type) {
    return Unsupported(
        "column \"" + field.name + "\" is a dictionary of nested or view values, which Firn does not read",
        "Cast it before you hand it over");
  }
  foreign.index_type = field.type;
  field.type = values.field.type;
  return foreign;
}

void ExportField(const Field& field, ArrowSchema* out) {
  auto owned = std::make_unique<ExportedField>();
  owned->format = FormatOf(*field.type);
  owned->name = field.name;
  owned->metadata = MetadataText(field.metadata);
  ExportFields(field.type->children, *owned);
  Publish(std::move(owned), field.nullable, out);
}

void ExportSchema(const Schema& schema, ArrowSchema* out) {
  auto owned = std::make_unique<ExportedField>();
  owned->format = "+s";
  owned->metadata = MetadataText(schema.metadata);
  ExportFields(schema.fields, *owned);
  Publish(std::move(owned), false, out);
}

}  // namespace firn::arrow
