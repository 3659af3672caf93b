#include "lance/column_tree.h"

#include <optional>
#include <utility>

namespace firn::lance {
namespace {

using arrow::TypeId;

constexpr int kMaxDepth = 64;

struct Place {
  const DataFile* file;
  std::uint32_t column_index;
};

std::optional<Place> PlaceOf(const Fragment& fragment, std::int32_t field_id) {
  for (const DataFile& file : fragment.files) {
    for (std::size_t i = 0; i < file.field_ids.size() && i < file.column_indices.size(); i++) {
      if (file.field_ids[i] == field_id && file.column_indices[i] >= 0)
        return Place{&file, static_cast<std::uint32_t>(file.column_indices[i])};
    }
  }
  return std::nullopt;
}

bool IsContainer(const arrow::Type& type) {
  return type.id == TypeId::kList || type.id == TypeId::kLargeList || type.id == TypeId::kStruct;
}

bool HasContainer(const arrow::Type& list) {
  const arrow::Type& item = *list.children[0].type;
  return IsContainer(item) || (item.id == TypeId::kFixedSizeList && HasContainer(item));
}

/// `type` with only the child that the branch takes.
arrow::TypePtr OnlyChild(const arrow::TypePtr& type, std::size_t child, const arrow::TypePtr& child_type) {
  arrow::Type pruned = *type;
  arrow::Field field = type->children[child];
  field.type = child_type;
  pruned.children = {std::move(field)};
  return std::make_shared<const arrow::Type>(std::move(pruned));
}

class LeafFinder {
 public:
  LeafFinder(const Fragment& fragment, const Schema& schema) : fragment_(fragment), schema_(schema) {}

  Status Walk(const Field& field, const arrow::TypePtr& type, const std::string& name,
              std::vector<std::size_t>& members, int depth) {
    if (depth > kMaxDepth) return Unsupported("column \"" + name + "\" is nested too deeply");
    if (const auto place = PlaceOf(fragment_, field.id)) {
      Leaf leaf;
      leaf.path.name = name;
      leaf.path.types = {type};
      leaf.members = members;
      leaf.file = place->file;
      leaf.column_index = place->column_index;
      leaves.push_back(std::move(leaf));
      return {};
    }
    if (type->id == TypeId::kFixedSizeList && HasContainer(*type)) {
      return Unsupported("column \"" + name + "\" is a fixed_size_list of structs or lists, which cannot be read");
    }
    if (!IsContainer(*type)) return {};
    std::size_t child = 0;
    for (const Field& below : schema_.fields) {
      if (below.parent_id != field.id) continue;
      if (child == type->children.size()) return Internal("column \"" + name + "\" has more fields than its type");
      members.push_back(child);
      FIRN_CHECK(Walk(below, type->children[child].type, name + "." + below.name, members, depth + 1));
      members.pop_back();
      child++;
    }
    return {};
  }

  std::vector<Leaf> leaves;

