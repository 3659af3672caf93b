#include "table/index_catalog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "store/faulty.h"
#include "store/memory/memory_store.h"
#include "store/retrying.h"

namespace firn::table {
namespace {

using testing::HasSubstr;

constexpr std::string_view kRoot = "docs.lance";

CatalogEdit Adding(std::string name) {
  return [name = std::move(name)](index::Catalog& catalog) -> Status {
    index::SegmentEntry entry;
    entry.name = name;
    catalog.segments.push_back(std::move(entry));
    return {};
  };
}

std::vector<std::string> NamesOf(const index::Catalog& catalog) {
  std::vector<std::string> names;
  for (const index::SegmentEntry& entry : catalog.segments) names.push_back(entry.name);
  return names;
}

class IndexCatalogTest : public testing::Test {
 protected:
  Result<index::Catalog> Read() { return ReadCatalog(*store_, kRoot, Deadline::Never()); }
  Result<index::Catalog> Edit(const CatalogEdit& edit) { return EditCatalog(*store_, kRoot, edit, Deadline::Never()); }
  void Put(std::uint64_t number, std::string_view bytes) {
    ASSERT_TRUE(store_->Put(CatalogKey(kRoot, number), AsBytes(bytes), store::PutCondition::kNone, Deadline::Never()));
  }

