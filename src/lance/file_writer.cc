#include "lance/file_writer.h"

#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstdio>
#include <optional>
#include <tuple>

#include "encodings.pb.h"
#include "lance/logical_type.h"
#include "lance/manifest_message.h"
#include "lance/writing/column_encoder.h"

namespace firn::lance {
namespace {

constexpr std::size_t kPageAlignment = 64;
constexpr std::string_view kPageLayoutUrl = "/lance.encodings21.PageLayout";
constexpr std::string_view kColumnEncodingUrl = "/lance.encodings.ColumnEncoding";

pb::Encoding Direct(std::string_view type_url, const google::protobuf::MessageLite& message) {
  pb::AnyMessage any;
  any.set_type_url(std::string(type_url));
  any.set_value(message.SerializeAsString());
  pb::Encoding encoding;
  encoding.mutable_direct()->set_encoding(any.SerializeAsString());
  return encoding;
}

pb::ColumnMetadata EmptyColumn() {
  pb::ColumnEncoding values;
  values.mutable_values();
  pb::ColumnMetadata column;
  *column.mutable_encoding() = Direct(kColumnEncodingUrl, values);
  return column;
}

std::string FileDescriptorOf(const Schema& schema, std::uint64_t rows) {
  pb::Schema message;
  for (const Field& field : schema.fields) *message.add_fields() = MessageOf(field);
  AddEntries(schema.metadata, *message.mutable_metadata());
  pb::FileDescriptor descriptor;
  descriptor.set_schema(message.SerializeAsString());
  descriptor.set_length(rows);
  return descriptor.SerializeAsString();
}

/// What can be read cannot always be written.
Status CheckStorable(const arrow::Field& column, const arrow::Type& type) {
  if (type.id == arrow::TypeId::kFixedSizeList && arrow::BitWidth(*type.children[0].type) < 8) {
    return Unsupported("column " + column.name + " holds " + type.ToString() + ", which this Firn cannot store",
                       "use a list instead of a fixed_size_list");
  }
  if (type.id == arrow::TypeId::kFixedSizeList) return {};
  for (const arrow::Field& child : type.children) FIRN_CHECK(CheckStorable(column, *child.type));
  return {};
}

bool MayHoldNoNulls(const arrow::Field& field) {
  return !field.nullable || std::ranges::any_of(field.type->children, MayHoldNoNulls);
}

bool HoldsNulls(const arrow::Array& array) {
  return array.null_count() > 0 || std::ranges::any_of(array.data().children, HoldsNulls);
}

/// Whether values of one type can stand for the other's. What may be null is another matter: that is asked of the
/// values.
bool SameStorage(const arrow::Type& a, const arrow::Type& b) {
  const auto parameters = [](const arrow::Type& type) {
    return std::tie(type.id, type.unit, type.timezone, type.list_size, type.precision, type.scale);
  };
  if (parameters(a) != parameters(b)) return false;
  const bool named = a.id == arrow::TypeId::kStruct;
  return std::ranges::equal(a.children, b.children, [&](const arrow::Field& x, const arrow::Field& y) {
    return (!named || x.name == y.name) && SameStorage(*x.type, *y.type);
  });
}

/// The same values under the table's own type.
arrow::Array Retyped(const arrow::Array& array, const arrow::TypePtr& type) {
  if (arrow::Equal(array.type(), *type)) return array;
  arrow::ArrayData data = array.data();
  data.type = type;
  for (std::size_t i = 0; i < data.children.size(); i++) {
    data.children[i] = Retyped(data.children[i], type->children[i].type);
  }
  return arrow::Array(std::move(data));
}

/// A top-level column on its way into the file.
struct PendingColumn {
  arrow::Field field;
  std::vector<arrow::Array> pieces;  // rows that are not in a page yet
  std::uint64_t bytes = 0;
  std::vector<pb::ColumnMetadata> leaves;
  std::vector<std::uint64_t> leaf_rows;  // that are in pages
};

}  // namespace

struct FileWriter::State {
  std::unique_ptr<store::Upload> upload;
  std::string path;
  std::string file_name;
  Schema schema;
  WriterOptions options;
  std::vector<PendingColumn> columns;
  std::vector<std::int32_t> leaf_ids;  // fields that are columns of the file, in order
  std::uint64_t position = 0;          // bytes that the upload has
  std::uint64_t rows = 0;
  std::optional<Error> failure;  // after which the file cannot be finished