 private:
  const Fragment& fragment_;
  const Schema& schema_;
};

/// From the leaf's own type up to the column's, each with one child.
void FillPath(const arrow::TypePtr& column, Leaf& leaf) {
  std::vector<arrow::TypePtr> full = {column};
  for (const std::size_t member : leaf.members) full.push_back(full.back()->children[member].type);
  std::vector<arrow::TypePtr> pruned(full.size());
  pruned.back() = full.back();
  for (std::size_t i = full.size() - 1; i-- > 0;) pruned[i] = OnlyChild(full[i], leaf.members[i], pruned[i + 1]);
  leaf.path.types = std::move(pruned);
}

// ---- joining --------------------------------------------------------------------------------------------------------

struct Branch {
  const Leaf* leaf;
  arrow::Array array;
};

/// A list array with offsets from 0 and exactly its items.
template <class Offset>
std::pair<std::vector<Offset>, arrow::Array> Rebased(const arrow::Array& list) {
  const auto* offsets = reinterpret_cast<const Offset*>(list.data().data.data());
  const std::int64_t begin = offsets[0];
  std::vector<Offset> rebased(static_cast<std::size_t>(list.length()) + 1);
  for (std::size_t i = 0; i < rebased.size(); i++) rebased[i] = static_cast<Offset>(offsets[i] - begin);
  return {std::move(rebased), list.child(0).Slice(begin, offsets[list.length()] - begin)};
}

Result<arrow::Array> Join(const arrow::TypePtr& type, std::vector<Branch> branches, std::size_t depth);

Error Disagree() { return DataCorruption("the leaves of a column do not agree on the lists that they are in"); }

template <class Offset>
Result<arrow::ArrayData> JoinLists(const arrow::TypePtr& type, std::vector<Branch>& branches, std::size_t depth) {
  arrow::ArrayData data = branches[0].array.data();
  data.type = type;
  if (branches.size() > 1) {
    std::vector<Offset> offsets;
    for (Branch& branch : branches) {
      auto [own, items] = Rebased<Offset>(branch.array);
      if (&branch == &branches[0]) {
        offsets = std::move(own);
      } else if (own != offsets) {
        return Disagree();
      }
      branch.array = std::move(items);
    }
    data.data = Buffer::OfValues(std::move(offsets));
  } else {
    branches[0].array = branches[0].array.child(0);
  }
  FIRN_TRY(arrow::Array items, Join(type->children[0].type, std::move(branches), depth + 1));
  data.children = {std::move(items)};
  return data;
}

Result<arrow::ArrayData> JoinStructs(const arrow::TypePtr& type, const std::vector<Branch>& branches,
                                     std::size_t depth) {
  arrow::ArrayData data = branches[0].array.data();
  data.type = type;
  data.children.clear();
  for (std::size_t member = 0; member < type->children.size(); member++) {
    std::vector<Branch> below;
    for (const Branch& branch : branches) {
      if (branch.leaf->members[depth] == member) below.push_back({branch.leaf, branch.array.child(0)});
    }
    if (below.empty()) {
      data.children.push_back(arrow::Nulls(type->children[member].type, data.length));
    } else {
      FIRN_TRY(arrow::Array child, Join(type->children[member].type, std::move(below), depth + 1));
      data.children.push_back(std::move(child));
    }
  }
  return data;
}

Result<arrow::Array> Join(const arrow::TypePtr& type, std::vector<Branch> branches, std::size_t depth) {
  for (const Branch& branch : branches) {
    if (branch.array.length() != branches[0].array.length()) return Disagree();
  }
  if (branches.size() == 1 && arrow::Equal(branches[0].array.type(), *type)) return branches[0].array;
  if (type->id == TypeId::kStruct) {
    FIRN_TRY(arrow::ArrayData data, JoinStructs(type, branches, depth));
    return arrow::Array(std::move(data));
  }
  if (type->id == TypeId::kLargeList) {
    FIRN_TRY(arrow::ArrayData data, JoinLists<std::int64_t>(type, branches, depth));
    return arrow::Array(std::move(data));
  }
  FIRN_TRY(arrow::ArrayData data, JoinLists<std::int32_t>(type, branches, depth));
  return arrow::Array(std::move(data));
}

}  // namespace

Result<std::vector<Leaf>> LeavesIn(const Fragment& fragment, const Schema& schema, const Field& column,
                                   const arrow::TypePtr& type) {
  LeafFinder finder(fragment, schema);
  std::vector<std::size_t> members;
  FIRN_CHECK(finder.Walk(column, type, column.name, members, 0));
  for (Leaf& leaf : finder.leaves) FillPath(type, leaf);
  return std::move(finder.leaves);
}

Result<arrow::Array> JoinLeaves(const arrow::TypePtr& type, std::span<const Leaf* const> leaves,
                                std::span<const arrow::Array> arrays, std::int64_t rows) {
  if (leaves.empty()) return arrow::Nulls(type, rows);
  std::vector<Branch> branches;
  for (std::size_t i = 0; i < leaves.size(); i++) branches.push_back({leaves[i], arrays[i]});
  return Join(type, std::move(branches), 0);
}

}  // namespace firn::lance
