#pragma once
// What a page's bytes mean, as checked values: which of the four layouts, which levels of nesting, which encodings.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "lance/encoding/compression.h"
#include "lance/encoding/fsst.h"

namespace firn::lance {

/// How values became bytes: a small tree, of which each kind uses some fields. Immutable.
struct Encoding {
  enum class Kind : std::uint8_t {
    kFlat,                  // bits
    kVariable,              // bits = of an offset
    kOutOfLineBitpacking,   // bits, packed_bits
    kInlineBitpacking,      // bits
    kFsst,                  // fsst, children[0]
    kRle,                   // children: values, run lengths
    kByteStreamSplit,       // children[0]
    kGeneral,               // compression, children[0]
    kFixedSizeList,         // items, has_validity, children[0]
    kPackedStruct,          // member_bits, children[0]
    kVariablePackedStruct,  // children = the members, member_bits, member_has_length
  };
  Kind kind = Kind::kFlat;
  std::uint32_t bits = 0;
  std::uint32_t packed_bits = 0;
  std::uint64_t items = 0;
  bool has_validity = false;
  Compression compression = Compression::kLz4;
  std::shared_ptr<const FsstTable> fsst = {};
  std::vector<std::uint32_t> member_bits = {};  // of a value, or of the length in front of it
  std::vector<bool> member_has_length = {};
  std::vector<Encoding> children = {};
};

/// One level of nesting, and how many definition levels it uses. A null is the first of them, an empty list the last.
struct Layer {
  bool is_list = false;
  bool has_nulls = false;
  bool has_empties = false;
  std::uint16_t Levels() const { return static_cast<std::uint16_t>((has_nulls ? 1 : 0) + (has_empties ? 1 : 0)); }
};

/// Buffers: chunk table, chunks, dictionary when there is one, repetition index when `rep_index_depth` > 0.
struct MiniBlockLayout {
  std::optional<Encoding> rep;
  std::optional<Encoding> def;
  Encoding values;  // of the dictionary's indices, when there is a dictionary
  std::optional<Encoding> dictionary;
  std::uint64_t dictionary_items = 0;
  std::uint32_t value_buffers = 1;  // in each chunk
  std::uint32_t rep_index_depth = 0;
  std::uint64_t items = 0;
  bool large_chunks = false;
};

/// Buffers: items, one after another; repetition index, when items are not equally long or are in lists.
struct FullZipLayout {
  std::uint32_t rep_bits = 0;
  std::uint32_t def_bits = 0;
  std::uint32_t value_bits = 0;  // 0: values have a length in front
  std::uint32_t length_bits = 0;
  std::uint64_t items = 0;
  Encoding values;
};

/// Buffers: none; [value]; [repetition, definition]; or [value, repetition, definition].
struct ConstantLayout {
  std::optional<std::string> inline_value;
  std::optional<Encoding> rep;  // absent: plain u16
  std::optional<Encoding> def;
  std::uint64_t rep_values = 0;
  std::uint64_t def_values = 0;
};

struct BlobLayout {};

struct PageLayout {
  std::vector<Layer> layers;  // innermost first
  std::variant<MiniBlockLayout, FullZipLayout, ConstantLayout, BlobLayout> body;

  bool HasLists() const;
  std::uint16_t MaxRep() const;  // the number of list layers
  /// Items with a higher definition level have no value: they stand for null and empty lists.
  std::uint16_t MaxVisibleDef() const;
};

/// From the bytes of a page's DirectEncoding. Unsupported names what is not known.
Result<PageLayout> ParsePageLayout(ByteSpan any_message);

/// Bits of one value that the encoding yields, when it is one of fixed width; else 0.
std::uint64_t DecodedBits(const Encoding& encoding);

}  // namespace firn::lance
