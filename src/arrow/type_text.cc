#include "arrow/type_text.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>
#include <string>

namespace firn::arrow {
namespace {

constexpr int kMaxDepth = 32;
constexpr std::size_t kMaxTextBytes = 1U << 20;

struct SimpleName {
  std::string_view name;
  TypeId id;
};

constexpr SimpleName kSimpleNames[] = {
    {"null", TypeId::kNull},
    {"bool", TypeId::kBool},
    {"boolean", TypeId::kBool},
    {"int8", TypeId::kInt8},
    {"tinyint", TypeId::kInt8},
    {"int16", TypeId::kInt16},
    {"smallint", TypeId::kInt16},
    {"int32", TypeId::kInt32},
    {"int", TypeId::kInt32},
    {"integer", TypeId::kInt32},
    {"int64", TypeId::kInt64},
    {"bigint", TypeId::kInt64},
    {"long", TypeId::kInt64},
    {"uint8", TypeId::kUInt8},
    {"uint16", TypeId::kUInt16},
    {"uint32", TypeId::kUInt32},
    {"uint64", TypeId::kUInt64},
    {"float16", TypeId::kFloat16},
    {"halffloat", TypeId::kFloat16},
    {"f16", TypeId::kFloat16},
    {"half", TypeId::kFloat16},
    {"float32", TypeId::kFloat32},
    {"float", TypeId::kFloat32},
    {"f32", TypeId::kFloat32},
    {"real", TypeId::kFloat32},
    {"float64", TypeId::kFloat64},
    {"double", TypeId::kFloat64},
    {"f64", TypeId::kFloat64},
    {"u8", TypeId::kUInt8},
    {"i8", TypeId::kInt8},
    {"string", TypeId::kUtf8},
    {"utf8", TypeId::kUtf8},
    {"text", TypeId::kUtf8},
    {"varchar", TypeId::kUtf8},
    {"large_string", TypeId::kLargeUtf8},
    {"large_utf8", TypeId::kLargeUtf8},
    {"binary", TypeId::kBinary},
    {"bytes", TypeId::kBinary},
    {"large_binary", TypeId::kLargeBinary},
    {"date", TypeId::kDate32},
    {"date32", TypeId::kDate32},
    {"date64", TypeId::kDate64},
};

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

/// Recursive descent over one text.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<TypePtr> WholeType() {
    FIRN_TRY(TypePtr type, ParseOne(0));
    FIRN_CHECK(AtEnd());
    return type;
  }

  Result<Schema> WholeSchema() {
    if (text_.size() > kMaxTextBytes) return InvalidArgument("the schema text is over 1 MiB");
    Schema schema;
    FIRN_TRY(schema.fields, Fields(0));
    FIRN_CHECK(AtEnd());
    return schema;
  }

 private:
  Result<std::vector<Field>> Fields(int depth) {
    std::vector<Field> fields;
    do {
      Field field;
      FIRN_TRY(field.name, Name());
      Accept(':');
      FIRN_TRY(field.type, ParseOne(depth));
      if (AcceptWord("not")) {
        if (!AcceptWord("null")) return Wrong("\"null\" after \"not\"");
        field.nullable = false;
      } else {
        AcceptWord("null");
      }
      fields.push_back(std::move(field));
    } while (Accept(','));
    return fields;
  }

  Result<TypePtr> ParseOne(int depth) {
    if (depth > kMaxDepth) return InvalidArgument("types nest deeper than " + std::to_string(kMaxDepth));
    const std::string word = Lower(Word());
    for (const SimpleName& simple : kSimpleNames) {
      if (word == simple.name) return Simple(simple.id);
    }
    if (word == "vector") return ParseVector();
    if (word == "timestamp") return ParseTimestamp();
    if (word == "time32" || word == "time64" || word == "duration") {
      FIRN_TRY(const TimeUnit unit, BracketedUnit());
      return word == "time32" ? Time32(unit) : word == "time64" ? Time64(unit) : DurationType(unit);
    }
    if (word == "decimal128" || word == "decimal") return ParseDecimal();
    if (word == "fixed_size_binary") {
      FIRN_TRY(const std::int32_t bytes, BracketedNumber());
      return FixedSizeBinary(bytes);
    }
    if (word == "list" || word == "large_list" || word == "fixed_size_list") {
      if (!Accept('<')) return Wrong("'<'");
      FIRN_TRY(TypePtr item, ParseOne(depth + 1));
      const bool nullable = !AcceptWord("not") || !AcceptWord("null");
      if (!Accept('>')) return Wrong("'>'");
      if (word == "list") return List(std::move(item), nullable);
      if (word == "large_list") return LargeList(std::move(item), nullable);
      FIRN_TRY(const std::int32_t size, BracketedNumber());
      return FixedSizeList(std::move(item), size, nullable);
    }
    if (word == "struct") {
      if (!Accept('<')) return Wrong("'<'");
      FIRN_TRY(std::vector<Field> members, Fields(depth + 1));
      if (!Accept('>')) return Wrong("'>'");
      return Struct(std::move(members));
    }
    return InvalidArgument(
        word.empty() ? "a type is missing at column " + std::to_string(at_ + 1) : "unknown type \"" + word + "\"",
        "Types are int8..int64, uint8..uint64, float16, float, double, bool, string, binary, date, timestamp, "
        "decimal(p, s), "
        "vector(n), list<type>, struct<name: type, ...>");
  }

