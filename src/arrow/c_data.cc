#include "arrow/c_data.h"

#include <array>
#include <optional>
#include <string>
#include <utility>

#include "arrow/buffers.h"
#include "arrow/c_data_type.h"
#include "arrow/plain_layout.h"

namespace firn::arrow {
namespace {

// Dictionaries in this process may repeat long values; no batch of ours is this large.
constexpr std::uint64_t kMaxUnfoldedBytes = std::uint64_t{1} << 40;

/// Takes a struct of the interface over from the caller; releases it in the end.
template <class Foreign>
class Owned {
 public:
  explicit Owned(Foreign* from) : value_(*from) { from->release = nullptr; }
  ~Owned() {
    if (value_.release != nullptr) value_.release(&value_);
  }
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  Foreign& operator*() { return value_; }
  Foreign* operator->() { return &value_; }

 private:
  Foreign value_;
};

class ArrayImport {
 public:
  explicit ArrayImport(std::shared_ptr<const void> owner) : owner_(std::move(owner)), budget_(kMaxUnfoldedBytes) {}

  /// Rows [begin, begin + length) of `array`, counted from its own offset.
  Result<Array> Read(const ForeignField& foreign, const ArrowArray& array, std::int64_t begin, std::int64_t length) {
    const std::string what = "column \"" + foreign.field.name + "\"";
    if (array.length < 0 || array.offset < 0 || begin < 0 || length < 0 || length > INT64_MAX / 64 ||
        array.offset > INT64_MAX / 64 ||
        !InBounds(static_cast<std::uint64_t>(begin), static_cast<std::uint64_t>(length),
                  static_cast<std::uint64_t>(array.length))) {
      return DataCorruption(what + " has fewer values than its parent asks for");
    }
    begin += array.offset;
    ArrayData data;
    data.type = foreign.index_type ? foreign.index_type : foreign.field.type;
    data.length = length;
    const Type& type = *data.type;
    FIRN_CHECK(CheckCounts(foreign, type, array, what));
    if (type.id == TypeId::kNull) return Array(std::move(data));
    ReadValidity(array, begin, data);
    if (foreign.is_view) return ReadViews(data, array, begin, what);

    if (type.id == TypeId::kBool) {
      FIRN_TRY(const Buffer bits, BufferAt(array, 1, BytesForBits(begin + length), what));
      data.data = SliceBits(bits, begin, length);
    } else if (type.id == TypeId::kFixedSizeBinary || BitWidth(type) > 0) {
      const std::int64_t width = BitWidth(type) / 8;
      FIRN_TRY(data.data, Range(array, 1, begin, length, width, what));
      const auto alignment = static_cast<std::size_t>(type.id == TypeId::kFixedSizeBinary ? 1 : width);
      data.data = AlignedTo(std::move(data.data), alignment);
    } else if (IsVarBytes(type.id) || type.id == TypeId::kList || type.id == TypeId::kLargeList) {
      FIRN_TRY(const std::int64_t end, ReadOffsets(array, begin, data, what));
      if (IsVarBytes(type.id)) {
        FIRN_TRY(data.bytes, BufferAt(array, 2, static_cast<std::size_t>(end), what));
      } else {
        FIRN_TRY(Array items, Read(foreign.children[0], *array.children[0], 0, array.children[0]->length));
        data.children.push_back(std::move(items));
      }
    } else {
      const std::int64_t per_row = type.id == TypeId::kFixedSizeList ? type.list_size : 1;
      std::int64_t child_begin = 0;
      std::int64_t child_length = 0;
      if (__builtin_mul_overflow(begin, per_row, &child_begin) ||
          __builtin_mul_overflow(length, per_row, &child_length)) {
        return DataCorruption(what + " is too long");
      }
      for (std::size_t i = 0; i < foreign.children.size(); i++) {
        FIRN_TRY(Array child, Read(foreign.children[i], *array.children[i], child_begin, child_length));
        data.children.push_back(std::move(child));
      }
    }
    Array out(std::move(data));
    if (!foreign.index_type) return out;
    FIRN_CHECK(Validate(out, what));
    const ForeignField values{foreign.field, nullptr, false, {}};
    FIRN_TRY(const Array dictionary, Read(values, *array.dictionary, 0, array.dictionary->length));
    FIRN_CHECK(Validate(dictionary, what + " (its dictionary)"));
    return DecodeDictionary(out, dictionary, budget_, what);
  }

 private:
  /// Are there as many buffers and children as the type wants?
  static Status CheckCounts(const ForeignField& foreign, const Type& type, const ArrowArray& array,
                            const std::string& what) {
    std::int64_t buffers = 2;
    if (type.id == TypeId::kNull) buffers = 0;
    if (type.id == TypeId::kStruct || type.id == TypeId::kFixedSizeList) buffers = 1;
    if (IsVarBytes(type.id)) buffers = 3;
    const bool enough = foreign.is_view ? array.n_buffers >= buffers : array.n_buffers == buffers;
    if (!enough || std::cmp_not_equal(array.n_children, foreign.children.size()) ||
        (foreign.index_type != nullptr) != (array.dictionary != nullptr)) {
      return DataCorruption(what + " has other buffers or children than its type asks for");
    }
    return {};
  }

