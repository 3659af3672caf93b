#include "arrow/npy.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>
#include <vector>

#include "arrow/buffers.h"
#include "arrow/builder.h"
#include "arrow/text_value.h"

namespace firn::arrow {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
// NumPy itself refuses longer ones by default when they come from strangers (max_header_size is 10,000).
constexpr std::size_t kMaxHeaderBytes = 64 << 10;

Error NotNpy(const std::string& why) {
  return DataCorruption("this is not a sound .npy file: " + why, "Write it with numpy.save");
}

struct NpyHeader {
  std::string descr;
  bool fortran_order = false;
  std::vector<std::uint64_t> shape;
};

/// Reads the header: the text of a Python dict with three known keys, of which only literals are understood.
class HeaderParser {
 public:
  explicit HeaderParser(std::string_view text) : rest_(text) {}

  Result<NpyHeader> Parse() {
    NpyHeader header;
    unsigned seen = 0;
    if (!Skip('{')) return NotNpy("its header is no dict");
    while (!Skip('}')) {
      FIRN_TRY(const auto key, Text());
      if (!Skip(':')) return NotNpy("its header has a key without a value");
      if (key == "descr") {
        seen |= 1;
        SkipSpace();
        if (rest_.starts_with('[')) {
          return Unsupported("the .npy file holds records, not numbers", "Save one field of them");
        }
        FIRN_TRY(header.descr, Text());
      } else if (key == "fortran_order") {
        seen |= 2;
        FIRN_TRY(header.fortran_order, Bool());
      } else if (key == "shape") {
        seen |= 4;
        FIRN_TRY(header.shape, Shape());
      } else {
        return NotNpy("its header has the unknown key " + Quoted(key));
      }
      if (!Skip(',') && !Ahead('}')) return NotNpy("its header misses a comma");
    }
    if (seen != 7) return NotNpy("its header misses a key");
    return header;
  }