  Result<TypePtr> ParseVector() {
    if (!Accept('(')) return Wrong("'(' and the dimension");
    FIRN_TRY(const std::int32_t size, Number());
    TypePtr item = Simple(TypeId::kFloat32);
    if (Accept(',')) {
      FIRN_TRY(item, ParseOne(kMaxDepth));
      if (!IsVector(*FixedSizeList(item, size)))
        return InvalidArgument("a vector cannot hold " + item->ToString(), "Use f32, f16, f64, u8 or i8");
    }
    if (!Accept(')')) return Wrong("')'");
    return FixedSizeList(std::move(item), size);
  }

  Result<TypePtr> ParseTimestamp() {
    if (!Accept('[') && !Accept('(')) return Timestamp(TimeUnit::kMicro);
    FIRN_TRY(const TimeUnit unit, Unit());
    std::string zone;
    if (Accept(',')) {
      Skip();
      const std::size_t end = std::min(text_.find_first_of("])", at_), text_.size());
      zone = std::string(text_.substr(at_, end - at_));
      at_ = end;
    }
    if (!Accept(']') && !Accept(')')) return Wrong("']'");
    return Timestamp(unit, std::move(zone));
  }

  Result<TypePtr> ParseDecimal() {
    if (!Accept('(')) return Wrong("'(' and the precision");
    FIRN_TRY(const std::int32_t precision, Number());
    std::int32_t scale = 0;
    if (Accept(',')) {
      FIRN_TRY(scale, Number());
    }
    if (!Accept(')')) return Wrong("')'");
    if (precision < 1 || precision > 38 || scale > precision)
      return InvalidArgument("a decimal has a precision of 1..38 and a scale within it");
    return Decimal128(precision, scale);
  }

  Result<TimeUnit> BracketedUnit() {
    if (!Accept('[')) return Wrong("'[' and a unit");
    FIRN_TRY(const TimeUnit unit, Unit());
    if (!Accept(']')) return Wrong("']'");
    return unit;
  }
  Result<std::int32_t> BracketedNumber() {
    if (!Accept('[')) return Wrong("'[' and a number");
    FIRN_TRY(const std::int32_t number, Number());
    if (!Accept(']')) return Wrong("']'");
    return number;
  }

  Result<TimeUnit> Unit() {
    const std::string word = Lower(Word());
    if (word == "s") return TimeUnit::kSecond;
    if (word == "ms") return TimeUnit::kMilli;
    if (word == "us") return TimeUnit::kMicro;
    if (word == "ns") return TimeUnit::kNano;
    return InvalidArgument("unknown time unit \"" + word + "\"", "Units are s, ms, us, ns");
  }

  Result<std::int32_t> Number() {
    Skip();
    std::int32_t number = 0;
    const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), number);
    if (error != std::errc() || number < 0) return Wrong("a number");
    at_ = static_cast<std::size_t>(end - text_.data());
    return number;
  }

  Result<std::string> Name() {
    if (!Accept('`')) {
      const std::string_view word = Word();
      if (word.empty()) return Wrong("a column name");
      return std::string(word);
    }
    const std::size_t end = text_.find('`', at_);
    if (end == std::string_view::npos) return Wrong("a closing backtick");
    std::string name(text_.substr(at_, end - at_));
    at_ = end + 1;
    return name;
  }

  std::string_view Word() {
    Skip();
    const std::size_t begin = at_;
    while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) != 0 || text_[at_] == '_'))
      at_++;
    return text_.substr(begin, at_ - begin);
  }
  bool AcceptWord(std::string_view word) {
    const std::size_t before = at_;
    if (Lower(Word()) == word) return true;
    at_ = before;
    return false;
  }
  bool Accept(char c) {
    Skip();
    if (at_ == text_.size() || text_[at_] != c) return false;
    at_++;
    return true;
  }
  void Skip() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_])) != 0) at_++;
  }
  Status AtEnd() {
    Skip();
    if (at_ < text_.size()) return Wrong("the end");
    return {};
  }
  Error Wrong(std::string_view wanted) const {
    return InvalidArgument("the schema wants " + std::string(wanted) + " at column " + std::to_string(at_ + 1) +
                           ": \"" + std::string(text_.substr(at_ < text_.size() ? at_ : text_.size(), 20)) + "\"");
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

Result<TypePtr> ParseType(std::string_view text) { return Parser(text).WholeType(); }
Result<Schema> ParseSchema(std::string_view text) { return Parser(text).WholeSchema(); }

}  // namespace firn::arrow
