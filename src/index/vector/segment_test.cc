#include "index/vector/segment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "index/vector/segment_testing.h"
#include "store/counting.h"

namespace firn::index {
namespace {

using simd::Metric;
using testing::HasSubstr;
using testing::IsSubsetOf;

constexpr Metric kMetrics[] = {Metric::kL2, Metric::kCosine, Metric::kDot};

Opened BuildAndOpen(const Vectors& rows, BuildHow how = {}) {
  return Must(OpenBytes(BuildBytes(rows, std::move(how))));
}

std::vector<std::uint32_t> First(std::vector<std::uint32_t> rows, std::size_t count) {
  rows.resize(std::min(count, rows.size()));
  return rows;
}

/// A scan of all lists holds the k true neighbours; its estimates are right within their bounds, nearly always.
void ExpectFindsNeighbours(const Vectors& rows, const Opened& opened, Metric metric, const Vectors& queries,
                           std::size_t k) {
  int estimates = 0, outside = 0;
  for (std::size_t i = 0; i < queries.rows(); i++) {
    const auto query = queries.Row(i);
    const auto found = Must(opened.Scan(query, {.k = k, .slack = 3}));
    EXPECT_TRUE(std::is_sorted(found.begin(), found.end()));
    EXPECT_THAT(First(ByDistance(rows, metric, query), k), IsSubsetOf(RowsOf(found)))
        << simd::NameOf(metric) << ", query " << i;
    for (const Candidate& candidate : found) {
      const float truth = DistanceOf(metric, query, rows.Row(candidate.row));
      estimates++;
      if (std::abs(candidate.distance - truth) > candidate.error + 1e-3F * (1 + std::abs(truth))) outside++;
    }
  }
  EXPECT_LE(outside, estimates / 20) << simd::NameOf(metric);
}

TEST(Segment, AScanOfAllListsFindsTheTrueNeighbours) {
  for (const std::size_t dims : {2, 24, 100}) {
    const Vectors rows = Clustered(1200, dims, 12, dims), queries = Clustered(10, dims, 12, dims);
    for (const Metric metric : kMetrics)
      ExpectFindsNeighbours(rows, BuildAndOpen(rows, {.metric = metric}), metric, queries, 10);
  }
}

TEST(Segment, FindsNeighboursAmongBytesAndHalves) {
  Vectors bytes = Clustered(800, 32, 8, 3), halves = bytes;
  for (float& value : bytes.values) value = std::round(std::clamp(value * 40 + 128, 0.0F, 255.0F));
  for (float& value : halves.values) value = std::round(value * 256) / 256;
  for (const Vectors& rows : {bytes, halves}) {
    const Vectors queries{32, {rows.values.begin(), rows.values.begin() + 5 * 32}};
    for (const Metric metric : kMetrics)
      ExpectFindsNeighbours(rows, BuildAndOpen(rows, {.metric = metric}), metric, queries, 10);
  }
}

TEST(Segment, TellsRowsOfTightClustersApart) {
  // The query is rounded to bytes of its own length; here that is as coarse as its cluster is wide.
  for (const float spread : {0.1F, 0.02F}) {
    const Vectors rows = Clustered(800, 32, 8, 3, spread), queries = Clustered(10, 32, 8, 3, spread);
    SCOPED_TRACE(spread);
    ExpectFindsNeighbours(rows, BuildAndOpen(rows), Metric::kL2, queries, 10);
  }
}

TEST(Segment, FindsNeighboursFarFromTheOrigin) {
  // "Relative to the mean" keeps digits: without it, bytes and factors would be spent on 1000.
  Vectors rows = Clustered(800, 32, 8, 3), queries = Clustered(5, 32, 8, 3);
  for (float& value : rows.values) value += 1000;
  for (float& value : queries.values) value += 1000;
  ExpectFindsNeighbours(rows, BuildAndOpen(rows), Metric::kL2, queries, 10);
}

TEST(Segment, HoldsWhatItWasBuiltFrom) {
  const Vectors rows = Clustered(500, 20, 5, 1);
  const std::vector<SegmentFragment> fragments = {{3, 200, "x.lance"}, {9, 400, "y.lance"}};
  std::vector<std::uint32_t> numbers;
  for (std::uint32_t i = 0; i < 500; i++) numbers.push_back(i + i / 10);  // rows without a vector between them
  const Opened opened = BuildAndOpen(rows, {.metric = Metric::kCosine, .numbers = numbers, .fragments = fragments});
  const SegmentHeader& header = opened.segment->header();
  EXPECT_EQ(header.dim, 20U);
  EXPECT_EQ(header.padded_dim, 32U);
  EXPECT_EQ(header.metric, Metric::kCosine);
  EXPECT_EQ(header.rows, 500U);
  EXPECT_EQ(header.seed, 1U);
  EXPECT_EQ(header.fragments, fragments);
  EXPECT_GT(header.lists.size(), 4U);
  std::vector<std::uint32_t> found;
  for (std::uint32_t list = 0; list < header.lists.size(); list++) {
    std::vector<std::uint32_t> in_list;
    for (std::size_t i = 0; i < header.lists[list].rows; i++)
      in_list.push_back(opened.segment->RowAt(list, opened.lists.lists[list].codes, i));
    EXPECT_TRUE(std::ranges::is_sorted(in_list));
    found.insert(found.end(), in_list.begin(), in_list.end());
  }
  std::ranges::sort(found);
  EXPECT_EQ(found, numbers);  // each once, and nulls are not there
}

TEST(Segment, RowNumbersTakeAllOf32Bits) {
  const Vectors rows = Clustered(3, 16, 1, 1);
  const Opened opened = BuildAndOpen(rows, {.numbers = {0, 0x8000'0000, 0xFFFF'FFFE}, .physical_rows = 0xFFFF'FFFF});
  std::vector<std::uint32_t> found;
  for (const Candidate& candidate : Must(opened.Scan(rows.Row(0), {.k = 3}))) found.push_back(candidate.row);
  EXPECT_THAT(found, testing::UnorderedElementsAre(0U, 0x8000'0000U, 0xFFFF'FFFEU));
}

TEST(Segment, OnlyRowsOfTheMaskAreFound) {
  const Vectors rows = Clustered(1000, 24, 6, 2);
  RowMask mask(16, 0);
  std::set<std::uint32_t> may;
  for (std::uint32_t row = 5; row < 1000; row += 13) {
    mask[row / 64] |= std::uint64_t{1} << (row % 64);
    may.insert(row);
  }
  for (const Metric metric : kMetrics) {
    const Opened opened = BuildAndOpen(rows, {.metric = metric});
    for (std::size_t q = 0; q < 5; q++) {
      std::vector<std::uint32_t> expected = ByDistance(rows, metric, rows.Row(q));
      std::erase_if(expected, [&](std::uint32_t row) { return !may.contains(row); });
      const auto found = RowsOf(Must(opened.Scan(rows.Row(q), {.k = 10, .slack = 3, .mask = &mask})));
      EXPECT_THAT(First(expected, 10), IsSubsetOf(found));
      EXPECT_THAT(found, IsSubsetOf(expected));
    }
    const RowMask none(16, 0);
    EXPECT_TRUE(Must(opened.Scan(rows.Row(0), {.k = 10, .mask = &none})).empty());
  }
}

TEST(Segment, MoreThanThereAreGivesAllRows) {
  const Vectors rows = Clustered(150, 16, 3, 2);
  const auto found = Must(BuildAndOpen(rows).Scan(rows.Row(0), {.k = 1000}));
  EXPECT_EQ(found.size(), 150U);
  EXPECT_EQ(found.front().row, 0U);
}

TEST(Segment, NoRowsWantedGivesNone) {
  const Vectors rows = Clustered(150, 16, 3, 2);
  EXPECT_TRUE(Must(BuildAndOpen(rows).Scan(rows.Row(0), {.k = 0, .max_candidates = 0})).empty());
}

TEST(Segment, AtMostTheWantedCandidatesComeBack) {
  const Vectors rows = Clustered(500, 16, 3, 2);
  const Opened opened = BuildAndOpen(rows);
  const auto all = Must(opened.Scan(rows.Row(0), {.k = 20, .slack = 3}));
  const auto some = Must(opened.Scan(rows.Row(0), {.k = 20, .slack = 3, .max_candidates = 7}));
  ASSERT_EQ(some.size(), 7U);
  EXPECT_EQ(RowsOf(some), RowsOf(std::span(all).first(7)));
}

TEST(Segment, ZeroVectorsHaveCosineDistanceOne) {
  Vectors rows = Clustered(400, 24, 4, 2);
  for (const std::size_t zero : {7, 100, 399}) std::ranges::fill(rows.Row(zero), 0.0F);
  const Opened opened = BuildAndOpen(rows, {.metric = Metric::kCosine});
  const auto found = Must(opened.Scan(std::as_const(rows).Row(0), {.k = 400, .slack = 3}));
  ASSERT_EQ(found.size(), 400U);
  for (const Candidate& candidate : found) {
    if (candidate.row == 7 || candidate.row == 100 || candidate.row == 399) {
      EXPECT_NEAR(candidate.distance, 1, candidate.error + 0.02);
    }
  }
  const std::vector<float> zero(24, 0.0F);
  EXPECT_EQ(Must(opened.Scan(zero, {.k = 400})).size(), 400U);
}

TEST(Segment, AListOfOneRowAndARowThatIsItsCentroidAreFound) {
  // Far blobs of one point each: every residual is what the bytes of the centroid leave.
  Vectors rows{16, {}};
  for (int i = 0; i < 40; i++) {
    for (int j = 0; j < 16; j++) rows.values.push_back(j == i % 16 ? 10.0F * static_cast<float>(1 + i / 16) : 0);
  }
  const Opened opened = BuildAndOpen(rows, {.options = {.rows_per_list = 1}});
  for (std::size_t i = 0; i < 40; i++)
    EXPECT_EQ(Must(opened.Scan(std::as_const(rows).Row(i), {.k = 1})).front().row, i);

  const Vectors equal{16, std::vector<float>(100 * 16, 3.0F)};
  const auto found = Must(BuildAndOpen(equal).Scan(equal.Row(0), {.k = 5}));
  ASSERT_GE(found.size(), 5U);
  EXPECT_EQ(First(RowsOf(found), 5), (std::vector<std::uint32_t>{0, 1, 2, 3, 4}));  // ties go to the lower row
  for (const Candidate& candidate : found) EXPECT_NEAR(candidate.distance, 0, 1e-3);
}

TEST(Segment, ListsComeNearestFirst) {
  const Vectors rows = Clustered(1500, 24, 15, 4);
  const Opened opened = BuildAndOpen(rows);
  SegmentQuery query;
  opened.segment->Prepare(rows.Row(3), query);
  const std::size_t lists = opened.segment->header().lists.size();
  const auto all = opened.segment->Probes(query, lists + 100);
  EXPECT_EQ(all.size(), lists);
  EXPECT_EQ(std::set<std::uint32_t>(all.begin(), all.end()).size(), lists);
  SegmentQuery again;
  opened.segment->Prepare(rows.Row(3), again);
  const auto few = opened.segment->Probes(again, 3);
  EXPECT_EQ(few, (std::vector<std::uint32_t>{all[0], all[1], all[2]}));
  ScanCounts counts;
  EXPECT_FALSE(Must(opened.Scan(rows.Row(3), {.max_lists = 1}, &counts)).empty());
  EXPECT_EQ(counts.lists, 1U);
}

TEST(Segment, AnEarlyStopScansFewerListsAndFindsNearlyAll) {
  const Vectors rows = Clustered(4000, 24, 20, 4), queries = Clustered(20, 24, 20, 4);
  for (const Metric metric : kMetrics) {
    const Opened opened = BuildAndOpen(rows, {.metric = metric});
    ScanCounts all, some;
    int found = 0;
    for (std::size_t q = 0; q < queries.rows(); q++) {
      ASSERT_TRUE(opened.Scan(queries.Row(q), {.k = 10}, &all));
      const auto rows_found = RowsOf(Must(opened.Scan(queries.Row(q), {.k = 10, .stop = 4, .slack = 3}, &some)));
      for (const std::uint32_t row : First(ByDistance(rows, metric, queries.Row(q)), 10))
        found += std::ranges::find(rows_found, row) != rows_found.end() ? 1 : 0;
    }
    EXPECT_LT(some.lists, all.lists / 2) << simd::NameOf(metric);
    EXPECT_LT(some.estimated, all.estimated);
    EXPECT_GE(found, 190) << simd::NameOf(metric);
  }
}

TEST(Segment, AQueryMayBeUsedAgain) {
  const Vectors rows = Clustered(800, 24, 8, 4);
  const Opened opened = BuildAndOpen(rows);
  SegmentQuery query;
  ScanCounts counts;
  for (const std::size_t q : {1, 2, 1}) {
    opened.segment->Prepare(rows.Row(q), query);
    const auto found = Must(opened.segment->Scan(query, opened.lists, {.k = 5}, counts));
    EXPECT_EQ(RowsOf(found), RowsOf(Must(opened.Scan(rows.Row(q), {.k = 5}))));
  }
}

TEST(Segment, OpensFromAStoreInOneRoundAndReadsOnlyTheListsAskedFor) {
  const Vectors rows = Clustered(1000, 24, 8, 4);
  store::StoreCounter counter;
  store::CountingStore store(store::OpenMemory("test", SystemClock()), counter);
  const BuiltSegment built = Must(BuildInto(store, "t/s.vec", rows, {}));
  const auto before = counter.Counts();
  const auto segment = Must(VectorSegment::Open(store, "t/s.vec", Deadline::Never()));
  EXPECT_EQ((counter.Counts() - before).rounds(), 1U);
  EXPECT_EQ(segment->object_bytes(), built.object_bytes);
  EXPECT_EQ(segment->header().rows, built.rows);
  EXPECT_EQ(Must(VectorSegment::OpenAt(store, "t/s.vec", built.footer, Deadline::Never()))->header().lists.size(),
            built.lists);

  SegmentQuery query;
  segment->Prepare(rows.Row(0), query);
  const auto lists = segment->Probes(query, 2);
  auto answers = store.ReadMany(segment->Requests(lists, true), Deadline::Never());
  const LoadedLists loaded = Must(segment->Accept(lists, true, answers));
  ScanCounts counts;
  const auto found = Must(segment->Scan(query, loaded, {.k = 10}, counts));
  EXPECT_EQ(found.front().row, 0U);
  EXPECT_EQ(counts.lists, 2U);
}

TEST(Segment, WithoutSupplementsTheBitsAloneKeepTheTrueNearestAmongTheCandidates) {
  const Vectors rows = Clustered(1000, 48, 8, 2);
  store::StoreCounter counter;
  store::CountingStore store(store::OpenMemory("test", SystemClock()), counter);
  (void)Must(BuildInto(store, "s.vec", rows, {}));
  const auto segment = Must(VectorSegment::Open(store, "s.vec", Deadline::Never()));
  SegmentQuery query;
  segment->Prepare(rows.Row(7), query);
  const auto lists = segment->Probes(query, segment->header().lists.size());
  const auto requests = segment->Requests(lists, false);
  EXPECT_EQ(requests.size(), lists.size());
  auto answers = store.ReadMany(requests, Deadline::Never());
  const LoadedLists loaded = Must(segment->Accept(lists, false, answers));
  ScanCounts counts;
  const auto found = Must(segment->Scan(query, loaded, {.k = 10}, counts));
  EXPECT_EQ(counts.refined, 0U);
  EXPECT_TRUE(std::ranges::any_of(found, [](const Candidate& candidate) { return candidate.row == 7; }));
}

TEST(Segment, AHotPartBeyondTheFirstReadTakesASecond) {
  const Vectors rows = Clustered(1400, 800, 700, 4);
  store::StoreCounter counter;
  store::CountingStore store(store::OpenMemory("test", SystemClock()), counter);
  const BuiltSegment built =
      Must(BuildInto(store, "s.vec", rows, {.options = {.rows_per_list = 1, .clustering_rounds = 0}}));
  ASSERT_GT(built.footer.hot_bytes, 1U << 20);
  const auto before = counter.Counts();
  EXPECT_EQ(Must(VectorSegment::Open(store, "s.vec", Deadline::Never()))->header().lists.size(), built.lists);
  EXPECT_EQ((counter.Counts() - before).rounds(), 2U);
}

// ---- damage ----

/// The header alone names the version in the object's first bytes; the footer's counts.
TEST(SegmentDamage, AnotherVersionIsUnsupported) {
  std::string bytes = BuildBytes(Clustered(50, 16, 2, 1));
  bytes[bytes.size() - 12]++;
  const auto opened = OpenBytes(bytes);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().kind, ErrorKind::kUnsupported);
  EXPECT_THAT(opened.error().message, HasSubstr("version 2"));
}

TEST(SegmentDamage, EveryTruncationIsDetected) {
  const std::string bytes = BuildBytes(Clustered(70, 20, 2, 1), {.options = {.rows_per_list = 40}});
  for (std::size_t size = 0; size < bytes.size(); size++) {
    const auto opened = OpenBytes(bytes.substr(0, size));
    ASSERT_FALSE(opened) << size;
    EXPECT_EQ(opened.error().kind, ErrorKind::kDataCorruption) << size;
  }
}

TEST(SegmentDamage, EveryFlippedBitIsDetectedOrChangesNothing) {
  const Vectors rows = Clustered(70, 20, 2, 1);
  const std::string bytes = BuildBytes(rows, {.options = {.rows_per_list = 40}});
  const ScanOptions options{.k = 70, .max_candidates = 100};  // so many that every supplement is looked at
  const auto expected = RowsOf(Must(Must(OpenBytes(bytes)).Scan(rows.Row(0), options)));
  std::size_t unnoticed = 0;
  for (std::size_t bit = 0; bit < bytes.size() * 8; bit++) {
    std::string flipped = bytes;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    const auto opened = OpenBytes(std::move(flipped));
    const auto found = opened ? opened->Scan(rows.Row(0), options) : Result<std::vector<Candidate>>(opened.error());
    if (found) {
      unnoticed++;
      EXPECT_EQ(RowsOf(*found), expected) << bit;
    } else {
      const ErrorKind kind = found.error().kind;
      EXPECT_TRUE(kind == ErrorKind::kDataCorruption || kind == ErrorKind::kUnsupported) << found.error().ToString();
      EXPECT_THAT(found.error().message, HasSubstr("s.vec"));
    }
  }
  EXPECT_EQ(unnoticed, kSegmentHeaderBytes * 8);  // which nobody reads
}

/// The object with checksums made right: only a builder gone wrong, or somebody who means harm, makes one such.
std::string Resealed(std::string bytes) {
  const auto footer = Must(DecodeSegmentFooter(AsBytes(bytes), bytes.size(), "s.vec"));
  SegmentHeader header = Must(DecodeHotPart(Buffer::Of(bytes.substr(footer.hot_offset, footer.hot_bytes)), "s.vec"));
  std::uint64_t at = kSegmentHeaderBytes;
  for (ListEntry& list : header.lists) {
    list.codes_crc = Crc32c(AsBytes(bytes).subspan(at, header.CodesBytes(list)));
    at += header.CodesBytes(list);
  }
  for (ListEntry& list : header.lists) {
    list.supplement_crc = Crc32c(AsBytes(bytes).subspan(at, header.SupplementBytes(list)));
    at += header.SupplementBytes(list);
  }
  const std::string hot = EncodeHotPart(header);
  bytes.resize(footer.hot_offset);
  return bytes + hot + EncodeSegmentFooter({footer.hot_offset, hot.size(), Crc32c(AsBytes(hot))});
}

TEST(SegmentDamage, FactorsThatAreNoNumbersGiveNoCandidates) {
  const Vectors rows = Clustered(70, 20, 2, 1);
  const std::string bytes = BuildBytes(rows, {.options = {.rows_per_list = 70}});
  const Opened opened = Must(OpenBytes(bytes));
  const SegmentHeader& header = opened.segment->header();
  ASSERT_EQ(header.lists.size(), 1U);
  const std::size_t supplement = kSegmentHeaderBytes + header.CodesBytes(header.lists[0]);
  for (const float factor : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    for (const std::size_t which : {0, 4}) {
      std::string changed = bytes;
      for (std::size_t i = 0; i < 35; i++) {  // every other row
        const std::size_t at = supplement + 2 * i * header.supplement_row_bytes() + header.padded_dim / 2 + which;
        std::memcpy(changed.data() + at, &factor, 4);
      }
      const auto found = Must(Must(OpenBytes(Resealed(changed))).Scan(rows.Row(0), {.k = 70}));
      EXPECT_EQ(found.size(), 35U);
      for (const Candidate& candidate : found) EXPECT_TRUE(std::isfinite(candidate.distance));
    }
  }
}

TEST(SegmentDamage, ListsThatComeShortOrNotAtAllAreErrors) {
  const Vectors rows = Clustered(100, 16, 2, 1);
  const Opened opened = Must(OpenBytes(BuildBytes(rows)));
  const std::vector<std::uint32_t> lists = {0};
  const auto accept = [&](Result<store::ReadResult> codes) {
    std::vector<Result<store::ReadResult>> answers;
    answers.push_back(std::move(codes));
    answers.emplace_back(store::ReadResult{});
    return opened.segment->Accept(lists, true, answers);
  };
  EXPECT_EQ(accept(InvalidArgument("past the end")).error().kind, ErrorKind::kDataCorruption);
  EXPECT_EQ(accept(Unavailable("away")).error().kind, ErrorKind::kUnavailable);
  const LoadedLists loaded = Must(accept(store::ReadResult{Buffer::Of(std::string(8, 'x')), 8, ""}));
  SegmentQuery query;
  ScanCounts counts;
  opened.segment->Prepare(rows.Row(0), query);
  const auto found = opened.segment->Scan(query, loaded, {}, counts);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().kind, ErrorKind::kDataCorruption);
}

TEST(SegmentDamage, AMissingObjectIsNotFound) {
  const auto store = store::OpenMemory("test", SystemClock());
  EXPECT_EQ(VectorSegment::Open(*store, "s.vec", Deadline::Never()).error().kind, ErrorKind::kNotFound);
  ASSERT_TRUE(store->Put("s.vec", AsBytes("short"), store::PutCondition::kNone, Deadline::Never()));
  EXPECT_EQ(VectorSegment::Open(*store, "s.vec", Deadline::Never()).error().kind, ErrorKind::kDataCorruption);
}

}  // namespace
}  // namespace firn::index
