#include "arrow/ipc_batch_reader.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "arrow/buffers.h"
#include "arrow/ipc_compression.h"
#include "arrow/ipc_format.h"

namespace firn::arrow::ipc {
namespace {

/// Walks the fields in the order in which their nodes and buffers stand in the message: parents first.
class ColumnReader {
 public:
  ColumnReader(const Buffer& body, Dictionaries& dictionaries, ByteBudget& budget)
      : body_(body), dictionaries_(dictionaries), budget_(budget) {}

  Result<Columns> Read(const FlatTable& table, std::span<const WireField> fields) {
    Columns columns;
    FIRN_TRY(columns.rows, table.Scalar<std::int64_t>(record_batch::kLength, 0));
    FIRN_TRY(nodes_, table.Vector(record_batch::kNodes, 16));
    FIRN_TRY(buffers_, table.Vector(record_batch::kBuffers, 16));
    FIRN_TRY(variadic_, table.Vector(record_batch::kVariadicCounts, 8));
    FIRN_CHECK(ReadCodec(table));
    FIRN_CHECK(CheckLength(columns.rows));
    FIRN_CHECK(budget_.Charge(static_cast<std::uint64_t>(columns.rows), "an Arrow record batch"));
    for (const WireField& field : fields) {
      what_ = "column \"" + field.field.name + "\"";
      FIRN_TRY(Array array, ReadArray(field));
      if (array.length() != columns.rows) {
        return DataCorruption(what_ + " has " + std::to_string(array.length()) + " rows, its batch " +
                              std::to_string(columns.rows));
      }
      FIRN_CHECK(Validate(array, what_, true));
      columns.arrays.push_back(std::move(array));
    }
    if (next_node_ != nodes_.count || next_buffer_ != buffers_.count) {
      return DataCorruption("an Arrow record batch has more columns than its schema");
    }
    return columns;
  }

 private:
  Status ReadCodec(const FlatTable& table) {
    FIRN_TRY(const auto compression, table.Table(record_batch::kCompression));
    if (!compression) return {};
    FIRN_TRY(const auto codec, compression->Scalar<std::int8_t>(body_compression::kCodec, 0));
    FIRN_TRY(const auto method, compression->Scalar<std::int8_t>(body_compression::kMethod, 0));
    if (codec < 0 || codec > 1 || method != 0) {
      return Unsupported("Arrow data has compression codec " + std::to_string(codec),
                         "Write it with lz4, zstd or none");
    }
    codec_ = static_cast<Codec>(codec);
    return {};
  }

  /// Charged like a bit a value (and a byte a row above), so that columns without buffers cannot claim any length
  /// either.
  Status CheckLength(std::int64_t length) {
    if (length < 0) return DataCorruption("an Arrow record batch has a negative length");
    return budget_.Charge(static_cast<std::uint64_t>(length) / 8, "an Arrow record batch");
  }

  Result<Array> ReadArray(const WireField& wire) {
    if (next_node_ == nodes_.count) return Missing("values");
    const std::uint8_t* node = nodes_.bytes.data() + 16 * next_node_++;
    ArrayData data;
    data.type = wire.index_type ? wire.index_type : wire.field.type;
    data.length = LoadLe<std::int64_t>(node);
    FIRN_CHECK(CheckLength(data.length));
    if (data.type->id == TypeId::kNull) return Array(std::move(data));
    FIRN_CHECK(ReadValidity(data, LoadLe<std::int64_t>(node + 8)));
    if (wire.is_view) return ReadViews(data);

    const TypeId id = data.type->id;
    if (IsVarBytes(id) || id == TypeId::kList || id == TypeId::kLargeList) {
      FIRN_CHECK(ReadOffsets(data));
      if (IsVarBytes(id)) {
        FIRN_TRY(data.bytes, NextBuffer());
      }
    } else if (id == TypeId::kFixedSizeBinary || BitWidth(*data.type) > 0) {
      FIRN_TRY(Buffer values, NextBuffer());
      data.data = AlignedTo(std::move(values), AlignmentOf(*data.type));
    }
    for (const WireField& child : wire.children) {
      FIRN_TRY(Array array, ReadArray(child));
      data.children.push_back(std::move(array));
    }
    Array array(std::move(data));
    if (!wire.index_type) return array;
    FIRN_CHECK(Validate(array, what_));
    FIRN_TRY(const Array values, dictionaries_.Find(wire.dictionary_id));
    if (!Equal(values.type(), *wire.field.type)) return DataCorruption(what_ + " shares a dictionary of another type");
    return DecodeDictionary(array, values, budget_, what_);
  }

  /// The count in the node says only whether to look at the bitmap.
  Status ReadValidity(ArrayData& data, std::int64_t null_count) {
    FIRN_TRY(Buffer validity, NextBuffer());
    if (null_count == 0) return {};
    if (validity.size() < BytesForBits(data.length))
      return DataCorruption(what_ + " has a validity bitmap that is too short");
    data.null_count = data.length - CountOnes(validity.data(), 0, data.length);
    if (data.null_count > 0) data.validity = std::move(validity);
    return {};
  }

  Status ReadOffsets(ArrayData& data) {
    const std::size_t width = HasLargeOffsets(data.type->id) ? 8 : 4;
    FIRN_TRY(Buffer offsets, NextBuffer());
    // Writers may leave the one offset of an empty array out.
    data.data = data.length == 0 && offsets.size() < width ? Zeros(width) : AlignedTo(std::move(offsets), width);
    return {};
  }

