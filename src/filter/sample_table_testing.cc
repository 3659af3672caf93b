#include "filter/sample_table_testing.h"

#include <cmath>
#include <limits>
#include <optional>
#include <string>

#include "arrow/builder.h"
#include "arrow/iso_time.h"

namespace firn::filter {
namespace {

using arrow::Builder;
using arrow::TimeUnit;
using arrow::TypeId;
using arrow::TypePtr;
template <class T>
using Maybe = std::optional<T>;
constexpr auto kNone = std::nullopt;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct TableBuilder {
  arrow::Schema schema;
  std::vector<arrow::Array> columns;

  void Add(std::string name, arrow::Array column) {
    schema.fields.push_back({std::move(name), column.type_ptr(), true, {}});
    columns.push_back(std::move(column));
  }
  void Integers(std::string name, const TypePtr& type, const std::vector<Maybe<std::int64_t>>& values) {
    Builder builder(type);
    for (const auto& value : values) value ? builder.AppendInteger(*value) : builder.AppendNull();
    Add(std::move(name), builder.Finish());
  }
  void Floats(std::string name, TypeId id, const std::vector<Maybe<double>>& values) {
    Builder builder(arrow::Simple(id));
    for (const auto& value : values) value ? builder.AppendFloating(*value) : builder.AppendNull();
    Add(std::move(name), builder.Finish());
  }
  void Bytes(std::string name, TypeId id, const std::vector<Maybe<std::string>>& values) {
    Builder builder(arrow::Simple(id));
    for (const auto& value : values) value ? builder.AppendBytes(*value) : builder.AppendNull();
    Add(std::move(name), builder.Finish());
  }
};

const std::vector<Maybe<std::string>> kTimes = {"2024-01-01T00:00:00",   "2024-02-29T12:34:56.789012",
                                                "1969-12-31T23:59:59.5", "2023-12-31T23:59:59",
                                                "2024-01-15T08:00:00",   kNone,
                                                "2000-01-01T00:00:00",   "1999-12-31T23:59:59.999999",
                                                "2024-12-31T18:30:00",   kNone,
                                                "2024-06-15T06:00:00",   "2024-01-02T00:00:00"};

void AddTimes(TableBuilder& table) {
  std::vector<Maybe<std::int64_t>> days;
  std::vector<Maybe<std::int64_t>> millis;
  for (const auto& time : kTimes) {
    days.push_back(time ? arrow::ParseIsoDate(time->substr(0, 10)) : kNone);
    millis.push_back(days.back() ? Maybe<std::int64_t>(*days.back() * 86'400'000) : kNone);
  }
  table.Integers("d", arrow::Simple(TypeId::kDate32), days);
  table.Integers("d64", arrow::Simple(TypeId::kDate64), millis);
  const std::pair<const char*, TypePtr> kTypes[] = {{"ts", arrow::Timestamp(TimeUnit::kMicro)},
                                                    {"tsms", arrow::Timestamp(TimeUnit::kMilli)},
                                                    {"tsns", arrow::Timestamp(TimeUnit::kNano)},
                                                    {"tz", arrow::Timestamp(TimeUnit::kMicro, "UTC")}};
  for (const auto& [name, type] : kTypes) {
    std::vector<Maybe<std::int64_t>> values;
    for (const auto& time : kTimes)
      values.push_back(time ? arrow::InUnit(*arrow::ParseIsoInstant(*time), type->unit) : kNone);
    table.Integers(name, type, values);
  }
}

void AddLists(TableBuilder& table) {
  const std::vector<Maybe<std::vector<Maybe<std::int64_t>>>> numbers = {
      {{1, 2, 3}},  std::vector<Maybe<std::int64_t>>{},
      kNone,        {{4}},
      {{5, kNone}}, std::vector<Maybe<std::int64_t>>{kNone},
      {{1, 1}},     {{2}},
      {{3, 2, 1}},  {{10, 20}},
      {{7}},        {{100}}};
  Builder li(arrow::List(arrow::Simple(TypeId::kInt64)));
  for (const auto& list : numbers) {
    if (!list) {
      li.AppendNull();
      continue;
    }
    for (const auto& item : *list) item ? li.child(0).AppendInteger(*item) : li.child(0).AppendNull();
    li.CloseList();
  }
  table.Add("li", li.Finish());

  using Texts = std::vector<Maybe<std::string>>;
  const std::vector<Maybe<Texts>> texts = {Texts{"a", "b"},      Texts{},         kNone,           Texts{"c"},
                                           Texts{"d", kNone},    Texts{kNone},    Texts{"a", "a"}, Texts{"b"},
                                           Texts{"c", "b", "a"}, Texts{"x", "y"}, Texts{"A"},      Texts{""}};
  Builder lstr(arrow::List(arrow::Simple(TypeId::kUtf8)));
  for (const auto& list : texts) {
    if (!list) {
      lstr.AppendNull();
      continue;
    }
    for (const auto& item : *list) item ? lstr.child(0).AppendBytes(*item) : lstr.child(0).AppendNull();
    lstr.CloseList();
  }
  table.Add("lstr", lstr.Finish());

  Builder vec(arrow::FixedSizeList(arrow::Simple(TypeId::kFloat32), 2));
  const std::vector<Maybe<std::pair<double, double>>> vectors = {{{1, 2}}, {{0, 0}}, {{3, 4}}, {{5, 6}},
                                                                 {{7, 8}}, kNone,    {{1, 1}}, {{2, 2}},
                                                                 {{3, 3}}, {{4, 4}}, {{5, 5}}, {{6, 6}}};
  for (const auto& vector : vectors) {
    if (!vector) {
      vec.AppendNull();
      continue;
    }
    vec.child(0).AppendFloating(vector->first);
    vec.child(0).AppendFloating(vector->second);
    vec.CloseList();
  }
  table.Add("vec", vec.Finish());
}

void AddStruct(TableBuilder& table) {
  const TypePtr inner = arrow::Struct({{"z", arrow::Simple(TypeId::kFloat64), true, {}}});
  Builder st(arrow::Struct({{"x", arrow::Simple(TypeId::kInt64), true, {}},
                            {"y", arrow::Simple(TypeId::kUtf8), true, {}},
                            {"in", inner, true, {}}}));
  for (int row = 0; row < 12; row++) {
    if (row == 3) {
      st.AppendNull();
      continue;
    }
    row == 4 ? st.child(0).AppendNull() : st.child(0).AppendInteger(row + 1);
    row == 2 ? st.child(1).AppendNull() : st.child(1).AppendBytes(std::string(1, static_cast<char>('a' + row)));
    if (row == 4) {
      st.child(2).AppendNull();
    } else {
      Builder& z = st.child(2).child(0);
      if (row == 2) {
        z.AppendNull();
      } else {
        z.AppendFloating(row == 5 ? 6.5 : row == 10 ? std::nan("") : row + 1);
      }
      st.child(2).CloseStruct();
    }
    st.CloseStruct();
  }
  table.Add("st", st.Finish());
}

}  // namespace

arrow::RecordBatch SampleTable() {
  TableBuilder table;
  const std::vector<Maybe<std::int64_t>> row_numbers = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
  const std::vector<Maybe<std::int64_t>> from_one = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  const auto integer = [&](const char* name, TypeId id, std::int64_t third, std::int64_t largest, std::int64_t smallest,
                           std::int64_t fifty) {
    table.Integers(name, arrow::Simple(id), {0, 1, third, largest, smallest, kNone, 5, 10, kNone, 100, fifty, 7});
  };
  table.Integers("id", arrow::Simple(TypeId::kInt64), row_numbers);
  integer("i8", TypeId::kInt8, -1, 127, -128, -50);
  integer("i16", TypeId::kInt16, -1, 32767, -32768, -50);
  integer("i32", TypeId::kInt32, -1, 2147483647, -2147483648LL, -50);
  integer("i64", TypeId::kInt64, -1, std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::min(),
          -50);
  integer("u8", TypeId::kUInt8, 2, 255, 128, 50);
  integer("u16", TypeId::kUInt16, 2, 65535, 32768, 50);
  integer("u32", TypeId::kUInt32, 2, 4294967295LL, 2147483648LL, 50);
  Builder u64(arrow::Simple(TypeId::kUInt64));
  for (const Maybe<std::uint64_t> value : std::vector<Maybe<std::uint64_t>>{
           0, 1, 2, 18446744073709551615ULL, 9223372036854775808ULL, kNone, 5, 10, kNone, 100, 50, 7}) {
    value ? u64.Append<std::uint64_t>(*value) : u64.AppendNull();
  }
  table.Add("u64", u64.Finish());
  const std::vector<Maybe<double>> floats = {0.0,        1.5, -1.5, std::nan(""), kInfinity, kNone,
                                             -kInfinity, 0.1, -0.0, 100.25,       -50.75,    7.0};
  table.Floats("f32", TypeId::kFloat32, floats);
  table.Floats("f64", TypeId::kFloat64, floats);
  Builder b(arrow::Simple(TypeId::kBool));
  for (const char c : std::string("tf-tf-tf-tft")) c == '-' ? b.AppendNull() : b.AppendBool(c == 't');
  table.Add("b", b.Finish());
  const std::vector<Maybe<std::string>> texts = {"apple",  "Banana", "",        "cherry%", "da_te",     kNone,
                                                 "éclair", "fig\\x", "  pad  ", "Grape",   "apple pie", "日本語"};
  table.Bytes("s", TypeId::kUtf8, texts);
  table.Bytes("ls", TypeId::kLargeUtf8, texts);
  table.Bytes("n", TypeId::kUtf8, {"1", "2", "x", "10", kNone, "", "-5", "3.5", "1e3", " 7 ", "true", "2024-01-15"});
  table.Bytes("bin", TypeId::kBinary,
              {std::string("\0\xff", 2), "abc", "", kNone, "\x01", kNone, "zz", "abc", "\xff", "a", "ab", "q"});
  AddTimes(table);
  Builder dec(arrow::Decimal128(10, 2));
  for (const Maybe<std::int64_t> cents : std::vector<Maybe<std::int64_t>>{0, 150, -150, 9999999999, -9999999999, kNone,
                                                                          10, 1000, kNone, 10025, -5075, 700}) {
    cents ? dec.Append<__int128>(*cents) : dec.AppendNull();
  }
  table.Add("dec", dec.Finish());
  AddLists(table);
  AddStruct(table);
  table.Integers("weird name", arrow::Simple(TypeId::kInt64), from_one);
  table.Integers("Mixed", arrow::Simple(TypeId::kInt64), from_one);
  table.Integers("select", arrow::Simple(TypeId::kInt64), from_one);
  return {std::make_shared<const arrow::Schema>(std::move(table.schema)), std::move(table.columns), 12};
}

}  // namespace firn::filter
