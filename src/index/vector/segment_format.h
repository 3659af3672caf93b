#pragma once
// A vector segment: one immutable object that indexes one column of a set of fragments. All numbers little-endian.
//
//   0          "FIRNVEC1" | u32 version = 1 | u32 0
//   16         codes of list 0, of list 1, ...
//   S          supplements of list 0, of list 1, ...
//   H          hot part: what a query needs before it knows its lists
//   end - 32   u64 H | u64 hot bytes | u32 CRC-32C of the hot part | u32 version = 1 | "FIRNVEC1"
//
// Codes of a list of n rows (d = padded dimension, a multiple of 16; g = d / 4):
//   ceil(n / 32) blocks of   g * 16 bytes FastScan block (simd/quantised.h) | f32 add[32] | f32 scale[32] | f32
//   error[32] row numbers, `ref_bits` each, less `ref_low`, packed from the lowest bit on, ascending; padded to 8
//   bytes, and 8 more
// Supplement of a list: n times   d / 2 bytes of nibbles (simd/quantised.h) | f32 add | f32 scale
//
// Hot part:
//   u32 dim | u32 d | u32 lists | u8 metric | u8 element | u16 0 | u64 rows | u64 rotation seed | f32 centroid low |
//   f32 centroid step f32 mean[d]                     in the rotated frame; centroids, rows and queries are relative to
//   it lists times ListEntry (32 bytes) u8 centroid[lists][d]           value = low + step * byte u32 fragments, then
//   for each    u64 id | u64 physical rows | u16 length | path of the data file that holds the column
//
// A row number counts the physical rows of the segment's fragments one after the other. Where lists lie follows from
// their sizes.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "simd/distance.h"

namespace firn::index {

inline constexpr std::string_view kSegmentMagic = "FIRNVEC1";
inline constexpr std::uint32_t kSegmentVersion = 1;
inline constexpr std::size_t kSegmentHeaderBytes = 16;
inline constexpr std::size_t kSegmentFooterBytes = 32;
inline constexpr std::size_t kMaxLists = 1U << 20;
inline constexpr std::size_t kMaxIndexDim = 8192;
inline constexpr std::size_t kMaxSegmentRows = 0xFFFF'FFFF;

struct ListEntry {
  std::uint32_t rows = 0;
  std::uint32_t ref_low = 0;
  std::uint32_t ref_bits = 0;        // 0 to 32
  std::uint32_t codes_crc = 0;       // CRC-32C of the list's codes
  std::uint32_t supplement_crc = 0;  // and of its supplement
  float norm2 = 0;                   // of the centroid, relative to the mean
  float radius = 0;                  // root mean square distance of its rows from the centroid
  float bias = 0;                    // dot: |c|^2 in the table's own frame; else 0
};
inline constexpr std::size_t kListEntryBytes = 32;

struct SegmentFragment {
  std::uint64_t id = 0;
  std::uint64_t rows = 0;
  std::string data_file;  // valid only while the fragment has this very file
  friend bool operator==(const SegmentFragment&, const SegmentFragment&) = default;
};

/// The hot part, decoded.
struct SegmentHeader {
  std::uint32_t dim = 0;
  std::uint32_t padded_dim = 0;
  simd::Metric metric = simd::Metric::kL2;
  simd::Element element = simd::Element::kF32;
  std::uint64_t rows = 0;  // indexed: without nulls
  std::uint64_t seed = 0;
  float centroid_low = 0;
  float centroid_step = 0;
  std::vector<float> mean;
  std::vector<ListEntry> lists;
  Buffer centroids;  // lists * padded_dim bytes
  std::vector<SegmentFragment> fragments;

  std::size_t groups() const { return padded_dim / 4; }
  std::size_t block_bytes() const { return groups() * 16 + 3 * 4 * kBlockRows; }
  std::size_t supplement_row_bytes() const { return padded_dim / 2 + 8; }
  std::uint64_t CodesBytes(const ListEntry& list) const {
    return BlocksOf(list) * block_bytes() + (std::uint64_t{list.rows} * list.ref_bits + 63) / 64 * 8 + 8;
  }
  std::uint64_t SupplementBytes(const ListEntry& list) const { return list.rows * supplement_row_bytes(); }
  static std::uint64_t BlocksOf(const ListEntry& list) { return (list.rows + kBlockRows - 1) / kBlockRows; }

 private:
  static constexpr std::size_t kBlockRows = 32;
};

std::string EncodeHotPart(const SegmentHeader& header);
/// Every size is checked. DataCorruption names `object`.
Result<SegmentHeader> DecodeHotPart(Buffer hot, std::string_view object);

struct SegmentFooter {
  std::uint64_t hot_offset = 0;
  std::uint64_t hot_bytes = 0;
  std::uint32_t hot_crc = 0;
};
std::string EncodeSegmentFooter(const SegmentFooter& footer);
/// From the last kSegmentFooterBytes of an object of that size. Unsupported: another version.
Result<SegmentFooter> DecodeSegmentFooter(ByteSpan tail, std::uint64_t object_bytes, std::string_view object);

}  // namespace firn::index