  Result<Buffer> BufferAt(const ArrowArray& array, std::int64_t i, std::size_t bytes, const std::string& what) const {
    const auto* at = static_cast<const std::uint8_t*>(array.buffers[i]);
    if (at == nullptr && bytes > 0) return DataCorruption(what + " lacks a buffer");
    return Buffer(owner_, {at, at == nullptr ? 0 : bytes});
  }

  Result<Buffer> Range(const ArrowArray& array, std::int64_t i, std::int64_t begin, std::int64_t count,
                       std::int64_t width, const std::string& what) const {
    std::int64_t end = 0;
    if (__builtin_mul_overflow(begin + count, width, &end)) return DataCorruption(what + " is too long");
    if (count == 0) return Buffer();
    FIRN_TRY(const Buffer whole, BufferAt(array, i, static_cast<std::size_t>(end), what));
    return whole.Slice(static_cast<std::size_t>(begin * width));
  }

  /// The null count is counted: it is only a hint there, and meant for other rows when these are a part.
  void ReadValidity(const ArrowArray& array, std::int64_t begin, ArrayData& data) const {
    const auto* bits = static_cast<const std::uint8_t*>(array.buffers[0]);
    if (bits == nullptr || array.null_count == 0 || data.length == 0) return;
    data.null_count = data.length - CountOnes(bits, begin, data.length);
    if (data.null_count > 0)
      data.validity = SliceBits(Buffer(owner_, {bits, BytesForBits(begin + data.length)}), begin, data.length);
  }

  /// Returns the last offset; that they rise is Validate's to check.
  Result<std::int64_t> ReadOffsets(const ArrowArray& array, std::int64_t begin, ArrayData& data,
                                   const std::string& what) const {
    const std::int64_t width = HasLargeOffsets(data.type->id) ? 8 : 4;
    if (data.length == 0) {
      data.data = Zeros(static_cast<std::size_t>(width));
      return std::int64_t{0};
    }
    FIRN_TRY(data.data, Range(array, 1, begin, data.length + 1, width, what));
    data.data = AlignedTo(std::move(data.data), static_cast<std::size_t>(width));
    const std::uint8_t* last = data.data.data() + data.length * width;
    const std::int64_t end = width == 8 ? LoadLe<std::int64_t>(last) : LoadLe<std::int32_t>(last);
    if (end < 0) return DataCorruption(what + " has a negative offset");
    return end;
  }

  /// Buffers: validity, views, the data in any number of blocks, and the sizes of those.
  Result<Array> ReadViews(const ArrayData& data, const ArrowArray& array, std::int64_t begin, const std::string& what) {
    FIRN_TRY(const Buffer views, Range(array, 1, begin, data.length, 16, what));
    std::vector<ByteSpan> blocks;
    const auto* sizes = static_cast<const std::uint8_t*>(array.buffers[array.n_buffers - 1]);
    for (std::int64_t i = 0; i + 3 < array.n_buffers; i++) {
      const auto size = LoadLe<std::int64_t>(sizes + 8 * i);
      if (size < 0) return DataCorruption(what + " has a view buffer of negative size");
      FIRN_TRY(const Buffer block, BufferAt(array, i + 2, static_cast<std::size_t>(size), what));
      blocks.push_back(block.bytes());
    }
    return DecodeViews(data.type, data.length, data.null_count, data.validity, views.bytes(), blocks, budget_, what);
  }

  std::shared_ptr<const void> owner_;
  ByteBudget budget_;
};

Result<Array> ImportAs(const ForeignField& foreign, ArrowArray* array) {
  const auto owned = std::make_shared<Owned<ArrowArray>>(array);
  FIRN_TRY(Array out, ArrayImport(owned).Read(foreign, **owned, 0, (**owned).length));
  FIRN_CHECK(Validate(out, "column \"" + foreign.field.name + "\"", true));
  return out;
}

Result<RecordBatch> ImportBatchAs(const ForeignField& foreign, const SchemaPtr& schema, ArrowArray* array) {
  FIRN_TRY(const Array rows, ImportAs(foreign, array));
  if (rows.null_count() > 0) return InvalidArgument("a record batch has rows that are null as a whole");
  return RecordBatch{schema, rows.data().children, rows.length()};
}

Result<SchemaPtr> SchemaOf(const ForeignField& foreign) {
  if (foreign.field.type->id != TypeId::kStruct) {
    return InvalidArgument("a table's Arrow schema must be a struct, this is " + foreign.field.type->ToString());
  }
  return std::make_shared<const Schema>(Schema{foreign.field.type->children, foreign.field.metadata});
}

class StreamSource final : public BatchSource {
 public:
  explicit StreamSource(ArrowArrayStream* stream) : stream_(stream) {}

