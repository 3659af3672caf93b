#include "lance/manifest_message.h"

#include <map>
#include <set>

#include "lance/logical_type.h"
#include "store/object_store.h"

namespace firn::lance {
namespace {

constexpr std::size_t kTrailerBytes = 16;
constexpr std::string_view kMagic = "LANC";
constexpr std::uint16_t kMinorVersion = 2;
constexpr int kMaxFields = 16384;  // of a schema

// Hints for the first file format, which writers still set.
constexpr int kPlain = 1;
constexpr int kVariable = 2;

// A length-prefixed message at `position`.
Result<ByteSpan> Section(ByteSpan object, std::uint64_t position, std::string_view what) {
  if (!InBounds(position, 4, object.size())) return DataCorruption(std::string(what) + " lies outside the object");
  const std::uint32_t length = LoadLe<std::uint32_t>(object.data() + position);
  if (!InBounds(position + 4, length, object.size())) {
    return DataCorruption(std::string(what) + " runs past the end of the object");
  }
  return object.subspan(position + 4, length);
}

Result<ParsedManifest> Parse(ByteSpan object) {
  if (object.size() < kTrailerBytes) return DataCorruption("has only " + std::to_string(object.size()) + " bytes");
  const ByteSpan trailer = object.last(kTrailerBytes);
  if (AsChars(trailer.last(4)) != kMagic) return DataCorruption("does not end in LANC");
  const ByteSpan body = object.first(object.size() - kTrailerBytes);
  ParsedManifest parsed;
  FIRN_TRY(parsed.sections.manifest, Section(body, LoadLe<std::uint64_t>(trailer.data()), "the manifest"));
  const ByteSpan bytes = parsed.sections.manifest;
  if (bytes.size() > INT32_MAX || !parsed.message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return DataCorruption("the manifest is not a valid message");
  }
  if (parsed.message.has_index_section()) {
    parsed.sections.has_index = true;
    FIRN_TRY(parsed.sections.index, Section(body, parsed.message.index_section(), "the index section"));
  }
  if (parsed.message.has_transaction_section()) {
    parsed.sections.has_transaction = true;
    FIRN_TRY(parsed.sections.transaction, Section(body, parsed.message.transaction_section(), "the transaction"));
  }
  return parsed;
}

void AppendSection(std::string& to, std::string_view message) {
  AppendLe(to, static_cast<std::uint32_t>(message.size()));
  to += message;
}

int EncodingHint(std::string_view logical_type) {
  if (logical_type == "struct") return 0;
  const auto is = [&](std::string_view name) { return logical_type == name; };
  return is("string") || is("binary") || is("large_string") || is("large_binary") ? kVariable : kPlain;
}

Field FieldFromMessage(const pb::Field& message) {
  Field field;
  field.id = message.id();
  field.parent_id = message.parent_id();
  field.name = message.name();
  field.logical_type = message.logical_type();
  field.nullable = message.nullable();
  field.metadata = MapFrom(message.metadata());
  return field;
}

/// Puts fields depth-first, whatever their order in the message, and finds those that hang in the air.
class DepthFirst {
 public:
  explicit DepthFirst(const std::vector<Field>& fields) {
    for (const Field& field : fields) children_[field.parent_id].push_back(&field);
  }
  std::vector<Field> Ordered() {
    Visit(-1, 0);
    return std::move(ordered_);
  }

 private:
  static constexpr int kMaxDepth = 64;

