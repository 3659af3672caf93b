#include <algorithm>
#include <unordered_set>

#include "filter/compare.h"
#include "filter/functions.h"
#include "filter/types.h"

namespace firn::filter {
namespace {

using arrow::TypeId;
using arrow::TypePtr;

bool IsListType(const arrow::Type& type) { return KindOf(type) == Kind::kList; }

Status WantList(const Arguments& a, std::size_t i) {
  if (IsListType(*a.type(i)) || a.type(i)->id == TypeId::kNull) return {};
  return a.Wants(i, "a list");
}

ItemRange RangeAt(const Vector& v, std::int64_t row) { return v.lists().ranges[v.Slot(row)]; }

bool HasItem(const Vector& list, std::int64_t row, const Vector& item, std::int64_t at) {
  const Vector& items = *list.lists().items;
  const ItemRange range = RangeAt(list, row);
  const bool null = item.IsNull(at);
  for (std::int64_t i = range.begin; i < range.end; i++) {
    if (items.IsNull(i) ? null : !null && CompareItems(items, i, item, at) == 0) return true;
  }
  return false;
}

/// The list with items of `item` type; the item in the type that it is compared in.
Result<std::pair<TypePtr, TypePtr>> ListAndItem(const Arguments& a) {
  FIRN_CHECK(WantList(a, 0));
  if (!IsListType(*a.type(0))) return std::pair(arrow::List(a.type(1)), a.type(1));
  const TypePtr& own = a.type(0)->children[0].type;
  const auto common = CommonType(own, a.type(1));
  if (!common || KindOf(**common) == Kind::kStruct) return a.Wants(1, "an item of the list's type, " + own->ToString());
  return std::pair(arrow::Equal(*own, **common) ? a.type(0) : arrow::List(*common), *common);
}

Result<BoundFunction> Has(const Arguments& a) {
  FIRN_TRY(const auto types, ListAndItem(a));
  Kernel kernel = [](std::span<const Vector> args, std::int64_t rows) -> Result<Vector> {
    std::vector<Truth> out(static_cast<std::size_t>(rows));
    for (std::int64_t i = 0; i < rows; i++) {
      if (args[0].IsNull(i) || args[1].IsNull(i)) continue;
      out[i] = HasItem(args[0], i, args[1], i) ? kTrue : kFalse;
    }
    return BoolVector(std::move(out));
  };
  return BoundFunction{Bool(), {types.first, types.second}, std::move(kernel), {}};
}

/// any = false: all items of the second are in the first.
Result<BoundFunction> HasMany(const Arguments& a, bool any) {
  FIRN_CHECK(WantList(a, 0));
  FIRN_CHECK(WantList(a, 1));
  const auto common = CommonType(a.type(0), a.type(1));
  if (!common) return a.Wants(1, "a list of the same type, " + a.type(0)->ToString());
  const bool comparable = !IsListType(**common) || KindOf(*(*common)->children[0].type) != Kind::kStruct;
  if (!comparable) return a.Wants(0, "a list of values that can be compared");
  Kernel kernel = [any](std::span<const Vector> args, std::int64_t rows) -> Result<Vector> {
    std::vector<Truth> out(static_cast<std::size_t>(rows));
    for (std::int64_t i = 0; i < rows; i++) {
      if (args[0].IsNull(i) || args[1].IsNull(i)) continue;
      const Vector& wanted = *args[1].lists().items;
      const ItemRange range = RangeAt(args[1], i);
      bool result = !any;
      for (std::int64_t item = range.begin; item < range.end && result != any; item++) {
        if (HasItem(args[0], i, wanted, item) == any) result = any;
      }
      out[i] = result ? kTrue : kFalse;
    }
    return BoolVector(std::move(out));
  };
  return BoundFunction{Bool(), {*common, *common}, std::move(kernel), {}};
}

template <class F>
BoundFunction OfList(TypePtr list, const TypePtr& type, F f) {
  Kernel kernel = [f, type](std::span<const Vector> args, std::int64_t rows) -> Result<Vector> {
    Vector out = MakeVector(type, rows);
    for (std::int64_t i = 0; i < rows; i++) {
      if (!args[0].IsNull(i)) f(args[0], i, out);
    }
    return out;
  };
  return {type, {std::move(list)}, std::move(kernel), {}};
}

Result<BoundFunction> Length(const Arguments& a) {
  FIRN_CHECK(WantList(a, 0));
  return OfList(a.type(0), Int64(), [](const Vector& v, std::int64_t i, Vector& out) {
    const ItemRange range = RangeAt(v, i);
    out.Get<std::int64_t>()[i] = range.end - range.begin;
  });
}

Result<BoundFunction> Empty(const Arguments& a) {
  FIRN_CHECK(WantList(a, 0));
  return OfList(a.type(0), Bool(), [](const Vector& v, std::int64_t i, Vector& out) {
    const ItemRange range = RangeAt(v, i);
    out.Get<Truth>()[i] = range.end == range.begin ? kTrue : kFalse;
  });
}

Result<BoundFunction> Position(const Arguments& a) {
  FIRN_TRY(const auto types, ListAndItem(a));
  Kernel kernel = [](std::span<const Vector> args, std::int64_t rows) -> Result<Vector> {
    Vector out = MakeVector(Int64(), rows);
    for (std::int64_t i = 0; i < rows; i++) {
      if (args[0].IsNull(i) || args[1].IsNull(i)) continue;
      const Vector& items = *args[0].lists().items;
      const ItemRange range = RangeAt(args[0], i);
      std::int64_t at = range.begin;
      while (at < range.end && (items.IsNull(at) || CompareItems(items, at, args[1], i) != 0)) at++;
      if (at < range.end) {
        out.Get<std::int64_t>()[i] = at - range.begin + 1;
      } else {
        SetNull(out, i);
      }
    }
    return out;
  };
  return BoundFunction{Int64(), {types.first, types.second}, std::move(kernel), {}};
}

Result<BoundFunction> Element(const Arguments& a) {
  FIRN_CHECK(WantList(a, 0));
  if (!arrow::IsInteger(a.type(1)->id) && a.type(1)->id != TypeId::kNull) return a.Wants(1, "a whole number");
  return BindElement(IsListType(*a.type(0)) ? a.type(0) : arrow::List(Null()), a.type(1));
}

/// A set of constant items: whole numbers sorted, a few texts as they are, all else by hash.
class ItemSet {
 public:
  explicit ItemSet(Vector items) : items_(std::move(items)), set_(16, Hash{this}, Same{this}) {
    for (std::int64_t i = 0; i < items_.stored(); i++) {
      if (items_.IsNull(i)) {
        has_null_ = true;
      } else {
        set_.insert({&items_, i});
      }
    }
    if (items_.kind() == Kind::kInt) Sort(numbers_);
    if (items_.kind() == Kind::kText) Sort(texts_);
  }
  ItemSet(const ItemSet&) = delete;
  ItemSet& operator=(const ItemSet&) = delete;

