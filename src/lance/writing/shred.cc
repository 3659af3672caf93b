#include "lance/writing/shred.h"

#include <algorithm>
#include <numeric>

#include "lance/logical_type.h"

namespace firn::lance {
namespace {

using arrow::Array;
using arrow::TypeId;

bool IsList(const arrow::Type& type) { return type.id == TypeId::kList || type.id == TypeId::kLargeList; }

/// One array on the way from the column to a leaf, outermost first.
struct Node {
  const arrow::Field* field;
  const Array* array;
};

/// Definition levels of one node; 0 = it needs none.
struct NodeLevels {
  std::uint16_t null = 0;
  std::uint16_t empty = 0;
};

/// An item under way: where it stands in the array of the node that comes next.
struct Item {
  std::int64_t index;  // -1: it ended at a null or empty list
  std::uint16_t rep;
  std::uint16_t def;
};

class PathShredder {
 public:
  explicit PathShredder(const std::vector<Node>& path) : path_(path), items_(), leaf_() {}

  Result<LeafColumn> Run() {
    leaf_.rows = path_[0].array->length();
    const bool flat = path_.size() == 1;
    if (flat) return Flat();
    Start();
    for (std::size_t depth = 0; depth < path_.size(); depth++) {
      const Node& node = path_[depth];
      if (IsList(*node.field->type)) {
        FIRN_CHECK(EnterList(depth));
      } else {
        FIRN_CHECK(MarkNulls(depth));
      }
    }
    NumberLevels();
    return Collect();
  }

 private:
  // While walking, definitions are numbered by node and kind; the levels that did not occur fall out at the end.
  static std::uint16_t NullMark(std::size_t depth) { return static_cast<std::uint16_t>(2 * depth + 1); }
  static std::uint16_t EmptyMark(std::size_t depth) { return static_cast<std::uint16_t>(2 * depth + 2); }

  Error UnexpectedNull(const Node& node) const {
    const std::string& column = path_[0].field->name;
    const bool top = &node == path_.data();
    return InvalidArgument("column " + column + " holds a null" + (top ? "" : " in its field " + node.field->name) +
                               ", but is declared without nulls",
                           "fill the nulls, or declare it nullable");
  }

  Result<LeafColumn> Flat() {
    const Node& node = path_[0];
    const Array& array = *node.array;
    const bool nulls = array.null_count() > 0;
    if (nulls && !node.field->nullable) return UnexpectedNull(node);
    leaf_.layers = {nulls ? pb::REPDEF_NULLABLE_ITEM : pb::REPDEF_ALL_VALID_ITEM};
    leaf_.max_visible_def = nulls ? 1 : 0;
    leaf_.values = array;
    if (nulls) {
      leaf_.def.resize(static_cast<std::size_t>(array.length()));
      for (std::int64_t i = 0; i < array.length(); i++)
        leaf_.def[static_cast<std::size_t>(i)] = array.IsNull(i) ? 1 : 0;
    }
    return std::move(leaf_);
  }

  void Start() {
    lists_left_ = static_cast<std::uint16_t>(
        std::ranges::count_if(path_, [](const Node& node) { return IsList(*node.field->type); }));
    has_lists_ = lists_left_ > 0;
    items_.reserve(static_cast<std::size_t>(leaf_.rows));
    for (std::int64_t row = 0; row < leaf_.rows; row++) items_.push_back({row, lists_left_, 0});
    occurs_.assign(2 * path_.size() + 1, false);
  }

  void Mark(Item& item, std::uint16_t mark) {
    item.def = mark;
    occurs_[mark] = true;
  }

  Status MarkNulls(std::size_t depth) {
    const Array& array = *path_[depth].array;
    if (array.null_count() == 0) return {};
    for (Item& item : items_) {
      if (item.index < 0 || item.def != 0 || !array.IsNull(item.index)) continue;
      if (!path_[depth].field->nullable) return UnexpectedNull(path_[depth]);
      Mark(item, NullMark(depth));
    }
    return {};
  }

  Status EnterList(std::size_t depth) {
    const Array& array = *path_[depth].array;
    lists_left_--;
    std::vector<Item> inner;
    inner.reserve(items_.size());
    for (Item& item : items_) {
      const bool ended = item.def != 0;  // under a null struct: whatever the list holds there is not data
      if (!ended && array.IsNull(item.index)) {
        if (!path_[depth].field->nullable) return UnexpectedNull(path_[depth]);
        Mark(item, NullMark(depth));
      }
      if (item.def == 0) {
        const Array::ItemRange range = array.ItemsAt(item.index);
        for (std::int64_t i = range.begin; i < range.end; i++) {
          inner.push_back({i, i == range.begin ? item.rep : lists_left_, 0});
        }
        if (range.begin < range.end) continue;
        Mark(item, EmptyMark(depth));
      }
      item.index = -1;
      inner.push_back(item);
    }
    items_ = std::move(inner);
    return {};
  }

