#include "lance/schema.h"

#include <algorithm>
#include <set>

#include "lance/logical_type.h"

namespace firn::lance {
namespace {

constexpr int kMaxNesting = 64;

std::vector<const Field*> ChildrenOf(const Schema& schema, const Field& parent) {
  std::vector<const Field*> children;
  for (const Field& field : schema.fields) {
    if (field.parent_id == parent.id) children.push_back(&field);
  }
  return children;
}

Error UnknownType(const std::string& column, const std::string& logical_type) {
  return Unsupported("column " + column + " has the Lance type " + logical_type + ", which this Firn does not know",
                     "use a newer Firn, or leave the column out with LanceDB's drop_columns");
}

Result<arrow::Field> ToArrowField(const Schema& schema, const Field& field, const std::string& column, int depth) {
  if (depth == 0) return Unsupported("column " + column + " is nested more than 64 levels deep");
  arrow::Field out{field.name, nullptr, field.nullable, field.metadata};
  const Nesting nesting = NestingOf(field.logical_type);
  if (nesting == Nesting::kLeaf) {
    out.type = LeafFromLogical(field.logical_type);
    if (!out.type) return UnknownType(column, field.logical_type);
    return out;
  }
  auto type = std::make_shared<arrow::Type>();
  type->id = nesting == Nesting::kStruct ? arrow::TypeId::kStruct
             : nesting == Nesting::kList ? arrow::TypeId::kList
                                         : arrow::TypeId::kLargeList;
  for (const Field* child : ChildrenOf(schema, field)) {
    FIRN_TRY(arrow::Field member, ToArrowField(schema, *child, column, depth - 1));
    type->children.push_back(std::move(member));
  }
  if (nesting != Nesting::kStruct && type->children.size() != 1) {
    return DataCorruption("column " + column + ": a list has " + std::to_string(type->children.size()) +
                          " item fields instead of one");
  }
  out.type = std::move(type);
  return out;
}

void AddLeaves(const Schema& schema, const Field& field, int depth, std::vector<const Field*>& leaves) {
  if (NestingOf(field.logical_type) == Nesting::kLeaf) {
    leaves.push_back(&field);
    return;
  }
  if (depth == 0) return;
  for (const Field* child : ChildrenOf(schema, field)) AddLeaves(schema, *child, depth - 1, leaves);
}

/// Gives ids depth-first, and says no to what the writer cannot store.
class Numbering {
 public:
  explicit Numbering(std::int32_t first_id) : next_id_(first_id) {}

  Status Add(const arrow::Field& field, std::int32_t parent_id, const std::string& column, int depth) {
    if (depth == 0) return Unsupported("column " + column + " is nested more than 64 levels deep");
    const auto logical_type = LogicalFromArrow(*field.type);
    if (!logical_type) {
      return Unsupported("column " + column + " has the type " + field.type->ToString() + ", which cannot be stored",
                         "a fixed_size_list must hold numbers; use a list otherwise");
    }
    if (field.type->id == arrow::TypeId::kStruct) FIRN_CHECK(CheckMembers(field.type->children, column));
    Field out{next_id_++, parent_id, field.name, *logical_type, field.nullable, field.metadata};
    const std::int32_t id = out.id;
    schema_.fields.push_back(std::move(out));
    if (NestingOf(*logical_type) == Nesting::kLeaf) return {};
    for (const arrow::Field& child : field.type->children) {
      FIRN_CHECK(Add(child, id, column, depth - 1));
    }
    return {};
  }

  static Status CheckMembers(const std::vector<arrow::Field>& members, const std::string& column) {
    if (members.empty()) return Unsupported("column " + column + " is a struct without members");
    std::set<std::string_view> names;
    for (const arrow::Field& member : members) {
      if (member.name.empty()) return InvalidArgument("column " + column + " has a member without a name");
      if (!names.insert(member.name).second) {
        return InvalidArgument("column " + column + " has two members named " + member.name);
      }
    }
    return {};
  }

  Schema Finish(const arrow::Metadata& metadata) && {
    schema_.metadata = metadata;
    return std::move(schema_);
  }

 private:
  Schema schema_;
  std::int32_t next_id_;
};

}  // namespace

const Field* Schema::Find(std::int32_t id) const {
  const auto found = std::ranges::find(fields, id, &Field::id);
  return found == fields.end() ? nullptr : &*found;
}

const Field* Schema::FindTopLevel(std::string_view name) const {
  for (const Field& field : fields) {
    if (field.parent_id == -1 && field.name == name) return &field;
  }
  return nullptr;
}

Result<arrow::SchemaPtr> ToArrow(const Schema& schema) {
  auto out = std::make_shared<arrow::Schema>();
  out->metadata = schema.metadata;
  for (const Field& field : schema.fields) {
    if (field.parent_id != -1) continue;
    FIRN_TRY(arrow::Field column, ToArrow(schema, field));
    out->fields.push_back(std::move(column));
  }
  return arrow::SchemaPtr(std::move(out));
}

Result<arrow::Field> ToArrow(const Schema& schema, const Field& top_level) {
  return ToArrowField(schema, top_level, top_level.name, kMaxNesting);
}

Result<Schema> FromArrow(const arrow::Schema& schema, std::int32_t first_id) {
  if (schema.fields.empty()) return InvalidArgument("a table needs at least one column");
  std::set<std::string_view> names;
  Numbering numbering(first_id);
  for (const arrow::Field& field : schema.fields) {
    if (field.name.empty()) return InvalidArgument("a column has no name");
    if (field.name.find('.') != std::string::npos) {
      return InvalidArgument("the column name " + field.name + " holds a dot, which separates nested names",
                             "rename the column");
    }
    if (!names.insert(field.name).second) return InvalidArgument("there are two columns named " + field.name);
    FIRN_CHECK(numbering.Add(field, -1, field.name, kMaxNesting));
  }
  return std::move(numbering).Finish(schema.metadata);
}

std::vector<const Field*> LeavesOf(const Schema& schema, const Field& top_level) {
  std::vector<const Field*> leaves;
  AddLeaves(schema, top_level, kMaxNesting, leaves);
  return leaves;
}

}  // namespace firn::lance
