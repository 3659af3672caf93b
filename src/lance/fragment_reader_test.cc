#include "lance/fragment_reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "lance/golden_testing.h"
#include "store/memory/memory_store.h"

namespace firn::lance {
namespace {

RowSelection AllRows(const Golden& golden) { return RowSelection::Rows(0, golden.fragment().physical_rows); }

std::string TestName(const testing::TestParamInfo<std::string>& golden) {
  std::string name = golden.param;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; }, '_');
  return name;
}

class EveryGoldenFile : public testing::TestWithParam<std::string> {};

TEST_P(EveryGoldenFile, ReadsAsItWasWritten) {
  const Golden golden = LoadGolden(GetParam());
  for (const std::string& column : golden.Columns()) {
    GoldenTable table(golden);
    const Result<arrow::RecordBatch> got = table.ReadWhole(AllRows(golden), {column});
    ASSERT_TRUE(got) << column << ": " << got.error().ToString();
    ASSERT_EQ(got->rows, golden.expected.rows) << column;
    const Status valid = arrow::Validate(got->columns[0], column, true);
    EXPECT_TRUE(valid) << valid.error().ToString();
    EXPECT_TRUE(arrow::Equal(got->columns[0], *golden.expected.Column(column)))
        << column << ": " << got->columns[0].type().ToString();
  }
}

TEST_P(EveryGoldenFile, GivesAnyRowsAsTheFullReadDoes) {
  const Golden golden = LoadGolden(GetParam());
  const std::uint64_t rows = golden.fragment().physical_rows;
  std::mt19937_64 random(1);
  GoldenTable cached(golden);
  for (int round = 0; round < 60; round++) {
    std::vector<std::uint32_t> offsets;
    const double share = round % 3 == 0 ? 0.002 : round % 3 == 1 ? 0.1 : 0.9;
    for (std::uint32_t row = 0; row < rows; row++) {
      if (std::uniform_real_distribution<>()(random) < share) offsets.push_back(row);
    }
    if (offsets.empty()) offsets.push_back(static_cast<std::uint32_t>(random() % rows));
    GoldenTable cold(golden);
    GoldenTable& table = round % 2 == 0 ? cold : cached;
    const Result<arrow::RecordBatch> got = table.ReadWhole(RowSelection::Offsets(offsets), golden.Columns());
    ASSERT_TRUE(got) << got.error().ToString();
    const std::vector<std::int64_t> indices(offsets.begin(), offsets.end());
    const arrow::RecordBatch wanted = arrow::Take(golden.expected, indices);
    ASSERT_EQ(got->rows, wanted.rows);
    for (std::size_t i = 0; i < got->columns.size(); i++) {
      ASSERT_TRUE(arrow::Equal(got->columns[i], wanted.columns[i])) << golden.Columns()[i] << " in round " << round;
    }
  }
}

