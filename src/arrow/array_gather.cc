// Take and Concat: rows copied into new arrays, with one memcpy per run of rows where the layout allows it.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "arrow/array.h"
#include "arrow/buffers.h"

namespace firn::arrow {
namespace {

/// Rows [begin, begin + count) of sources[source].
struct Run {
  std::size_t source;
  std::int64_t begin;
  std::int64_t count;
};

using Sources = std::span<const Array* const>;

bool IsList(TypeId id) { return id == TypeId::kList || id == TypeId::kLargeList; }

/// A precondition that bad data could break; going on would write offsets that point anywhere.
void RequireOffsetFits(TypeId id, std::int64_t end) {
  if (HasLargeOffsets(id) || end <= INT32_MAX) return;
  std::fputs("firn: more than 2 GiB of values in one 32-bit array; the caller must split the batch\n", stderr);
  std::abort();
}

class OffsetWriter {
 public:
  OffsetWriter(TypeId id, std::int64_t length)
      : large_(HasLargeOffsets(id)), block_(static_cast<std::size_t>(length + 1) * (large_ ? 8 : 4)) {
    Append(0);
  }
  void Append(std::int64_t offset) {
    if (large_) {
      std::memcpy(block_.data() + 8 * at_++, &offset, 8);
    } else {
      std::memcpy(block_.data() + 4 * at_++, &offset, 4);
    }
  }
  Buffer Finish() && { return std::move(block_).Finish(); }

 private:
  bool large_;
  Block block_;
  std::size_t at_ = 0;
};

/// The offsets of one source, of either width.
class OffsetReader {
 public:
  explicit OffsetReader(const Array& array) : large_(HasLargeOffsets(array.type().id)), at_(array.data().data.data()) {}
  std::int64_t operator[](std::int64_t i) const {
    return large_ ? LoadLe<std::int64_t>(at_ + 8 * i) : LoadLe<std::int32_t>(at_ + 4 * i);
  }

