#include "index/lance_ivf/lance_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"
#include "index/lance_ivf/golden_testing.h"

namespace firn::index {
namespace {

using testing::HasSubstr;

std::shared_ptr<const LanceIndex> Opened(const GoldenIndex& golden, GoldenStore& store) {
  auto index = store.Open(golden.info, golden.manifest);
  EXPECT_TRUE(index) << golden.name << ": " << index.error().ToString();
  return index ? *index : nullptr;
}

Result<std::vector<simd::Hit>> Answer(const LanceIndex& index, const GoldenIndex& golden, const GoldenSearch& search,
                                      TaskPool* pool = nullptr) {
  const std::function<bool(lance::RowAddress)> accept = [&](lance::RowAddress row) {
    return !golden.deleted.contains(row) && (!search.even_rows || row % 2 == 0);
  };
  return index.Search(search.query, search.nprobes, 10, &accept, Deadline::Never(), pool);
}

/// The same rows in the same order, at the same distances up to rounding.
void ExpectSame(const std::vector<simd::Hit>& hits, const GoldenSearch& search) {
  ASSERT_EQ(hits.size(), search.hits.size());
  for (std::size_t i = 0; i < hits.size(); i++) {
    EXPECT_NEAR(hits[i].distance, search.hits[i].distance, 1e-5 * std::max(1.0F, std::abs(search.hits[i].distance)));
    EXPECT_EQ(hits[i].row, search.hits[i].row) << "place " << i;
  }
}

class Searchable : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(LanceIndex, Searchable, testing::ValuesIn(SearchableNames()),
                         [](const auto& name) { return name.param; });

TEST_P(Searchable, AnswersAsLanceDbDoes) {
  const GoldenIndex golden = LoadGolden(GetParam());
  GoldenStore store(golden);
  const auto index = Opened(golden, store);
  ASSERT_TRUE(index);
  ASSERT_EQ(golden.searches.size(), 12U);
  for (const GoldenSearch& search : golden.searches) {
    SCOPED_TRACE(std::to_string(search.nprobes) + (search.even_rows ? " even" : " all"));
    const auto hits = Answer(*index, golden, search);
    ASSERT_TRUE(hits) << hits.error().ToString();
    ExpectSame(*hits, search);
  }
}

TEST_P(Searchable, AnswersTheSameOnManyThreadsAndWithoutRecordedSizes) {
  GoldenIndex golden = LoadGolden(GetParam());
  golden.info.file_sizes.clear();
  golden.info.kind.clear();
  GoldenStore store(golden);
  const auto index = Opened(golden, store);
  ASSERT_TRUE(index);
  TaskPool pool(4);
  for (const GoldenSearch& search : golden.searches) {
    const auto hits = Answer(*index, golden, search, &pool);
    ASSERT_TRUE(hits) << hits.error().ToString();
    ExpectSame(*hits, search);
  }
}

TEST_P(Searchable, IsListedWithItsKindAndFragments) {
  const GoldenIndex golden = LoadGolden(GetParam());
  EXPECT_EQ(golden.info.name, "vector_idx");
  EXPECT_EQ(golden.info.field_ids, std::vector<std::int32_t>{1});
  EXPECT_EQ(golden.info.fragments, (std::set<std::uint64_t>{0, 1}));
  EXPECT_EQ(golden.info.file_sizes.at("index.idx"), golden.index.size());
  EXPECT_EQ(golden.info.file_sizes.at("auxiliary.idx"), golden.codes.size());
  GoldenStore store(golden);
  const auto index = Opened(golden, store);
  ASSERT_TRUE(index);
  EXPECT_EQ(index->kind(), golden.info.kind);
  EXPECT_EQ(index->covered(), golden.info.fragments);
  EXPECT_EQ(index->approximate(), golden.info.kind != "IVF_FLAT");
  const bool doubled = index->approximate() && index->metric() == simd::Metric::kCosine;
  EXPECT_EQ(index->scale_to_metric(), doubled ? 0.5F : 1.0F);
}

TEST_P(Searchable, OpensInTwoRoundsAndSearchesInOne) {
  GoldenIndex golden = LoadGolden(GetParam());
  golden.info.file_sizes.clear();  // so that only the ends of files are read at first
  GoldenStore store(golden);
  const auto index = Opened(golden, store);
  ASSERT_TRUE(index);
  const store::StoreCounts opened = store.Counts();
  EXPECT_LE(opened.rounds(), 2U);
  EXPECT_TRUE(Answer(*index, golden, golden.searches.at(1)));
  EXPECT_EQ((store.Counts() - opened).rounds(), 1U);
}

TEST_P(Searchable, OpensInOneRoundWhenItsFilesAreSmall) {
  const GoldenIndex golden = LoadGolden(GetParam());
  GoldenStore store(golden);
  ASSERT_TRUE(Opened(golden, store));
  EXPECT_EQ(store.Counts().rounds(), 1U);
}

TEST_P(Searchable, CutOffFilesAreErrorsNotCrashes) {
  GoldenIndex golden = LoadGolden(GetParam());
  golden.info.file_sizes.clear();
  const auto try_it = [&](const std::string& index, const std::string& codes) {
    GoldenStore store(golden, index, codes);
    const auto opened = store.Open(golden.info, golden.manifest);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().kind, ErrorKind::kDataCorruption) << opened.error().ToString();
    EXPECT_THAT(opened.error().message, HasSubstr(".idx"));
  };
  for (std::size_t part = 0; part < 16; part++) {
    try_it(golden.index.substr(0, golden.index.size() * part / 16), golden.codes);
    try_it(golden.index, golden.codes.substr(0, golden.codes.size() * part / 16));
  }
}

/// Opens and searches; what goes wrong must be an error of a good kind.
void ExpectNoCrash(const GoldenIndex& golden, const std::string& index, const std::string& codes) {
  GoldenStore store(golden, index, codes);
  const auto opened = store.Open(golden.info, golden.manifest);
  const auto good = [](ErrorKind kind) {
    return kind == ErrorKind::kDataCorruption || kind == ErrorKind::kUnsupported ||
           kind == ErrorKind::kResourceExhausted;
  };
  if (!opened) {
    EXPECT_TRUE(good(opened.error().kind)) << opened.error().ToString();
    return;
  }
  const GoldenSearch& search = golden.searches.back();
  const auto hits = Answer(**opened, golden, search);
  if (!hits) {
    EXPECT_TRUE(good(hits.error().kind)) << hits.error().ToString();
    return;
  }
  for (const simd::Hit& hit : *hits) {
    const lance::Fragment* fragment = golden.manifest.FindFragment(hit.row >> 32);
    ASSERT_NE(fragment, nullptr);
    EXPECT_LT(hit.row & UINT32_MAX, fragment->physical_rows);
  }
}

TEST_P(Searchable, FlippedBitsAreErrorsOrOtherAnswersButNoCrashes) {
  GoldenIndex golden = LoadGolden(GetParam());
  Random random(7);
  const auto damaged = [&](std::string bytes, std::size_t first) {
    bytes[first + random.Below(bytes.size() - first)] ^= static_cast<char>(1U << random.Below(8));
    return bytes;
  };
  for (int i = 0; i < 150; i++) {
    ExpectNoCrash(golden, damaged(golden.index, 0), golden.codes);
    ExpectNoCrash(golden, golden.index, damaged(golden.codes, golden.codes.size() - 900));  // schema, metadata, tables
    ExpectNoCrash(golden, golden.index, damaged(golden.codes, 0));
  }
}

class NotUsable : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(LanceIndex, NotUsable, testing::ValuesIn(UnsupportedNames()),
                         [](const auto& name) { return name.param; });

TEST_P(NotUsable, IsUnsupportedWithASentenceThatNamesIt) {
  const GoldenIndex golden = LoadGolden(GetParam());
  GoldenStore store(golden);
  const auto index = store.Open(golden.info, golden.manifest);
  ASSERT_FALSE(index);
  EXPECT_EQ(index.error().kind, ErrorKind::kUnsupported) << index.error().ToString();
  EXPECT_THAT(index.error().message, HasSubstr("index vector_idx: "));
  const bool manifest_says_enough = golden.name != "pq_4bit";
  EXPECT_EQ(store.Counts().rounds(), manifest_says_enough ? 0U : 1U);
}

class LanceIndexOf : public testing::Test {
 protected:
  GoldenIndex golden_ = LoadGolden("pq_l2");
  GoldenStore store_{golden_};