  void Visit(std::int32_t parent_id, int depth) {
    const auto children = children_.find(parent_id);
    if (children == children_.end() || depth > kMaxDepth) return;
    for (const Field* child : children->second) {
      ordered_.push_back(*child);
      Visit(child->id, depth + 1);
    }
  }
  std::map<std::int32_t, std::vector<const Field*>> children_;
  std::vector<Field> ordered_;
};

std::string FragmentName(std::uint64_t id) { return "fragment " + std::to_string(id); }

Result<DataFile> FileFromMessage(const pb::DataFile& message, std::uint64_t fragment_id) {
  DataFile file;
  file.path = message.path();
  if (const Status key = store::CheckKey("data/" + file.path); !key) {
    return DataCorruption(FragmentName(fragment_id) + " names a data file that cannot be one: " + key.error().message);
  }
  file.field_ids.assign(message.fields().begin(), message.fields().end());
  file.column_indices.assign(message.column_indices().begin(), message.column_indices().end());
  file.version = {message.file_major_version(), message.file_minor_version()};
  const bool first_format = file.column_indices.empty();
  if (!first_format && file.field_ids.size() != file.column_indices.size()) {
    return DataCorruption("data file " + file.path + " has " + std::to_string(file.field_ids.size()) +
                          " field ids but " + std::to_string(file.column_indices.size()) + " column indices");
  }
  file.size_bytes = message.file_size_bytes();
  if (message.has_base_id()) file.base_id = message.base_id();
  return file;
}

Result<DeletionFile> DeletionFromMessage(const pb::DeletionFile& message, const Fragment& fragment) {
  DeletionFile deletion;
  if (message.file_type() != 0 && message.file_type() != 1) {
    return Unsupported(FragmentName(fragment.id) + " has a deletion file of the unknown kind " +
                       std::to_string(message.file_type()));
  }
  deletion.kind = message.file_type() == 0 ? DeletionFile::Kind::kArrow : DeletionFile::Kind::kBitmap;
  deletion.read_version = message.read_version();
  deletion.id = message.id();
  deletion.deleted_rows = message.num_deleted_rows();
  if (message.has_base_id()) deletion.base_id = message.base_id();
  if (deletion.deleted_rows > fragment.physical_rows) {
    return DataCorruption(FragmentName(fragment.id) + " has " + std::to_string(fragment.physical_rows) + " rows but " +
                          std::to_string(deletion.deleted_rows) + " deleted ones");
  }
  return deletion;
}

}  // namespace

Result<ParsedManifest> ParseManifestObject(ByteSpan object, std::string_view object_name) {
  auto parsed = Parse(object);
  if (!parsed) return std::move(parsed.error()).In(object_name);
  return parsed;
}

std::string AssembleManifestObject(pb::Manifest message, std::optional<ByteSpan> index_section,
                                   std::string_view transaction) {
  std::string object;
  message.clear_index_section();
  if (index_section) {
    message.set_index_section(object.size());
    AppendSection(object, AsChars(*index_section));
  }
  message.set_transaction_section(object.size());
  AppendSection(object, transaction);
  const std::uint64_t position = object.size();
  AppendSection(object, message.SerializeAsString());
  AppendLe(object, position);
  AppendLe(object, std::uint16_t{0});
  AppendLe(object, kMinorVersion);
  object += kMagic;
  return object;
}

std::map<std::string, std::string> MapFrom(const MapEntries& entries) {
  std::map<std::string, std::string> map;
  for (const pb::MapEntry& entry : entries) map[entry.key()] = entry.value();
  return map;
}

void AddEntries(const std::map<std::string, std::string>& map, MapEntries& to) {
  for (const auto& [key, value] : map) {
    pb::MapEntry& entry = *to.Add();
    entry.set_key(key);
    entry.set_value(value);
  }
}

pb::Field MessageOf(const Field& field) {
  pb::Field message;
  message.set_id(field.id);
  message.set_parent_id(field.parent_id);
  message.set_name(field.name);
  message.set_logical_type(field.logical_type);
  message.set_nullable(field.nullable);
  message.set_encoding(EncodingHint(field.logical_type));
  AddEntries(field.metadata, *message.mutable_metadata());
  return message;
}

Result<Schema> SchemaFromMessages(const google::protobuf::RepeatedPtrField<pb::Field>& fields,
                                  const MapEntries& metadata) {
  if (fields.size() > kMaxFields) {
    return Unsupported("the schema has " + std::to_string(fields.size()) + " fields; the limit is 16384");
  }
  std::vector<Field> listed;
  std::set<std::int32_t> ids;
  for (const pb::Field& message : fields) {
    Field field = FieldFromMessage(message);
    if (field.id < 0 || !ids.insert(field.id).second) {
      return DataCorruption("the schema has no good id for field " + field.name + ": " + std::to_string(field.id));
    }
    if (field.name.empty()) return DataCorruption("schema field " + std::to_string(field.id) + " has no name");
    listed.push_back(std::move(field));
  }
  Schema schema;
  schema.fields = DepthFirst(listed).Ordered();
  if (schema.fields.size() != listed.size()) {
    return DataCorruption("the schema has fields whose parents are missing, or nested more than 64 levels deep");
  }
  schema.metadata = MapFrom(metadata);
  return schema;
}

pb::DataFragment MessageOf(const Fragment& fragment) {
  pb::DataFragment message;
  message.set_id(fragment.id);
  for (const DataFile& file : fragment.files) {
    pb::DataFile& out = *message.add_files();
    out.set_path(file.path);
    out.mutable_fields()->Add(file.field_ids.begin(), file.field_ids.end());
    out.mutable_column_indices()->Add(file.column_indices.begin(), file.column_indices.end());
    out.set_file_major_version(file.version.major);
    out.set_file_minor_version(file.version.minor);
    out.set_file_size_bytes(file.size_bytes);
    if (file.base_id) out.set_base_id(*file.base_id);
  }
  if (fragment.deletion) {
    pb::DeletionFile& out = *message.mutable_deletion_file();
    out.set_file_type(fragment.deletion->kind == DeletionFile::Kind::kArrow ? 0 : 1);
    out.set_read_version(fragment.deletion->read_version);
    out.set_id(fragment.deletion->id);
    out.set_num_deleted_rows(fragment.deletion->deleted_rows);
    if (fragment.deletion->base_id) out.set_base_id(*fragment.deletion->base_id);
  }
  message.set_physical_rows(fragment.physical_rows);
  return message;
}

Result<Fragment> FragmentFromMessage(const pb::DataFragment& message) {
  Fragment fragment;
  fragment.id = message.id();
  fragment.physical_rows = message.physical_rows();
  // A row address has 32 bits for each.
  if (fragment.id > UINT32_MAX) return DataCorruption("a fragment has the id " + std::to_string(fragment.id));
  if (fragment.physical_rows > UINT32_MAX) {
    return DataCorruption(FragmentName(fragment.id) + " has " + std::to_string(fragment.physical_rows) + " rows");
  }
  for (const pb::DataFile& file : message.files()) {
    FIRN_TRY(DataFile decoded, FileFromMessage(file, fragment.id));
    fragment.files.push_back(std::move(decoded));
  }
  if (message.has_deletion_file()) {
    FIRN_TRY(fragment.deletion, DeletionFromMessage(message.deletion_file(), fragment));
  }
  return fragment;
}

pb::Timestamp MessageOf(WallTime time) {
  const auto since_epoch = time.time_since_epoch();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since_epoch);
  pb::Timestamp message;
  message.set_seconds(seconds.count());
  message.set_nanos(static_cast<std::int32_t>((since_epoch - seconds).count()));
  return message;
}

}  // namespace firn::lance