TEST_P(EveryGoldenFile, CostsOneRoundOnceItsMetadataIsRead) {
  const Golden golden = LoadGolden(GetParam());
  for (const std::string& column : golden.Columns()) {
    GoldenTable table(golden);
    table.fragment.files[0].size_bytes = 0;  // not known: the file is not read whole as a small one
    const Status ahead = table.ReadMetadata({column});
    ASSERT_TRUE(ahead) << column << ": " << ahead.error().ToString();
    EXPECT_LE(table.Counts().rounds(), 2U) << column;
    for (const std::uint32_t row : {0U, static_cast<std::uint32_t>(golden.fragment().physical_rows) - 1}) {
      const store::StoreCounts before = table.Counts();
      const Result<arrow::RecordBatch> got = table.ReadWhole(RowSelection::Offsets({&row, 1}), {column});
      ASSERT_TRUE(got) << column << ": " << got.error().ToString();
      EXPECT_LE((table.Counts() - before).rounds(), 1U) << column;
      EXPECT_TRUE(arrow::Equal(got->columns[0], golden.expected.Column(column)->Slice(row, 1))) << column;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(FragmentReader, EveryGoldenFile, testing::ValuesIn(GoldenNames()), TestName);

// ---- rounds ---------------------------------------------------------------------------------------------------------

TEST(FragmentReader, ASmallFileCostsOneRound) {
  const Golden golden = LoadGolden("lance-14-2.2/integers");
  ASSERT_LT(golden.file.size(), 256U << 10);
  GoldenTable table(golden);
  ASSERT_TRUE(table.Read(AllRows(golden), golden.Columns()));
  EXPECT_EQ(table.Counts().rounds(), 1U);
  EXPECT_EQ(table.Counts().requests(), 1U);
}

TEST(FragmentReader, AFileOfUnknownSizeCostsATailAndItsValues) {
  const Golden golden = LoadGolden("lance-14-2.2/integers");
  GoldenTable table(golden);
  table.fragment.files[0].size_bytes = 0;
  ASSERT_TRUE(table.Read(AllRows(golden), golden.Columns()));
  EXPECT_EQ(table.Counts().rounds(), 2U);
}

TEST(FragmentReader, VectorsByRowCostOneRoundOnceTheFooterIsKnown) {
  const Golden golden = LoadGolden("lance-14-2.2/vectors");
  GoldenTable table(golden);
  ASSERT_TRUE(table.Read(RowSelection::Rows(0, 1), {"f32x96"}));
  const store::StoreCounts before = table.Counts();
  const std::vector<std::uint32_t> offsets = {3, 7, 19};
  ASSERT_TRUE(table.Read(RowSelection::Offsets(offsets), {"f32x96"}));
  EXPECT_EQ((table.Counts() - before).rounds(), 1U);
  EXPECT_EQ((table.Counts() - before).requests(), 1U);  // near neighbours are read together
}

TEST(FragmentReader, NoColumnsNeedNoReads) {
  const Golden golden = LoadGolden("lance-14-2.2/integers");
  GoldenTable table(golden);
  const auto batches = table.Read(RowSelection::Rows(5, 25), {});
  ASSERT_TRUE(batches);
  ASSERT_EQ(batches->size(), 1U);
  EXPECT_EQ(batches->at(0).rows, 20);
  EXPECT_EQ(table.Counts().rounds(), 0U);
}

TEST(FragmentReader, ManyFragmentsGoForwardTogether) {
  const Golden golden = LoadGolden("lance-14-2.2/strings");
  auto memory = store::OpenMemory("many", SystemClock());
  std::vector<Fragment> fragments;
  for (std::uint64_t i = 0; i < 20; i++) {
    Fragment fragment = golden.fragment();
    fragment.id = i;
    fragment.files[0].path = "f" + std::to_string(i) + ".lance";
    fragment.files[0].size_bytes = 0;
    ASSERT_TRUE(memory->Put("t/data/" + fragment.files[0].path, golden.file.bytes(), store::PutCondition::kNone,
                            Deadline::Never()));
    fragments.push_back(fragment);
  }
  store::StoreCounter counter;
  store::CountingStore counting(std::move(memory), counter);
  FileMetadataCache cache;
  TaskPool pool(3);
  const ReadContext context{counting, "t", golden.manifest.schema, cache, &pool};
  std::vector<FragmentRead> reads;
  for (const Fragment& fragment : fragments) reads.push_back({&fragment, RowSelection::Rows(10, 40)});
  const auto batches = ReadFragments(context, reads, golden.Columns(), Deadline::Never());
  ASSERT_TRUE(batches) << batches.error().ToString();
  ASSERT_EQ(batches->size(), 20U);
  for (const auto& list : *batches) {
    const auto whole = arrow::Concat(list.at(0).schema, list);
    ASSERT_TRUE(whole);
    EXPECT_TRUE(arrow::Equal(whole->columns[0], golden.expected.columns[0].Slice(10, 30)));
  }
  EXPECT_LE(counter.Counts().rounds(), 3U);
}

// ---- what comes back ------------------------------------------------------------------------------------------------

TEST(FragmentReader, VectorsAreAViewOfTheStoresBytes) {
  const Golden golden = LoadGolden("lance-14-2.2/vectors");
  GoldenTable table(golden);
  const auto first = table.Read(AllRows(golden), {"f32x96"});
  const auto second = table.Read(AllRows(golden), {"f32x96"});
  ASSERT_TRUE(first && second);
  ASSERT_EQ(first->size(), 1U);
  const auto values = [](const arrow::RecordBatch& batch) { return batch.columns[0].child(0).data().data.data(); };
  if (reinterpret_cast<std::uintptr_t>(values(first->at(0))) % 4 == 0) {
    EXPECT_EQ(values(first->at(0)), values(second->at(0)));  // the memory store hands out its own bytes
  }
}

TEST(FragmentReader, AColumnThatNoFileHasIsNull) {
  const Golden golden = LoadGolden("lance-14-2.2/integers");
  GoldenTable table(golden);
  std::replace(table.fragment.files[0].field_ids.begin(), table.fragment.files[0].field_ids.end(),
               table.schema.FindTopLevel("rising")->id, -2);
  const auto got = table.ReadWhole(AllRows(golden), {"rising", "int8_small"});
  ASSERT_TRUE(got) << got.error().ToString();
  EXPECT_EQ(got->columns[0].null_count(), got->rows);
  EXPECT_TRUE(arrow::Equal(got->columns[1], *golden.expected.Column("int8_small")));
}

/// A struct, or a list of structs, with only its first member.
arrow::Array FirstMember(const arrow::Array& array) {
  arrow::ArrayData data = array.data();
  arrow::Type type = array.type();
  if (type.id == arrow::TypeId::kStruct) {
    type.children.resize(1);
    data.children.resize(1);
  } else {
    data.children = {FirstMember(array.child(0))};
    type.children[0].type = data.children[0].type_ptr();
  }
  data.type = std::make_shared<const arrow::Type>(std::move(type));
  return arrow::Array(std::move(data));
}

TEST(FragmentReader, AStructMemberThatNoFileHasIsNull) {
  const Golden golden = LoadGolden("lance-14-2.2/nested");
  GoldenTable table(golden);
  for (const char* column : {"struct", "list_of_struct"}) {
    const Field* field = table.schema.FindTopLevel(column);
    const std::vector<const Field*> leaves = LeavesOf(table.schema, *field);
    ASSERT_EQ(leaves.size(), 2U);
    std::replace(table.fragment.files[0].field_ids.begin(), table.fragment.files[0].field_ids.end(), leaves[1]->id, -2);
    const auto got = table.ReadWhole(AllRows(golden), {column});
    ASSERT_TRUE(got) << got.error().ToString();
    const arrow::Array& wanted = *golden.expected.Column(column);
    const arrow::Array& structs = wanted.type().id == arrow::TypeId::kList ? got->columns[0].child(0) : got->columns[0];
    EXPECT_TRUE(arrow::Equal(FirstMember(got->columns[0]), FirstMember(wanted))) << column;
    EXPECT_EQ(structs.child(1).null_count(), structs.length());
    EXPECT_EQ(got->columns[0].null_count(), wanted.null_count());
  }
}

TEST(FragmentReader, RowsOutsideTheFragmentAreRefused) {
  const Golden golden = LoadGolden("lance-14-2.2/integers");
  GoldenTable table(golden);
  const auto got = table.Read(RowSelection::Rows(0, golden.fragment().physical_rows + 1), {"rising"});
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().kind, ErrorKind::kInvalidArgument);
}

TEST(FragmentReader, AnUnknownColumnIsNamed) {
  const Golden golden = LoadGolden("lance-14-2.2/integers");
  GoldenTable table(golden);
  const auto got = table.Read(AllRows(golden), {"nope"});
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().kind, ErrorKind::kNotFound);
  EXPECT_NE(got.error().message.find("nope"), std::string::npos);
}

Buffer WithFooterVersion(const Buffer& file, std::uint16_t major, std::uint16_t minor) {
  std::string bytes(file.chars());
  std::memcpy(bytes.data() + bytes.size() - 8, &major, 2);
  std::memcpy(bytes.data() + bytes.size() - 6, &minor, 2);
  return Buffer::Of(std::move(bytes));
}

TEST(FragmentReader, FilesOfVersion20AreUnsupportedWithAWayOut) {
  const Golden golden = LoadGolden("lance-14-2.2/integers");
  GoldenTable table(golden, WithFooterVersion(golden.file, 0, 3));
  const auto got = table.Read(AllRows(golden), {"rising"});
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().kind, ErrorKind::kUnsupported);
  EXPECT_NE(got.error().message.find("file format 2.0"), std::string::npos) << got.error().message;
  EXPECT_NE(got.error().hint.find("rewrite"), std::string::npos);
}

