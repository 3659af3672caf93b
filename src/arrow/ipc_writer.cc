#include <array>
#include <string>

#include "arrow/buffers.h"
#include "arrow/flatbuffer_writer.h"
#include "arrow/ipc.h"
#include "arrow/ipc_compression.h"
#include "arrow/ipc_format.h"
#include "arrow/ipc_schema.h"

namespace firn::arrow {
namespace {

// Arrow asks for 8 and recommends 64, for readers that map the body and use wide loads.
constexpr std::size_t kBufferAlignment = 64;
constexpr std::array<std::uint8_t, kBufferAlignment> kPadding = {};

std::size_t PaddingAfter(std::size_t size, std::size_t alignment) { return (alignment - size % alignment) % alignment; }

/// A record batch laid out as its message wants it.
struct Body {
  std::string nodes;            // struct FieldNode: length i64, null count i64
  std::string buffer_places;    // struct Buffer: offset i64, size i64
  std::vector<Buffer> buffers;  // in order; each is padded to kBufferAlignment
  std::size_t size = 0;
};

class BodyWriter {
 public:
  explicit BodyWriter(IpcCompression compression) : compression_(compression) {}

  Status Add(const Array& array) {
    const ArrayData& data = array.data();
    AppendLe(body_.nodes, data.length);
    AppendLe(body_.nodes, array.null_count());
    const Type& type = *data.type;
    if (type.id == TypeId::kNull) return {};
    FIRN_CHECK(AddBuffer(data.validity.empty() ? Buffer() : data.validity.Slice(0, BytesForBits(data.length))));
    if (IsVarBytes(type.id) || type.id == TypeId::kList || type.id == TypeId::kLargeList) {
      return HasLargeOffsets(type.id) ? AddOffsetsAndValues<std::int64_t>(array)
                                      : AddOffsetsAndValues<std::int32_t>(array);
    }
    if (type.id == TypeId::kBool) {
      FIRN_CHECK(AddBuffer(data.data.Slice(0, BytesForBits(data.length))));
    } else if (type.id == TypeId::kFixedSizeBinary || BitWidth(type) > 0) {
      FIRN_CHECK(AddBuffer(data.data.Slice(0, static_cast<std::size_t>(data.length * (BitWidth(type) / 8)))));
    }
    for (const Array& child : data.children) FIRN_CHECK(Add(child));
    return {};
  }

  Body Finish() && { return std::move(body_); }

 private:
  /// Offsets begin at 0 and only the values that they span are written, whatever the array was sliced from.
  template <class Offset>
  Status AddOffsetsAndValues(const Array& array) {
    const ArrayData& data = array.data();
    const auto count = static_cast<std::size_t>(data.length) + 1;
    const auto begin = LoadLe<Offset>(data.data.data());
    const auto end = LoadLe<Offset>(data.data.data() + (count - 1) * sizeof(Offset));
    if (begin == 0) {
      FIRN_CHECK(AddBuffer(data.data.Slice(0, count * sizeof(Offset))));
    } else {
      std::vector<Offset> offsets(count);
      for (std::size_t i = 0; i < count; i++) {
        offsets[i] = static_cast<Offset>(LoadLe<Offset>(data.data.data() + i * sizeof(Offset)) - begin);
      }
      FIRN_CHECK(AddBuffer(Buffer::OfValues(std::move(offsets))));
    }
    if (!IsVarBytes(data.type->id)) return Add(array.child(0).Slice(begin, end - begin));
    return AddBuffer(data.bytes.Slice(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin)));
  }

  Status AddBuffer(Buffer buffer) {
    if (compression_ != IpcCompression::kNone && !buffer.empty()) {
      const auto codec = compression_ == IpcCompression::kLz4 ? ipc::Codec::kLz4Frame : ipc::Codec::kZstd;
      FIRN_TRY(std::string compressed, ipc::Compress(codec, buffer.bytes()));
      buffer = Buffer::Of(std::move(compressed));
    }
    AppendLe(body_.buffer_places, static_cast<std::int64_t>(body_.size));
    AppendLe(body_.buffer_places, static_cast<std::int64_t>(buffer.size()));
    body_.size += buffer.size() + PaddingAfter(buffer.size(), kBufferAlignment);
    body_.buffers.push_back(std::move(buffer));
    return {};
  }

  IpcCompression compression_;
  Body body_;
};

/// Adds the Message table; returns the slot for its header.
std::size_t AddMessage(FlatWriter& writer, ipc::MessageType type, std::size_t body_bytes) {
  const std::size_t table = writer.AddTable(
      FlatWriter::kRoot,
      {FlatScalar(ipc::message::kVersion, ipc::kMetadataV5),
       FlatScalar(ipc::message::kHeaderType, static_cast<std::uint8_t>(type)), FlatReference(ipc::message::kHeader),
       FlatScalar(ipc::message::kBodyLength, static_cast<std::int64_t>(body_bytes))});
  return writer.SlotOf(table, ipc::message::kHeader);
}

std::string BatchMetadata(std::int64_t rows, const Body& body, IpcCompression compression) {
  FlatWriter writer;
  const std::size_t slot = AddMessage(writer, ipc::MessageType::kRecordBatch, body.size);
  std::vector<FlatField> members = {FlatScalar(ipc::record_batch::kLength, rows),
                                    FlatReference(ipc::record_batch::kNodes),
                                    FlatReference(ipc::record_batch::kBuffers)};
  if (compression != IpcCompression::kNone) members.push_back(FlatReference(ipc::record_batch::kCompression));
  const std::size_t table = writer.AddTable(slot, members);
  writer.AddVector(writer.SlotOf(table, ipc::record_batch::kNodes), body.nodes.size() / 16, body.nodes);
  writer.AddVector(writer.SlotOf(table, ipc::record_batch::kBuffers), body.buffer_places.size() / 16,
                   body.buffer_places);
  if (compression != IpcCompression::kNone) {
    const auto codec = compression == IpcCompression::kLz4 ? ipc::Codec::kLz4Frame : ipc::Codec::kZstd;
    writer.AddTable(writer.SlotOf(table, ipc::record_batch::kCompression),
                    {FlatScalar(ipc::body_compression::kCodec, static_cast<std::uint8_t>(codec)),
                     FlatScalar(ipc::body_compression::kMethod, std::uint8_t{0})});
  }
  return std::move(writer).Finish();
}

}  // namespace