  ManualClock clock_;
  std::unique_ptr<store::ObjectStore> store_ = store::OpenMemory("test", clock_);
};

TEST_F(IndexCatalogTest, ATableWithoutOneHasAnEmptyCatalog) {
  const auto catalog = Read();
  ASSERT_TRUE(catalog);
  EXPECT_EQ(catalog->number, 0U);
  EXPECT_TRUE(catalog->segments.empty());
}

TEST_F(IndexCatalogTest, EditsFollowEachOtherAndTheNewestCounts) {
  for (int i = 1; i <= 12; i++) {
    const auto edited = Edit(Adding("i" + std::to_string(i)));
    ASSERT_TRUE(edited);
    EXPECT_EQ(edited->number, static_cast<std::uint64_t>(i));
    EXPECT_EQ(Read()->number, edited->number);
    EXPECT_EQ(Read()->segments.size(), static_cast<std::size_t>(i));
  }
}

TEST_F(IndexCatalogTest, KeysCountDown) {
  EXPECT_EQ(CatalogKey("t", 0), "t/_firn/catalog/18446744073709551615");
  EXPECT_EQ(CatalogKey("t", 1), "t/_firn/catalog/18446744073709551614");
  EXPECT_EQ(CatalogKey("t", UINT64_MAX), "t/_firn/catalog/00000000000000000000");
}

TEST_F(IndexCatalogTest, RacingEditsLoseNothing) {
  constexpr int kThreads = 6, kEdits = 8;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; t++) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEdits; i++) {
        const auto edited = Edit(Adding(std::to_string(t) + "." + std::to_string(i)));
        EXPECT_TRUE(edited) << edited.error().ToString();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto names = NamesOf(*Read());
  EXPECT_EQ(names.size(), static_cast<std::size_t>(kThreads * kEdits));
  EXPECT_EQ(std::set(names.begin(), names.end()).size(), names.size());
  EXPECT_EQ(Read()->number, names.size());
}

TEST_F(IndexCatalogTest, AnEditThatAlwaysLosesIsAConflict) {
  int calls = 0;
  const auto edited = Edit([&](index::Catalog& catalog) -> Status {
    calls++;
    index::Catalog rival{catalog.number + 1, catalog.segments};
    EXPECT_TRUE(Adding("rival")(rival));
    Put(rival.number, index::EncodeCatalog(rival));
    return {};
  });
  ASSERT_FALSE(edited);
  EXPECT_EQ(edited.error().kind, ErrorKind::kConflict);
  EXPECT_EQ(calls, 100);
}

TEST_F(IndexCatalogTest, AnEditThatFailsChangesNothing) {
  ASSERT_TRUE(Edit(Adding("a")));
  const auto edited = Edit([](index::Catalog& catalog) -> Status {
    catalog.segments.clear();
    return NotFound("there is no such index");
  });
  EXPECT_EQ(edited.error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(Read()->number, 1U);
  EXPECT_EQ(Read()->segments.size(), 1U);
}

TEST_F(IndexCatalogTest, LostAnswersSettle) {
  Random random(3);
  Log log(LogLevel::kOff, clock_);
  int lost = 0;
  auto faulty = std::make_unique<store::FaultyStore>(
      store::OpenMemory("test", clock_),
      [&](const store::OperationInfo& operation) -> store::FaultDecision {
        if (operation.operation == store::StoreOperation::kPut && lost++ % 2 == 0)
          return {.fault = store::Fault::kLoseAnswer};
        return {};
      },
      clock_);
  store_ = std::make_unique<store::RetryingStore>(std::move(faulty), store::RetryPolicy{}, clock_, random, log);
  for (int i = 0; i < 10; i++) {
    const auto edited = Edit(Adding(std::to_string(i)));
    ASSERT_TRUE(edited) << edited.error().ToString();
  }
  EXPECT_EQ(NamesOf(*Read()), (std::vector<std::string>{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}));
  EXPECT_EQ(Read()->number, 10U);
}

TEST_F(IndexCatalogTest, ACorruptNewestCatalogIsBegunAnewAfterIt) {
  ASSERT_TRUE(Edit(Adding("a")));
  Put(5, "not a catalog");
  EXPECT_EQ(Read().error().kind, ErrorKind::kDataCorruption);
  const auto edited = Edit(Adding("b"));
  ASSERT_TRUE(edited) << edited.error().ToString();
  EXPECT_EQ(edited->number, 6U);
  EXPECT_EQ(NamesOf(*Read()), std::vector<std::string>{"b"});
}

TEST_F(IndexCatalogTest, ACatalogUnderAnotherNumberIsCorrupt) {
  Put(4, index::EncodeCatalog({3, {}}));
  EXPECT_EQ(Read().error().kind, ErrorKind::kDataCorruption);
  ASSERT_TRUE(Edit(Adding("a")));
  EXPECT_EQ(Read()->number, 5U);
}

TEST_F(IndexCatalogTest, ANewerProgramsCatalogIsLeftAlone) {
  std::string newer = index::EncodeCatalog({1, {}});
  newer[8] = 3;
  Put(1, newer);
  EXPECT_EQ(Read().error().kind, ErrorKind::kUnsupported);
  EXPECT_EQ(Edit(Adding("a")).error().kind, ErrorKind::kUnsupported);
}

TEST_F(IndexCatalogTest, WhatElseLiesInTheFolderHidesNoCatalog) {
  ASSERT_TRUE(Edit(Adding("a")));
  // The first is what bucket consoles leave for "folders"; it sorts before every catalog.
  for (const std::string name : {"-", "0", "README", "0000000000000000000x"}) {
    ASSERT_TRUE(store_->Put(std::string(kRoot) + "/_firn/catalog/" + name, AsBytes("x"), store::PutCondition::kNone,
                            Deadline::Never()));
  }
  EXPECT_EQ(NamesOf(*Read()), std::vector<std::string>{"a"});
  ASSERT_TRUE(Edit(Adding("b")));
  EXPECT_EQ(Read()->number, 2U);
}

// ---- coverage ----

lance::Manifest OneFragment() {
  lance::Manifest manifest;
  lance::Fragment fragment;
  fragment.id = 3;
  fragment.physical_rows = 100;
  fragment.files.resize(2);
  fragment.files[0].path = "ids.lance";
  fragment.files[0].field_ids = {0};
  fragment.files[1].path = "vectors.lance";
  fragment.files[1].field_ids = {-2, 7};
  manifest.fragments.push_back(std::move(fragment));
  return manifest;
}

TEST(StillCovers, OnlyTheVeryFileOfTheColumn) {
  const lance::Manifest manifest = OneFragment();
  EXPECT_TRUE(StillCovers({3, 100, "vectors.lance"}, manifest, 7));
  EXPECT_FALSE(StillCovers({4, 100, "vectors.lance"}, manifest, 7)) << "another fragment";
  EXPECT_FALSE(StillCovers({3, 99, "vectors.lance"}, manifest, 7)) << "other rows";
  EXPECT_FALSE(StillCovers({3, 100, "other.lance"}, manifest, 7)) << "another file";
  EXPECT_FALSE(StillCovers({3, 100, "vectors.lance"}, manifest, 0)) << "another column";
  EXPECT_FALSE(StillCovers({3, 100, "vectors.lance"}, manifest, 8)) << "no such column";
}

TEST(StillCovers, DeletedRowsChangeNothing) {
  lance::Manifest manifest = OneFragment();
  manifest.fragments[0].deletion = lance::DeletionFile{lance::DeletionFile::Kind::kBitmap, 1, 2, 50, std::nullopt};
  EXPECT_TRUE(StillCovers({3, 100, "vectors.lance"}, manifest, 7));
}

TEST(StillCovers, DataFileOfFindsTheFileOfAField) {
  const lance::Manifest manifest = OneFragment();
  EXPECT_EQ(DataFileOf(manifest.fragments[0], 7)->path, "vectors.lance");
  EXPECT_EQ(DataFileOf(manifest.fragments[0], 9), nullptr);
}

}  // namespace
}  // namespace firn::table
