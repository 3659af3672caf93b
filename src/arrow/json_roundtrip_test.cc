// Columns of random types and values, to JSON and CSV and back.

#include <gtest/gtest.h>

#include <cmath>

#include "arrow/builder.h"
#include "arrow/csv.h"
#include "arrow/json.h"
#include "arrow/json_writer.h"
#include "base/random.h"

namespace firn::arrow {
namespace {

class Generator {
 public:
  explicit Generator(std::uint64_t seed) : random_(seed) {}

  std::uint64_t Below(std::uint64_t bound) { return random_.Below(bound); }

  TypePtr AnyType(int depth) {
    static const TypePtr kScalars[] = {Simple(TypeId::kBool),
                                       Simple(TypeId::kInt8),
                                       Simple(TypeId::kInt16),
                                       Simple(TypeId::kInt32),
                                       Simple(TypeId::kInt64),
                                       Simple(TypeId::kUInt8),
                                       Simple(TypeId::kUInt16),
                                       Simple(TypeId::kUInt32),
                                       Simple(TypeId::kUInt64),
                                       Simple(TypeId::kFloat16),
                                       Simple(TypeId::kFloat32),
                                       Simple(TypeId::kFloat64),
                                       Decimal128(15, 4),
                                       Decimal128(38, 10),
                                       Simple(TypeId::kDate32),
                                       Simple(TypeId::kDate64),
                                       Time32(TimeUnit::kSecond),
                                       Time32(TimeUnit::kMilli),
                                       Time64(TimeUnit::kMicro),
                                       Time64(TimeUnit::kNano),
                                       Timestamp(TimeUnit::kSecond),
                                       Timestamp(TimeUnit::kMilli),
                                       Timestamp(TimeUnit::kMicro, "UTC"),
                                       Timestamp(TimeUnit::kNano, "Europe/Berlin"),
                                       DurationType(TimeUnit::kNano),
                                       Simple(TypeId::kUtf8),
                                       Simple(TypeId::kLargeUtf8),
                                       Simple(TypeId::kBinary),
                                       Simple(TypeId::kLargeBinary),
                                       FixedSizeBinary(5),
                                       Simple(TypeId::kNull)};
    static const TypeId kItems[] = {TypeId::kFloat16, TypeId::kFloat32, TypeId::kFloat64, TypeId::kInt8,
                                    TypeId::kUInt8};
    const std::uint64_t pick = Below(depth > 0 ? std::size(kScalars) + 8 : std::size(kScalars));
    if (pick < std::size(kScalars)) return kScalars[pick];
    const auto size = static_cast<std::int32_t>(Below(4) + 1);
    switch (pick - std::size(kScalars)) {
      case 0:
        return List(AnyType(depth - 1));
      case 1:
        return LargeList(AnyType(depth - 1));
      case 2:
        return FixedSizeList(Simple(TypeId::kUtf8), size);
      case 3:
      case 4: {
        std::vector<Field> members;
        for (std::int32_t i = 0; i < size; i++) members.push_back({"m" + std::to_string(i), AnyType(depth - 1)});
        return Struct(std::move(members));
      }
      default:
        return FixedSizeList(Simple(kItems[Below(std::size(kItems))]), size);
    }
  }