 private:
  bool large_;
  const std::uint8_t* at_;
};

void GatherValidity(Sources sources, std::span<const Run> runs, ArrayData& out) {
  bool nulls = false;
  for (const Array* source : sources) nulls = nulls || !source->data().validity.empty();
  if (!nulls) return;
  Buffer bits = Zeros(BytesForBits(out.length));
  auto* to = const_cast<std::uint8_t*>(bits.data());  // ours alone until the end of this function
  std::int64_t at = 0;
  for (const auto& [source, begin, count] : runs) {
    const Buffer& validity = sources[source]->data().validity;
    validity.empty() ? FillBits(to, at, count, true) : CopyBits(validity.data(), begin, to, at, count);
    at += count;
  }
  out.null_count = out.length - CountOnes(to, 0, out.length);
  if (out.null_count > 0) out.validity = std::move(bits);
}

Buffer GatherBits(Sources sources, std::span<const Run> runs, std::int64_t length) {
  Buffer bits = Zeros(BytesForBits(length));
  auto* to = const_cast<std::uint8_t*>(bits.data());
  std::int64_t at = 0;
  for (const auto& [source, begin, count] : runs) {
    CopyBits(sources[source]->data().data.data(), begin, to, at, count);
    at += count;
  }
  return bits;
}

Buffer GatherFixed(Sources sources, std::span<const Run> runs, std::int64_t length, std::int64_t width) {
  Block block(static_cast<std::size_t>(length * width));
  std::uint8_t* to = block.data();
  for (const auto& [source, begin, count] : runs) {
    const ByteSpan values = sources[source]->data().data.bytes();
    const auto size = static_cast<std::size_t>(count * width);
    CopyBytes(to, values.subspan(static_cast<std::size_t>(begin * width), size));
    to += size;
  }
  return std::move(block).Finish();
}

void GatherBytes(Sources sources, std::span<const Run> runs, ArrayData& out) {
  const TypeId id = out.type->id;
  OffsetWriter offsets(id, out.length);
  std::int64_t total = 0;
  for (const auto& [source, begin, count] : runs) {
    const OffsetReader from(*sources[source]);
    const std::int64_t shift = total - from[begin];
    for (std::int64_t i = 1; i <= count; i++) offsets.Append(from[begin + i] + shift);
    total = from[begin + count] + shift;
    RequireOffsetFits(id, total);
  }
  Block bytes(static_cast<std::size_t>(total));
  std::uint8_t* to = bytes.data();
  for (const auto& [source, begin, count] : runs) {
    const OffsetReader from(*sources[source]);
    const auto size = static_cast<std::size_t>(from[begin + count] - from[begin]);
    CopyBytes(to, sources[source]->data().bytes.bytes().subspan(static_cast<std::size_t>(from[begin]), size));
    to += size;
  }
  out.data = std::move(offsets).Finish();
  out.bytes = std::move(bytes).Finish();
}

Array Gather(const TypePtr& type, Sources sources, std::span<const Run> runs);

Array GatherChild(const TypePtr& type, Sources sources, std::span<const Run> runs, std::size_t child) {
  std::vector<const Array*> children;
  children.reserve(sources.size());
  for (const Array* source : sources) children.push_back(&source->child(child));
  return Gather(type->children[child].type, children, runs);
}

void GatherLists(Sources sources, std::span<const Run> runs, ArrayData& out) {
  OffsetWriter offsets(out.type->id, out.length);
  std::vector<Run> items;
  items.reserve(runs.size());
  std::int64_t total = 0;
  for (const auto& [source, begin, count] : runs) {
    const OffsetReader from(*sources[source]);
    const std::int64_t shift = total - from[begin];
    for (std::int64_t i = 1; i <= count; i++) offsets.Append(from[begin + i] + shift);
    items.push_back({source, from[begin], from[begin + count] - from[begin]});
    total = from[begin + count] + shift;
    RequireOffsetFits(out.type->id, total);
  }
  out.data = std::move(offsets).Finish();
  out.children.push_back(GatherChild(out.type, sources, items, 0));
}

void GatherFixedSizeLists(Sources sources, std::span<const Run> runs, ArrayData& out) {
  const std::int64_t size = out.type->list_size;
  std::vector<Run> items;
  items.reserve(runs.size());
  for (const auto& [source, begin, count] : runs) items.push_back({source, begin * size, count * size});
  out.children.push_back(GatherChild(out.type, sources, items, 0));
}

/// All rows of `runs`, in order; every source has the type `type`.
Array Gather(const TypePtr& type, Sources sources, std::span<const Run> runs) {
  ArrayData out;
  out.type = type;
  for (const Run& run : runs) out.length += run.count;
  GatherValidity(sources, runs, out);
  if (type->id == TypeId::kBool) {
    out.data = GatherBits(sources, runs, out.length);
  } else if (const std::int64_t width = BitWidth(*type) / 8; width > 0) {
    out.data = GatherFixed(sources, runs, out.length, width);
  } else if (IsVarBytes(type->id)) {
    GatherBytes(sources, runs, out);
  } else if (IsList(type->id)) {
    GatherLists(sources, runs, out);
  } else if (type->id == TypeId::kFixedSizeList) {
    GatherFixedSizeLists(sources, runs, out);
  } else {
    for (std::size_t i = 0; i < type->children.size(); i++) out.children.push_back(GatherChild(type, sources, runs, i));
  }
  return Array(std::move(out));
}

/// One load and store a row; the size is known to the compiler.
template <std::size_t kWidth>
void TakeWords(const std::uint8_t* from, std::span<const std::int64_t> indices, std::uint8_t* to) {
  for (const std::int64_t index : indices) {
    std::memcpy(to, from + static_cast<std::size_t>(index) * kWidth, kWidth);
    to += kWidth;
  }
}

Buffer TakeFixed(const Buffer& values, std::span<const std::int64_t> indices, std::size_t width) {
  Block block(indices.size() * width);
  if (block.size() == 0) return {};
  const std::uint8_t* from = values.data();
  std::uint8_t* to = block.data();
  switch (width) {
    case 1:
      TakeWords<1>(from, indices, to);
      break;
    case 2:
      TakeWords<2>(from, indices, to);
      break;
    case 4:
      TakeWords<4>(from, indices, to);
      break;
    case 8:
      TakeWords<8>(from, indices, to);
      break;
    case 16:
      TakeWords<16>(from, indices, to);
      break;
    default:
      for (const std::int64_t index : indices) {
        std::memcpy(to, from + static_cast<std::size_t>(index) * width, width);
        to += width;
      }
  }
  return std::move(block).Finish();
}

Buffer TakeBits(const Buffer& bits, std::span<const std::int64_t> indices) {
  Buffer out = Zeros(BytesForBits(static_cast<std::int64_t>(indices.size())));
  auto* to = const_cast<std::uint8_t*>(out.data());
  for (std::size_t i = 0; i < indices.size(); i++) {
    if (BitAt(bits.data(), indices[i])) SetBit(to, static_cast<std::int64_t>(i));
  }
  return out;
}

void TakeValidity(const Array& array, std::span<const std::int64_t> indices, ArrayData& out) {
  if (array.data().validity.empty()) return;
  Buffer validity = TakeBits(array.data().validity, indices);
  out.null_count = out.length - CountOnes(validity.data(), 0, out.length);
  if (out.null_count > 0) out.validity = std::move(validity);
}

/// Neighbouring indices that rise by one become one run.
std::vector<Run> RunsOf(std::span<const std::int64_t> indices) {
  std::vector<Run> runs;
  for (const std::int64_t index : indices) {
    if (!runs.empty() && runs.back().begin + runs.back().count == index) {
      runs.back().count++;
    } else {
      runs.push_back({0, index, 1});
    }
  }
  return runs;
}

/// As Gather over whole arrays would find: do the 32-bit offsets of the result fit, at every depth?
Status CheckOffsetsFit(Sources sources) {
  const Type& type = sources[0]->type();
  if ((IsVarBytes(type.id) || IsList(type.id)) && !HasLargeOffsets(type.id)) {
    std::int64_t total = 0;
    for (const Array* source : sources) {
      const OffsetReader offsets(*source);
      total += offsets[source->length()] - offsets[0];
    }
    if (total > INT32_MAX) {
      return InvalidArgument("the arrays together hold " + std::to_string(total) + " bytes or items, more than " +
                                 type.ToString() + " can",
                             "Use smaller batches or a large_ type");
    }
  }
  for (std::size_t i = 0; i < type.children.size(); i++) {
    std::vector<const Array*> children;
    for (const Array* source : sources) children.push_back(&source->child(i));
    FIRN_CHECK(CheckOffsetsFit(children));
  }
  return {};
}

}  // namespace

Array Take(const Array& array, std::span<const std::int64_t> indices) {
  ArrayData out;
  out.type = array.type_ptr();
  out.length = static_cast<std::int64_t>(indices.size());
  TakeValidity(array, indices, out);
  const TypeId id = array.type().id;
  if (id == TypeId::kBool) {
    out.data = TakeBits(array.data().data, indices);
  } else if (const std::int64_t width = BitWidth(array.type()) / 8; width > 0) {
    out.data = TakeFixed(array.data().data, indices, static_cast<std::size_t>(width));
  } else if (id == TypeId::kStruct) {
    for (const Array& member : array.data().children) out.children.push_back(Take(member, indices));
  } else if (id == TypeId::kFixedSizeList && array.child(0).data().validity.empty() &&
             BitWidth(array.child(0).type()) >= 8) {
    ArrayData items;
    items.type = array.child(0).type_ptr();
    items.length = out.length * array.type().list_size;
    const std::int64_t row = BitWidth(*items.type) / 8 * array.type().list_size;
    items.data = TakeFixed(array.child(0).data().data, indices, static_cast<std::size_t>(row));
    out.children.emplace_back(std::move(items));
  } else if (id != TypeId::kNull) {
    const Array* source = &array;
    return Gather(array.type_ptr(), {&source, 1}, RunsOf(indices));
  }
  return Array(std::move(out));
}

Result<Array> Concat(std::span<const Array> arrays) {
  if (arrays.empty()) return InvalidArgument("no arrays to put together");
  if (arrays.size() == 1) return arrays[0];
  std::vector<const Array*> sources;
  std::vector<Run> runs;
  for (const Array& array : arrays) {
    if (!Equal(array.type(), arrays[0].type())) {
      return InvalidArgument("arrays of " + arrays[0].type().ToString() + " and " + array.type().ToString() +
                             " cannot be put together");
    }
    runs.push_back({sources.size(), 0, array.length()});
    sources.push_back(&array);
  }
  FIRN_CHECK(CheckOffsetsFit(sources));
  return Gather(arrays[0].type_ptr(), sources, runs);
}

RecordBatch Take(const RecordBatch& batch, std::span<const std::int64_t> indices) {
  RecordBatch out{batch.schema, {}, static_cast<std::int64_t>(indices.size())};
  out.columns.reserve(batch.columns.size());
  for (const Array& column : batch.columns) out.columns.push_back(Take(column, indices));
  return out;
}

Result<RecordBatch> Concat(const SchemaPtr& schema, std::span<const RecordBatch> batches) {
  RecordBatch out{schema, {}, 0};
  for (const RecordBatch& batch : batches) {
    if (batch.columns.size() != schema->fields.size()) {
      return InvalidArgument("a batch of " + std::to_string(batch.columns.size()) +
                             " columns cannot go under a schema of " + std::to_string(schema->fields.size()));
    }
    out.rows += batch.rows;
  }
  std::vector<Array> pieces;
  for (std::size_t i = 0; i < schema->fields.size(); i++) {
    const Field& field = schema->fields[i];
    pieces.clear();
    for (const RecordBatch& batch : batches) {
      if (!Equal(batch.columns[i].type(), *field.type)) {
        return InvalidArgument("column \"" + field.name + "\" is " + field.type->ToString() + ", a batch has " +
                               batch.columns[i].type().ToString());
      }
      pieces.push_back(batch.columns[i]);
    }
    if (pieces.empty()) {
      out.columns.push_back(Nulls(field.type, 0));
      continue;
    }
    auto column = Concat(pieces);
    if (!column) return std::move(column).error().In("column \"" + field.name + "\"");
    out.columns.push_back(*std::move(column));
  }
  return out;
}

}  // namespace firn::arrow
