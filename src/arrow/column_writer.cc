#include "arrow/column_writer.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <type_traits>
#include <utility>

#include "arrow/text_value.h"

namespace firn::arrow {
namespace {

namespace dom = simdjson::dom;

// A few bytes of JSON can ask for much memory: every null in a list of vectors is a whole vector.
constexpr std::size_t kMaxRowBytes = std::size_t{1} << 30;

/// Stands for f16, whose C type is an unsigned integer like another.
struct Half {
  std::uint16_t bits;
};

std::size_t SaturatingMultiply(std::size_t a, std::size_t b) {
  std::size_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? std::numeric_limits<std::size_t>::max() / 4 : product;
}

bool Fail(ValueProblem& problem, std::string what, std::string hint = {}) {
  problem.what = std::move(what);
  problem.hint = std::move(hint);
  return false;
}

bool Wrong(ValueProblem& problem, dom::element value, const Type& type) {
  return Fail(problem, Describe(value) + " where " + type.ToString() + " is wanted");
}

bool IsNumber(dom::element value) {
  const dom::element_type type = value.type();
  return type == dom::element_type::DOUBLE || type == dom::element_type::INT64 || type == dom::element_type::UINT64;
}

/// An integer, or a float without a fraction that an int64 holds.
std::optional<std::int64_t> WholeNumber(dom::element value) {
  if (std::int64_t whole = 0; value.get(whole) == simdjson::SUCCESS) return whole;
  double number = 0;
  if (value.type() != dom::element_type::DOUBLE || value.get(number) != simdjson::SUCCESS) return std::nullopt;
  if (std::trunc(number) != number || std::fabs(number) >= 0x1p63) return std::nullopt;
  return static_cast<std::int64_t>(number);
}

std::optional<std::string> AppendNumber(Builder& to, dom::element value) {
  if (IsFloating(to.type().id)) return AppendFloatingValue(to, value.get_double().value_unsafe());
  if (const auto whole = WholeNumber(value)) return AppendIntegerValue(to, *whole);
  if (std::uint64_t large = 0; value.get(large) == simdjson::SUCCESS) return AppendUnsignedValue(to, large);
  return Describe(value) + " where " + to.type().ToString() + " is wanted";
}

/// A decimal from a JSON number: by the shortest text that means the same double, which is what was written when it had
/// at most 15 digits.
std::optional<std::string> AppendDecimalNumber(Builder& to, dom::element value) {
  if (std::int64_t whole = 0; value.get(whole) == simdjson::SUCCESS) return AppendTextValue(to, std::to_string(whole));
  if (std::uint64_t large = 0; value.get(large) == simdjson::SUCCESS) return AppendTextValue(to, std::to_string(large));
  char text[32];
  const double number = value.get_double().value_unsafe();
  return AppendTextValue(to, {text, std::to_chars(text, text + sizeof text, number).ptr});
}

bool HoldsIntegers(TypeId id) { return IsInteger(id) || id == TypeId::kDuration; }

std::size_t WidthOf(TypeId id) { return static_cast<std::size_t>(BitWidth(*Simple(id))) / 8; }

/// Of numbers of any width: what may hold no null, wherever it stands.
bool IsVectorType(const Type& type) {
  if (type.id != TypeId::kFixedSizeList) return false;
  const TypeId item = type.children[0].type->id;
  return IsFloating(item) || IsInteger(item);
}

/// True when `value` is a number that T holds; then it is in `out`.
template <class T>
bool Convert(dom::element value, T& out) {
  if constexpr (std::is_integral_v<T>) {
    const auto whole = WholeNumber(value);
    if (!whole) {
      std::uint64_t large = 0;
      if (!std::is_same_v<T, std::uint64_t> || value.get(large) != simdjson::SUCCESS) return false;
      out = static_cast<T>(large);
      return true;
    }
    out = static_cast<T>(*whole);
    return std::in_range<T>(*whole);
  } else {
    double number = 0;
    if (value.get(number) != simdjson::SUCCESS) return false;
    if constexpr (std::is_same_v<T, Half>) {
      out.bits = FloatToHalf(static_cast<float>(number));
      return (out.bits & 0x7C00) != 0x7C00;
    } else {
      out = static_cast<T>(number);
      return std::isfinite(out);
    }
  }
}

}  // namespace

ColumnWriter::Plan::Plan(const Field& of) : field(&of), null_bytes(0) {
  const Type& type = *of.type;
  for (const Field& child : type.children) children.emplace_back(child);
  const auto size = static_cast<std::size_t>(std::max(0, type.list_size));
  switch (type.id) {
    case TypeId::kFixedSizeList:
      null_bytes = SaturatingMultiply(children[0].null_bytes, size);
      break;
    case TypeId::kFixedSizeBinary:
      null_bytes = size;
      break;
    case TypeId::kStruct:
      members = std::make_unique<MemberMatcher>(type.children);
      for (const Plan& child : children) null_bytes += child.null_bytes;
      break;
    default:
      null_bytes = static_cast<std::size_t>(BitWidth(type)) / 8;
      break;
  }
  null_bytes = std::max<std::size_t>(null_bytes, 1);
}

ColumnWriter::ColumnWriter(const Field& field) : plan_(field), row_limit_bytes_(kMaxRowBytes), builder_(field.type) {
  is_vector_ = IsVectorType(*field.type);
}

bool ColumnWriter::Append(dom::element value, ValueProblem& problem) {
  row_limit_bytes_ = size_bytes_ + kMaxRowBytes;
  if (value.type() == dom::element_type::NULL_VALUE) return AppendNull(problem);
  if (!is_vector_) return Write(plan_, builder_, value, problem);
  dom::array items;
  if (value.get(items) != simdjson::SUCCESS) return Wrong(problem, value, *plan_.field->type);
  return AppendVector(items, problem);
}

bool ColumnWriter::AppendText(std::string_view cell, JsonParser& parser, ValueProblem& problem) {
  if (IsScalar(*plan_.field->type)) {
    row_limit_bytes_ = size_bytes_ + kMaxRowBytes;
    if (!Charge(plan_.null_bytes, problem)) return false;
    auto wrong = AppendTextValue(builder_, cell);
    return !wrong || Fail(problem, *std::move(wrong));
  }
  dom::element value;
  if (const auto mistake = parser.Parse(cell, false, value)) {
    return Fail(problem, Quoted(cell) + " is not JSON, which a cell of type " + plan_.field->type->ToString() +
                             " holds: " + mistake->what + " at byte " + std::to_string(mistake->offset));
  }
  return Append(value, problem);
}

bool ColumnWriter::AppendNull(ValueProblem& problem) {
  row_limit_bytes_ = size_bytes_ + kMaxRowBytes;
  if (!is_vector_) return WriteNull(plan_, builder_, problem);
  if (!plan_.field->nullable) return Fail(problem, "null where a value is required");
  if (!Charge(plan_.null_bytes, problem)) return false;
  const auto size = static_cast<std::size_t>(plan_.field->type->list_size);
  items_.resize(items_.size() + size * WidthOf(plan_.field->type->children[0].type->id));
  validity_.Append(false);
  vectors_++;
  return true;
}

Array ColumnWriter::Finish() {
  size_bytes_ = 0;
  return is_vector_ ? FinishVectors() : builder_.Finish();
}

bool ColumnWriter::Charge(std::size_t bytes, ValueProblem& problem) {
  size_bytes_ += bytes;
  if (size_bytes_ <= row_limit_bytes_) return true;
  problem.kind = ErrorKind::kResourceExhausted;
  return Fail(problem, "one value takes more than " + std::to_string(kMaxRowBytes) + " bytes");
}

bool ColumnWriter::Write(Plan& plan, Builder& to, dom::element value, ValueProblem& problem) {
  const Type& type = *plan.field->type;
  const dom::element_type kind = value.type();
  if (kind == dom::element_type::NULL_VALUE) return WriteNull(plan, to, problem);
  if (type.id == TypeId::kStruct) {
    dom::object members;
    return value.get(members) == simdjson::SUCCESS ? WriteStruct(plan, to, members, problem)
                                                   : Wrong(problem, value, type);
  }
  if (!IsScalar(type)) {
    dom::array items;
    return value.get(items) == simdjson::SUCCESS ? WriteList(plan, to, items, problem) : Wrong(problem, value, type);
  }
  if (!Charge(plan.null_bytes, problem)) return false;
  std::optional<std::string> wrong;
  if (kind == dom::element_type::STRING && IsTextInJson(type.id)) {
    wrong = AppendTextValue(to, value.get_string().value_unsafe());
  } else if (IsNumber(value) && (IsFloating(type.id) || HoldsIntegers(type.id))) {
    wrong = AppendNumber(to, value);
  } else if (IsNumber(value) && type.id == TypeId::kDecimal128) {
    wrong = AppendDecimalNumber(to, value);
  } else if (kind == dom::element_type::BOOL && type.id == TypeId::kBool) {
    to.AppendBool(value.get_bool().value_unsafe());
  } else {
    return Wrong(problem, value, type);
  }
  return !wrong || Fail(problem, *std::move(wrong));
}

bool ColumnWriter::WriteNull(const Plan& plan, Builder& to, ValueProblem& problem) {
  if (!plan.field->nullable) return Fail(problem, "null where a value is required");
  if (!Charge(plan.null_bytes, problem)) return false;
  to.AppendNull();
  return true;
}

bool ColumnWriter::WriteList(Plan& plan, Builder& to, dom::array items, ValueProblem& problem) {
  if (!Charge(sizeof(std::int64_t), problem)) return false;
  const bool vector = IsVectorType(*plan.field->type);
  Builder& item_builder = to.child(0);
  std::int64_t count = 0;
  for (const dom::element item : items) {
    if (vector && item.type() == dom::element_type::NULL_VALUE) {
      problem.path = "[" + std::to_string(count) + "]";
      return Fail(problem, Describe(item) + " in a vector, where only finite numbers may stand");
    }
    if (!Write(plan.children[0], item_builder, item, problem)) {
      problem.path.insert(0, "[" + std::to_string(count) + "]");
      return false;
    }
    count++;
  }
  const Type& type = *plan.field->type;
  if (type.id == TypeId::kFixedSizeList && count != type.list_size) {
    return Fail(problem, std::to_string(count) + " items where " + std::to_string(type.list_size) + " are wanted");
  }
  to.CloseList();
  return true;
}

bool ColumnWriter::WriteStruct(Plan& plan, Builder& to, dom::object members, ValueProblem& problem) {
  const auto fail_at = [&](std::string_view name) {
    problem.path.insert(0, "." + std::string(name));
    return false;
  };
  MemberMatcher& matcher = *plan.members;
  matcher.BeginObject();
  for (const dom::key_value_pair member : members) {
    const std::size_t index = matcher.Find(member.key);
    if (index == MemberMatcher::kUnknown) {
      Fail(problem, "no such member in " + plan.field->type->ToString());
      return fail_at(Quoted(member.key).substr(1, Quoted(member.key).size() - 2));
    }
    if (!matcher.MarkSeen(index)) {
      Fail(problem, "given twice");
      return fail_at(member.key);
    }
    if (!Write(plan.children[index], to.child(index), member.value, problem)) return fail_at(member.key);
  }
  for (std::size_t i = 0; i < plan.children.size() && !matcher.SeenAll(); i++) {
    if (matcher.Seen(i)) continue;
    if (!WriteNull(plan.children[i], to.child(i), problem)) return fail_at(plan.children[i].field->name);
  }
  to.CloseStruct();
  return true;
}

bool ColumnWriter::AppendVector(dom::array items, ValueProblem& problem) {
  switch (plan_.field->type->children[0].type->id) {
    case TypeId::kFloat16:
      return AppendItems<Half>(items, problem);
    case TypeId::kFloat32:
      return AppendItems<float>(items, problem);
    case TypeId::kFloat64:
      return AppendItems<double>(items, problem);
    case TypeId::kInt8:
      return AppendItems<std::int8_t>(items, problem);
    case TypeId::kInt16:
      return AppendItems<std::int16_t>(items, problem);
    case TypeId::kInt32:
      return AppendItems<std::int32_t>(items, problem);
    case TypeId::kInt64:
      return AppendItems<std::int64_t>(items, problem);
    case TypeId::kUInt8:
      return AppendItems<std::uint8_t>(items, problem);
    case TypeId::kUInt16:
      return AppendItems<std::uint16_t>(items, problem);
    case TypeId::kUInt32:
      return AppendItems<std::uint32_t>(items, problem);
    default:
      return AppendItems<std::uint64_t>(items, problem);
  }
}

template <class T>
bool ColumnWriter::AppendItems(dom::array items, ValueProblem& problem) {
  const auto size = static_cast<std::size_t>(plan_.field->type->list_size);
  // simdjson's count is exact below this.
  constexpr std::size_t kExactCount = 0xFFFFFF;
  if (items.size() != size && (items.size() < kExactCount || size < kExactCount)) {
    return Fail(problem, std::to_string(items.size()) + " numbers where " + std::to_string(size) + " are wanted");
  }
  const std::size_t before = items_.size();
  items_.resize(before + size * sizeof(T));
  auto* to = items_.data() + before;
  std::size_t count = 0;
  for (const dom::element item : items) {
    T number;
    if (count == size) return Fail(problem, "more than the " + std::to_string(size) + " numbers wanted");
    if (!Convert(item, number)) [[unlikely]] {
      problem.path = "[" + std::to_string(count) + "]";
      const std::string type = plan_.field->type->children[0].type->ToString();
      return Fail(problem, IsNumber(item) ? Describe(item) + " does not fit " + type
                                          : Describe(item) + " in a vector, where only finite numbers may stand");
    }
    std::memcpy(to + count * sizeof(T), &number, sizeof number);
    count++;
  }
  if (count != size) return Fail(problem, "fewer than the " + std::to_string(size) + " numbers wanted");
  validity_.Append(true);
  vectors_++;
  size_bytes_ += size * sizeof(T);
  return true;
}

Array ColumnWriter::FinishVectors() {
  const TypePtr& item_type = plan_.field->type->children[0].type;
  ArrayData items;
  items.type = item_type;
  items.length = vectors_ * plan_.field->type->list_size;
  items.data = Buffer::Of(std::exchange(items_, {}));
  ArrayData column;
  column.type = plan_.field->type;
  column.length = std::exchange(vectors_, 0);
  column.null_count = validity_.zeros();
  column.validity = validity_.Finish();
  if (column.null_count == 0) column.validity = {};
  column.children.emplace_back(std::move(items));
  return Array(std::move(column));
}

}  // namespace firn::arrow