Status IpcWriter::Start(const SchemaPtr& schema) {
  schema_ = schema;
  if (options_.form == IpcForm::kFile) FIRN_CHECK(Send(AsBytes(std::string_view("ARROW1\0\0", 8))));
  FlatWriter writer;
  ipc::WriteSchema(writer, AddMessage(writer, ipc::MessageType::kSchema, 0), *schema);
  FIRN_CHECK(SendMetadata(std::move(writer).Finish()));
  return {};
}

Status IpcWriter::Write(const RecordBatch& batch) {
  if (batch.columns.size() != schema_->fields.size()) {
    return InvalidArgument("a batch of " + std::to_string(batch.columns.size()) + " columns cannot be written under " +
                           std::to_string(schema_->fields.size()));
  }
  BodyWriter columns(options_.compression);
  for (std::size_t i = 0; i < batch.columns.size(); i++) {
    const Array& column = batch.columns[i];
    if (column.length() != batch.rows || !Equal(column.type(), *schema_->fields[i].type)) {
      return InvalidArgument("column \"" + schema_->fields[i].name + "\" of a batch is not as the schema says");
    }
    FIRN_CHECK(columns.Add(column));
  }
  const Body body = std::move(columns).Finish();
  const std::int64_t offset = written_;
  FIRN_TRY(const std::int32_t metadata_bytes, SendMetadata(BatchMetadata(batch.rows, body, options_.compression)));
  for (const Buffer& buffer : body.buffers) {
    if (!buffer.empty()) FIRN_CHECK(Send(buffer.bytes()));
    if (const std::size_t padding = PaddingAfter(buffer.size(), kBufferAlignment); padding > 0) {
      FIRN_CHECK(Send(ByteSpan(kPadding).first(padding)));
    }
  }
  if (options_.form == IpcForm::kFile)
    blocks_.push_back({offset, metadata_bytes, static_cast<std::int64_t>(body.size)});
  return {};
}

Status IpcWriter::Finish() {
  std::string end;
  AppendLe(end, ipc::kContinuation);
  AppendLe(end, std::uint32_t{0});
  if (options_.form == IpcForm::kFile) {
    std::string blocks;
    for (const FileBlock& block : blocks_) {
      AppendLe(blocks, block.offset);
      AppendLe(blocks, std::int64_t{block.metadata_bytes});  // and four bytes of padding
      AppendLe(blocks, block.body_bytes);
    }
    FlatWriter writer;
    const std::size_t table = writer.AddTable(
        FlatWriter::kRoot, {FlatScalar(ipc::footer::kVersion, ipc::kMetadataV5), FlatReference(ipc::footer::kSchema),
                            FlatReference(ipc::footer::kDictionaries), FlatReference(ipc::footer::kRecordBatches)});
    ipc::WriteSchema(writer, writer.SlotOf(table, ipc::footer::kSchema), *schema_);
    writer.AddVector(writer.SlotOf(table, ipc::footer::kDictionaries), 0, {});
    writer.AddVector(writer.SlotOf(table, ipc::footer::kRecordBatches), blocks_.size(), blocks);
    const std::string footer = std::move(writer).Finish();
    end += footer;
    AppendLe(end, static_cast<std::uint32_t>(footer.size()));
    end += ipc::kMagic;
  }
  return Send(AsBytes(end));
}

Status IpcWriter::Send(ByteSpan bytes) {
  FIRN_CHECK(sink_(bytes));
  written_ += static_cast<std::int64_t>(bytes.size());
  return {};
}

/// Returns the size of the whole, with the prefix.
Result<std::int32_t> IpcWriter::SendMetadata(std::string metadata) {
  metadata.resize(metadata.size() + PaddingAfter(metadata.size(), 8));
  std::string message;
  AppendLe(message, ipc::kContinuation);
  AppendLe(message, static_cast<std::uint32_t>(metadata.size()));
  message += metadata;
  FIRN_CHECK(Send(AsBytes(message)));
  return static_cast<std::int32_t>(message.size());
}

Result<Buffer> WriteIpc(const SchemaPtr& schema, std::span<const RecordBatch> batches, const IpcWriteOptions& options) {
  std::string out;
  IpcWriter writer(
      [&out](ByteSpan bytes) -> Status {
        out.append(AsChars(bytes));
        return {};
      },
      options);
  FIRN_CHECK(writer.Start(schema));
  for (const RecordBatch& batch : batches) FIRN_CHECK(writer.Write(batch));
  FIRN_CHECK(writer.Finish());
  return Buffer::Of(std::move(out));
}

}  // namespace firn::arrow