TEST(FragmentReader, AFileOfAnotherSizeThanTheManifestSaysIsCorrupt) {
  const Golden golden = LoadGolden("lance-14-2.2/integers");
  GoldenTable table(golden);
  table.fragment.files[0].size_bytes++;
  const auto got = table.Read(AllRows(golden), {"rising"});
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().kind, ErrorKind::kDataCorruption);
  EXPECT_NE(got.error().message.find(golden.fragment().files[0].path), std::string::npos);
}

TEST(FragmentReader, AMissingDataFileIsNotFound) {
  const Golden golden = LoadGolden("lance-14-2.2/integers");
  GoldenTable table(golden);
  table.fragment.files[0].path = "gone.lance";
  const auto got = table.Read(AllRows(golden), {"rising"});
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().kind, ErrorKind::kNotFound);
}

TEST(FragmentReader, ATinyCacheStillReads) {
  const Golden golden = LoadGolden("lance-14-2.2/lists");
  GoldenTable table(golden);
  table.cache = std::make_unique<FileMetadataCache>(2000);
  for (int i = 0; i < 3; i++) {
    const auto got = table.ReadWhole(RowSelection::Rows(3, 90), golden.Columns());
    ASSERT_TRUE(got) << got.error().ToString();
    EXPECT_TRUE(arrow::Equal(got->columns[0], golden.expected.columns[0].Slice(3, 87)));
  }
}

