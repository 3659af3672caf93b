#include "lance/index_metadata.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lance/deletion.h"
#include "table.pb.h"

namespace firn::lance {
namespace {

pb::IndexMetadata Message() {
  pb::IndexMetadata message;
  message.mutable_uuid()->set_uuid("\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67\x89\xab\xcd\xef");
  message.set_name("vector_idx");
  message.add_fields(3);
  message.set_dataset_version(7);
  message.set_fragment_bitmap(EncodeDeletionBitmap(std::vector<std::uint32_t>{0, 2, 70000}));
  message.mutable_index_details()->set_type_url("/lance.table.BTreeIndexDetails");
  message.set_index_version(1);
  pb::IndexFile& file = *message.add_files();
  file.set_path("page_data.lance");
  file.set_size_bytes(123);
  return message;
}

Result<std::vector<IndexMetadata>> Decoded(const pb::IndexMetadata& message) {
  pb::IndexSection section;
  *section.add_indices() = message;
  Manifest manifest;
  manifest.version = 9;
  manifest.index_section = Buffer::Of(section.SerializeAsString());
  return DecodeIndexes(manifest);
}

TEST(IndexMetadata, SaysWhatTheSectionSays) {
  const auto indexes = Decoded(Message());
  ASSERT_TRUE(indexes) << indexes.error().ToString();
  ASSERT_EQ(indexes->size(), 1U);
  const IndexMetadata& index = indexes->front();
  EXPECT_EQ(index.uuid, "01234567-89ab-cdef-0123-456789abcdef");
  EXPECT_EQ(index.name, "vector_idx");
  EXPECT_EQ(index.field_ids, std::vector<std::int32_t>{3});
  EXPECT_EQ(index.dataset_version, 7U);
  EXPECT_EQ(index.fragments, (std::set<std::uint32_t>{0, 2, 70000}));
  EXPECT_EQ(index.details_type, "/lance.table.BTreeIndexDetails");
  EXPECT_EQ(index.index_version, 1);
  EXPECT_EQ(index.file_sizes.at("page_data.lance"), 123U);
  EXPECT_FALSE(index.base_id);
}

TEST(IndexMetadata, WithoutABitmapHasNoFragmentsRecorded) {
  pb::IndexMetadata message = Message();
  message.clear_fragment_bitmap();
  const auto indexes = Decoded(message);
  ASSERT_TRUE(indexes);
  EXPECT_FALSE(indexes->front().fragments);
}

TEST(IndexMetadata, ABadBitmapIsCorruptionThatNamesTheIndex) {
  pb::IndexMetadata message = Message();
  message.set_fragment_bitmap("not a bitmap");
  const auto indexes = Decoded(message);
  ASSERT_FALSE(indexes);
  EXPECT_EQ(indexes.error().kind, ErrorKind::kDataCorruption);
  EXPECT_THAT(indexes.error().message, testing::HasSubstr("version 9, index vector_idx"));
}

TEST(IndexMetadata, ABadUuidIsCorruption) {
  pb::IndexMetadata message = Message();
  message.mutable_uuid()->set_uuid("short");
  const auto indexes = Decoded(message);
  ASSERT_FALSE(indexes);
  EXPECT_EQ(indexes.error().kind, ErrorKind::kDataCorruption);
}

TEST(IndexMetadata, ABitmapThatCoversBillionsIsRefused) {
  pb::IndexMetadata message = Message();
  // One run container for each of 4096 keys, every one full: 2^28 fragments in a few kilobytes.
  std::string bitmap;
  AppendLe(bitmap, std::uint32_t{12347U | (4095U << 16)});
  bitmap.append(4096 / 8, '\xff');
  for (std::uint32_t key = 0; key < 4096; key++) {
    AppendLe(bitmap, static_cast<std::uint16_t>(key));
    AppendLe(bitmap, std::uint16_t{0xFFFF});
  }
  const std::size_t first = bitmap.size() + 4096 * 4;
  for (std::uint32_t key = 0; key < 4096; key++) AppendLe(bitmap, static_cast<std::uint32_t>(first + key * 6));
  for (std::uint32_t key = 0; key < 4096; key++) {
    AppendLe(bitmap, std::uint16_t{1});
    AppendLe(bitmap, std::uint16_t{0});
    AppendLe(bitmap, std::uint16_t{0xFFFF});
  }
  message.set_fragment_bitmap(bitmap);
  const auto indexes = Decoded(message);
  ASSERT_FALSE(indexes);
  EXPECT_EQ(indexes.error().kind, ErrorKind::kResourceExhausted) << indexes.error().ToString();
}

TEST(IndexMetadata, ATableWithoutASectionHasNoIndexes) {
  const auto indexes = DecodeIndexes(Manifest{});
  ASSERT_TRUE(indexes);
  EXPECT_TRUE(indexes->empty());
}

}  // namespace
}  // namespace firn::lance