  void NumberLevels() {
    level_of_.assign(occurs_.size(), 0);
    std::uint16_t next = 1;
    bool inside_lists = true;
    for (std::size_t depth = path_.size(); depth-- > 0;) {
      const bool list = IsList(*path_[depth].field->type);
      const bool nulls = occurs_[NullMark(depth)];
      const bool empties = occurs_[EmptyMark(depth)];
      if (list && inside_lists) {
        leaf_.max_visible_def = static_cast<std::uint16_t>(next - 1);
        inside_lists = false;
      }
      if (nulls) level_of_[NullMark(depth)] = next++;
      if (empties) level_of_[EmptyMark(depth)] = next++;
      leaf_.layers.push_back(!list              ? (nulls ? pb::REPDEF_NULLABLE_ITEM : pb::REPDEF_ALL_VALID_ITEM)
                             : nulls && empties ? pb::REPDEF_NULL_AND_EMPTY_LIST
                             : nulls            ? pb::REPDEF_NULLABLE_LIST
                             : empties          ? pb::REPDEF_EMPTYABLE_LIST
                                                : pb::REPDEF_ALL_VALID_LIST);
    }
    if (inside_lists) leaf_.max_visible_def = static_cast<std::uint16_t>(next - 1);
    has_definitions_ = next > 1;
  }

  LeafColumn Collect() {
    std::vector<std::int64_t> indices;
    indices.reserve(items_.size());
    if (has_lists_) leaf_.rep.reserve(items_.size());
    if (has_definitions_) leaf_.def.reserve(items_.size());
    for (const Item& item : items_) {
      if (has_lists_) leaf_.rep.push_back(item.rep);
      if (has_definitions_) leaf_.def.push_back(level_of_[item.def]);
      if (item.index >= 0) indices.push_back(item.index);
    }
    leaf_.values = Gather(*path_.back().array, indices);
    return std::move(leaf_);
  }

  /// A view when the values stand together, as they mostly do.
  static Array Gather(const Array& from, const std::vector<std::int64_t>& indices) {
    if (indices.empty()) return from.Slice(0, 0);
    const auto count = static_cast<std::int64_t>(indices.size());
    const bool together = indices.back() - indices.front() == count - 1 && std::ranges::is_sorted(indices);
    return together ? from.Slice(indices.front(), count) : arrow::Take(from, indices);
  }

  const std::vector<Node>& path_;
  std::vector<Item> items_;
  std::vector<bool> occurs_;             // by mark
  std::vector<std::uint16_t> level_of_;  // by mark
  std::uint16_t lists_left_ = 0;
  bool has_lists_ = false;
  bool has_definitions_ = false;
  LeafColumn leaf_;
};

Status ShredBelow(std::vector<Node>& path, std::vector<LeafColumn>& leaves) {
  const Node node = path.back();
  const arrow::Type& type = *node.field->type;
  if (type.id != TypeId::kStruct && !IsList(type)) {
    FIRN_TRY(LeafColumn leaf, PathShredder(path).Run());
    leaves.push_back(std::move(leaf));
    return {};
  }
  for (std::size_t i = 0; i < type.children.size(); i++) {
    path.push_back({&type.children[i], &node.array->child(i)});
    FIRN_CHECK(ShredBelow(path, leaves));
    path.pop_back();
  }
  return {};
}

}  // namespace

std::int64_t LeafColumn::items() const {
  if (!rep.empty()) return static_cast<std::int64_t>(rep.size());
  if (!def.empty()) return static_cast<std::int64_t>(def.size());
  return values.length();
}

std::uint16_t LeafColumn::max_rep() const {
  return static_cast<std::uint16_t>(std::ranges::count_if(layers, [](pb::RepDefLayer layer) {
    return layer != pb::REPDEF_ALL_VALID_ITEM && layer != pb::REPDEF_NULLABLE_ITEM;
  }));
}

bool LeafColumn::HasValues() const {
  if (values.length() == 0) return false;
  return def.empty() || std::ranges::find(def, 0) != def.end();
}

LeafColumn LeafColumn::SliceRows(std::int64_t begin, std::int64_t end) const {
  LeafColumn out;
  out.layers = layers;
  out.max_visible_def = max_visible_def;
  out.rows = end - begin;
  if (rep.empty()) {
    if (!def.empty()) out.def.assign(def.begin() + begin, def.begin() + end);
    out.values = values.Slice(begin, end - begin);
    return out;
  }
  const std::uint16_t new_row = max_rep();
  std::int64_t row = -1;
  std::int64_t value = 0;
  std::int64_t first_value = 0;
  std::int64_t value_count = 0;
  for (std::size_t i = 0; i < rep.size(); i++) {
    if (rep[i] == new_row) row++;
    if (row >= end) break;
    const bool visible = def.empty() || def[i] <= max_visible_def;
    if (row >= begin) {
      out.rep.push_back(rep[i]);
      if (!def.empty()) out.def.push_back(def[i]);
      if (visible && value_count++ == 0) first_value = value;
    }
    if (visible) value++;
  }
  out.values = values.Slice(value_count == 0 ? 0 : first_value, value_count);
  return out;
}

Result<std::vector<LeafColumn>> Shred(const arrow::Field& field, const arrow::Array& column) {
  std::vector<LeafColumn> leaves;
  std::vector<Node> path = {{&field, &column}};
  FIRN_CHECK(ShredBelow(path, leaves));
  return leaves;
}

}  // namespace firn::lance