  Truth Find(const Vector& v, std::int64_t row) const {
    bool found = false;
    if (v.kind() == Kind::kInt) {
      found = Among(numbers_, v.Get<std::int64_t>()[v.Slot(row)]);
    } else if (v.kind() == Kind::kText && texts_.size() <= kFew) {
      found = Among(texts_, v.Get<std::string_view>()[v.Slot(row)]);
    } else {
      found = set_.contains({&v, row});
    }
    return found ? kTrue : has_null_ ? kUnknown : kFalse;
  }

 private:
  struct Item {
    const Vector* vector;
    std::int64_t row;
  };
  struct Hash {
    const ItemSet* set;
    std::size_t operator()(const Item& item) const { return HashItem(*item.vector, item.row); }
  };
  struct Same {
    const ItemSet* set;
    bool operator()(const Item& a, const Item& b) const {
      return CompareItems(*a.vector, a.row, *b.vector, b.row) == 0;
    }
  };

  // So few that looking at each is the fastest.
  static constexpr std::size_t kFew = 8;

  template <class T>
  void Sort(std::vector<T>& out) const {
    for (std::int64_t i = 0; i < items_.stored(); i++) {
      if (!items_.IsNull(i)) out.push_back(items_.Get<T>()[i]);
    }
    std::ranges::sort(out);
  }
  template <class T>
  static bool Among(const std::vector<T>& sorted, const T& value) {
    if (sorted.size() > kFew) return std::ranges::binary_search(sorted, value);
    for (const T& item : sorted) {
      if (item == value) return true;
    }
    return false;
  }

