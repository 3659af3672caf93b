#include "lance/encoding/page_layout.h"

#include <algorithm>

#include "encodings.pb.h"

namespace firn::lance {
namespace {

constexpr int kMaxEncodingDepth = 12;
constexpr std::size_t kMaxLayers = 64;
constexpr std::size_t kMaxPackedMembers = 1024;
constexpr std::uint64_t kMaxValueBits = 8ULL << 30;  // a value of 1 GiB

Result<Encoding> ParseEncoding(const pb::CompressiveEncoding& message, int depth);

Result<Encoding> ParseChild(bool present, const pb::CompressiveEncoding& child, int depth) {
  if (!present) return DataCorruption("a page's encoding lacks the encoding inside it");
  return ParseEncoding(child, depth + 1);
}

Result<std::uint32_t> ParseBits(std::uint64_t bits) {
  if (bits == 0 || bits > kMaxValueBits)
    return DataCorruption("a page says that its values have " + std::to_string(bits) + " bits");
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(bits, ~std::uint32_t{0}));
}

Status RefuseBufferCompression(bool present, const pb::BufferCompression& compression) {
  if (present && compression.scheme() != pb::COMPRESSION_UNSPECIFIED) {
    return Unsupported("compression inside a flat, variable or bit-packed encoding is not known");
  }
  return {};
}

Result<Encoding> ParseFlat(const pb::Flat& flat) {
  FIRN_CHECK(RefuseBufferCompression(flat.has_data(), flat.data()));
  Encoding encoding{.kind = Encoding::Kind::kFlat};
  FIRN_TRY(encoding.bits, ParseBits(flat.bits_per_value()));
  return encoding;
}

Result<Encoding> ParseVariable(const pb::Variable& variable, int depth) {
  FIRN_CHECK(RefuseBufferCompression(variable.has_values(), variable.values()));
  FIRN_TRY(const Encoding offsets, ParseChild(variable.has_offsets(), variable.offsets(), depth));
  if (offsets.kind != Encoding::Kind::kFlat)
    return Unsupported("offsets of strings that are themselves encoded are not known");
  if (offsets.bits != 32 && offsets.bits != 64)
    return DataCorruption("a page's string offsets are not 32 or 64 bits wide");
  return Encoding{.kind = Encoding::Kind::kVariable, .bits = offsets.bits};
}

Result<std::uint32_t> ParseIntegerBits(std::uint64_t bits) {
  if (bits != 8 && bits != 16 && bits != 32 && bits != 64) {
    return DataCorruption("bit-packed values have " + std::to_string(bits) + " bits");
  }
  return static_cast<std::uint32_t>(bits);
}

Result<Encoding> ParseOutOfLine(const pb::OutOfLineBitpacking& packed, int depth) {
  Encoding encoding{.kind = Encoding::Kind::kOutOfLineBitpacking};
  FIRN_TRY(encoding.bits, ParseIntegerBits(packed.uncompressed_bits_per_value()));
  FIRN_TRY(const Encoding values, ParseChild(packed.has_values(), packed.values(), depth));
  if (values.kind != Encoding::Kind::kFlat)
    return Unsupported("bit-packed values that are encoded further are not known");
  if (values.bits > encoding.bits) return DataCorruption("bit-packed values are wider than their type");
  encoding.packed_bits = values.bits;
  return encoding;
}

Result<Encoding> ParseInline(const pb::InlineBitpacking& packed) {
  FIRN_CHECK(RefuseBufferCompression(packed.has_values(), packed.values()));
  Encoding encoding{.kind = Encoding::Kind::kInlineBitpacking};
  FIRN_TRY(encoding.bits, ParseIntegerBits(packed.uncompressed_bits_per_value()));
  return encoding;
}

Result<Encoding> ParseFsst(const pb::Fsst& fsst, int depth) {
  Encoding encoding{.kind = Encoding::Kind::kFsst};
  FIRN_TRY(FsstTable table, FsstTable::Parse(AsBytes(fsst.symbol_table())));
  encoding.fsst = std::make_shared<const FsstTable>(table);
  FIRN_TRY(Encoding child, ParseChild(fsst.has_values(), fsst.values(), depth));
  encoding.children.push_back(std::move(child));
  return encoding;
}

Result<Encoding> ParseRle(const pb::Rle& rle, int depth) {
  Encoding encoding{.kind = Encoding::Kind::kRle};
  FIRN_TRY(Encoding values, ParseChild(rle.has_values(), rle.values(), depth));
  FIRN_TRY(Encoding lengths, ParseChild(rle.has_run_lengths(), rle.run_lengths(), depth));
  if (values.kind != Encoding::Kind::kFlat || lengths.kind != Encoding::Kind::kFlat) {
    return Unsupported("run-length encoding whose runs are encoded further is not known");
  }
  if (values.bits % 8 != 0 || values.bits > 128) return DataCorruption("run-length encoded values have an odd width");
  if (lengths.bits != 8) return Unsupported("run lengths that are not one byte wide are not known");
  encoding.children.push_back(std::move(values));
  encoding.children.push_back(std::move(lengths));
  return encoding;
}

Result<Encoding> ParseGeneral(const pb::General& general, int depth) {
  Encoding encoding{.kind = Encoding::Kind::kGeneral};
  switch (general.compression().scheme()) {
    case pb::COMPRESSION_LZ4:
      encoding.compression = Compression::kLz4;
      break;
    case pb::COMPRESSION_ZSTD:
      encoding.compression = Compression::kZstd;
      break;
    default:
      return Unsupported("general compression scheme " + std::to_string(general.compression().scheme()) +
                         " is not known");
  }
  FIRN_TRY(Encoding child, ParseChild(general.has_values(), general.values(), depth));
  encoding.children.push_back(std::move(child));
  return encoding;
}

Result<Encoding> ParseFixedSizeList(const pb::FixedSizeList& list, int depth) {
  Encoding encoding{.kind = Encoding::Kind::kFixedSizeList};
  if (list.items_per_value() == 0 || list.items_per_value() > kMaxValueBits) {
    return DataCorruption("a page says that its lists have " + std::to_string(list.items_per_value()) + " items each");
  }
  encoding.items = list.items_per_value();
  encoding.has_validity = list.has_validity();
  FIRN_TRY(Encoding child, ParseChild(list.has_values(), list.values(), depth));
  encoding.children.push_back(std::move(child));
  return encoding;
}

Result<Encoding> ParsePackedStruct(const pb::PackedStruct& packed, int depth) {
  Encoding encoding{.kind = Encoding::Kind::kPackedStruct};
  if (static_cast<std::size_t>(packed.bits_per_value_size()) > kMaxPackedMembers)
    return DataCorruption("a packed struct has too many members");
  for (const std::uint64_t bits : packed.bits_per_value()) {
    FIRN_TRY(const std::uint32_t checked, ParseBits(bits));
    if (checked % 8 != 0) return Unsupported("packed structs with members that are not whole bytes are not known");
    encoding.member_bits.push_back(checked);
  }
  FIRN_TRY(Encoding child, ParseChild(packed.has_values(), packed.values(), depth));
  encoding.children.push_back(std::move(child));
  return encoding;
}

Result<Encoding> ParseVariablePackedStruct(const pb::VariablePackedStruct& packed, int depth) {
  Encoding encoding{.kind = Encoding::Kind::kVariablePackedStruct};
  if (static_cast<std::size_t>(packed.fields_size()) > kMaxPackedMembers)
    return DataCorruption("a packed struct has too many members");
  for (const auto& member : packed.fields()) {
    const bool has_length = member.layout_case() == pb::VariablePackedStruct::Member::kBitsPerLength;
    FIRN_TRY(const std::uint32_t bits, ParseBits(has_length ? member.bits_per_length() : member.bits_per_value()));
    if (bits % 8 != 0) return Unsupported("packed structs with members that are not whole bytes are not known");
    if (has_length && bits != 32 && bits != 64)
      return DataCorruption("a packed struct's lengths are not 32 or 64 bits wide");
    encoding.member_bits.push_back(bits);
    encoding.member_has_length.push_back(has_length);
    FIRN_TRY(Encoding child, ParseChild(member.has_value(), member.value(), depth));
    encoding.children.push_back(std::move(child));
  }
  return encoding;
}

Result<Encoding> ParseEncoding(const pb::CompressiveEncoding& message, int depth) {
  if (depth > kMaxEncodingDepth) return DataCorruption("a page's encodings are nested too deeply");
  switch (message.compression_case()) {
    case pb::CompressiveEncoding::kFlat:
      return ParseFlat(message.flat());
    case pb::CompressiveEncoding::kVariable:
      return ParseVariable(message.variable(), depth);
    case pb::CompressiveEncoding::kOutOfLineBitpacking:
      return ParseOutOfLine(message.out_of_line_bitpacking(), depth);
    case pb::CompressiveEncoding::kInlineBitpacking:
      return ParseInline(message.inline_bitpacking());
    case pb::CompressiveEncoding::kFsst:
      return ParseFsst(message.fsst(), depth);
    case pb::CompressiveEncoding::kRle:
      return ParseRle(message.rle(), depth);
    case pb::CompressiveEncoding::kByteStreamSplit: {
      Encoding encoding{.kind = Encoding::Kind::kByteStreamSplit};
      FIRN_TRY(Encoding child,
               ParseChild(message.byte_stream_split().has_values(), message.byte_stream_split().values(), depth));
      encoding.children.push_back(std::move(child));
      return encoding;
    }
    case pb::CompressiveEncoding::kGeneral:
      return ParseGeneral(message.general(), depth);
    case pb::CompressiveEncoding::kFixedSizeList:
      return ParseFixedSizeList(message.fixed_size_list(), depth);
    case pb::CompressiveEncoding::kPackedStruct:
      return ParsePackedStruct(message.packed_struct(), depth);
    case pb::CompressiveEncoding::kVariablePackedStruct:
      return ParseVariablePackedStruct(message.variable_packed_struct(), depth);
    case pb::CompressiveEncoding::kConstant:
      return Unsupported("the encoding `constant` inside a page is not known");
    case pb::CompressiveEncoding::kDictionary:
      return Unsupported("the encoding `dictionary` inside a page is not known");
    case pb::CompressiveEncoding::COMPRESSION_NOT_SET:
      break;
  }
  return Unsupported("a page has an encoding that is not known",
                     "the file was written by a newer Lance than this program knows");
}

Result<std::optional<Encoding>> ParseOptional(bool present, const pb::CompressiveEncoding& message) {
  if (!present) return std::optional<Encoding>();
  FIRN_TRY(Encoding encoding, ParseEncoding(message, 0));
  return std::optional<Encoding>(std::move(encoding));
}

template <class Repeated>
Result<std::vector<Layer>> ParseLayers(const Repeated& layers) {
  if (layers.empty()) return DataCorruption("a page has no layers");
  if (static_cast<std::size_t>(layers.size()) > kMaxLayers) return DataCorruption("a page has too many layers");
  std::vector<Layer> parsed;
  for (const int layer : layers) {
    switch (layer) {
      case pb::REPDEF_ALL_VALID_ITEM:
        parsed.push_back({});
        break;
      case pb::REPDEF_ALL_VALID_LIST:
        parsed.push_back({.is_list = true});
        break;
      case pb::REPDEF_NULLABLE_ITEM:
        parsed.push_back({.has_nulls = true});
        break;
      case pb::REPDEF_NULLABLE_LIST:
        parsed.push_back({.is_list = true, .has_nulls = true});
        break;
      case pb::REPDEF_EMPTYABLE_LIST:
        parsed.push_back({.is_list = true, .has_empties = true});
        break;
      case pb::REPDEF_NULL_AND_EMPTY_LIST:
        parsed.push_back({.is_list = true, .has_nulls = true, .has_empties = true});
        break;
      default:
        return Unsupported("a page has a layer of kind " + std::to_string(layer) + ", which is not known");
    }
  }
  if (parsed.front().is_list) return DataCorruption("a page's innermost layer is a list");
  return parsed;
}

Result<MiniBlockLayout> ParseMiniBlock(const pb::MiniBlockLayout& message) {
  MiniBlockLayout layout;
  FIRN_TRY(layout.rep, ParseOptional(message.has_rep_compression(), message.rep_compression()));
  FIRN_TRY(layout.def, ParseOptional(message.has_def_compression(), message.def_compression()));
  FIRN_TRY(layout.values, ParseChild(message.has_value_compression(), message.value_compression(), 0));
  FIRN_TRY(layout.dictionary, ParseOptional(message.has_dictionary(), message.dictionary()));
  if (message.num_buffers() == 0 || message.num_buffers() > 64)
    return DataCorruption("a mini-block page has an odd number of value buffers");
  if (message.repetition_index_depth() > kMaxLayers) return DataCorruption("a page's repetition index is too deep");
  layout.dictionary_items = message.num_dictionary_items();
  layout.value_buffers = static_cast<std::uint32_t>(message.num_buffers());
  layout.rep_index_depth = message.repetition_index_depth();
  layout.items = message.num_items();
  layout.large_chunks = message.has_large_chunk();
  return layout;
}

Result<FullZipLayout> ParseFullZip(const pb::FullZipLayout& message) {
  FullZipLayout layout;
  layout.rep_bits = message.bits_rep();
  layout.def_bits = message.bits_def();
  if (layout.rep_bits > 16 || layout.def_bits > 16) return DataCorruption("a page's control words are too wide");
  if (message.details_case() == pb::FullZipLayout::kBitsPerOffset) {
    layout.length_bits = message.bits_per_offset();
    if (layout.length_bits != 32 && layout.length_bits != 64)
      return DataCorruption("a page's lengths are not 32 or 64 bits wide");
  } else {
    FIRN_TRY(layout.value_bits, ParseBits(message.bits_per_value()));
    if (layout.value_bits % 8 != 0) return DataCorruption("a full-zip page's values are not whole bytes");
  }
  layout.items = message.num_items();
  FIRN_TRY(layout.values, ParseChild(message.has_value_compression(), message.value_compression(), 0));
  return layout;
}

Result<ConstantLayout> ParseConstant(const pb::ConstantLayout& message) {
  ConstantLayout layout;
  if (message.has_inline_value()) layout.inline_value = message.inline_value();
  FIRN_TRY(layout.rep, ParseOptional(message.has_rep_compression(), message.rep_compression()));
  FIRN_TRY(layout.def, ParseOptional(message.has_def_compression(), message.def_compression()));
  layout.rep_values = message.num_rep_values();
  layout.def_values = message.num_def_values();
  return layout;
}

}  // namespace

