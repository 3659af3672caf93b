#include "lance/encoding/page_reader.h"

#include <gtest/gtest.h>

#include <random>

#include "lance/column_tree.h"
#include "lance/golden_testing.h"
#include "store/memory/memory_store.h"

namespace firn::lance {
namespace {

/// Reads rows of one page by its index, however small the page is.
class IndexedPages {
 public:
  explicit IndexedPages(ByteSpan file) : store_(store::OpenMemory("pages", SystemClock())) {
    EXPECT_TRUE(store_->Put(key_, file, store::PutCondition::kNone, Deadline::Never()));
  }

  Result<arrow::Array> Read(const ColumnPage& page, const LeafPath& path, std::vector<RowSelection::Range> rows,
                            PageIndexPtr& index) {
    FIRN_TRY(const std::unique_ptr<PageReader> reader, OpenPage({page, path, std::move(rows), index, 0}));
    const KnownEnds nothing;
    for (const bool values : {false, true}) {
      ReadRound round(*store_, nothing);
      PageFetch fetch(round, key_);
      if (values) {
        FIRN_CHECK(reader->RequestValues(fetch));
      } else {
        reader->RequestIndex(fetch);
        EXPECT_TRUE(index == nullptr || round.empty()) << "what was learnt is not asked again";
      }
      FIRN_CHECK(round.Run(Deadline::Never()));
    }
    FIRN_TRY(const std::vector<arrow::Array> arrays, reader->Decode());
    FIRN_TRY(PageIndexPtr learnt, reader->LearntIndex());
    if (learnt) index = std::move(learnt);
    return arrow::Concat(arrays);
  }

  /// Without reading values.
  Result<PageIndexPtr> LearnIndex(const ColumnPage& page, const LeafPath& path) {
    FIRN_TRY(const std::unique_ptr<PageReader> reader, OpenPage({page, path, {}, nullptr, 0}));
    const KnownEnds nothing;
    ReadRound round(*store_, nothing);
    PageFetch fetch(round, key_);
    reader->RequestIndex(fetch);
    FIRN_CHECK(round.Run(Deadline::Never()));
    return reader->LearntIndex();
  }

 private:
  const std::string key_ = "file";
  std::unique_ptr<store::ObjectStore> store_;
};

/// Reads all columns of a golden file by page.
template <class Body>
void ForEachPage(const Golden& golden, const Body& body) {
  const Result<FileFooter> footer = ParseFooter(golden.file.bytes(), golden.file.size());
  ASSERT_TRUE(footer);
  for (const Field& field : golden.manifest.schema.fields) {
    if (field.parent_id != -1) continue;
    const auto type = ToArrow(golden.manifest.schema, field);
    ASSERT_TRUE(type);
    const auto leaves = LeavesIn(golden.fragment(), golden.manifest.schema, field, type->type);
    ASSERT_TRUE(leaves);
    ASSERT_FALSE(leaves->empty());
    for (const Leaf& leaf : *leaves) {
      const ByteRange entry = footer->TableEntry(leaf.column_index);
      const auto range = ParseTableEntry(golden.file.bytes().subspan(entry.offset, entry.length), *footer);
      ASSERT_TRUE(range);
      const auto column = ParseColumn(golden.file.bytes().subspan(range->offset, range->length), *footer);
      ASSERT_TRUE(column);
      for (const ColumnPage& page : column->pages) body(page, leaf.path);
    }
  }
}

TEST(PageReader, FindsAnyRowsOfAnyPageByItsIndex) {
  for (const std::string& name : GoldenNames()) {
    const Golden golden = LoadGolden(name);
    IndexedPages pages(golden.file.bytes());
    std::mt19937_64 random(3);
    ForEachPage(golden, [&](const ColumnPage& page, const LeafPath& path) {
      PageIndexPtr none;
      const auto whole = pages.Read(page, path, {{0, page.rows}}, none);
      ASSERT_TRUE(whole) << name << " " << path.name << ": " << whole.error().ToString();
      const auto read_ahead = pages.LearnIndex(page, path);
      ASSERT_TRUE(read_ahead) << name << " " << path.name << ": " << read_ahead.error().ToString();
      PageIndexPtr learnt;
      for (int round = 0; round < 12; round++) {
        std::vector<RowSelection::Range> rows;
        std::vector<std::int64_t> indices;
        std::uint64_t row = random() % page.rows;
        if (round == 0) row = page.rows - 1;
        while (row < page.rows) {
          const std::uint64_t end = std::min(page.rows, row + 1 + random() % 3);
          rows.push_back({row, end});
          for (; row < end; row++) indices.push_back(static_cast<std::int64_t>(row));
          row += 1 + random() % (page.rows / 2 + 1);
        }
        PageIndexPtr forgotten;
        PageIndexPtr ahead = *read_ahead;
        const auto got = pages.Read(page, path, rows, round % 3 == 0 ? learnt : round % 3 == 1 ? ahead : forgotten);
        ASSERT_TRUE(got) << name << " " << path.name << ": " << got.error().ToString();
        ASSERT_TRUE(arrow::Equal(*got, arrow::Take(*whole, indices)))
            << name << " " << path.name << ", round " << round;
      }
    });
  }
}

TEST(PageReader, DamagedIndexesNeverCrash) {
  for (const std::string& name : GoldenNames()) {
    const Golden golden = LoadGolden(name);
    std::mt19937_64 random(4);
    for (int round = 0; round < 25; round++) {
      std::string bytes(golden.file.chars());
      for (int i = 0; i < 60; i++)
        bytes[random() % (bytes.size() / 64) * 64 + random() % 12] = static_cast<char>(random());
      Golden damaged = golden;
      damaged.file = Buffer::Of(std::move(bytes));
      IndexedPages pages(damaged.file.bytes());
      ForEachPage(golden, [&](const ColumnPage& page, const LeafPath& path) {
        const std::uint64_t row = random() % page.rows;
        PageIndexPtr none;
        const auto read_ahead = pages.LearnIndex(page, path);
        if (read_ahead && round % 2 == 0) none = *read_ahead;
        const auto got = pages.Read(page, path, {{row, row + 1}}, none);
        if (got) {
          EXPECT_EQ(got->length(), 1);
          EXPECT_TRUE(arrow::Validate(*got, path.name)) << name << " " << path.name;
        }
      });
    }
  }
}

TEST(PageReader, AConstantPageWhoseLevelsAreHalfAnIntegerIsCorrupt) {
  const std::string levels(3, '\0');
  IndexedPages pages(AsBytes(levels));
  const LeafPath path{"c", {arrow::Simple(arrow::TypeId::kInt32)}};
  for (const std::uint64_t size : {1, 3}) {
    ColumnPage page;
    page.rows = 1;
    page.layout = {{Layer{.has_nulls = true}}, ConstantLayout{}};
    page.buffers = {{0, 0}, {0, size}};
    PageIndexPtr none;
    const auto got = pages.Read(page, path, {{0, 1}}, none);
    ASSERT_FALSE(got) << size;
    EXPECT_EQ(got.error().kind, ErrorKind::kDataCorruption);
    EXPECT_EQ(got.error().message, "the levels of a constant page are not whole 16-bit integers");
  }
}

}  // namespace
}  // namespace firn::lance
