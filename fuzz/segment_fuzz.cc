// Arbitrary bytes as a vector segment. First as they are: an error, or a segment. Then with every checksum made right
// and the lists as long as the hot part says, so that what lies behind the checksums is reached: the segment opens, and
// every scan gives rows that it has.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "index/vector/segment.h"

namespace firn::index {
namespace {

constexpr std::uint64_t kMaxBodyBytes = 1U << 20;

/// Position of list entry i in the hot part.
std::size_t EntryAt(const SegmentHeader& header, std::size_t i) {
  return 40 + 4 * std::size_t{header.padded_dim} + i * kListEntryBytes;
}

void StoreAt(std::string& bytes, std::size_t at, std::uint32_t value) {
  std::memcpy(bytes.data() + at, &value, sizeof value);
}

/// The whole object with right checksums, or nothing when the hot part is not one.
std::optional<std::string> Sealed(ByteSpan object) {
  const auto footer = DecodeSegmentFooter(object, object.size(), "fuzz");
  if (!footer) return std::nullopt;
  std::string hot(AsChars(object.subspan(footer->hot_offset, footer->hot_bytes)));
  const auto header = DecodeHotPart(Buffer::Of(hot), "fuzz");
  if (!header) return std::nullopt;
  std::uint64_t codes = 0, supplements = 0;
  for (const ListEntry& list : header->lists) {
    codes += header->CodesBytes(list);
    supplements += header->SupplementBytes(list);
  }
  if (codes + supplements > kMaxBodyBytes) return std::nullopt;

  std::string sealed(AsChars(object.first(std::min<std::size_t>(footer->hot_offset, object.size()))));
  sealed.resize(kSegmentHeaderBytes + codes + supplements);
  std::uint64_t codes_at = kSegmentHeaderBytes, supplement_at = kSegmentHeaderBytes + codes;
  for (std::size_t i = 0; i < header->lists.size(); i++) {
    const ListEntry& list = header->lists[i];
    const ByteSpan bytes = AsBytes(sealed);
    StoreAt(hot, EntryAt(*header, i) + 12, Crc32c(bytes.subspan(codes_at, header->CodesBytes(list))));
    StoreAt(hot, EntryAt(*header, i) + 16, Crc32c(bytes.subspan(supplement_at, header->SupplementBytes(list))));
    codes_at += header->CodesBytes(list);
    supplement_at += header->SupplementBytes(list);
  }
  const SegmentFooter right{sealed.size(), hot.size(), Crc32c(AsBytes(hot))};
  return sealed + hot + EncodeSegmentFooter(right);
}

void CheckScan(const VectorSegment& segment, const LoadedLists& lists, SegmentQuery& query, const ScanOptions& options,
               std::uint64_t rows) {
  ScanCounts counts;
  const auto found = segment.Scan(query, lists, options, counts);
  if (!found || found->size() > options.max_candidates) std::abort();
  if (!std::ranges::is_sorted(*found, {}, &Candidate::distance)) std::abort();
  for (const Candidate& candidate : *found) {
    if (candidate.row >= rows || std::isnan(candidate.distance)) std::abort();
    if (options.mask != nullptr && ((*options.mask)[candidate.row / 64] >> (candidate.row % 64) & 1) == 0) std::abort();
  }
}

void Use(const std::string& bytes) {
  const Buffer object = Buffer::Of(bytes);
  const auto footer = DecodeSegmentFooter(object.bytes(), object.size(), "fuzz");
  if (!footer) std::abort();
  const auto segment = VectorSegment::Parse("fuzz", object.Slice(footer->hot_offset, footer->hot_bytes), *footer);
  if (!segment) std::abort();
  const auto lists = (*segment)->Map(object);
  if (!lists) std::abort();
  std::uint64_t rows = 0;
  for (const SegmentFragment& fragment : (*segment)->header().fragments) rows += fragment.rows;

  Random random(1);
  std::vector<float> vector((*segment)->header().dim);
  for (float& value : vector) value = static_cast<float>(random.Unit() * 4 - 2);
  SegmentQuery query;
  (*segment)->Prepare(vector, query);
  std::vector<float> scores;
  CheckScan(**segment, *lists, query, {.k = 3, .max_candidates = 20, .scores = &scores}, rows);
  CheckScan(**segment, *lists, query, {.k = 1, .max_lists = 2, .stop = 1, .max_candidates = 5}, rows);
  CheckScan(**segment, *lists, query, {.k = 0, .max_candidates = 5}, rows);
  if (rows <= 1U << 20) {
    RowMask mask((rows + 63) / 64);
    for (std::uint64_t& word : mask) word = random.Next();
    CheckScan(**segment, *lists, query, {.k = 100, .mask = &mask}, rows);
  }
  std::ranges::fill(vector, 0.0F);
  (*segment)->Prepare(vector, query);
  CheckScan(**segment, *lists, query, {.k = 1000}, rows);
}

}  // namespace
}  // namespace firn::index

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace firn::index;
  const firn::ByteSpan input{data, size};
  if (const auto footer = DecodeSegmentFooter(input, size, "fuzz")) {
    const auto object = firn::Buffer::Copy(input);
    (void)VectorSegment::Parse("fuzz", object.Slice(footer->hot_offset, footer->hot_bytes), *footer);
  }
  if (const auto sealed = Sealed(input)) Use(*sealed);
  return 0;
}