bool PageLayout::HasLists() const { return MaxRep() > 0; }

std::uint16_t PageLayout::MaxRep() const {
  return static_cast<std::uint16_t>(
      std::count_if(layers.begin(), layers.end(), [](const Layer& layer) { return layer.is_list; }));
}

std::uint16_t PageLayout::MaxVisibleDef() const {
  std::uint16_t levels = 0;
  for (const Layer& layer : layers) {
    if (layer.is_list) break;
    levels = static_cast<std::uint16_t>(levels + layer.Levels());
  }
  return levels;
}

Result<PageLayout> ParsePageLayout(ByteSpan any_message) {
  pb::AnyMessage any;
  if (!any.ParseFromArray(any_message.data(), static_cast<int>(any_message.size())))
    return DataCorruption("a page's encoding is not a protobuf message");
  if (any.type_url() != "/lance.encodings21.PageLayout") {
    const bool readable =
        std::all_of(any.type_url().begin(), any.type_url().end(), [](char c) { return c > ' ' && c < 127; });
    return Unsupported("a page has the encoding \"" + (readable ? any.type_url() : "?") + "\", which is not known",
                       "rewrite the table with data_storage_version 2.1 or 2.2");
  }
  pb::PageLayout message;
  if (!message.ParseFromString(any.value())) return DataCorruption("a page's layout is not a protobuf message");
  PageLayout layout;
  switch (message.layout_case()) {
    case pb::PageLayout::kMiniBlockLayout: {
      FIRN_TRY(layout.layers, ParseLayers(message.mini_block_layout().layers()));
      FIRN_TRY(layout.body, ParseMiniBlock(message.mini_block_layout()));
      return layout;
    }
    case pb::PageLayout::kFullZipLayout: {
      FIRN_TRY(layout.layers, ParseLayers(message.full_zip_layout().layers()));
      FIRN_TRY(layout.body, ParseFullZip(message.full_zip_layout()));
      return layout;
    }
    case pb::PageLayout::kConstantLayout: {
      FIRN_TRY(layout.layers, ParseLayers(message.constant_layout().layers()));
      FIRN_TRY(layout.body, ParseConstant(message.constant_layout()));
      return layout;
    }
    case pb::PageLayout::kBlobLayout: {
      FIRN_TRY(layout.layers, ParseLayers(message.blob_layout().layers()));
      layout.body = BlobLayout{};
      return layout;
    }
    case pb::PageLayout::LAYOUT_NOT_SET:
      break;
  }
  return Unsupported("a page has a layout that is not known",
                     "the file was written by a newer Lance (format 2.3?) than this program knows");
}

std::uint64_t DecodedBits(const Encoding& encoding) {
  switch (encoding.kind) {
    case Encoding::Kind::kFlat:
    case Encoding::Kind::kInlineBitpacking:
    case Encoding::Kind::kOutOfLineBitpacking:
      return encoding.bits;
    case Encoding::Kind::kRle:
    case Encoding::Kind::kByteStreamSplit:
    case Encoding::Kind::kGeneral:
      return DecodedBits(encoding.children[0]);
    default:
      return 0;
  }
}

}  // namespace firn::lance
