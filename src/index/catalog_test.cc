#include "index/catalog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

namespace firn::index {
namespace {

using testing::HasSubstr;

SegmentEntry Entry(std::string name, simd::Metric metric) {
  SegmentEntry entry;
  entry.name = std::move(name);
  entry.column = "véctor";
  entry.field_id = 3;
  entry.metric = metric;
  entry.dim = 768;
  entry.object = "_firn/segments/0b5b0b0c-0000-4000-8000-000000000001.vec";
  entry.object_bytes = 123'456'789'012;
  entry.footer = {123'456'000'000, 788'980, 0xDEADBEEF};
  entry.rows = 1'000'000;
  entry.lists = 1000;
  entry.build_s = 12.5;
  entry.created = WallTime(std::chrono::seconds(1'700'000'000));
  entry.fragments = {{0, 600'000, "a.lance"}, {7, 400'000, "b.lance"}};
  entry.sparse_shift = 0.75F;
  entry.measured_queries = 1000;
  entry.real_queries = 250;
  entry.calibrations = {{0.9F, 1.5F, 1.75F, 1.9F, 11}, {0.99F, 3.25F, 3.5F, 1.9F, 60}};
  return entry;
}

Catalog Sample() {
  Catalog catalog{41, {Entry("vector_idx", simd::Metric::kL2), Entry("other", simd::Metric::kDot)}};
  catalog.segments[1].fragments.clear();
  catalog.segments[1].calibrations.clear();
  return catalog;
}

void ExpectEqual(const Catalog& a, const Catalog& b) {
  EXPECT_EQ(a.number, b.number);
  ASSERT_EQ(a.segments.size(), b.segments.size());
  for (std::size_t i = 0; i < a.segments.size(); i++) {
    const SegmentEntry &x = a.segments[i], &y = b.segments[i];
    EXPECT_EQ(std::tie(x.name, x.column, x.field_id, x.metric, x.dim, x.object, x.object_bytes),
              std::tie(y.name, y.column, y.field_id, y.metric, y.dim, y.object, y.object_bytes));
    EXPECT_EQ(std::tie(x.footer.hot_offset, x.footer.hot_bytes, x.footer.hot_crc),
              std::tie(y.footer.hot_offset, y.footer.hot_bytes, y.footer.hot_crc));
    EXPECT_EQ(std::tie(x.rows, x.lists, x.build_s, x.created, x.fragments, x.calibrations),
              std::tie(y.rows, y.lists, y.build_s, y.created, y.fragments, y.calibrations));
    EXPECT_EQ(std::tie(x.sparse_shift, x.measured_queries, x.real_queries),
              std::tie(y.sparse_shift, y.measured_queries, y.real_queries));
  }
}

Result<Catalog> Decode(std::string_view bytes) { return DecodeCatalog(AsBytes(bytes), "c"); }

/// With the checksum that the bytes should have.
std::string Sealed(std::string bytes) {
  bytes.resize(bytes.size() - 4);
  AppendLe(bytes, Crc32c(AsBytes(bytes)));
  return bytes;
}

TEST(Catalog, ComesBack) {
  ExpectEqual(Decode(EncodeCatalog(Sample())).value(), Sample());
  ExpectEqual(Decode(EncodeCatalog({})).value(), {});
  EXPECT_EQ(Sample().segments[0].PhysicalRows(), 1'000'000U);
}

TEST(Catalog, EveryTruncationAndEveryFlippedBitIsDetected) {
  const std::string bytes = EncodeCatalog(Sample());
  for (std::size_t size = 0; size < bytes.size(); size++) {
    const auto catalog = Decode(bytes.substr(0, size));
    ASSERT_FALSE(catalog) << size;
    EXPECT_EQ(catalog.error().kind, ErrorKind::kDataCorruption) << size;
  }
  for (std::size_t bit = 0; bit < bytes.size() * 8; bit++) {
    std::string flipped = bytes;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    const auto catalog = Decode(flipped);
    ASSERT_FALSE(catalog) << bit;
    const bool version = bit / 8 >= 8 && bit / 8 < 12;
    EXPECT_EQ(catalog.error().kind, version ? ErrorKind::kUnsupported : ErrorKind::kDataCorruption) << bit;
    EXPECT_THAT(catalog.error().message, HasSubstr("catalog c"));
  }
}

TEST(Catalog, ASealedTruncationIsStillCorrupt) {
  const std::string bytes = EncodeCatalog(Sample());
  for (std::size_t size = 16; size < bytes.size(); size++) {
    const auto catalog = Decode(Sealed(bytes.substr(0, size)));
    ASSERT_FALSE(catalog) << size;
    EXPECT_EQ(catalog.error().kind, ErrorKind::kDataCorruption) << size;
  }
  EXPECT_EQ(Decode(Sealed(bytes + "more")).error().kind, ErrorKind::kDataCorruption);
}

TEST(Catalog, AnotherVersionKindOrMetricIsUnsupported) {
  const std::string bytes = EncodeCatalog(Sample());
  std::string other = bytes;
  other[8] = 3;
  EXPECT_EQ(Decode(Sealed(other)).error().kind, ErrorKind::kUnsupported);
  const std::size_t kind = 8 + 4 + 8 + 4 + 2 + 10 + 2 + 7 + 4;
  for (const std::size_t at : {kind, kind + 1}) {
    other = bytes;
    other[at] = 9;
    EXPECT_EQ(Decode(Sealed(other)).error().kind, ErrorKind::kUnsupported) << at;
  }
}

TEST(Catalog, MoreSegmentsThanThereMayBeAreCorrupt) {
  std::string bytes = EncodeCatalog({});
  const auto many = static_cast<std::uint32_t>(kMaxSegments + 1);
  std::memcpy(bytes.data() + 20, &many, 4);
  EXPECT_THAT(Decode(Sealed(bytes)).error().message, HasSubstr("10001 segments"));
}

// ---- golden ----

constexpr std::string_view kGoldenPath = FIRN_SOURCE_DIR "/src/index/testdata/catalog-2";
constexpr std::string_view kFirstVersionPath = FIRN_SOURCE_DIR "/src/index/testdata/catalog-1";

std::string ReadGolden(std::string_view path) {
  std::ifstream file{std::string(path), std::ios::binary};
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(CatalogGolden, TheFirstVersionsStopsServeSearchesWithAFilterToo) {
  Catalog expected = Sample();
  for (SegmentEntry& entry : expected.segments) {
    entry.sparse_shift = 0;
    entry.measured_queries = entry.real_queries = 0;
    for (Calibration& calibration : entry.calibrations) calibration.filtered_stop = calibration.stop;
  }
  ExpectEqual(Decode(ReadGolden(kFirstVersionPath)).value(), expected);
}

TEST(CatalogGolden, IsReadAndMadeAsEver) {
  const std::string golden = ReadGolden(kGoldenPath);
  ExpectEqual(Decode(golden).value(), Sample());
  EXPECT_EQ(ToHex(AsBytes(golden)), ToHex(AsBytes(EncodeCatalog(Sample()))));
}

/// For a new version of the format: run with --gtest_also_run_disabled_tests, and keep the old file.
TEST(CatalogGolden, DISABLED_Write) {
  std::ofstream{std::string(kGoldenPath), std::ios::binary} << EncodeCatalog(Sample());
}

}  // namespace
}  // namespace firn::index