  Status Write(ByteSpan bytes, const Deadline& deadline) {
    if (bytes.empty()) return {};
    FIRN_CHECK(upload->Append(bytes, deadline));
    position += bytes.size();
    return {};
  }

  Status Align(const Deadline& deadline) {
    static constexpr std::array<std::uint8_t, kPageAlignment> kZeros{};
    const std::size_t missing = (kPageAlignment - position % kPageAlignment) % kPageAlignment;
    return Write(ByteSpan(kZeros).first(missing), deadline);
  }

  Status WritePage(const EncodedPage& page, std::uint64_t first_row, pb::ColumnMetadata& column,
                   const Deadline& deadline) {
    pb::ColumnMetadata::Page& message = *column.add_pages();
    for (const std::vector<Buffer>& buffer : page.buffers) {
      FIRN_CHECK(Align(deadline));
      const std::uint64_t start = position;
      for (const Buffer& piece : buffer) FIRN_CHECK(Write(piece.bytes(), deadline));
      message.add_buffer_offsets(start);
      message.add_buffer_sizes(position - start);
    }
    message.set_length(page.rows);
    message.set_priority(first_row);
    *message.mutable_encoding() = Direct(kPageLayoutUrl, page.layout);
    return {};
  }

  ColumnEncoderOptions EncoderOptions() const {
    const bool large = options.version >= FileVersion{2, 2};
    return {options.page_bytes, large ? ChunkSizes::k32Bits : ChunkSizes::k16Bits};
  }

  /// Turns a column's rows into pages.
  Status Flush(PendingColumn& column, const Deadline& deadline) {
    if (column.pieces.empty()) return {};
    FIRN_TRY(const std::vector<LeafPages> leaves, EncodeColumn(column.field, column.pieces, EncoderOptions()));
    for (std::size_t i = 0; i < leaves.size(); i++) {
      for (const EncodedPage& page : leaves[i]) {
        FIRN_CHECK(WritePage(page, column.leaf_rows[i], column.leaves[i], deadline));
        column.leaf_rows[i] += page.rows;
      }
    }
    column.pieces.clear();
    column.bytes = 0;
    return {};
  }

  Status CheckBatch(const arrow::RecordBatch& batch) const {
    if (batch.columns.size() != columns.size()) {
      return InvalidArgument("the batch has " + std::to_string(batch.columns.size()) + " columns, the table " +
                             std::to_string(columns.size()));
    }
    for (std::size_t i = 0; i < columns.size(); i++) {
      const arrow::Field& field = columns[i].field;
      const arrow::Array& array = batch.columns[i];
      if (batch.schema && batch.schema->fields[i].name != field.name) {
        return InvalidArgument("column " + std::to_string(i + 1) + " of the batch is " + batch.schema->fields[i].name +
                               ", where the table has " + field.name);
      }
      if (!SameStorage(array.type(), *field.type)) {
        return InvalidArgument("column " + field.name + " is of type " + field.type->ToString() + ", not " +
                               array.type().ToString());
      }
      if (array.length() != batch.rows) {
        return InvalidArgument("column " + field.name + " has " + std::to_string(array.length()) + " values for " +
                               std::to_string(batch.rows) + " rows");
      }
      if (MayHoldNoNulls(field) && HoldsNulls(array)) FIRN_CHECK(Shred(field, array));
    }
    return {};
  }

  Status Append(const arrow::RecordBatch& batch, const Deadline& deadline) {
    for (std::size_t i = 0; i < columns.size(); i++) {
      PendingColumn& column = columns[i];
      column.pieces.push_back(Retyped(batch.columns[i], column.field.type));
      column.bytes += arrow::SizeBytes(batch.columns[i]);
    }
    rows += static_cast<std::uint64_t>(batch.rows);
    for (PendingColumn& column : columns) {
      if (column.bytes >= options.page_bytes) FIRN_CHECK(Flush(column, deadline));
    }
    return {};
  }

