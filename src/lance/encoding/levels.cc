#include "lance/encoding/levels.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "lance/encoding/byte_block.h"

namespace firn::lance {
namespace {

using arrow::TypeId;

struct Validity {
  Buffer bits;
  std::int64_t nulls = 0;
};

/// A bit for each level that is at most `limit`, set when it is below `null_level`.
Validity ValidityOf(std::span<const std::uint16_t> def, std::uint16_t limit, std::uint16_t null_level) {
  ByteBlock bits;
  bits.AppendZeros((def.size() + 7) / 8);
  std::uint8_t* const to = bits.data();
  std::size_t visible = 0;
  std::size_t valid = 0;
  std::size_t i = 0;
  for (; i + 8 <= def.size(); i += 8) {  // as long as none is hidden, eight at a time
    unsigned byte = 0;
    bool all_visible = true;
    for (unsigned bit = 0; bit < 8; bit++) {
      all_visible &= def[i + bit] <= limit;
      byte |= static_cast<unsigned>(def[i + bit] < null_level) << bit;
    }
    if (!all_visible) break;
    to[i / 8] = static_cast<std::uint8_t>(byte);
    valid += static_cast<std::size_t>(std::popcount(byte));
    visible += 8;
  }
  for (; i < def.size(); i++) {
    if (def[i] > limit) continue;
    const bool is_valid = def[i] < null_level;
    to[visible / 8] = static_cast<std::uint8_t>(to[visible / 8] | static_cast<unsigned>(is_valid) << (visible % 8));
    valid += is_valid ? 1 : 0;
    visible++;
  }
  bits.Truncate((visible + 7) / 8);
  Validity validity{{}, static_cast<std::int64_t>(visible - valid)};
  if (validity.nulls != 0) validity.bits = bits.Finish();
  return validity;
}

arrow::Array WithValidity(const arrow::Array& array, Validity validity) {
  if (validity.nulls == 0 || array.type().id == TypeId::kNull) return array;
  arrow::ArrayData data = array.data();
  data.validity = std::move(validity.bits);
  data.null_count = validity.nulls;
  return arrow::Array(std::move(data));
}

/// Walks from the items outwards, one layer at a time.
class Nesting {
 public:
  Nesting(const LeafPath& path, std::span<const Layer> layers, const Levels& levels, arrow::Array items)
      : path_(path),
        layers_(layers),
        def_(levels.def),
        rep_(levels.rep),
        slots_(levels.slots),
        current_(std::move(items)) {}

  Result<arrow::Array> Run() {
    depth_ = path_.types.size() - 1;
    limit_ = LevelsUntilNextList(0);
    if (static_cast<std::uint64_t>(current_.length()) != CountVisible(limit_)) {
      return DataCorruption("a page has another number of values than its levels say");
    }
    for (std::size_t i = 0; i < layers_.size(); i++) {
      if (layers_[i].is_list) {
        FIRN_CHECK(WrapInList(i));
      } else {
        WrapItem(i);
      }
    }
    for (const std::uint16_t level : def_) {
      if (level > passed_) return DataCorruption("a page's definition levels are higher than its layers allow");
    }
    return std::move(current_);
  }

 private:
  std::uint16_t LevelsUntilNextList(std::size_t layer) const {
    unsigned levels = 0;
    for (; layer < layers_.size() && !layers_[layer].is_list; layer++) levels += layers_[layer].Levels();
    return static_cast<std::uint16_t>(levels);
  }

  std::uint64_t CountVisible(std::uint16_t limit) const {
    if (def_.empty()) return slots_;
    std::uint64_t visible = 0;
    for (const std::uint16_t level : def_) visible += level <= limit;
    return visible;
  }

  /// An item or a struct: a null of it is every level from its own up to the next list.
  void WrapItem(std::size_t layer) {
    if (layer > 0) {  // the first layer is the leaf itself
      depth_--;
      arrow::ArrayData data;
      data.type = path_.types[depth_];
      data.length = current_.length();
      data.children.push_back(std::move(current_));
      current_ = arrow::Array(std::move(data));
    }
    const auto null_level = static_cast<std::uint16_t>(passed_ + 1);
    passed_ = static_cast<std::uint16_t>(passed_ + layers_[layer].Levels());
    if (layers_[layer].has_nulls && !def_.empty())
      current_ = WithValidity(current_, ValidityOf(def_, limit_, null_level));
  }