  Status Start() {
    ArrowSchema raw{};
    if (const int code = stream_->get_schema(&*stream_, &raw); code != 0) return Failed(code);
    Owned<ArrowSchema> owned(&raw);
    FIRN_TRY(foreign_, ReadForeignField(*owned));
    FIRN_TRY(schema_, SchemaOf(foreign_));
    return {};
  }

  SchemaPtr schema() const override { return schema_; }

  Result<std::optional<RecordBatch>> Next() override {
    if (ended_) return std::optional<RecordBatch>();
    ArrowArray raw{};
    if (const int code = stream_->get_next(&*stream_, &raw); code != 0) return Failed(code);
    if (raw.release == nullptr) {
      ended_ = true;
      return std::optional<RecordBatch>();
    }
    FIRN_TRY(RecordBatch batch, ImportBatchAs(foreign_, schema_, &raw));
    return std::optional(std::move(batch));
  }

 private:
  Error Failed(int code) {
    const char* detail = stream_->get_last_error(&*stream_);
    return Unavailable("an Arrow stream failed: " +
                       (detail == nullptr ? "error " + std::to_string(code) : std::string(detail)));
  }

  Owned<ArrowArrayStream> stream_;
  ForeignField foreign_;
  SchemaPtr schema_;
  bool ended_ = false;
};

/// What an exported ArrowArray points to.
struct ExportedArray {
  Array array;
  std::array<const void*, 3> buffers = {};
  std::vector<ArrowArray> children;
  std::vector<ArrowArray*> pointers;
};

void ReleaseExportedArray(ArrowArray* array) {
  auto* owned = static_cast<ExportedArray*>(array->private_data);
  for (ArrowArray& child : owned->children) {
    if (child.release != nullptr) child.release(&child);  // else the receiver has moved it out
  }
  delete owned;
  array->release = nullptr;
}

std::int64_t BufferCount(TypeId id) {
  if (id == TypeId::kNull) return 0;
  if (id == TypeId::kStruct || id == TypeId::kFixedSizeList) return 1;
  return IsVarBytes(id) ? 3 : 2;
}

}  // namespace

Result<Field> ImportField(ArrowSchema* schema) {
  Owned<ArrowSchema> owned(schema);
  FIRN_TRY(ForeignField foreign, ReadForeignField(*owned));
  return std::move(foreign.field);
}

Result<SchemaPtr> ImportSchema(ArrowSchema* schema) {
  Owned<ArrowSchema> owned(schema);
  FIRN_TRY(const ForeignField foreign, ReadForeignField(*owned));
  return SchemaOf(foreign);
}

Result<Array> ImportArray(ArrowArray* array, ArrowSchema* schema) {
  Owned<ArrowSchema> owned(schema);
  auto foreign = ReadForeignField(*owned);
  if (!foreign) {
    const Owned<ArrowArray> released(array);
    return std::move(foreign).error();
  }
  return ImportAs(*foreign, array);
}

Result<RecordBatch> ImportBatch(ArrowArray* array, ArrowSchema* schema) {
  Owned<ArrowSchema> owned(schema);
  auto foreign = ReadForeignField(*owned);
  auto columns = foreign ? SchemaOf(*foreign) : Result<SchemaPtr>(foreign.error());
  if (!columns) {
    const Owned<ArrowArray> released(array);
    return std::move(columns).error();
  }
  return ImportBatchAs(*foreign, *columns, array);
}

Result<std::unique_ptr<BatchSource>> ImportStream(ArrowArrayStream* stream) {
  auto source = std::make_unique<StreamSource>(stream);
  FIRN_CHECK(source->Start());
  return source;
}

void ExportArray(const Array& array, ArrowArray* out) {
  auto owned = std::make_unique<ExportedArray>();
  owned->array = array;
  const ArrayData& data = array.data();
  owned->buffers = {data.validity.empty() ? nullptr : data.validity.data(), data.data.data(), data.bytes.data()};
  owned->children.resize(data.children.size());
  for (std::size_t i = 0; i < data.children.size(); i++) {
    ExportArray(data.children[i], &owned->children[i]);
    owned->pointers.push_back(&owned->children[i]);
  }
  *out = {};
  out->length = array.length();
  out->null_count = array.null_count();
  out->n_buffers = BufferCount(array.type().id);
  out->buffers = owned->buffers.data();
  out->n_children = static_cast<std::int64_t>(owned->children.size());
  out->children = owned->pointers.data();
  out->release = ReleaseExportedArray;
  out->private_data = owned.release();
}

void ExportBatch(const RecordBatch& batch, ArrowArray* out) {
  ArrayData rows;
  rows.type = Struct(batch.schema->fields);
  rows.length = batch.rows;
  rows.children = batch.columns;
  ExportArray(Array(std::move(rows)), out);
}

}  // namespace firn::arrow