 private:
  void SkipSpace() {
    while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\n')) rest_.remove_prefix(1);
  }
  bool Ahead(char c) {
    SkipSpace();
    return rest_.starts_with(c);
  }
  bool Skip(char c) {
    if (!Ahead(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  Result<std::string> Text() {
    SkipSpace();
    const char quote = rest_.empty() ? '\0' : rest_.front();
    const std::size_t end = rest_.find(quote, 1);
    if ((quote != '\'' && quote != '"') || end == std::string_view::npos) return NotNpy("its header misses a string");
    std::string text(rest_.substr(1, end - 1));
    rest_.remove_prefix(end + 1);
    return text;
  }
  Result<bool> Bool() {
    SkipSpace();
    for (const bool value : {false, true}) {
      const std::string_view word = value ? "True" : "False";
      if (!rest_.starts_with(word)) continue;
      rest_.remove_prefix(word.size());
      return value;
    }
    return NotNpy("its header misses True or False");
  }
  Result<std::vector<std::uint64_t>> Shape() {
    if (!Skip('(')) return NotNpy("its shape is no tuple");
    std::vector<std::uint64_t> shape;
    while (!Skip(')')) {
      SkipSpace();
      std::uint64_t size = 0;
      const auto got = std::from_chars(rest_.data(), rest_.data() + rest_.size(), size);
      if (got.ec != std::errc()) return NotNpy("its shape is not made of numbers");
      rest_.remove_prefix(static_cast<std::size_t>(got.ptr - rest_.data()));
      if (rest_.starts_with('L')) rest_.remove_prefix(1);  // Python 2 wrote long integers so
      shape.push_back(size);
      if (!Skip(',') && !Ahead(')')) return NotNpy("its shape misses a comma");
    }
    return shape;
  }

  std::string_view rest_;
};

Result<std::string> ReadHeaderText(ByteStream& bytes) {
  FIRN_TRY(const auto start, ReadExactly(bytes, 8));
  if (start.size() < 8 || !start.chars().starts_with(kMagic)) return NotNpy("it does not begin like one");
  const unsigned version = start.data()[6];
  if (version < 1 || version > 3) {
    return Unsupported("the .npy file has format version " + std::to_string(version) + "; 1 to 3 are known");
  }
  const std::size_t width = version == 1 ? 2 : 4;
  FIRN_TRY(const auto length, ReadExactly(bytes, width));
  if (length.size() < width) return NotNpy("it ends in its header");
  const std::size_t size = version == 1 ? LoadLe<std::uint16_t>(length.data()) : LoadLe<std::uint32_t>(length.data());
  if (size > kMaxHeaderBytes) return NotNpy("its header has " + std::to_string(size) + " bytes");
  FIRN_TRY(const auto text, ReadExactly(bytes, size));
  if (text.size() < size) return NotNpy("it ends in its header");
  return std::string(text.chars());
}

Result<TypeId> TypeOf(std::string_view descr) {
  static constexpr std::pair<std::string_view, TypeId> kTypes[] = {
      {"f2", TypeId::kFloat16}, {"f4", TypeId::kFloat32}, {"f8", TypeId::kFloat64}, {"i1", TypeId::kInt8},
      {"i2", TypeId::kInt16},   {"i4", TypeId::kInt32},   {"i8", TypeId::kInt64},   {"u1", TypeId::kUInt8},
      {"u2", TypeId::kUInt16},  {"u4", TypeId::kUInt32},  {"u8", TypeId::kUInt64},  {"b1", TypeId::kBool}};
  if (descr.starts_with('>')) {
    return Unsupported("the .npy file is big-endian (" + Quoted(descr) + ")",
                       "Convert it: numpy.save(name, a.astype(a.dtype.newbyteorder('<')))");
  }
  std::string_view code = descr;
  if (!code.empty() && (code[0] == '<' || code[0] == '|' || code[0] == '=')) code.remove_prefix(1);
  for (const auto& [name, id] : kTypes) {
    if (code == name) return id;
  }
  return Unsupported("the .npy file holds numbers of type " + Quoted(descr),
                     "Floats of 16 to 64 bits and integers of 8 to 64 can be read");
}

/// Index of the first number that is NaN or infinite: all ones in the exponent.
template <class T>
std::optional<std::size_t> FirstNotFinite(ByteSpan bytes, T exponent) {
  for (std::size_t i = 0; i < bytes.size() / sizeof(T); i++) {
    if ((LoadLe<T>(bytes.data() + i * sizeof(T)) & exponent) == exponent) return i;
  }
  return std::nullopt;
}

std::optional<std::size_t> FirstNotFinite(ByteSpan bytes, TypeId id) {
  switch (id) {
    case TypeId::kFloat16:
      return FirstNotFinite<std::uint16_t>(bytes, 0x7C00);
    case TypeId::kFloat32:
      return FirstNotFinite<std::uint32_t>(bytes, 0x7F80'0000);
    case TypeId::kFloat64:
      return FirstNotFinite<std::uint64_t>(bytes, 0x7FF0'0000'0000'0000);
    default:
      return std::nullopt;
  }
}

class NpySource final : public BatchSource {
 public:
  NpySource(std::unique_ptr<ByteStream> bytes, NpyOptions options)
      : bytes_(std::move(bytes)), options_(std::move(options)) {}

  Status Start() {
    FIRN_TRY(const auto text, ReadHeaderText(*bytes_));
    FIRN_TRY(const auto header, HeaderParser(text).Parse());
    FIRN_TRY(item_id_, TypeOf(header.descr));
    const auto& shape = header.shape;
    if (shape.empty() || shape.size() > 2) {
      return Unsupported("the .npy file has " + std::to_string(shape.size()) + " dimensions",
                         "Save one number (n,) or one vector (n, d) a row");
    }
    if (shape.size() == 2 && header.fortran_order && shape[0] > 1 && shape[1] > 1) {
      return Unsupported("the .npy file is in Fortran order", "Save it as numpy.ascontiguousarray(a)");
    }
    if (shape.size() == 2 && item_id_ == TypeId::kBool) {
      return Unsupported("the .npy file holds vectors of booleans", "Save them as uint8");
    }
    is_vector_ = shape.size() == 2;
    const std::uint64_t items = is_vector_ ? shape[1] : 1;
    if (items == 0 || items > static_cast<std::uint64_t>(INT32_MAX)) {
      return Unsupported("the .npy file has vectors of " + std::to_string(items) + " numbers");
    }
    row_bytes_ = items * (item_id_ == TypeId::kBool ? 1 : static_cast<std::uint64_t>(BitWidth(*Simple(item_id_)) / 8));
    std::uint64_t total = 0;
    if (__builtin_mul_overflow(shape[0], row_bytes_, &total) || total > static_cast<std::uint64_t>(INT64_MAX)) {
      return NotNpy("its shape is larger than any file");
    }
    rows_left_ = shape[0];
    const TypePtr item = Simple(item_id_);
    const TypePtr type = is_vector_ ? FixedSizeList(item, static_cast<std::int32_t>(items)) : item;
    schema_ = std::make_shared<const Schema>(Schema{{{options_.column, type}}, {}});
    return {};
  }

  SchemaPtr schema() const override { return schema_; }

  Result<std::optional<RecordBatch>> Next() override {
    if (rows_left_ == 0) {
      FIRN_CHECK(CheckEnd());
      return std::optional<RecordBatch>();
    }
    const std::uint64_t fitting = std::max<std::uint64_t>(1, options_.batch_bytes / row_bytes_);
    const std::uint64_t asked = static_cast<std::uint64_t>(std::max<std::int64_t>(1, options_.batch_rows));
    const std::uint64_t rows = std::min({rows_left_, fitting, asked});
    FIRN_TRY(auto data, ReadExactly(*bytes_, static_cast<std::size_t>(rows * row_bytes_)));
    if (data.size() < rows * row_bytes_) {
      const std::uint64_t missing = rows_left_ * row_bytes_ - data.size();
      rows_left_ = 0;
      ended_ = true;
      return DataCorruption("the .npy file is cut off: " + std::to_string(missing) + " bytes are missing",
                            "Fetch or write it again");
    }
    if (is_vector_) FIRN_CHECK(CheckFinite(data.bytes()));
    first_row_ += rows;
    rows_left_ -= rows;
    RecordBatch batch{schema_, {}, static_cast<std::int64_t>(rows)};
    batch.columns.push_back(Column(std::move(data), batch.rows));
    return std::optional(std::move(batch));
  }

 private:
  Status CheckFinite(ByteSpan data) {
    const auto item = FirstNotFinite(data, item_id_);
    if (!item) return {};
    const auto size = static_cast<std::size_t>(schema_->fields[0].type->list_size);
    rows_left_ = 0;
    ended_ = true;
    return InvalidArgument("row " + std::to_string(first_row_ + *item / size) + ", column \"" + options_.column + "[" +
                           std::to_string(*item % size) + "]\": NaN or infinity in a vector");
  }

  Status CheckEnd() {
    if (ended_) return {};
    ended_ = true;
    FIRN_TRY(const auto more, bytes_->Read(1));
    if (more.empty()) return {};
    return NotNpy("bytes follow its last row");
  }

  Array Column(Buffer data, std::int64_t rows) const {
    ArrayData items;
    items.type = Simple(item_id_);
    items.length = is_vector_ ? rows * schema_->fields[0].type->list_size : rows;
    if (item_id_ == TypeId::kBool) {
      BitmapBuilder bits;
      for (const std::uint8_t byte : data.bytes()) bits.Append(byte != 0);
      items.data = bits.Finish();
    } else {
      items.data = AlignedTo(std::move(data), static_cast<std::size_t>(BitWidth(*items.type) / 8));
    }
    if (!is_vector_) return Array(std::move(items));
    ArrayData vectors;
    vectors.type = schema_->fields[0].type;
    vectors.length = rows;
    vectors.children.emplace_back(std::move(items));
    return Array(std::move(vectors));
  }

  std::unique_ptr<ByteStream> bytes_;
  NpyOptions options_;
  SchemaPtr schema_;
  TypeId item_id_ = TypeId::kNull;
  bool is_vector_ = false;
  bool ended_ = false;
  std::uint64_t row_bytes_ = 0;
  std::uint64_t rows_left_ = 0;
  std::uint64_t first_row_ = 0;  // of the next batch
};

}  // namespace

Result<std::unique_ptr<BatchSource>> OpenNpy(std::unique_ptr<ByteStream> bytes, NpyOptions options) {
  auto source = std::make_unique<NpySource>(std::move(bytes), std::move(options));
  FIRN_CHECK(source->Start());
  return source;
}

}  // namespace firn::arrow