  Error OpenError() {
    const auto index = store_.Open(golden_.info, golden_.manifest);
    EXPECT_FALSE(index);
    return index ? Error{} : index.error();
  }
};

TEST_F(LanceIndexOf, ATableWithStableRowIdsIsNotUsable) {
  golden_.manifest.reader_flags |= lance::kFlagStableRowIds;
  EXPECT_EQ(OpenError().kind, ErrorKind::kUnsupported);
}

TEST_F(LanceIndexOf, ANewerFormatIsNotUsable) {
  golden_.info.index_version = 2;
  EXPECT_EQ(OpenError().kind, ErrorKind::kUnsupported);
}

TEST_F(LanceIndexOf, AnotherBasePathIsNotUsable) {
  golden_.info.base_id = 1;
  EXPECT_EQ(OpenError().kind, ErrorKind::kUnsupported);
}

TEST_F(LanceIndexOf, AColumnThatIsGoneIsNotUsable) {
  golden_.info.field_ids = {17};
  EXPECT_EQ(OpenError().kind, ErrorKind::kUnsupported);
  golden_.info.field_ids = {0};  // int64
  EXPECT_EQ(OpenError().kind, ErrorKind::kUnsupported);
}

TEST_F(LanceIndexOf, FilesOfLance20AreNotUsable) {
  std::string codes = golden_.codes;
  codes.replace(codes.size() - 8, 4, std::string("\0\0\3\0", 4));
  GoldenStore store(golden_, golden_.index, codes);
  const auto index = store.Open(golden_.info, golden_.manifest);
  ASSERT_FALSE(index);
  EXPECT_EQ(index.error().kind, ErrorKind::kUnsupported);
  EXPECT_THAT(index.error().message, HasSubstr("2.0"));
  EXPECT_THAT(index.error().hint, HasSubstr("build the index anew"));
}

TEST_F(LanceIndexOf, FilesThatAreGoneAreNotFound) {
  golden_.info.uuid[0] = golden_.info.uuid[0] == '0' ? '1' : '0';
  EXPECT_EQ(OpenError().kind, ErrorKind::kNotFound);
}

TEST_F(LanceIndexOf, AnotherSizeThanRecordedIsCorruption) {
  golden_.info.file_sizes["auxiliary.idx"]++;
  EXPECT_EQ(OpenError().kind, ErrorKind::kDataCorruption);
}

TEST_F(LanceIndexOf, AnotherKindThanRecordedIsCorruption) {
  golden_.info.kind = "IVF_SQ";
  EXPECT_EQ(OpenError().kind, ErrorKind::kDataCorruption);
}

TEST_F(LanceIndexOf, AnswersOnlyForFragmentsThatTheTableStillHas) {
  const auto index = Opened(golden_, store_);
  ASSERT_TRUE(index);
  lance::Manifest later = golden_.manifest;
  std::erase_if(later.fragments, [](const lance::Fragment& fragment) { return fragment.id == 0; });
  const std::uint64_t rounds = store_.Counts().rounds();
  const auto at_later = index->At(golden_.info, later);
  ASSERT_TRUE(at_later) << at_later.error().ToString();
  EXPECT_EQ(store_.Counts().rounds(), rounds);
  EXPECT_EQ((*at_later)->covered(), std::set<std::uint64_t>{1});
  const auto hits = (*at_later)->Search(golden_.searches[0].query, 100, 10, nullptr, Deadline::Never());
  ASSERT_TRUE(hits);
  ASSERT_EQ(hits->size(), 10U);
  for (const simd::Hit& hit : *hits) EXPECT_EQ(hit.row >> 32, 1U);
}

TEST_F(LanceIndexOf, AnswersOnlyForFragmentsThatItsBitmapHas) {
  golden_.info.fragments = {0};  // as after a column of fragment 1 was rewritten
  const auto index = Opened(golden_, store_);
  ASSERT_TRUE(index);
  const auto hits = index->Search(golden_.searches[0].query, 100, 2000, nullptr, Deadline::Never());
  ASSERT_TRUE(hits);
  EXPECT_EQ(hits->size(), golden_.manifest.FindFragment(0)->physical_rows);
}

TEST_F(LanceIndexOf, WithoutAFilterGivesDeletedRowsToo) {
  const auto index = Opened(golden_, store_);
  ASSERT_TRUE(index);
  const auto hits = index->Search(golden_.searches[0].query, 100, 2000, nullptr, Deadline::Never());
  ASSERT_TRUE(hits);
  EXPECT_EQ(hits->size(), 1100U);
  EXPECT_TRUE(std::ranges::is_sorted(*hits));
}

TEST_F(LanceIndexOf, ARowPastItsFragmentIsCorruption) {
  for (lance::Fragment& fragment : golden_.manifest.fragments) fragment.physical_rows = 5;
  const auto index = Opened(golden_, store_);
  ASSERT_TRUE(index);
  const auto hits = index->Search(golden_.searches[0].query, 100, 10, nullptr, Deadline::Never());
  ASSERT_FALSE(hits);
  EXPECT_EQ(hits.error().kind, ErrorKind::kDataCorruption);
  EXPECT_THAT(hits.error().message, HasSubstr("auxiliary.idx"));
}

TEST_F(LanceIndexOf, AQueryOfAnotherDimensionIsInvalid) {
  const auto index = Opened(golden_, store_);
  ASSERT_TRUE(index);
  const std::vector<float> query(31);
  const auto hits = index->Search(query, 1, 10, nullptr, Deadline::Never());
  ASSERT_FALSE(hits);
  EXPECT_EQ(hits.error().kind, ErrorKind::kInvalidArgument);
}

TEST_F(LanceIndexOf, AnotherIndexsUuidIsInvalidForAt) {
  const auto index = Opened(golden_, store_);
  ASSERT_TRUE(index);
  golden_.info.uuid = "00000000-0000-0000-0000-000000000000";
  const auto other = index->At(golden_.info, golden_.manifest);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().kind, ErrorKind::kInvalidArgument);
}

TEST_F(LanceIndexOf, AZeroQueryHasAnAnswer) {
  for (const std::string& name : SearchableNames()) {
    const GoldenIndex golden = LoadGolden(name);
    GoldenStore store(golden);
    const auto index = Opened(golden, store);
    ASSERT_TRUE(index);
    const std::vector<float> query(index->dimension(), 0.0F);
    const auto hits = index->Search(query, 2, 10, nullptr, Deadline::Never());
    ASSERT_TRUE(hits);
    EXPECT_EQ(hits->size(), 10U) << name;
  }
}

TEST_F(LanceIndexOf, ADamagedIndexSectionIsCorruption) {
  golden_.manifest.index_section = Buffer::Of(std::string("\x0a\x7f\x01", 3));
  const auto infos = ListLanceIndexes(golden_.manifest);
  ASSERT_FALSE(infos);
  EXPECT_EQ(infos.error().kind, ErrorKind::kDataCorruption);
}

TEST_F(LanceIndexOf, ATableWithoutIndexesHasNone) {
  golden_.manifest.index_section = {};
  const auto infos = ListLanceIndexes(golden_.manifest);
  ASSERT_TRUE(infos);
  EXPECT_TRUE(infos->empty());
}

}  // namespace
}  // namespace firn::index