  Result<Array> ReadViews(const ArrayData& data) {
    FIRN_TRY(const Buffer views, NextBuffer());
    if (next_variadic_ == variadic_.count) return Missing("a count of view buffers");
    const auto count = LoadLe<std::int64_t>(variadic_.bytes.data() + 8 * next_variadic_++);
    if (count < 0 || static_cast<std::uint64_t>(count) > buffers_.count - next_buffer_) return Missing("view buffers");
    std::vector<Buffer> blocks;
    std::vector<ByteSpan> spans;
    for (std::int64_t i = 0; i < count; i++) {
      FIRN_TRY(Buffer block, NextBuffer());
      spans.push_back(block.bytes());
      blocks.push_back(std::move(block));
    }
    return DecodeViews(data.type, data.length, data.null_count, data.validity, views.bytes(), spans, budget_, what_);
  }

  Result<Buffer> NextBuffer() {
    if (next_buffer_ == buffers_.count) return Missing("a buffer");
    const std::uint8_t* at = buffers_.bytes.data() + 16 * next_buffer_++;
    const auto offset = LoadLe<std::uint64_t>(at);
    const auto length = LoadLe<std::uint64_t>(at + 8);
    if (!InBounds(offset, length, body_.size())) {
      return DataCorruption(what_ + " has a buffer that reaches outside of its message");
    }
    const Buffer raw = body_.Slice(offset, length);
    if (!codec_ || length == 0) return raw;
    if (length < 8) return DataCorruption(what_ + " has a compressed buffer without a size");
    const auto size = LoadLe<std::int64_t>(raw.data());
    if (size == -1) return raw.Slice(8);
    if (size < 0) return DataCorruption(what_ + " has a compressed buffer of negative size");
    FIRN_CHECK(budget_.Charge(static_cast<std::uint64_t>(size), what_));
    auto plain = Decompress(*codec_, raw.bytes().subspan(8), static_cast<std::size_t>(size));
    if (!plain) return std::move(plain).error().In(what_);
    return plain;
  }

  static std::size_t AlignmentOf(const Type& type) {
    if (type.id == TypeId::kFixedSizeBinary) return 1;
    return static_cast<std::size_t>(std::max<std::int64_t>(BitWidth(type) / 8, 1));
  }

  Error Missing(std::string_view part) const {
    return DataCorruption(what_ + " lacks " + std::string(part) + " in its message");
  }

  const Buffer& body_;
  Dictionaries& dictionaries_;
  ByteBudget& budget_;
  FlatVector nodes_;
  FlatVector buffers_;
  FlatVector variadic_;
  std::size_t next_node_ = 0;
  std::size_t next_buffer_ = 0;
  std::size_t next_variadic_ = 0;
  std::optional<Codec> codec_;
  std::string what_;
};

const WireField* FindEncoded(std::span<const WireField> fields, std::int64_t id) {
  for (const WireField& field : fields) {
    if (field.index_type && field.dictionary_id == id) return &field;
    if (const WireField* found = FindEncoded(field.children, id)) return found;
  }
  return nullptr;
}

}  // namespace

Status Dictionaries::Read(const FlatTable& table, const Buffer& body, const WireSchema& schema) {
  FIRN_TRY(const auto id, table.Scalar<std::int64_t>(dictionary_batch::kId, 0));
  FIRN_TRY(const auto is_delta, table.Scalar<std::uint8_t>(dictionary_batch::kIsDelta, 0));
  FIRN_TRY(const FlatTable data, table.RequiredTable(dictionary_batch::kData, "a dictionary's values"));
  const WireField* encoded = FindEncoded(schema.fields, id);
  if (encoded == nullptr)
    return DataCorruption("Arrow data has a dictionary " + std::to_string(id) + " that no column uses");
  Dictionary& dictionary = dictionaries_[id];
  if (is_delta == 0) bytes_ -= std::exchange(dictionary, {}).bytes;
  WireField values;
  values.field = encoded->field;
  ByteBudget budget(max_bytes_ - bytes_);
  FIRN_TRY(Columns columns, ReadColumns(data, body, {&values, 1}, *this, budget));
  const std::uint64_t bytes = SizeBytes(columns.arrays[0]);
  if (bytes > max_bytes_ - bytes_) {
    return ResourceExhausted("the dictionaries of the Arrow data take more memory than one batch may",
                             "Send smaller batches");
  }
  bytes_ += bytes;
  dictionary.bytes += bytes;
  dictionary.pieces.push_back(std::move(columns.arrays[0]));
  return {};
}

Result<Array> Dictionaries::Find(std::int64_t id) {
  const auto found = dictionaries_.find(id);
  if (found == dictionaries_.end() || found->second.pieces.empty()) {
    return DataCorruption("Arrow data lacks dictionary " + std::to_string(id));
  }
  std::vector<Array>& pieces = found->second.pieces;
  if (pieces.size() > 1) {
    FIRN_TRY(Array whole, Concat(pieces));
    pieces.assign(1, std::move(whole));
  }
  return pieces[0];
}

Result<Columns> ReadColumns(const FlatTable& table, const Buffer& body, std::span<const WireField> fields,
                            Dictionaries& dictionaries, ByteBudget& budget) {
  return ColumnReader(body, dictionaries, budget).Read(table, fields);
}

}  // namespace firn::arrow::ipc