// ---- damage ---------------------------------------------------------------------------------------------------------

/// An error, or arrays that are well formed and as long as asked: never a crash, whatever the bytes.
void ExpectErrorOrShape(const Golden& golden, const Buffer& file, std::mt19937_64& random) {
  GoldenTable table(golden, file);
  const std::uint64_t rows = golden.fragment().physical_rows;
  RowSelection selection = RowSelection::Rows(0, rows);
  if (random() % 2 == 0) {
    std::vector<std::uint32_t> offsets;
    for (std::uint32_t row = static_cast<std::uint32_t>(random() % 40); row < rows;
         row += static_cast<std::uint32_t>(1 + random() % 200))
      offsets.push_back(row);
    if (!offsets.empty()) selection = RowSelection::Offsets(offsets);
  }
  for (const std::string& column : golden.Columns()) {
    const auto got = table.ReadWhole(selection, {column});
    if (!got) {
      EXPECT_TRUE(got.error().kind == ErrorKind::kDataCorruption || got.error().kind == ErrorKind::kUnsupported ||
                  got.error().kind == ErrorKind::kResourceExhausted)
          << got.error().ToString();
      continue;
    }
    ASSERT_EQ(static_cast<std::uint64_t>(got->rows), selection.Count());
    ASSERT_TRUE(arrow::Validate(got->columns[0], column)) << golden.name << " " << column;
  }
}

class DamagedGoldenFile : public testing::TestWithParam<std::string> {};

TEST_P(DamagedGoldenFile, NeverCrashes) {
  const Golden golden = LoadGolden(GetParam());
  std::mt19937_64 random(42);
  const std::size_t size = golden.file.size();
  for (int round = 0; round < 120; round++) {
    std::string bytes(golden.file.chars());
    switch (round % 4) {
      case 0:  // anywhere
        for (int i = 0; i < 20; i++) bytes[random() % size] ^= static_cast<char>(1U << (random() % 8));
        break;
      case 1:  // the metadata at the end
        for (int i = 0; i < 2; i++)
          bytes[size - 1 - random() % std::min<std::size_t>(size, 4000)] = static_cast<char>(random());
        break;
      case 2:  // the beginnings of buffers: chunk tables, headers
        for (int i = 0; i < 30; i++)
          bytes[random() % (size / 64) * 64 + random() % 4] = static_cast<char>(random() % 3 == 0 ? 255 : random());
        break;
      default:
        bytes.resize(random() % size);
    }
    ExpectErrorOrShape(golden, Buffer::Of(std::move(bytes)), random);
  }
}

INSTANTIATE_TEST_SUITE_P(FragmentReader, DamagedGoldenFile, testing::ValuesIn(GoldenNames()), TestName);

}  // namespace
}  // namespace firn::lance
