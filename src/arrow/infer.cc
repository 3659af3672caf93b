#include "arrow/infer.h"

#include <algorithm>
#include <cctype>

#include "arrow/iso_time.h"

namespace firn::arrow {
namespace {

// More distinct lengths than this and nobody meant vectors.
constexpr std::size_t kMaxLengths = 64;
constexpr std::size_t kLongEnoughToBeMeant = 16;
constexpr std::int64_t kExactInFloat = std::int64_t{1} << 24;

constexpr std::string_view kKindNames[] = {"a boolean", "a number", "text", "a list", "an object"};

bool SaysVector(const std::string& path) {
  std::string lower = path.substr(path.rfind('.') == std::string::npos ? 0 : path.rfind('.') + 1);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower.find("vector") != std::string::npos || lower.find("embedding") != std::string::npos;
}

std::string Column(const std::string& path) { return "column \"" + path + "\""; }

}  // namespace

void TypeGuess::See(Kind kind, std::int64_t row) {
  std::int64_t& first = first_row_[static_cast<std::size_t>(kind)];
  if (first < 0) first = row;
}

void TypeGuess::SeeInteger(std::int64_t value, std::int64_t row) {
  See(Kind::kNumber, row);
  if (value < 0 && negative_row_ < 0) negative_row_ = row;
  if (value > kExactInFloat || value < -kExactInFloat) beyond_float_ = true;
}

void TypeGuess::SeeUnsigned(std::uint64_t value, std::int64_t row) {
  if (value <= static_cast<std::uint64_t>(INT64_MAX)) return SeeInteger(static_cast<std::int64_t>(value), row);
  See(Kind::kNumber, row);
  beyond_float_ = true;
  if (!above_int64_) above_row_ = row;
  above_int64_ = true;
}

void TypeGuess::SeeFloating(std::int64_t row) {
  See(Kind::kNumber, row);
  floating_ = true;
}

void TypeGuess::SeeText(std::string_view text, std::int64_t row) {
  See(Kind::kText, row);
  if (!all_instants_) return;
  if (ParseIsoDate(text)) {
    some_zoneless_ = true;
    return;
  }
  all_dates_ = false;
  const auto instant = ParseIsoInstant(text);
  // What microseconds cannot hold is better kept as it was written.
  if (!instant || !InUnit(*instant, TimeUnit::kMicro)) {
    all_instants_ = false;
  } else {
    (instant->has_zone ? some_zoned_ : some_zoneless_) = true;
  }
}

TypeGuess& TypeGuess::SeeList(std::size_t items, std::int64_t row) {
  See(Kind::kList, row);
  lists_++;
  if (const auto known = lengths_.find(items); known != lengths_.end()) {
    known->second.lists++;
  } else if (lengths_.size() <= kMaxLengths) {
    lengths_[items] = {1, row};
  }
  if (!item_) item_ = std::make_unique<TypeGuess>();
  return *item_;
}

TypeGuess& TypeGuess::Member(std::string_view name) {
  // Rows mostly repeat the order of the first.
  if (next_member_ >= member_names_.size()) next_member_ = 0;
  if (next_member_ < member_names_.size() && member_names_[next_member_] == name) return *members_[next_member_++];
  const auto [found, added] = member_index_.try_emplace(std::string(name), member_names_.size());
  if (added) {
    member_names_.emplace_back(name);
    members_.push_back(std::make_unique<TypeGuess>(on_conflict_));
  }
  next_member_ = found->second + 1;
  return *members_[found->second];
}

Result<TypePtr> TypeGuess::Type(const std::string& path) const {
  std::vector<std::size_t> seen;
  for (std::size_t kind = 0; kind < kKinds; kind++) {
    if (first_row_[kind] >= 0) seen.push_back(kind);
  }
  if (seen.empty()) return Simple(TypeId::kUtf8);
  if (seen.size() > 1) {
    if (on_conflict_ == OnConflict::kUtf8) return Simple(TypeId::kUtf8);
    std::ranges::sort(seen, {}, [this](std::size_t kind) { return first_row_[kind]; });
    return InvalidArgument(Column(path) + " holds " + std::string(kKindNames[seen[0]]) + " in row " +
                               std::to_string(first_row_[seen[0]]) + " and " + std::string(kKindNames[seen[1]]) +
                               " in row " + std::to_string(first_row_[seen[1]]),
                           "Give every row the same kind of value, or null");
  }
  switch (static_cast<Kind>(seen[0])) {
    case Kind::kBool:
      return Simple(TypeId::kBool);
    case Kind::kNumber:
      return NumberType(path);
    case Kind::kText:
      return TextType();
    case Kind::kList:
      return ListType(path);
    case Kind::kObject:
      break;
  }
  FIRN_TRY(auto members, Members(path));
  return Struct(std::move(members));
}

Result<std::vector<Field>> TypeGuess::Members(const std::string& path) const {
  std::vector<Field> fields;
  for (std::size_t i = 0; i < members_.size(); i++) {
    FIRN_TRY(auto type, members_[i]->Type(path.empty() ? member_names_[i] : path + "." + member_names_[i]));
    fields.push_back({member_names_[i], std::move(type), true, {}});
  }
  return fields;
}

Result<TypePtr> TypeGuess::NumberType(const std::string& path) const {
  if (floating_) return Simple(TypeId::kFloat64);
  if (!above_int64_) return Simple(TypeId::kInt64);
  if (negative_row_ < 0) return Simple(TypeId::kUInt64);
  if (on_conflict_ == OnConflict::kUtf8) return Simple(TypeId::kUtf8);
  return InvalidArgument(Column(path) + " holds a negative integer in row " + std::to_string(negative_row_) +
                             " and one above 2^63 in row " + std::to_string(above_row_),
                         "No integer type holds both; write them as floats or text");
}

TypePtr TypeGuess::TextType() const {
  if (!all_instants_ || (some_zoned_ && some_zoneless_)) return Simple(TypeId::kUtf8);
  if (all_dates_) return Simple(TypeId::kDate32);
  return Timestamp(TimeUnit::kMicro, some_zoned_ ? "UTC" : "");
}

Result<TypePtr> TypeGuess::ListType(const std::string& path) const {
  const auto& kinds = item_->first_row_;
  const bool numbers = std::ranges::all_of(kinds, [&](const std::int64_t& row) {
    return (row >= 0) == (&row == &kinds[static_cast<std::size_t>(Kind::kNumber)]);
  });
  if (numbers) {
    const auto usual = std::ranges::max_element(
        lengths_, {}, [](const auto& entry) { return std::pair(entry.second.lists, entry.first); });
    const std::size_t length = usual->first;
    const bool named = SaysVector(path);
    const bool fits = length <= static_cast<std::size_t>(INT32_MAX) && length >= (named ? 1 : 2);
    if (lengths_.size() == 1) {
      if (fits && (item_->floating_ || !item_->beyond_float_)) {
        return FixedSizeList(Simple(TypeId::kFloat32), static_cast<std::int32_t>(length));
      }
    } else if (named || (length >= kLongEnoughToBeMeant && usual->second.lists * 10 >= lists_ * 9)) {
      return Ragged(path, length);
    }
  }
  auto item = item_->Type(path + "[]");
  if (!item && on_conflict_ == OnConflict::kUtf8) return Simple(TypeId::kUtf8);
  if (!item) return std::move(item).error();
  return List(*std::move(item));
}

Error TypeGuess::Ragged(const std::string& path, std::size_t usual) const {
  const auto odd = std::ranges::min_element(
      lengths_, {}, [&](const auto& entry) { return entry.first == usual ? INT64_MAX : entry.second.first_row; });
  return InvalidArgument("row " + std::to_string(odd->second.first_row) + ", " + Column(path) + ": " +
                             std::to_string(odd->first) + " numbers where " + std::to_string(usual) + " are wanted",
                         "Give every row a vector of the same length, or null");
}

}  // namespace firn::arrow
