#include "arrow/json.h"

#include <gtest/gtest.h>

#include <cmath>

#include "arrow/json_writer.h"

namespace firn::arrow {
namespace {

SchemaPtr SchemaOf(std::vector<Field> fields) { return std::make_shared<const Schema>(Schema{std::move(fields), {}}); }

JsonOptions With(std::vector<Field> fields) {
  JsonOptions options;
  options.schema = SchemaOf(std::move(fields));
  return options;
}

Result<RecordBatch> Read(std::string text, JsonOptions options = {}) {
  return ReadJson(Buffer::Of(std::move(text)), std::move(options));
}

std::string Message(const Result<RecordBatch>& result) {
  if (result) return "no error";
  return std::string(InfoOf(result.error().kind).name) + ": " + result.error().message;
}

std::string Lines(const RecordBatch& batch) {
  std::string out;
  JsonRowWriter(*batch.schema).AppendLines(out, batch);
  return out;
}

TEST(Json, ReadsLinesAListObjectsAndOneObjectAlike) {
  const std::vector<Field> fields = {{"id", Simple(TypeId::kInt64)}, {"text", Simple(TypeId::kUtf8)}};
  for (const char* text : {
           "{\"id\":1,\"text\":\"a\"}\n{\"id\":2,\"text\":null}\n",
           "{\"id\":1,\"text\":\"a\"}\r\n\r\n  \n{\"id\":2}",
           "\xEF\xBB\xBF{\"text\":\"a\",\"id\":1}\n{\"id\":2}",
           " [ {\"id\":1,\"text\":\"a\"}\n ,{\"id\":2} ] \n",
           "{\n  \"id\": 1,\n  \"text\": \"a\"\n}\n{\n  \"id\": 2\n}\n",
       }) {
    const auto batch = Read(text, With(fields));
    ASSERT_TRUE(batch) << text << Message(batch);
    EXPECT_EQ(Lines(*batch), "{\"id\":1,\"text\":\"a\"}\n{\"id\":2,\"text\":null}\n") << text;
    const auto inferred = Read(text);
    ASSERT_TRUE(inferred) << text << Message(inferred);
    EXPECT_EQ(inferred->rows, 2);
  }
  const auto one = Read("{\"id\": 1, \n\"nested\": {\"a\": [1, 2, 3]}}");
  ASSERT_TRUE(one) << Message(one);
  EXPECT_EQ(one->rows, 1);
}

TEST(Json, ConvertsToEveryTypeAndBack) {
  const std::vector<Field> fields = {
      {"b", Simple(TypeId::kBool)},
      {"i8", Simple(TypeId::kInt8)},
      {"u64", Simple(TypeId::kUInt64)},
      {"f16", Simple(TypeId::kFloat16)},
      {"f32", Simple(TypeId::kFloat32)},
      {"f64", Simple(TypeId::kFloat64)},
      {"dec", Decimal128(10, 2)},
      {"big", Decimal128(38, 0)},
      {"day", Simple(TypeId::kDate32)},
      {"day64", Simple(TypeId::kDate64)},
      {"t32", Time32(TimeUnit::kMilli)},
      {"t64", Time64(TimeUnit::kNano)},
      {"ts", Timestamp(TimeUnit::kMicro, "UTC")},
      {"dur", DurationType(TimeUnit::kMilli)},
      {"s", Simple(TypeId::kUtf8)},
      {"ls", Simple(TypeId::kLargeUtf8)},
      {"bin", Simple(TypeId::kBinary)},
      {"fb", FixedSizeBinary(2)},
      {"l", List(Simple(TypeId::kUtf8))},
      {"v", FixedSizeList(Simple(TypeId::kFloat32), 2)},
      {"vh", FixedSizeList(Simple(TypeId::kFloat16), 2)},
      {"vu", FixedSizeList(Simple(TypeId::kUInt8), 2)},
      {"st", Struct({{"a", Simple(TypeId::kInt64)}, {"vs", List(FixedSizeList(Simple(TypeId::kFloat64), 1))}})},
      {"n", Simple(TypeId::kNull)},
  };
  const std::string row =
      R"({"b":true,"i8":-128,"u64":18446744073709551615,"f16":0.5,"f32":0.1,"f64":1.0,"dec":12.50,)"
      R"("big":"-99999999999999999999999999999999999999","day":"2024-02-29","day64":"1969-12-31","t32":"01:02:03.004",)"
      R"("t64":"23:59:59.999999999","ts":"2024-05-01T12:00:00.000001Z","dur":-5,"s":"\"\\\n\u0001é","ls":"","bin":"Zm9v",)"
      R"("fb":"Zm8=","l":["a",null],"v":[1,-0.0],"vh":[0.25,2],"vu":[0,255],"st":{"a":null,"vs":[[1.5],null]},"n":null})";
  const std::string nulls = [&] {
    std::string out = "{";
    for (const Field& field : fields) out += (out == "{" ? "\"" : ",\"") + field.name + "\":null";
    return out + "}";
  }();
  const auto batch = Read(row + "\n" + nulls + "\n{}\n", With(fields));
  ASSERT_TRUE(batch) << Message(batch);
  EXPECT_EQ(Lines(*batch), row + "\n" + nulls + "\n" + nulls + "\n");
  for (const Array& column : batch->columns) EXPECT_TRUE(Validate(column, "column", true)) << column.type().ToString();
}

struct BadCase {
  std::string text;
  std::string message;
};

TEST(Json, NamesRowLineAndColumnOfAValueThatDoesNotFit) {
  const std::vector<Field> fields = {
      {"id", Simple(TypeId::kInt8)},
      {"f", Simple(TypeId::kFloat32)},
      {"h", Simple(TypeId::kFloat16)},
      {"s", Simple(TypeId::kUtf8)},
      {"day", Simple(TypeId::kDate32)},
      {"vector", FixedSizeList(Simple(TypeId::kFloat32), 3)},
      {"l", List(Simple(TypeId::kUtf8))},
      {"st", Struct({{"a", List(Simple(TypeId::kBool))}})},
      {"u", FixedSizeList(Simple(TypeId::kUInt8), 2)},
      {"dec", Decimal128(4, 2)},
      {"bin", Simple(TypeId::kBinary)},
      {"ts", Timestamp(TimeUnit::kNano)},
  };
  const std::vector<BadCase> cases = {
      {R"({"id":128})", R"("id": 128 does not fit int8)"},
      {R"({"id":1.5})", R"("id": the number 1.5 where int8 is wanted)"},
      {R"({"id":"1"})", R"("id": text "1" where int8 is wanted)"},
      {R"({"id":18446744073709551615})", R"("id": 18446744073709551615 does not fit int8)"},
      {R"({"f":1e39})", R"("f": 1e+39 does not fit float)"},
      {R"({"h":65520})", R"("h": 65520 does not fit float16)"},
      {R"({"s":1})", R"("s": the number 1 where utf8 is wanted)"},
      {R"({"day":"2023-02-29"})", R"("day": "2023-02-29" is not a date (YYYY-MM-DD))"},
      {R"({"day":12})", R"("day": the number 12 where date32 is wanted)"},
      {R"({"ts":"2999-01-01T00:00:00Z"})", R"("ts": 2999-01-01T00:00:00Z does not fit timestamp[ns])"},
      {R"({"vector":[1,2]})", R"("vector": 2 numbers where 3 are wanted)"},
      {R"({"vector":[1,null,2]})", R"("vector[1]": null in a vector, where only finite numbers may stand)"},
      {R"({"vector":[1,2,1e300]})", R"("vector[2]": the number 1e+300 does not fit float)"},
      {R"({"vector":[1,2,[3]]})", R"("vector[2]": a list in a vector, where only finite numbers may stand)"},
      {R"({"vector":1})", R"("vector": the number 1 where fixed_size_list<float>[3] is wanted)"},
      {R"({"u":[1,256]})", R"("u[1]": the number 256 does not fit uint8)"},
      {R"({"u":[1,0.5]})", R"("u[1]": the number 0.5 does not fit uint8)"},
      {R"({"l":["a",{}]})", R"("l[1]": an object where utf8 is wanted)"},
      {R"({"st":{"a":[true,1]}})", R"("st.a[1]": the number 1 where bool is wanted)"},
      {R"({"st":{"b":1}})", R"("st.b": no such member in struct<a: list<bool>>)"},
      {R"({"st":{"a":[],"a":[]}})", R"("st.a": given twice)"},
      {R"({"dec":1.234})", R"("dec": "1.234" does not fit decimal128(4, 2))"},
      {R"({"dec":100})", R"("dec": "100" does not fit decimal128(4, 2))"},
      {R"({"bin":"?"})", R"("bin": "?" is not base64, which binary columns are written in)"},
      {R"({"other":1})", R"("other": there is no such column)"},
      {R"({"id":1,"id":2})", R"("id": given twice)"},
  };
  for (const auto& [text, message] : cases) {
    EXPECT_EQ(Message(Read("{}\n\n" + text + "\n{}", With(fields))),
              "InvalidArgument: row 1 (line 3), column " + message);
    EXPECT_EQ(Message(Read("[{}," + text + "]", With(fields))), "InvalidArgument: row 1, column " + message);
  }
}

TEST(Json, RefusesNullWhereItIsNotAllowed) {
  const std::vector<Field> fields = {{"id", Simple(TypeId::kInt64), false},
                                     {"v", FixedSizeList(Simple(TypeId::kFloat32), 1), false}};
  EXPECT_EQ(Message(Read(R"({"v":[1]})", With(fields))),
            "InvalidArgument: row 0 (line 1), column \"id\": null where a value is required");
  EXPECT_EQ(Message(Read(R"({"id":1,"v":null})", With(fields))),
            "InvalidArgument: row 0 (line 1), column \"v\": null where a value is required");
}

TEST(Json, SaysWhichLineAndByteIsBroken) {
  const std::vector<BadCase> cases = {
      {R"({"id":1)", "byte 7: the text ends early: a comma or '}' is missing"},
      {R"({"id":NaN})", "byte 6: NaN is not JSON"},
      {R"({"id":-Infinity})", "byte 7: Infinity is not JSON"},
      {R"({"id":1}{"id":2})", "byte 8: nothing may follow the value"},
      {R"({'id':1})", "byte 1: a member's name in double quotes is missing"},
      {"{\"a\":\"\xFF\"}", "byte 6: not UTF-8"},
      {R"({"a":01})", "byte 5: a number may not begin with 0"},
      {R"({"a":1e999})", "byte 5: a number beyond the range of a double"},
      {R"({"a":"\x"})", "byte 6: no such escape"},
      {R"({"a":[1,]})", "byte 8: a value is missing"},
      {R"([1])", "a list where an object is wanted"},
      {R"(7)", "the number 7 where an object is wanted"},
  };
  for (const auto& [text, message] : cases) {
    const std::string found = Message(Read("{\"id\":1}\n" + text + "\n{\"id\":2}\n",
                                           With({{"id", Simple(TypeId::kInt64)}, {"a", Simple(TypeId::kUtf8)}})));
    EXPECT_EQ(found,
              "InvalidArgument: row 1 (line 2)" + std::string(message.starts_with("byte") ? ", " : ": ") + message);
  }
}

TEST(Json, SaysWhereAListIsBroken) {
  const std::vector<BadCase> cases = {
      {R"([{"a":1},{"a":2])", "row 1, byte 15: a comma or '}' is missing"},
      {R"([{"a":1} {"a":2}])", "row 1, byte 9: a comma or ']' is missing"},
      {R"([{"a":1},])", "row 1, byte 9: a value is missing"},
      {R"([{"a":1})", "row 1, byte 8: the list is not closed"},
      {R"([{"a":1}] x)", "row 1, byte 10: nothing may follow the list"},
      {R"([{"a":1},7])", "row 1: the number 7 where an object is wanted"},
      {"[", "row 0, byte 1: the list is not closed"},
      {"[]", "there are no rows to take the columns from"},
      {"", "there are no rows to take the columns from"},
      {"[{}]", "the rows have no columns"},
      {"{\n\"a\": 1,\n\"b\": }", "row 0, byte 15: a value is missing"},
  };
  for (const auto& [text, message] : cases) EXPECT_EQ(Message(Read(text)), "InvalidArgument: " + message) << text;
}

TEST(Json, BoundsDepthRowLengthAndColumns) {
  const auto nested = [](int depth) {
    return "{\"a\":" + std::string(static_cast<std::size_t>(depth) - 1, '[') + "1" +
           std::string(static_cast<std::size_t>(depth) - 1, ']') + "}";
  };
  EXPECT_EQ(Message(Read(nested(64))), "no error");
  EXPECT_EQ(Message(Read(nested(65))), "InvalidArgument: row 0 (line 1), byte 68: nested deeper than 64");
  JsonOptions options;
  options.max_row_bytes = 100;
  const std::string long_row = "{\"a\":\"" + std::string(100, 'x') + "\"}";
  EXPECT_EQ(Message(Read("{}\n" + long_row, options)), "ResourceExhausted: row 1 (line 2) is longer than 100 bytes");
  EXPECT_EQ(Message(Read("[{}," + long_row + "]", options)), "ResourceExhausted: row 1 is longer than 100 bytes");
  options.max_columns = 2;
  EXPECT_EQ(Message(Read(R"({"a":1,"b":2,"c":3})", options)),
            "ResourceExhausted: row 0: too many columns, the last is \"c\"");
  EXPECT_EQ(Message(Read(R"({"a":{"b":1,"c":3}})", options)),
            "ResourceExhausted: row 0: too many columns, the last is \"c\"");
}

TEST(Json, ReadsIntegersBeyond64BitsAsFloats) {
  const auto batch = Read(R"({"f":123456789012345678901234567890,"v":[100000000000000000000,1]})");
  ASSERT_TRUE(batch) << Message(batch);
  EXPECT_EQ(Lines(*batch), "{\"f\":1.2345678901234568e+29,\"v\":[1e+20,1]}\n");
}

TEST(Json, GivesBatchesNoLargerThanAsked) {
  std::string text;
  for (int i = 0; i < 1000; i++) text += "{\"id\":" + std::to_string(i) + "}\n";
  JsonOptions options;
  options.batch_rows = 300;
  auto source = OpenJson(FromBuffer(Buffer::Of(text)), options);
  ASSERT_TRUE(source);
  std::vector<std::int64_t> sizes;
  std::string out;
  while (true) {
    const auto batch = (*source)->Next();
    ASSERT_TRUE(batch);
    if (!*batch) break;
    sizes.push_back((*batch)->rows);
    out += Lines(**batch);
  }
  EXPECT_EQ(sizes, (std::vector<std::int64_t>{300, 300, 300, 100}));
  EXPECT_EQ(out, text);
}

TEST(Json, NullVectorsOfAHugeTypeEndABatchEarly) {
  const auto type = FixedSizeList(Simple(TypeId::kFloat32), 10'000'000);
  auto source = OpenJson(FromBuffer(Buffer::Of(std::string("{}\n{}\n{}\n{}\n"))), With({{"v", type}}));
  ASSERT_TRUE(source);
  const auto batch = (*source)->Next();
  ASSERT_TRUE(batch);
  EXPECT_EQ((*batch)->rows, 2);
}

TEST(Json, RefusesARowThatIsSmallAsTextAndHugeInMemory) {
  const auto type = List(FixedSizeList(Simple(TypeId::kFloat32), 300'000'000));
  EXPECT_EQ(Message(Read("{\"l\":[null]}", With({{"l", type}}))),
            "ResourceExhausted: row 0 (line 1), column \"l[0]\": one value takes more than 1073741824 bytes");
}

std::string Rows(int count, const std::string& then) {
  std::string text;
  for (int i = 0; i < count; i++) text += "{\"a\":1}\n";
  return text + then;
}

TEST(Json, WidensTypesWhileNothingIsHandedOut) {
  JsonOptions options;
  options.infer_rows = 10;
  const auto source = OpenJson(FromBuffer(Buffer::Of(Rows(50, "{\"a\":1.5}\n{\"b\":true}\n"))), options);
  ASSERT_TRUE(source);
  EXPECT_EQ((*source)->schema()->ToString(),
            Schema({{{"a", Simple(TypeId::kFloat64)}, {"b", Simple(TypeId::kBool)}}, {}}).ToString());
}

TEST(Json, ALaterRowThatDoesNotFitTheInferredTypesIsAnError) {
  JsonOptions options;
  options.infer_rows = 10;
  options.batch_rows = 20;
  auto source = OpenJson(FromBuffer(Buffer::Of(Rows(50, "{\"a\":1.5}\n"))), options);
  ASSERT_TRUE(source);
  auto batch = (*source)->Next();
  while (batch && *batch) batch = (*source)->Next();
  ASSERT_FALSE(batch);
  EXPECT_EQ(batch.error().message, "row 50 (line 51), column \"a\": the number 1.5 where int64 is wanted");
  EXPECT_FALSE(batch.error().hint.empty());
  batch = (*source)->Next();
  EXPECT_TRUE(batch && !*batch) << "a source that failed has ended";
}

TEST(JsonWriter, WritesNaNAndInfinityAsNull) {
  ArrayData data;
  data.type = Simple(TypeId::kFloat32);
  data.data = Buffer::OfValues(std::vector<float>{NAN, -INFINITY, 2});
  data.length = 3;
  std::string out;
  for (int i = 0; i < 3; i++) AppendJsonValue(out, Array(data), i);
  EXPECT_EQ(out, "nullnull2.0");
}

}  // namespace
}  // namespace firn::arrow