  Vector items_;
  bool has_null_ = false;
  std::vector<std::int64_t> numbers_;    // of whole numbers
  std::vector<std::string_view> texts_;  // of text
  std::unordered_set<Item, Hash, Same> set_;
};

using A = const Arguments&;
constexpr Function kFunctions[] = {
    {"array_has", 2, 2, Has},
    {"list_has", 2, 2, Has},
    {"array_contains", 2, 2, Has},
    {"list_contains", 2, 2, Has},
    {"array_has_any", 2, 2, [](A a) { return HasMany(a, true); }},
    {"list_has_any", 2, 2, [](A a) { return HasMany(a, true); }},
    {"arrays_overlap", 2, 2, [](A a) { return HasMany(a, true); }},
    {"array_has_all", 2, 2, [](A a) { return HasMany(a, false); }},
    {"list_has_all", 2, 2, [](A a) { return HasMany(a, false); }},
    {"array_length", 1, 1, Length},
    {"list_length", 1, 1, Length},
    {"cardinality", 1, 1, Length},
    {"empty", 1, 1, Empty},
    {"array_empty", 1, 1, Empty},
    {"list_empty", 1, 1, Empty},
    {"array_position", 2, 2, Position},
    {"list_position", 2, 2, Position},
    {"array_element", 2, 2, Element},
    {"list_element", 2, 2, Element},
};

}  // namespace

std::span<const Function> ListFunctions() { return kFunctions; }

BoundFunction BindInSet(const TypePtr& type, Vector items) {
  auto set = std::make_shared<const ItemSet>(std::move(items));
  Kernel kernel = [set](std::span<const Vector> args, std::int64_t rows) -> Result<Vector> {
    std::vector<Truth> out(static_cast<std::size_t>(rows));
    const bool nulls = !args[0].valid.empty() || args[0].kind() == Kind::kBool;
    for (std::int64_t i = 0; i < rows; i++) {
      if (!nulls || !args[0].IsNull(i)) out[i] = set->Find(args[0], i);
    }
    return BoolVector(std::move(out));
  };
  return {Bool(), {type}, std::move(kernel), {}};
}

BoundFunction BindElement(const TypePtr& list, const TypePtr&) {
  const TypePtr type = list->children[0].type;
  Kernel kernel = [type](std::span<const Vector> args, std::int64_t rows) -> Result<Vector> {
    // Source 0: the items; source 1: null.
    const std::vector<Vector> sources = {*args[0].lists().items, NullVector(type, 1)};
    std::vector<Pick> picks(static_cast<std::size_t>(rows), Pick{1, 0});
    for (std::int64_t i = 0; i < rows; i++) {
      if (args[0].IsNull(i) || args[1].IsNull(i)) continue;
      const ItemRange range = RangeAt(args[0], i);
      const std::int64_t n = args[1].Get<std::int64_t>()[args[1].Slot(i)];
      const std::int64_t length = range.end - range.begin;
      if (n >= 1 && n <= length) picks[i] = {0, range.begin + n - 1};
      if (n < 0 && n >= -length) picks[i] = {0, range.end + n};
    }
    return Interleave(type, sources, picks);
  };
  return {type, {list, Int64()}, std::move(kernel), {}};
}

BoundFunction BindMember(const TypePtr& type, std::size_t member) {
  Kernel kernel = [member](std::span<const Vector> args, std::int64_t rows) -> Result<Vector> {
    Vector out = std::get<Members>(args[0].data).columns[member];
    if (args[0].constant) {
      out.constant = true;
      out.rows = rows;
    }
    return out;
  };
  return {type->children[member].type, {type}, std::move(kernel), {}};
}

BoundFunction BindArray(const TypePtr& item, std::size_t count) {
  const TypePtr type = arrow::List(item);
  Kernel kernel = [type, item, count](std::span<const Vector> args, std::int64_t rows) -> Result<Vector> {
    std::vector<Pick> picks;
    Lists lists;
    for (std::int64_t i = 0; i < rows; i++) {
      const auto begin = static_cast<std::int64_t>(picks.size());
      for (std::uint32_t s = 0; s < count; s++) picks.push_back({s, i});
      lists.ranges.push_back({begin, static_cast<std::int64_t>(picks.size())});
    }
    lists.items = std::make_shared<Vector>(Interleave(item, args, picks));
    Vector out = MakeVector(type, rows);
    out.data = std::move(lists);
    return out;
  };
  return {type, std::vector<TypePtr>(count, item), std::move(kernel), {.keeps_nulls = true}};
}

}  // namespace firn::filter