  /// Slots that begin a list become the slots of the next layer.
  Status WrapInList(std::size_t layer) {
    depth_--;
    const Layer& list = layers_[layer];
    const std::uint16_t items_limit = limit_;
    const auto null_level = static_cast<std::uint16_t>(passed_ + 1);
    passed_ = static_cast<std::uint16_t>(passed_ + list.Levels());
    limit_ = static_cast<std::uint16_t>(passed_ + LevelsUntilNextList(layer + 1));

    if (rep_.size() != slots_) return DataCorruption("a page of lists has no repetition levels");
    std::vector<std::uint16_t> next_rep;
    std::vector<std::uint16_t> next_def;
    next_rep.reserve(slots_);
    if (!def_.empty()) next_def.reserve(slots_);
    std::vector<std::int64_t> offsets;
    offsets.reserve(slots_ + 1);
    std::int64_t items = 0;
    bool open = false;  // the list that began last has items
    for (std::uint64_t i = 0; i < slots_; i++) {
      const std::uint16_t def = def_.empty() ? 0 : def_[i];
      const bool has_item = def <= items_limit;
      if (rep_[i] == 0) {
        if (!open || !has_item) return DataCorruption("a page's repetition levels go on with a list that has no items");
      } else {
        if (def <= limit_) offsets.push_back(items);
        next_rep.push_back(static_cast<std::uint16_t>(rep_[i] - 1));
        if (!def_.empty()) next_def.push_back(def);
        open = has_item;
      }
      items += has_item ? 1 : 0;
    }
    const std::size_t lists = offsets.size();
    offsets.push_back(items);
    own_rep_ = std::move(next_rep);
    own_def_ = std::move(next_def);
    rep_ = own_rep_;
    def_ = own_def_;
    slots_ = own_rep_.size();

    arrow::ArrayData data;
    data.type = path_.types[depth_];
    data.length = static_cast<std::int64_t>(lists);
    if (data.type->id == TypeId::kLargeList) {
      data.data = Buffer::OfValues(std::move(offsets));
    } else {
      if (items > std::numeric_limits<std::int32_t>::max()) {
        return ResourceExhausted("the lists of one page have more than 2^31 items", "read fewer rows at once");
      }
      data.data = Buffer::OfValues(std::vector<std::int32_t>(offsets.begin(), offsets.end()));
    }
    data.children.push_back(std::move(current_));
    current_ = arrow::Array(std::move(data));
    if (!def_.empty()) {
      if (list.has_nulls && !list.has_empties) current_ = WithValidity(current_, ValidityOf(def_, limit_, null_level));
      if (list.has_nulls && list.has_empties) current_ = WithValidity(current_, ListValidity(null_level));
    }
    return {};
  }

  /// With both null and empty lists the null's level stands below the empty one's.
  Validity ListValidity(std::uint16_t null_level) const {
    std::vector<std::uint16_t> moved(def_.begin(), def_.end());
    for (std::uint16_t& level : moved) {
      if (level == null_level + 1) level = 0;  // empty is valid
    }
    return ValidityOf(moved, limit_, null_level);
  }

  const LeafPath& path_;
  std::span<const Layer> layers_;
  std::span<const std::uint16_t> def_;
  std::span<const std::uint16_t> rep_;
  std::uint64_t slots_;
  arrow::Array current_;
  std::vector<std::uint16_t> own_rep_;
  std::vector<std::uint16_t> own_def_;
  std::size_t depth_ = 0;     // of current_ in the path
  std::uint16_t passed_ = 0;  // definition levels of the layers so far
  std::uint16_t limit_ = 0;   // slots above it have no entry in current_
};

}  // namespace

Status CheckLayers(const LeafPath& path, std::span<const Layer> layers) {
  bool fits = layers.size() == path.types.size();
  for (std::size_t i = 1; fits && i < layers.size(); i++) {
    const TypeId id = path.types[path.types.size() - 1 - i]->id;
    fits = layers[i].is_list ? id == TypeId::kList || id == TypeId::kLargeList : id == TypeId::kStruct;
  }
  if (!fits) return DataCorruption("a page's layers are not those of its column's type");
  return {};
}

Result<arrow::Array> Nest(const LeafPath& path, std::span<const Layer> layers, const Levels& levels, arrow::Array items,
                          std::uint64_t rows) {
  FIRN_CHECK(CheckLayers(path, layers));
  if ((!levels.def.empty() && levels.def.size() != levels.slots) ||
      (!levels.rep.empty() && levels.rep.size() != levels.slots)) {
    return DataCorruption("a page has more levels of one kind than of the other");
  }
  const std::size_t lists = static_cast<std::size_t>(
      std::count_if(layers.begin(), layers.end(), [](const Layer& layer) { return layer.is_list; }));
  for (const std::uint16_t level : levels.rep) {
    if (level > lists) return DataCorruption("a page's repetition levels are higher than its layers allow");
  }
  FIRN_TRY(arrow::Array array, Nesting(path, layers, levels, std::move(items)).Run());
  if (static_cast<std::uint64_t>(array.length()) != rows) {
    return DataCorruption("a page has " + std::to_string(array.length()) + " rows where its metadata says " +
                          std::to_string(rows));
  }
  return array;
}

}  // namespace firn::lance