  void Append(Builder& to, bool nullable = true) {
    const Type& type = to.type();
    if ((nullable && Below(8) == 0) || type.id == TypeId::kNull) return to.AppendNull();
    switch (type.id) {
      case TypeId::kBool:
        return to.AppendBool(Below(2) == 0);
      case TypeId::kUInt64:
        return to.Append(Bits());
      case TypeId::kFloat16:
        return to.Append(Half());
      case TypeId::kFloat32:
        return to.Append(Float());
      case TypeId::kFloat64:
        return to.Append(Double());
      case TypeId::kDecimal128:
        return AppendDecimal(to);
      case TypeId::kDate64:
        return to.AppendInteger(Signed(31) * (Below(2) == 0 ? 86'400'000 : 1'234'567));
      case TypeId::kTime32:
      case TypeId::kTime64:
        return to.AppendInteger(static_cast<std::int64_t>(Below(86'400)) *
                                (type.unit == TimeUnit::kSecond ? 1 : 1'000));
      case TypeId::kTimestamp:
        return to.AppendInteger(Signed(type.unit == TimeUnit::kSecond ? 40 : 64));
      case TypeId::kUtf8:
      case TypeId::kLargeUtf8:
        return to.AppendBytes(Text());
      case TypeId::kBinary:
      case TypeId::kLargeBinary:
        return to.AppendBytes(Bytes(Below(9)));
      case TypeId::kFixedSizeBinary:
        return to.AppendFixed(AsBytes(Bytes(5)));
      case TypeId::kList:
      case TypeId::kLargeList:
      case TypeId::kFixedSizeList: {
        const bool fixed = type.id == TypeId::kFixedSizeList;
        const bool vector = fixed && type.children[0].type->id != TypeId::kUtf8;
        const std::uint64_t items = fixed ? static_cast<std::uint64_t>(type.list_size) : Below(4);
        for (std::uint64_t i = 0; i < items; i++) Append(to.child(0), !vector);
        return to.CloseList();
      }
      case TypeId::kStruct:
        for (std::size_t i = 0; i < type.children.size(); i++) Append(to.child(i));
        return to.CloseStruct();
      default:
        return to.AppendInteger(Signed(static_cast<int>(BitWidth(type))));
    }
  }

 private:
  /// Small and large numbers alike.
  std::uint64_t Bits() { return random_.Next() >> Below(64); }
  /// Fits `bits`; for unsigned types, too, as those take half of them here.
  std::int64_t Signed(int bits) {
    const auto value =
        static_cast<std::int64_t>(random_.Next()) >> (64 - bits) >> Below(static_cast<std::uint64_t>(bits));
    return bits < 64 ? value & ((std::int64_t{1} << (bits - 1)) - 1) : value;
  }
  std::uint16_t Half() {
    const auto half = static_cast<std::uint16_t>(random_.Next());
    return (half & 0x7C00) == 0x7C00 ? std::uint16_t{0x8000} : half;
  }
  float Float() {
    const auto value = std::bit_cast<float>(static_cast<std::uint32_t>(random_.Next()));
    return std::isfinite(value) ? value : -0.0F;
  }
  double Double() {
    const auto value = std::bit_cast<double>(random_.Next());
    return std::isfinite(value) ? value : 1.0;
  }
  void AppendDecimal(Builder& to) {
    // Below 10^15 and 10^19: within both precisions used here.
    const bool small = to.type().precision == 15;
    const auto low = static_cast<std::int64_t>(random_.Next() % (small ? 1'000'000'000'000'000 : INT64_MAX));
    const std::int64_t words[2] = {Below(2) == 0 ? low : -low, 0};
    const __int128 value = words[0];
    to.AppendFixed({reinterpret_cast<const std::uint8_t*>(&value), sizeof value});
  }
  std::string Text() {
    static constexpr std::string_view kPieces[] = {"a",    "\"", "\\",   "\n", "\r", ",", "é", "\xF0\x9F\x98\x80",
                                                   "\x01", " ",  "null", "{}", "1"};
    std::string text;
    for (std::uint64_t i = Below(6); i > 0; i--) text += kPieces[Below(std::size(kPieces))];
    return text;
  }
  std::string Bytes(std::uint64_t size) {
    std::string bytes;
    while (bytes.size() < size) bytes += static_cast<char>(random_.Next());
    return bytes;
  }

  Random random_;
};

RecordBatch RandomBatch(Generator& generator) {
  Schema schema;
  RecordBatch batch;
  batch.rows = static_cast<std::int64_t>(generator.Below(20) + 1);
  for (std::uint64_t i = generator.Below(5) + 1; i > 0; i--) {
    schema.fields.push_back({"column " + std::to_string(i), generator.AnyType(3)});
    Builder builder(schema.fields.back().type);
    for (std::int64_t row = 0; row < batch.rows; row++) generator.Append(builder);
    batch.columns.push_back(builder.Finish());
  }
  batch.schema = std::make_shared<const Schema>(std::move(schema));
  return batch;
}

TEST(JsonRoundTrip, RandomColumnsComeBackAsTheyWere) {
  for (std::uint64_t seed = 0; seed < 600; seed++) {
    Generator generator(seed);
    const RecordBatch batch = RandomBatch(generator);
    const JsonRowWriter writer(*batch.schema);
    std::string lines;
    writer.AppendLines(lines, batch);
    std::string list = "[";
    writer.AppendItems(list, batch);
    list += "]";
    for (const std::string& text : {lines, list}) {
      JsonOptions options;
      options.schema = batch.schema;
      options.batch_rows = static_cast<std::int64_t>(generator.Below(20) + 1);
      const auto back = ReadJson(Buffer::Of(text), options);
      ASSERT_TRUE(back) << "seed " << seed << ": " << back.error().ToString() << "\n" << text;
      for (const Array& column : back->columns) ASSERT_TRUE(Validate(column, "column", true)) << "seed " << seed;
      ASSERT_TRUE(Equal(*back, batch)) << "seed " << seed << "\n" << text;
    }
  }
}

TEST(CsvRoundTrip, RandomColumnsComeBackAsTheyWere) {
  for (std::uint64_t seed = 0; seed < 600; seed++) {
    Generator generator(seed);
    const RecordBatch batch = RandomBatch(generator);
    std::string text;
    AppendCsvHeader(text, *batch.schema);
    AppendCsvRows(text, batch);
    CsvOptions options;
    options.schema = batch.schema;
    const auto source = OpenCsv(FromBuffer(Buffer::Of(text)), options);
    ASSERT_TRUE(source) << "seed " << seed << ": " << source.error().ToString();
    const auto back = (*source)->Next();
    ASSERT_TRUE(back) << "seed " << seed << ": " << back.error().ToString() << "\n" << text;
    ASSERT_TRUE(*back);
    // Empty binary cells are not told from null ones; everything else is.
    for (std::size_t i = 0; i < batch.columns.size(); i++) {
      const TypeId id = batch.columns[i].type().id;
      if (id == TypeId::kBinary || id == TypeId::kLargeBinary) continue;
      ASSERT_TRUE(Equal((**back).columns[i], batch.columns[i])) << "seed " << seed << "\n" << text;
    }
  }
}

}  // namespace
}  // namespace firn::arrow