  /// All that stands after the pages.
  Status WriteEnd(const Deadline& deadline) {
    FIRN_CHECK(Align(deadline));
    std::string end = FileDescriptorOf(schema, rows);
    const std::uint64_t descriptor_start = position;
    const std::uint64_t descriptor_bytes = end.size();
    const std::uint64_t column_metadata_start = position + end.size();
    std::string column_table;
    std::uint32_t column_count = 0;
    for (const PendingColumn& column : columns) {
      for (const pb::ColumnMetadata& leaf : column.leaves) {
        const std::string message = leaf.SerializeAsString();
        AppendLe(column_table, std::uint64_t{position + end.size()});
        AppendLe(column_table, std::uint64_t{message.size()});
        end += message;
        column_count++;
      }
    }
    const std::uint64_t column_table_start = position + end.size();
    end += column_table;
    const std::uint64_t global_table_start = position + end.size();
    AppendLe(end, descriptor_start);
    AppendLe(end, descriptor_bytes);
    AppendLe(end, column_metadata_start);
    AppendLe(end, column_table_start);
    AppendLe(end, global_table_start);
    AppendLe(end, std::uint32_t{1});
    AppendLe(end, column_count);
    AppendLe(end, static_cast<std::uint16_t>(options.version.major));
    AppendLe(end, static_cast<std::uint16_t>(options.version.minor));
    end += "LANC";
    return Write(AsBytes(end), deadline);
  }

  Status Finish(const Deadline& deadline) {
    for (PendingColumn& column : columns) FIRN_CHECK(Flush(column, deadline));
    FIRN_CHECK(WriteEnd(deadline));
    return upload->Finish(deadline);
  }

  Fragment Describe() const {
    DataFile file;
    file.path = file_name;
    file.version = options.version;
    file.size_bytes = position;
    std::int32_t next_column = 0;
    for (const Field& field : schema.fields) {
      if (std::ranges::find(leaf_ids, field.id) == leaf_ids.end()) continue;
      file.field_ids.push_back(field.id);
      file.column_indices.push_back(next_column++);
    }
    Fragment fragment;
    fragment.files = {std::move(file)};
    fragment.physical_rows = rows;
    return fragment;
  }

  /// After a failure nothing more can be written: the upload does not hold what we believe.
  template <class Work>
  Status Guard(Work work) {
    if (failure) return *failure;
    Status status = work();
    if (!status) failure = status.error();
    return status;
  }
};

std::string NewDataFileName(Random& random) {
  std::array<char, 33> digits{};
  std::snprintf(digits.data(), digits.size(), "%016" PRIx64 "%016" PRIx64, random.Next(), random.Next());
  return std::string(digits.data()) + ".lance";
}

FileWriter::FileWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
FileWriter::FileWriter(FileWriter&&) noexcept = default;
FileWriter& FileWriter::operator=(FileWriter&&) noexcept = default;
FileWriter::~FileWriter() = default;

Result<FileWriter> FileWriter::Start(store::ObjectStore& store, std::string path, std::string file_name,
                                     const Schema& schema, const WriterOptions& options, const Deadline& deadline) {
  if (options.version != FileVersion{2, 1} && options.version != FileVersion{2, 2}) {
    return Unsupported("data files of version " + std::to_string(options.version.major) + "." +
                       std::to_string(options.version.minor) + " cannot be written, only 2.1 and 2.2");
  }
  auto state = std::make_unique<State>();
  for (const Field& field : schema.fields) {
    if (field.parent_id != -1) continue;
    PendingColumn column;
    FIRN_TRY(column.field, ToArrow(schema, field));
    FIRN_CHECK(CheckStorable(column.field, *column.field.type));
    for (const Field* leaf : LeavesOf(schema, field)) {
      state->leaf_ids.push_back(leaf->id);
      column.leaves.push_back(EmptyColumn());
      column.leaf_rows.push_back(0);
    }
    state->columns.push_back(std::move(column));
  }
  if (state->columns.empty()) return InvalidArgument("a data file needs at least one column");
  state->path = path;
  state->file_name = std::move(file_name);
  state->schema = schema;
  state->options = options;
  FIRN_TRY(state->upload, store.StartUpload(path, deadline));
  return FileWriter(std::move(state));
}

Status FileWriter::Append(const arrow::RecordBatch& batch, const Deadline& deadline) {
  if (state_->failure) return *state_->failure;
  FIRN_CHECK(state_->CheckBatch(batch));  // a bad batch leaves the file as it was
  if (batch.rows == 0) return {};
  return state_->Guard([&] { return state_->Append(batch, deadline); });
}

std::uint64_t FileWriter::rows() const { return state_->rows; }

std::uint64_t FileWriter::size_bytes() const {
  std::uint64_t bytes = state_->position;
  for (const PendingColumn& column : state_->columns) bytes += column.bytes;
  return bytes;
}

Result<Fragment> FileWriter::Finish(const Deadline& deadline) {
  FIRN_CHECK(state_->Guard([&] { return state_->Finish(deadline); }));
  return state_->Describe();
}

}  // namespace firn::lance
