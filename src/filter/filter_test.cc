#include "filter/filter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <sstream>
#include <thread>

#include "arrow/builder.h"
#include "filter/case_file_testing.h"
#include "filter/sample_table_testing.h"

namespace firn::filter {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const arrow::RecordBatch& Table() {
  static const arrow::RecordBatch table = SampleTable();
  return table;
}

Error ErrorOf(std::string_view expression) {
  const auto predicate = ParseFilter(expression, *Table().schema);
  if (!predicate) return predicate.error();
  const auto rows = predicate->Select(Table());
  EXPECT_FALSE(rows.has_value()) << expression;
  return rows ? Error{} : rows.error();
}

/// The sample table, many times over.
arrow::RecordBatch Repeated(int times) {
  const std::vector<arrow::RecordBatch> parts(static_cast<std::size_t>(times), Table());
  return *arrow::Concat(Table().schema, parts);
}

TEST(Filter, AnswersEveryCaseOfTheFileAsItSays) {
  const auto cases = ReadCases(FIRN_SOURCE_DIR "/src/filter/testdata/cases.txt");
  ASSERT_GT(cases.size(), 800U);
  for (const FilterCase& c : cases) {
    std::string error;
    EXPECT_EQ(Answer(c.expression, Table(), &error), c.expected)
        << "cases.txt:" << c.line << ": " << c.expression << "\n"
        << error;
  }
}

TEST(Filter, GivesTheSameRowsAcrossChunksAndSlices) {
  // 12 rows do not divide a chunk: chunks begin at every row of the table in turn.
  const arrow::RecordBatch large = Repeated(2500);
  const arrow::RecordBatch slice = large.Slice(5, 12 * 1000);
  const auto cases = ReadCases(FIRN_SOURCE_DIR "/src/filter/testdata/cases.txt");
  for (std::size_t i = 0; i < cases.size(); i += 7) {
    if (cases[i].expected == "error") continue;
    const auto predicate = ParseFilter(cases[i].expression, *large.schema);
    ASSERT_TRUE(predicate) << cases[i].expression;
    const auto once = predicate->Select(Table());
    const auto all = predicate->Select(large);
    const auto sliced = predicate->Select(slice);
    ASSERT_TRUE(once && all && sliced) << cases[i].expression;
    std::vector<std::int64_t> expected;
    for (std::int64_t part = 0; part < 2500; part++) {
      for (const std::int64_t row : *once) expected.push_back(part * 12 + row);
    }
    EXPECT_EQ(*all, expected) << cases[i].expression;
    std::vector<std::int64_t> expected_slice;
    for (const std::int64_t row : expected) {
      if (row >= 5 && row < 5 + 12 * 1000) expected_slice.push_back(row - 5);
    }
    EXPECT_EQ(*sliced, expected_slice) << cases[i].expression;
  }
}

TEST(Filter, RunsEveryExampleOfTheUserPage) {
  std::ifstream page(FIRN_SOURCE_DIR "/docs/filters.md");
  ASSERT_TRUE(page.good());
  arrow::Schema schema;
  const auto add = [&](std::string name, arrow::TypePtr type) {
    schema.fields.push_back({std::move(name), std::move(type), true, {}});
  };
  using arrow::Simple;
  using arrow::TypeId;
  add("id", Simple(TypeId::kInt64));
  add("title", Simple(TypeId::kUtf8));
  add("price", Simple(TypeId::kFloat64));
  add("cost", arrow::Decimal128(10, 2));
  add("stock", Simple(TypeId::kInt32));
  add("active", Simple(TypeId::kBool));
  add("tags", arrow::List(Simple(TypeId::kUtf8)));
  add("added", Simple(TypeId::kDate32));
  add("updated", arrow::Timestamp(arrow::TimeUnit::kMicro));
  add("maker", arrow::Struct({{"name", Simple(TypeId::kUtf8), true, {}},
                              {"address", arrow::Struct({{"city", Simple(TypeId::kUtf8), true, {}}}), true, {}}}));
  add("digest", Simple(TypeId::kBinary));
  add("unit price", Simple(TypeId::kFloat64));
  arrow::RecordBatch batch{std::make_shared<const arrow::Schema>(schema), {}, 3};
  for (const arrow::Field& field : schema.fields) batch.columns.push_back(arrow::Nulls(field.type, 3));
  int examples = 0;
  bool inside = false;
  for (std::string line; std::getline(page, line);) {
    if (line.starts_with("```")) {
      inside = line == "```sql";
      continue;
    }
    if (!inside || line.empty()) continue;
    examples++;
    const auto predicate = ParseFilter(line, schema);
    ASSERT_TRUE(predicate) << line << "\n" << predicate.error().ToString();
    EXPECT_TRUE(predicate->Select(batch)) << line;
  }
  EXPECT_GT(examples, 40);
}

TEST(Filter, NamesTheColumnsThatItReadsInTheSchemasOrder) {
  const auto predicate = ParseFilter("st.x > 1 or s = 'a' or i64 = 1 and s <> 'b' and MIXED = 2", *Table().schema);
  ASSERT_TRUE(predicate);
  EXPECT_THAT(predicate->columns(), ElementsAre("i64", "s", "st", "Mixed"));
}

TEST(Filter, NeedsNoOtherColumnsInTheBatch) {
  const auto predicate = ParseFilter("i64 = 5", *Table().schema);
  ASSERT_TRUE(predicate);
  const arrow::Schema only{{Table().schema->fields[4]}, {}};
  const arrow::RecordBatch batch{std::make_shared<const arrow::Schema>(only), {Table().columns[4]}, 12};
  EXPECT_THAT(*predicate->Select(batch), ElementsAre(6));
  const arrow::RecordBatch without{std::make_shared<const arrow::Schema>(), {}, 12};
  EXPECT_EQ(predicate->Select(without).error().kind, ErrorKind::kInternal);
}

TEST(Filter, AnErrorShowsThePlaceAndTheNearestNames) {
  const Error error = ErrorOf("b and pricee > 5");
  EXPECT_EQ(error.kind, ErrorKind::kInvalidArgument);
  EXPECT_EQ(error.message, "unknown column \"pricee\" at column 7\nb and pricee > 5\n      ^");
  EXPECT_EQ(ErrorOf("i46 = 1").hint, "did you mean `i16` or `i64`?");
  EXPECT_THAT(ErrorOf("s = \"apple\"").hint, HasSubstr("single quotes: 'apple'"));
  EXPECT_THAT(ErrorOf("st.yy = 'a'").message, HasSubstr("unknown field \"yy\" of `st`"));
  EXPECT_THAT(ErrorOf("lowr(s) = 'a'").hint, HasSubstr("`lower`"));
}

TEST(Filter, ThePlaceCountsCharactersAndStaysOnItsLine) {
  EXPECT_EQ(ErrorOf("s = 'é' and nope").message,
            "unknown column \"nope\" at column 13\ns = 'é' and nope\n            ^");
  EXPECT_EQ(ErrorOf("b and\nnope").message, "unknown column \"nope\" at column 7\nnope\n^");
  const std::string padded(300, ' ');
  EXPECT_LT(ErrorOf("b and" + padded + "nope" + padded + "and b").message.size(), 400U);
}

TEST(Filter, ARuntimeErrorNamesTheExpression) {
  EXPECT_EQ(ErrorOf("10 / i64 > 1").kind, ErrorKind::kInvalidArgument);
  EXPECT_EQ(ErrorOf("10 / i64 > 1").message, "division by zero in `10 / i64`");
  EXPECT_THAT(ErrorOf("cast(n as int) = 1").message, HasSubstr("'x' to int32 in `cast(n as int)`"));
}

TEST(Filter, AGuardKeepsLaterTermsFromFailing) {
  EXPECT_EQ(Answer("i64 <> 0 and 10 / i64 > 1", Table()), "1 6");
  EXPECT_EQ(Answer("i64 = 0 or 10 / i64 > 1", Table()), "0 1 6");
  EXPECT_EQ(Answer("case when i64 = 0 then false else 10 / i64 > 1 end", Table()), "1 6");
  EXPECT_EQ(Answer("false and 1 / 0 = 1", Table()), "");
  EXPECT_EQ(Answer("coalesce(id, 1 / 0) >= 10", Table()), "10 11");
  EXPECT_EQ(Answer("n in ('1', '2') and cast(n as int) > 1", Table()), "1");
}

TEST(Filter, ConstantsThatCannotBeComputedFailBeforeAnyRowIsRead) {
  EXPECT_FALSE(ParseFilter("1 / 0 = 1", *Table().schema));
  EXPECT_FALSE(ParseFilter("id = cast('x' as int)", *Table().schema));
  EXPECT_FALSE(ParseFilter("d = date '2024-13-01'", *Table().schema));
  EXPECT_FALSE(ParseFilter("s ~ '('", *Table().schema));
}

TEST(Filter, ShowsTheBoundExpression) {
  const auto text = [](std::string_view expression) { return ParseFilter(expression, *Table().schema)->ToString(); };
  EXPECT_EQ(text("I64 > 1 + 1 and not s = 'it''s'"), "((i64 > 2) AND NOT (s = 'it''s'))");
  EXPECT_EQ(text("d >= '2024-01-01'"), "(d >= '2024-01-01')");
  EXPECT_EQ(text("id in (3, 1)"), "in_2_values(id)");
  EXPECT_EQ(text("bin = x'00ff'"), "(bin = x'00ff')");
}

TEST(Filter, NowIsTheClocks) {
  ManualClock clock;
  clock.Advance(std::chrono::hours(24) * 365 * 50);
  const auto at = [&](std::string_view expression) {
    return ParseFilter(expression, *Table().schema, clock)->Select(Table())->size();
  };
  EXPECT_EQ(at("ts > now()"), clock.WallNow().time_since_epoch() < std::chrono::hours(24) * 365 * 54
                                  ? at("ts > timestamp '2023-01-01'")
                                  : 0U);
  EXPECT_EQ(at("current_date = cast(now() as date)"), 12U);
  EXPECT_EQ(at("now() - interval '1 day' < now()"), 12U);
}

TEST(Filter, RefusesWhatIsTooLongTooDeepOrTooMany) {
  EXPECT_THAT(ErrorOf(std::string(64 * 1024 + 1, ' ')).message, HasSubstr("bytes long"));
  EXPECT_THAT(ErrorOf(std::string(300, '(') + "b" + std::string(300, ')')).message, HasSubstr("200 deep"));
  std::string sum = "id";
  for (int i = 0; i < 250; i++) sum += " + 1";
  EXPECT_THAT(ErrorOf(sum + " > 0").message, HasSubstr("200 deep"));
  std::string many = "id in (0";
  for (int i = 1; i < 10'000; i++) many += ",1";
  EXPECT_EQ(Answer(many + ")", Table()), "0 1");
  EXPECT_THAT(ErrorOf(many + ",2)").message, HasSubstr("more than 10000 values"));
  EXPECT_THAT(ErrorOf("repeat('x', 100000000) = s").message, HasSubstr("16 MiB"));
  // Long chains of AND and OR are flat.
  std::string chain = "id = 0";
  for (int i = 0; i < 4000; i++) chain += " or id = 3";
  EXPECT_EQ(Answer(chain, Table()), "0 3");
}

TEST(Filter, AmbiguousLetterCaseIsAnError) {
  const auto int64 = arrow::Simple(arrow::TypeId::kInt64);
  const arrow::Schema schema{{{"Price", int64, true, {}}, {"PRICE", int64, true, {}}}, {}};
  EXPECT_TRUE(ParseFilter("Price = 1", schema));
  EXPECT_THAT(ParseFilter("price = 1", schema).error().message, HasSubstr("several"));
}

TEST(Filter, ReadsHalfFloatsTimesAndFixedSizeBinary) {
  arrow::Builder half(arrow::Simple(arrow::TypeId::kFloat16));
  arrow::Builder time(arrow::Time32(arrow::TimeUnit::kMilli));
  arrow::Builder fixed(arrow::FixedSizeBinary(2));
  for (int i = 0; i < 3; i++) {
    half.AppendFloating(i + 0.5);
    time.AppendInteger(i * 3'600'000);
    fixed.AppendFixed(AsBytes(i == 0 ? "ab" : i == 1 ? "cd" : "ef"));
  }
  const arrow::Schema schema{
      {{"h", half.type().id == arrow::TypeId::kFloat16 ? arrow::Simple(arrow::TypeId::kFloat16) : nullptr, true, {}},
       {"t", arrow::Time32(arrow::TimeUnit::kMilli), true, {}},
       {"f", arrow::FixedSizeBinary(2), true, {}}},
      {}};
  const arrow::RecordBatch batch{
      std::make_shared<const arrow::Schema>(schema), {half.Finish(), time.Finish(), fixed.Finish()}, 3};
  EXPECT_EQ(Answer("h > 1", batch), "1 2");
  EXPECT_EQ(Answer("h = 1.5", batch), "1");
  EXPECT_EQ(Answer("t >= '01:00:00'", batch), "1 2");
  EXPECT_EQ(Answer("t = time '02:00:00'", batch), "2");
  EXPECT_EQ(Answer("f = x'6364'", batch), "1");
  EXPECT_EQ(Answer("f in (x'6162', 'ef')", batch), "0 2");
}

TEST(Filter, ReadsFieldsOfStructsInLists) {
  const auto item = arrow::Struct(
      {{"k", arrow::Simple(arrow::TypeId::kUtf8), true, {}}, {"v", arrow::Simple(arrow::TypeId::kInt64), true, {}}});
  arrow::Builder list(arrow::List(item));
  for (int row = 0; row < 3; row++) {
    for (int i = 0; i < row; i++) {
      list.child(0).child(0).AppendBytes(std::string(1, static_cast<char>('a' + i)));
      list.child(0).child(1).AppendInteger(row * 10 + i);
      list.child(0).CloseStruct();
    }
    list.CloseList();
  }
  const arrow::Schema schema{{{"l", arrow::List(item), true, {}}}, {}};
  const arrow::RecordBatch batch{std::make_shared<const arrow::Schema>(schema), {list.Finish()}, 3};
  EXPECT_EQ(Answer("l[1].v = 10", batch), "1");
  EXPECT_EQ(Answer("l[2]['k'] = 'b'", batch), "2");
  EXPECT_EQ(Answer("l[1].v is null", batch), "0");
}

TEST(Filter, TakesTheEarliestAndLatestMomentsApart) {
  for (const arrow::TypePtr& type :
       {arrow::Timestamp(arrow::TimeUnit::kMicro), arrow::Timestamp(arrow::TimeUnit::kSecond),
        arrow::Simple(arrow::TypeId::kDate64)}) {
    arrow::Builder builder(type);
    builder.AppendInteger(std::numeric_limits<std::int64_t>::min());
    builder.AppendInteger(std::numeric_limits<std::int64_t>::max());
    const arrow::Schema schema{{{"t", type, true, {}}}, {}};
    const arrow::RecordBatch batch{std::make_shared<const arrow::Schema>(schema), {builder.Finish()}, 2};
    EXPECT_EQ(Answer("year(t) < 1970", batch), "0");
    EXPECT_EQ(Answer("date_trunc('day', t) is null", batch), "error");
    EXPECT_EQ(Answer("date_part('hour', t) between 0 and 23", batch), "0 1");
    EXPECT_EQ(Answer("try_cast(t as date) is null", batch),
              type->unit == arrow::TimeUnit::kMicro && type->id == arrow::TypeId::kTimestamp ? "" : "0 1");
    EXPECT_NE(Answer("cast(t as string) <> 'x'", batch), "error");
  }
}

TEST(Filter, AnEmptyBatchHasNoRows) {
  const arrow::RecordBatch empty = Table().Slice(0, 0);
  for (const std::string_view expression :
       {"i64 = 5", "10 / i64 > 1", "case when b then s end = 'a'", "array_has(li, 1)", "true", "li[1] = 1"}) {
    EXPECT_EQ(Answer(expression, empty), "") << expression;
  }
}

TEST(Filter, FindsEmptyTextInAColumnWithoutABuffer) {
  arrow::Builder text(arrow::Simple(arrow::TypeId::kUtf8));
  text.AppendBytes({});
  text.AppendNull();
  text.AppendBytes({});
  const arrow::Schema schema{{{"t", arrow::Simple(arrow::TypeId::kUtf8), true, {}}}, {}};
  const arrow::RecordBatch batch{std::make_shared<const arrow::Schema>(schema), {text.Finish()}, 3};
  ASSERT_EQ(batch.columns[0].data().bytes.data(), nullptr);
  EXPECT_EQ(Answer("t = ''", batch), "0 2");
  EXPECT_EQ(Answer("t <> ''", batch), "");
  EXPECT_EQ(Answer("t < 'a'", batch), "0 2");
}

TEST(Filter, OnePredicateServesManyThreads) {
  const auto predicate = ParseFilter("s ~ 'a.*e' or n like '1%' or id in (3, 4) or regexp_like(s, n)", *Table().schema);
  ASSERT_TRUE(predicate);
  const auto expected = *ParseFilter("s ~ 'a.*e' or n like '1%' or id in (3, 4)", *Table().schema)->Select(Table());
  const auto shared = *ParseFilter("s ~ 'a.*e' or n like '1%' or id in (3, 4)", *Table().schema);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; t++) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; i++) EXPECT_EQ(*shared.Select(Table()), expected);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace firn::filter
