#include "lance/deletion.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "arrow/builder.h"
#include "arrow/ipc.h"
#include "lance/manifest_testing.h"
#include "store/memory/memory_store.h"

namespace firn::lance {
namespace {

using Kind = DeletionFile::Kind;
using Offsets = std::vector<std::uint32_t>;

Offsets OffsetsOf(const DeletionVector& vector) { return {vector.offsets().begin(), vector.offsets().end()}; }

Buffer ArrowFile(const Offsets& offsets, arrow::TypeId type = arrow::TypeId::kUInt32) {
  auto schema = std::make_shared<arrow::Schema>();
  schema->fields = {{"row_id", arrow::Simple(type), false, {}}};
  arrow::Builder builder(arrow::Simple(type));
  for (const std::uint32_t offset : offsets) builder.AppendInteger(static_cast<std::int64_t>(offset));
  const arrow::RecordBatch batch{schema, {builder.Finish()}, static_cast<std::int64_t>(offsets.size())};
  return Must(arrow::WriteIpc(schema, {&batch, 1}, {arrow::IpcForm::kFile, arrow::IpcCompression::kZstd}));
}

TEST(Deletion, BitmapsComeBack) {
  Offsets many;
  for (std::uint32_t i = 0; i < 200'000; i += i % 7 + 1) many.push_back(i);
  for (const Offsets& offsets : {Offsets{}, Offsets{0}, Offsets{1, 2, 3, 70'000}, many}) {
    const auto read = DecodeDeletionFile(Kind::kBitmap, Buffer::Of(EncodeDeletionBitmap(offsets)), 200'000, "d");
    ASSERT_TRUE(read) << read.error().ToString();
    EXPECT_EQ(OffsetsOf(*read), offsets);
    EXPECT_EQ(read->Contains(2), offsets.size() >= 4 && std::ranges::binary_search(offsets, 2U));
  }
}

TEST(Deletion, ArrowFilesComeInAnyOrderAndEitherSign) {
  for (const arrow::TypeId type : {arrow::TypeId::kUInt32, arrow::TypeId::kInt32}) {
    const auto read = DecodeDeletionFile(Kind::kArrow, ArrowFile({9, 3, 3, 5}, type), 10, "d");
    ASSERT_TRUE(read) << read.error().ToString();
    EXPECT_EQ(OffsetsOf(*read), (Offsets{3, 5, 9}));
  }
}

TEST(Deletion, RowsPastTheEndAreCorruption) {
  const auto expect_corrupt = [](const Result<DeletionVector>& read) {
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().kind, ErrorKind::kDataCorruption);
    EXPECT_NE(read.error().message.find("some.file"), std::string::npos);
  };
  expect_corrupt(DecodeDeletionFile(Kind::kBitmap, Buffer::Of(EncodeDeletionBitmap(Offsets{10})), 10, "some.file"));
  expect_corrupt(DecodeDeletionFile(Kind::kArrow, ArrowFile({10}), 10, "some.file"));
  expect_corrupt(DecodeDeletionFile(Kind::kArrow, ArrowFile({0xFFFFFFFF}), 10, "some.file"));
  expect_corrupt(DecodeDeletionFile(Kind::kArrow, ArrowFile({1}, arrow::TypeId::kInt64), 10, "some.file"));
}

TEST(Deletion, DamagedFilesAreErrorsNotCrashes) {
  Offsets offsets;
  for (std::uint32_t i = 0; i < 5000; i += 3) offsets.push_back(i);
  const std::string bitmap = EncodeDeletionBitmap(offsets);
  const Buffer arrow = ArrowFile(offsets);
  for (const auto& [kind, whole] :
       {std::pair(Kind::kBitmap, bitmap), std::pair(Kind::kArrow, std::string(arrow.chars()))}) {
    for (std::size_t size = 0; size < std::min<std::size_t>(whole.size(), 600); size++) {
      EXPECT_FALSE(DecodeDeletionFile(kind, Buffer::Of(whole.substr(0, size)), 5000, "d")) << size;
    }
    for (std::size_t bit = 0; bit < std::min<std::size_t>(whole.size(), 600) * 8; bit++) {
      std::string flipped = whole;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
      (void)DecodeDeletionFile(kind, Buffer::Of(flipped), 5000, "d");
    }
  }
}

TEST(Deletion, ABitmapOfBillionsIsRefusedBeforeItUnfolds) {
  // 65,536 containers, each one run of all its values: half a megabyte that stands for every u32.
  std::string bytes;
  AppendLe(bytes, static_cast<std::uint32_t>(12347U | 65535U << 16));
  bytes.append(8192, '\xff');
  for (std::uint32_t key = 0; key < 65536; key++) {
    AppendLe(bytes, static_cast<std::uint16_t>(key));
    AppendLe(bytes, std::uint16_t{0xFFFF});
  }
  const std::size_t header = bytes.size() + 4 * 65536;
  for (std::uint32_t key = 0; key < 65536; key++) AppendLe(bytes, static_cast<std::uint32_t>(header + 6 * key));
  for (std::uint32_t key = 0; key < 65536; key++) {
    AppendLe(bytes, std::uint16_t{1});
    AppendLe(bytes, std::uint16_t{0});
    AppendLe(bytes, std::uint16_t{0xFFFF});
  }
  const auto read = DecodeDeletionFile(Kind::kBitmap, Buffer::Of(std::move(bytes)), UINT32_MAX, "d");
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().kind, ErrorKind::kResourceExhausted) << read.error().ToString();
}

TEST(Deletion, AllVectorsComeInOneRoundAndAreCounted) {
  const auto store = store::OpenMemory("test", SystemClock());
  std::vector<Fragment> fragments = {SmallFragment("a", 10), SmallFragment("b", 10), SmallFragment("c", 10)};
  for (std::size_t i = 0; i < fragments.size(); i++) fragments[i].id = i;
  fragments[1].deletion = DeletionFile{Kind::kBitmap, 4, 77, 2, std::nullopt};
  ASSERT_TRUE(store->Put("t.lance/_deletions/1-4-77.bin", AsBytes(EncodeDeletionBitmap(Offsets{2, 4})),
                         store::PutCondition::kNone, Deadline::Never()));
  std::vector<const Fragment*> all;
  for (const Fragment& fragment : fragments) all.push_back(&fragment);
  const auto vectors = Must(ReadDeletionVectors(*store, "t.lance", all, Deadline::Never()));
  ASSERT_EQ(vectors.size(), 1U);
  EXPECT_EQ(OffsetsOf(vectors.at(1)), (Offsets{2, 4}));
  fragments[1].deletion->deleted_rows = 3;
  EXPECT_FALSE(ReadDeletionVectors(*store, "t.lance", all, Deadline::Never()));
}

}  // namespace
}  // namespace firn::lance
