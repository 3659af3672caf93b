#include "arrow/csv.h"

#include <gtest/gtest.h>

#include <cmath>

#include "arrow/json_writer.h"

namespace firn::arrow {
namespace {

Result<RecordBatch> ReadAll(std::string text, const CsvOptions& options = {}) {
  FIRN_TRY(const auto source, OpenCsv(FromBuffer(Buffer::Of(std::move(text))), options));
  std::vector<RecordBatch> batches;
  while (true) {
    FIRN_TRY(auto batch, source->Next());
    if (!batch) return Concat(source->schema(), batches);
    batches.push_back(*std::move(batch));
  }
}

std::string Message(const Result<RecordBatch>& result) {
  if (result) return "no error";
  return std::string(InfoOf(result.error().kind).name) + ": " + result.error().message;
}

std::string Json(const Result<RecordBatch>& batch) {
  if (!batch) return Message(batch);
  std::string out;
  JsonRowWriter(*batch->schema).AppendLines(out, *batch);
  return out;
}

std::string TypeOf(const std::string& cells) {
  const auto batch = ReadAll("c\n" + cells + "\n");
  return batch ? batch->schema->fields[0].type->ToString() : Message(batch);
}

CsvOptions With(std::vector<Field> fields) {
  CsvOptions options;
  options.schema = std::make_shared<const Schema>(Schema{std::move(fields), {}});
  return options;
}

TEST(Csv, ReadsQuotesLineBreaksAndBothLineEnds) {
  const auto batch = ReadAll(
      "\xEF\xBB\xBFid,\"te\"\"xt\",vector\r\n1,\"a, \"\"b\"\"\nc\",\"[1, 2]\"\r\n\r\n2,plain,\"[3.5,4]\"\n3,\"\",\n");
  EXPECT_EQ(Json(batch),
            "{\"id\":1,\"te\\\"xt\":\"a, "
            "\\\"b\\\"\\nc\",\"vector\":[1,2]}\n{\"id\":2,\"te\\\"xt\":\"plain\",\"vector\":[3.5,4]}\n"
            "{\"id\":3,\"te\\\"xt\":\"\",\"vector\":null}\n");
}

TEST(Csv, ReadsTabsAndALastLineWithoutABreak) {
  CsvOptions options;
  options.delimiter = '\t';
  EXPECT_EQ(Json(ReadAll("a\tb\n1\tx,y", options)), "{\"a\":1,\"b\":\"x,y\"}\n");
}

TEST(Csv, InfersTypesFromCells) {
  EXPECT_EQ(TypeOf("1\n-2\n"), "int64");
  EXPECT_EQ(TypeOf("1\n2.5\n1e3"), "double");
  EXPECT_EQ(TypeOf("18446744073709551615"), "uint64");
  EXPECT_EQ(TypeOf("true\nFALSE"), "bool");
  EXPECT_EQ(TypeOf("2024-01-01\n\"\"\n2024-02-29"), "date32");
  EXPECT_EQ(TypeOf("2024-01-01 00:00:00Z"), "timestamp[us, UTC]");
  EXPECT_EQ(TypeOf("007\n008"), "utf8");
  EXPECT_EQ(TypeOf("1\nx"), "utf8");
  EXPECT_EQ(TypeOf("true\n1"), "utf8");
  EXPECT_EQ(TypeOf("\"[1,2]\"\n\"[3,4]\""), "fixed_size_list<float>[2]");
  EXPECT_EQ(TypeOf("\"[\"\"a\"\"]\"\n[]"), "list<utf8>");
  EXPECT_EQ(TypeOf("[1]\n\"[\"\"a\"\"]\""), "utf8");
  EXPECT_EQ(TypeOf("[broken\n[1]"), "utf8");
  EXPECT_EQ(TypeOf("NaN\n1"), "utf8");
  EXPECT_EQ(TypeOf("\n\n"), "utf8");
}

TEST(Csv, AnEmptyCellIsNullUnlessItIsAsked) {
  EXPECT_EQ(Json(ReadAll("a,b\n,1\n\"\",\n")), "{\"a\":null,\"b\":1}\n{\"a\":\"\",\"b\":null}\n");
  CsvOptions options;
  options.empty_is_null = false;
  EXPECT_EQ(Json(ReadAll("a,b\n,1\n", options)), "{\"a\":\"\",\"b\":1}\n");
}

TEST(Csv, FollowsASchemaWhateverTheOrderOfColumns) {
  const auto options = With({{"v", FixedSizeList(Simple(TypeId::kUInt8), 2)},
                             {"n", Simple(TypeId::kInt8)},
                             {"d", Decimal128(6, 2)},
                             {"absent", Simple(TypeId::kBool)},
                             {"x", Simple(TypeId::kFloat32)}});
  EXPECT_EQ(Json(ReadAll("x,d,n,v\n 1.5 ,12.5,-7,\"[1,255]\"\ninf,,,\n", options)),
            "{\"v\":[1,255],\"n\":-7,\"d\":12.50,\"absent\":null,\"x\":1.5}\n"
            "{\"v\":null,\"n\":null,\"d\":null,\"absent\":null,\"x\":null}\n");
}

TEST(Csv, NamesRowLineAndColumnOfWhatIsWrong) {
  const auto options = With({{"a", Simple(TypeId::kInt8)}, {"v", FixedSizeList(Simple(TypeId::kFloat32), 2)}});
  const std::pair<const char*, const char*> cases[] = {
      {"a,v\n1,\n\"2\",\"[1,\n2]\"\n300,\n", "row 2 (line 5), column \"a\": 300 does not fit int8"},
      {"a\n1.5\n", "row 0 (line 2), column \"a\": \"1.5\" is not an integer"},
      {"a,v\n1\n", "row 0 (line 2): 1 cells where the header has 2"},
      {"a,v\n1,2,3\n", "row 0 (line 2): 3 cells where the header has 2"},
      {"a,v\n1,\"[1,2,3]\"\n", "row 0 (line 2), column \"v\": 3 numbers where 2 are wanted"},
      {"a,v\n1,\"[1,NaN]\"\n",
       "row 0 (line 2), column \"v\": \"[1,NaN]\" is not JSON, which a cell of type fixed_size_list<float>[2] holds: "
       "NaN is "
       "not JSON at byte 3"},
      {"a,v\n1,x\"y\n\"\n", "row 0 (line 2), cell 2: a quote inside a cell without quotes"},
      {"a,v\n\"1\"x,\n", "row 0 (line 2), cell 1: text after the closing quote"},
      {"a,v\n\"1,\n", "row 0 (line 2): a quote is not closed"},
      {"a\n1\n\xE9\n", "row 1 (line 3) is not UTF-8"},
      {"a,a\n", "the header (line 1) names column \"a\" twice"},
      {"a,\n", "the header (line 1): column 2 has no name"},
      {"a,b\n", "the header names column \"b\", which there is not"},
      {"", "there is no header line"},
  };
  for (const auto& [text, message] : cases) {
    EXPECT_EQ(Message(ReadAll(text, options)), std::string("InvalidArgument: ") + message) << text;
  }
}

TEST(Csv, RaggedVectorsAreAnErrorAlsoWhenInferred) {
  EXPECT_EQ(Message(ReadAll("id,vector\n1,\"[1,2]\"\n2,\"[1,2]\"\n3,[1]\n")),
            "InvalidArgument: row 2, column \"vector\": 1 numbers where 2 are wanted");
}

TEST(Csv, BoundsRowsAndColumns) {
  CsvOptions options;
  options.max_row_bytes = 50;
  options.max_columns = 2;
  EXPECT_EQ(Message(ReadAll("a\n\"" + std::string(100, 'x'), options)),
            "ResourceExhausted: row 0 (line 2) is longer than 50 bytes");
  EXPECT_EQ(Message(ReadAll("a,b,c\n", options)), "ResourceExhausted: the header names 3 columns; 2 are allowed");
}

TEST(Csv, WidensTypesWhileNothingIsHandedOut) {
  CsvOptions options;
  options.infer_rows = 2;
  EXPECT_EQ(Json(ReadAll("a\n1\n2\nx\n", options)), "{\"a\":\"1\"}\n{\"a\":\"2\"}\n{\"a\":\"x\"}\n");
  options.batch_rows = 2;
  const auto failed = ReadAll("a\n1\n2\nx\n", options);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().message, "row 2 (line 4), column \"a\": \"x\" is not an integer");
  EXPECT_FALSE(failed.error().hint.empty());
}

TEST(Csv, ReadsWhatItWrites) {
  const std::vector<Field> fields = {{"text", Simple(TypeId::kUtf8)},
                                     {"f", Simple(TypeId::kFloat64)},
                                     {"ts", Timestamp(TimeUnit::kMilli, "UTC")},
                                     {"bin", Simple(TypeId::kBinary)},
                                     {"l", List(Simple(TypeId::kUtf8))}};
  const std::string text =
      "text,f,ts,bin,l\n\"a,\"\"b\"\"\nc\",-0.0,2024-01-01T00:00:00.500Z,Zm9v,\"[\"\"x,y\"\",null]\"\n\"\",NaN,,,"
      "\nnull,-inf,,\"\",[]\n";
  const auto batch = ReadAll(text, With(fields));
  ASSERT_TRUE(batch) << Message(batch);
  std::string out;
  AppendCsvHeader(out, *batch->schema);
  AppendCsvRows(out, *batch);
  EXPECT_EQ(out,
            "text,f,ts,bin,l\n\"a,\"\"b\"\"\nc\",-0.0,2024-01-01T00:00:00.500Z,Zm9v,\"[\"\"x,y\"\",null]\"\n\"\",NaN,,,"
            "\nnull,-inf,,,[]\n");
}

TEST(Csv, ANullInAFileOfOneColumnIsAnEmptyLine) {
  const auto batch = ReadAll("a\n1\n\n3\n", With({{"a", Simple(TypeId::kUtf8)}}));
  ASSERT_TRUE(batch);
  EXPECT_EQ(Json(batch), "{\"a\":\"1\"}\n{\"a\":null}\n{\"a\":\"3\"}\n");
  std::string out;
  AppendCsvRows(out, *batch);
  EXPECT_EQ(out, "1\n\n3\n");
}

}  // namespace
}  // namespace firn::arrow
