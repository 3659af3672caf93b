#include "store/bundle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firn::store {
namespace {

using testing::HasSubstr;

std::vector<BundleEntry> SomeEntries() {
  const WallTime modified{std::chrono::seconds(1'700'000'000)};
  return {{"t.lance/_versions/1.manifest", 0, 5, modified, Buffer::Of(std::string("whole"))},
          {"t.lance/data/a.lance", 100, 200, {}, Buffer::Of(std::string(100, 'e'))},
          {"t.lance/data/a.lance", 3, 200, {}, Buffer::Of(std::string("abc"))},
          {"t.lance/data/empty", 0, 0, {}, {}}};
}

ErrorKind KindOf(const Result<std::vector<BundleEntry>>& entries) {
  EXPECT_FALSE(entries);
  return entries ? ErrorKind::kInternal : entries.error().kind;
}

Buffer WithChecksum(std::string body) {
  AppendLe(body, Crc32c(AsBytes(body)));
  return Buffer::Of(std::move(body));
}

TEST(Bundle, GivesBackWhatWasPutIn) {
  const std::vector<BundleEntry> entries = SomeEntries();
  const Buffer bundle = Buffer::Of(EncodeBundle(entries));
  const auto decoded = DecodeBundle(bundle, "head");
  ASSERT_TRUE(decoded) << decoded.error().ToString();
  ASSERT_EQ(decoded->size(), entries.size());
  for (std::size_t i = 0; i < entries.size(); i++) {
    EXPECT_EQ((*decoded)[i].key, entries[i].key);
    EXPECT_EQ((*decoded)[i].offset, entries[i].offset);
    EXPECT_EQ((*decoded)[i].object_size_bytes, entries[i].object_size_bytes);
    EXPECT_EQ((*decoded)[i].modified, entries[i].modified);
    EXPECT_EQ((*decoded)[i].bytes.chars(), entries[i].bytes.chars());
    EXPECT_EQ(((*decoded)[i].bytes.data() - bundle.data()) % 64, 0) << "a view, where the format says";
  }
  const auto none = DecodeBundle(Buffer::Of(EncodeBundle({})), "head");
  ASSERT_TRUE(none);
  EXPECT_TRUE(none->empty());
}

TEST(Bundle, StandsAsTheFormatSays) {
  const BundleEntry entry{"k", 2, 7, WallTime(Duration(9)), Buffer::Of(std::string("bytes"))};
  const std::string bundle = EncodeBundle({&entry, 1});
  std::string golden = "FIRNHEAD";
  golden += std::string("\1\0\0\0\1\0\0\0", 8);
  golden += std::string("\2\0\0\0\0\0\0\0\7\0\0\0\0\0\0\0\x9\0\0\0\0\0\0\0\5\0\0\0\0\0\0\0\1\0k", 35);
  golden.resize(64);
  golden += "bytes";
  EXPECT_EQ(bundle.substr(0, 69), golden);
  EXPECT_EQ(bundle.size(), 73U);
  EXPECT_EQ(LoadLe<std::uint32_t>(bundle.data() + 69), Crc32c(AsBytes(golden)));
}

TEST(Bundle, AnyChangedOrMissingByteIsCorruption) {
  const std::string bundle = EncodeBundle(SomeEntries());
  for (std::size_t i = 0; i < bundle.size(); i++) {
    std::string damaged = bundle;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x20);
    ASSERT_EQ(KindOf(DecodeBundle(Buffer::Of(damaged), "head")), ErrorKind::kDataCorruption) << i;
    ASSERT_EQ(KindOf(DecodeBundle(Buffer::Of(bundle.substr(0, i)), "head")), ErrorKind::kDataCorruption) << i;
  }
  EXPECT_THAT(DecodeBundle({}, "t.lance/_firn/head").error().message, HasSubstr("t.lance/_firn/head"));
}

TEST(Bundle, SizesThatDoNotFitAreCorruptionThoughTheChecksumIsRight) {
  const BundleEntry entry{"key", 2, 7, {}, Buffer::Of(std::string("bytes"))};
  const std::string bundle = EncodeBundle({&entry, 1});
  const std::string body = bundle.substr(0, bundle.size() - 4);
  ASSERT_TRUE(DecodeBundle(WithChecksum(body), "head"));
  const auto with = [&](std::size_t at, auto value) {
    std::string changed = body;
    std::memcpy(changed.data() + at, &value, sizeof value);
    return KindOf(DecodeBundle(WithChecksum(changed), "head"));
  };
  EXPECT_EQ(with(8, std::uint32_t{2}), ErrorKind::kUnsupported);
  for (const std::uint32_t entries : {0U, 2U, UINT32_MAX}) EXPECT_EQ(with(12, entries), ErrorKind::kDataCorruption);
  for (const std::uint64_t offset : {std::uint64_t{3}, UINT64_MAX, UINT64_MAX - 4}) {
    EXPECT_EQ(with(16, offset), ErrorKind::kDataCorruption) << "past the object's end";
  }
  EXPECT_EQ(with(24, std::uint64_t{6}), ErrorKind::kDataCorruption) << "a smaller object";
  for (const std::uint64_t length : {std::uint64_t{0}, std::uint64_t{4}, std::uint64_t{6}, UINT64_MAX}) {
    EXPECT_EQ(with(40, length), ErrorKind::kDataCorruption) << length;
  }
  for (const std::uint16_t key_bytes : {0, 4, 0xFFFF}) {
    EXPECT_EQ(with(48, key_bytes), ErrorKind::kDataCorruption) << key_bytes;
  }
  EXPECT_EQ(with(50, '/'), ErrorKind::kDataCorruption) << "no key";
  EXPECT_EQ(KindOf(DecodeBundle(WithChecksum(body + "more"), "head")), ErrorKind::kDataCorruption);
}

}  // namespace
}  // namespace firn::store
