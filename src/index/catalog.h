#pragma once
// The index catalog: which segments a table has. One immutable object per state, numbered like manifests and written
// with put-if-absent; the newest counts. All numbers little-endian:
//
//   "FIRNCAT1" | u32 version = 2 | u64 catalog number | u32 segments | entries | u32 CRC-32C of all before it
//   entry: text name | text column | i32 field id | u8 kind (1 = vector) | u8 metric | u32 dim | text object key below
//   the table |
//          u64 object bytes | u64 hot offset | u64 hot bytes | u32 hot CRC | u64 rows | u32 lists | f64 build seconds |
//          i64 created (ns since 1970) | u32 fragments, each u64 id, u64 rows, text data file | f32 sparse shift |
//          u32 queries measured with | u32 of them asked by users | u32 calibrations, each f32 recall, f32 stop,
//          f32 filtered stop, f32 slack, u32 lists
//   text: u16 length | UTF-8
//
// Version 1 had neither the sparse shift, the numbers of queries, nor filtered stops: its stops serve both.
//
// A segment says something of a fragment only while the fragment has that very data file for the column. So whatever
// others do to the table makes an index smaller, never wrong.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "index/vector/segment_format.h"
#include "simd/distance.h"

namespace firn::index {

inline constexpr std::size_t kMaxSegments = 10'000;

/// The promises that are measured; lists keep one in between by the effort of the next, graphs by a beam between two
/// (HotGraph::BeamFor). Close to each other where most are made: a tenth of a search's time lies between two of them.
inline constexpr float kPromises[] = {0.5F,  0.7F,  0.8F,  0.85F,  0.88F, 0.9F,   0.91F, 0.92F,   0.93F,  0.94F,
                                      0.95F, 0.96F, 0.97F, 0.975F, 0.98F, 0.985F, 0.99F, 0.9925F, 0.995F, 0.999F};

/// What it takes to keep a promise of recall, measured on this segment: see maintain/calibrate.h.
struct Calibration {
  float recall = 0;         // promised
  float stop = 0;           // ScanOptions::stop
  float filtered_stop = 0;  // the same with a filter
  float slack = 0;          // ScanOptions::slack
  std::uint32_t lists = 0;  // how many lists it takes when they must be chosen before any is read
  friend bool operator==(const Calibration&, const Calibration&) = default;
};

struct SegmentEntry {
  std::string name;  // of the index; segments of one index share it
  std::string column;
  std::int32_t field_id = 0;
  simd::Metric metric = simd::Metric::kL2;
  std::uint32_t dim = 0;
  std::string object;  // "_firn/segments/{uuid}.vec"
  std::uint64_t object_bytes = 0;
  SegmentFooter footer;
  std::uint64_t rows = 0;
  std::uint32_t lists = 0;
  double build_s = 0;
  WallTime created{};
  std::vector<SegmentFragment> fragments;
  float sparse_shift = 0;                 // ScanOptions::sparse_shift
  std::uint32_t measured_queries = 0;     // that the calibrations come from
  std::uint32_t real_queries = 0;         // of them, that somebody asked; the others are rows of the table
  std::vector<Calibration> calibrations;  // by rising recall

  std::uint64_t PhysicalRows() const;
};

struct Catalog {
  std::uint64_t number = 0;
  std::vector<SegmentEntry> segments;
};

std::string EncodeCatalog(const Catalog& catalog);
/// Every size is checked. DataCorruption names `object`; Unsupported: another version.
Result<Catalog> DecodeCatalog(ByteSpan bytes, std::string_view object);

}  // namespace firn::index
