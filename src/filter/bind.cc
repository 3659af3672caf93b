#include "filter/bind.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

#include "filter/cast.h"
#include "filter/functions.h"
#include "filter/names.h"
#include "filter/types.h"

namespace firn::filter {
namespace {

using arrow::TypeId;
using arrow::TypePtr;

Vector ConstantText(std::string text, const TypePtr& type) {
  Vector v = MakeVector(type, 1);
  auto owner = std::make_shared<const std::string>(std::move(text));
  v.Get<std::string_view>()[0] = *owner;
  v.owners.push_back(std::move(owner));
  v.constant = true;
  return v;
}

template <class T>
Vector Constant(const TypePtr& type, T value) {
  Vector v = MakeVector(type, 1);
  v.Get<T>()[0] = value;
  v.constant = true;
  return v;
}

class Binder {
 public:
  Binder(std::string_view text, const arrow::Schema& schema, const Clock& clock)
      : text_(text), schema_(schema), clock_(clock) {}

  Result<BoundTree> Run(const Syntax& syntax) {
    BoundTree tree;
    FIRN_TRY(tree.root, Boolean(syntax, "the filter"));
    tree.text = std::string(text_);
    for (const auto& [field, slot] : used_) {
      tree.columns.push_back(schema_.fields[field].name);
      tree.column_types.push_back(schema_.fields[field].type);
    }
    return tree;
  }

  /// Before Run: finds the columns that the filter names, so that their slots follow the schema's order.
  void Collect(const Syntax& syntax) {
    AddColumns(syntax);
    std::size_t slot = 0;
    for (auto& [field, at] : used_) at = slot++;
  }

 private:
  void AddColumns(const Syntax& node) {
    if (node.kind == SyntaxKind::kName) {
      if (const auto field = FindField(schema_.fields, node.text)) used_.emplace(*field, 0);
    }
    for (const Syntax& child : node.children) AddColumns(child);
  }

  Error At(const Syntax& node, std::string message, std::string hint = {}) const {
    return ErrorAt(text_, node.span, std::move(message), std::move(hint));
  }
  /// An error without a place gets this node's.
  template <class T>
  Result<T> Placed(Span span, Result<T> result) const {
    if (result) return result;
    return ErrorAt(text_, span, std::move(result.error().message), std::move(result.error().hint));
  }

  Result<ExpressionPtr> Bind(const Syntax& node) {
    switch (node.kind) {
      case SyntaxKind::kNull:
        return MakeLiteral(NullVector(Null(), 1), node.span);
      case SyntaxKind::kBoolean:
        return MakeLiteral(Constant<Truth>(Bool(), node.text == "TRUE" ? kTrue : kFalse), node.span);
      case SyntaxKind::kNumber:
        return Number(node);
      case SyntaxKind::kString:
        return MakeLiteral(ConstantText(node.text, Utf8()), node.span);
      case SyntaxKind::kHex:
        return Hex(node);
      case SyntaxKind::kTypedLiteral:
        return TypedLiteral(node);
      case SyntaxKind::kInterval:
        return At(node, "an INTERVAL stands only after + or - behind a date or timestamp");
      case SyntaxKind::kName:
      case SyntaxKind::kField:
        return Path(node);
      case SyntaxKind::kIndex:
        return Index(node);
      case SyntaxKind::kNot:
        return Negation(node);
      case SyntaxKind::kNegate:
        return Negative(node);
      case SyntaxKind::kAnd:
      case SyntaxKind::kOr:
        return Logic(node);
      case SyntaxKind::kBinary:
        return Binary(node);
      case SyntaxKind::kIs:
        return Is(node);
      case SyntaxKind::kDistinct:
        return Distinct(node);
      case SyntaxKind::kBetween:
        return Between(node);
      case SyntaxKind::kIn:
        return In(node);
      case SyntaxKind::kLike:
        return Like(node);
      case SyntaxKind::kCast:
        return CastTo(node);
      case SyntaxKind::kCase:
        return Case(node);
      case SyntaxKind::kCall:
        return Call(node, node.text);
      case SyntaxKind::kArray:
        return Array(node);
    }
    return At(node, "not understood");
  }

  // Values.
  Result<ExpressionPtr> Number(const Syntax& node) const {
    const std::string& text = node.text;
    const char* end = text.data() + text.size();
    if (text.find_first_of(".eE") == std::string::npos) {
      std::int64_t whole = 0;
      if (std::from_chars(text.data(), end, whole).ec == std::errc())
        return MakeLiteral(Constant(Int64(), whole), node.span);
      std::uint64_t large = 0;
      if (text[0] != '-' && std::from_chars(text.data(), end, large).ec == std::errc()) {
        return MakeLiteral(Constant(arrow::Simple(TypeId::kUInt64), large), node.span);
      }
    }
    FIRN_TRY(const Vector value, Placed(node.span, firn::filter::Cast(ConstantText(text, Utf8()), Float64())));
    return MakeLiteral(value, node.span);
  }

  Result<ExpressionPtr> Hex(const Syntax& node) const {
    std::string bytes;
    const auto digit = [](char c) {
      return c >= '0' && c <= '9'   ? c - '0'
             : c >= 'a' && c <= 'f' ? c - 'a' + 10
             : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                    : -1;
    };
    bool good = node.text.size() % 2 == 0;
    for (std::size_t i = 0; good && i < node.text.size(); i += 2) {
      const int high = digit(node.text[i]);
      const int low = digit(node.text[i + 1]);
      good = high >= 0 && low >= 0;
      bytes.push_back(static_cast<char>(high * 16 + low));
    }
    if (!good) return At(node, "not hexadecimal", "write bytes as x'00ff'");
    return MakeLiteral(ConstantText(std::move(bytes), arrow::Simple(TypeId::kBinary)), node.span);
  }

  Result<ExpressionPtr> TypedLiteral(const Syntax& node) const {
    TypePtr type = node.type_name == "DATE"   ? arrow::Simple(TypeId::kDate32)
                   : node.type_name == "TIME" ? arrow::Time64(arrow::TimeUnit::kNano)
                                              : arrow::Timestamp(arrow::TimeUnit::kMicro);
    const Vector text = ConstantText(node.text, Utf8());
    // Digits beyond microseconds make it a timestamp of nanoseconds.
    if (type->id == TypeId::kTimestamp) {
      const std::size_t point = node.text.find('.');
      if (point != std::string::npos) {
        const std::size_t end = std::min(node.text.find_first_not_of("0123456789", point + 1), node.text.size());
        if (end - point > 7) type = arrow::Timestamp(arrow::TimeUnit::kNano);
      }
    }
    const auto value = firn::filter::Cast(text, type);
    if (!value)
      return At(node,
                "'" + node.text.substr(0, 60) + "' is not a " +
                    (node.type_name == "DATE"   ? "date"
                     : node.type_name == "TIME" ? "time"
                                                : "timestamp"),
                "write DATE '2024-12-31', TIMESTAMP '2024-12-31 23:59:59' or TIME '23:59:59'");
    return MakeLiteral(*value, node.span);
  }

  // Names.
  struct Place {
    std::size_t column;
    std::vector<std::size_t> members;
    TypePtr type;
    std::string name;
  };

  /// A column, or a member of one; empty when the node is something else with a field.
  Result<std::optional<Place>> Find(const Syntax& node) const {
    if (node.kind == SyntaxKind::kName) {
      const auto field = FindField(schema_.fields, node.text);
      if (!field) return UnknownColumn(node);
      return Place{used_.at(*field), {}, schema_.fields[*field].type, schema_.fields[*field].name};
    }
    if (node.kind != SyntaxKind::kField) return std::optional<Place>();
    FIRN_TRY(std::optional<Place> parent, Find(node.children[0]));
    if (!parent) return std::optional<Place>();
    FIRN_TRY(const std::size_t member, Member(node, *parent->type));
    parent->members.push_back(member);
    parent->name += "." + parent->type->children[member].name;
    parent->type = TypePtr(parent->type->children[member].type);
    return parent;
  }

  Error UnknownColumn(const Syntax& node) const {
    std::vector<std::string_view> names;
    bool ambiguous = false;
    for (const arrow::Field& field : schema_.fields) {
      names.push_back(field.name);
      ambiguous = ambiguous || FindField(std::span(&field, 1), node.text).has_value();
    }
    const std::string shown = node.text.size() > 60 ? node.text.substr(0, 60) + "..." : node.text;
    if (ambiguous)
      return At(node, "column \"" + shown + "\" is one of several in other letter case",
                "write it exactly as in the schema");
    std::string hint = NearestNames(node.text, names);
    if (node.quoted && text_[node.span.begin] == '"')
      hint += (hint.empty() ? "" : "; ") + std::string("text stands in single quotes: '" + shown + "'");
    return At(node, "unknown column \"" + shown + "\"", std::move(hint));
  }

  Result<std::size_t> Member(const Syntax& node, const arrow::Type& type) const {
    const std::string shown = node.text.substr(0, 60);
    if (type.id != TypeId::kStruct)
      return At(node, "no field \"" + shown + "\": `" + Shown(node.children[0]) + "` is " + type.ToString() +
                          ", not a struct");
    if (const auto member = FindField(type.children, node.text)) return *member;
    std::vector<std::string_view> names;
    for (const arrow::Field& field : type.children) names.push_back(field.name);
    return At(node, "unknown field \"" + shown + "\" of `" + Shown(node.children[0]) + "`",
              NearestNames(node.text, names));
  }

  std::string Shown(const Syntax& node) const {
    std::string part(text_.substr(node.span.begin, node.span.end - node.span.begin));
    return part.size() > 60 ? part.substr(0, 60) + "..." : part;
  }

  Result<ExpressionPtr> Path(const Syntax& node) {
    FIRN_TRY(std::optional<Place> place, Find(node));
    if (place) return MakeColumn(place->type, node.span, place->column, place->members, place->name);
    FIRN_TRY(ExpressionPtr parent, Bind(node.children[0]));
    FIRN_TRY(const std::size_t member, Member(node, *parent->type()));
    return Apply("field", node.span, BindMember(parent->type(), member), {parent});
  }

  Result<ExpressionPtr> Index(const Syntax& node) {
    FIRN_TRY(ExpressionPtr list, Bind(node.children[0]));
    FIRN_TRY(ExpressionPtr index, Bind(node.children[1]));
    if (KindOf(*list->type()) != Kind::kList)
      return At(node.children[0], "[...] needs a list, not " + list->type()->ToString());
    if (!arrow::IsInteger(index->type()->id) && index->type()->id != TypeId::kNull)
      return At(node.children[1], "the index must be a whole number");
    return Apply("array_element", node.span, BindElement(list->type(), index->type()), {list, index});
  }

  Result<ExpressionPtr> Array(const Syntax& node) {
    FIRN_TRY(std::vector<ExpressionPtr> items, BindAll(node.children));
    FIRN_TRY(TypePtr type, Common(node, items, "items of a list"));
    BoundFunction array = BindArray(type, items.size());
    return Apply("make_array", node.span, std::move(array), std::move(items));
  }

  // Building calls.
  Result<std::vector<ExpressionPtr>> BindAll(std::span<const Syntax> nodes) {
    std::vector<ExpressionPtr> out;
    for (const Syntax& node : nodes) {
      FIRN_TRY(ExpressionPtr bound, Bind(node));
      out.push_back(std::move(bound));
    }
    return out;
  }

  /// The one type of all.
  Result<TypePtr> Common(const Syntax& node, std::span<const ExpressionPtr> values, std::string_view what) const {
    TypePtr type = Null();
    for (const ExpressionPtr& value : values) {
      const auto common = CommonType(type, value->type());
      if (!common)
        return At(
            node,
            std::string(what) + " have different types, " + type->ToString() + " and " + value->type()->ToString(),
            "CAST one of them");
      type = *common;
    }
    return type;
  }

  /// Computes now what has only constants in it. What fails inside a branch that may never be taken is left to fail
  /// then.
  Result<ExpressionPtr> Fold(ExpressionPtr call, bool constant) const {
    if (!constant) return call;
    auto value = call->Evaluate({text_, {}}, {0, 1, nullptr});
    if (!value) {
      if (guarded_ > 0) return call;
      return ErrorAt(text_, call->span(), std::move(value.error().message), std::move(value.error().hint));
    }
    value->constant = true;
    value->rows = 1;
    return MakeLiteral(*std::move(value), call->span());
  }

  Result<ExpressionPtr> Apply(std::string name, Span span, BoundFunction function,
                              std::vector<ExpressionPtr> arguments) const {
    for (std::size_t i = 0; i < arguments.size(); i++) {
      FIRN_TRY(arguments[i], CastExpression(arguments[i], function.argument_types[i], false, arguments[i]->span()));
    }
    const bool constant =
        std::ranges::all_of(arguments, [](const ExpressionPtr& a) { return a->Literal() != nullptr; });
    return Fold(MakeCall(std::move(name), function.type, span, std::move(arguments), std::move(function.kernel),
                         function.traits),
                constant);
  }

  /// Whether values of one type serve as the other without a change.
  static bool SameForm(const arrow::Type& from, const arrow::Type& to) {
    if (arrow::Equal(from, to)) return true;
    if (arrow::IsInteger(from.id) && arrow::IsInteger(to.id))
      return KindOf(from) == KindOf(to) && to.id == TypeId::kInt64;
    if (arrow::IsFloating(from.id)) return to.id == TypeId::kFloat64;
    if (IsTextual(from)) return IsTextual(to);
    if (IsBinary(from)) return IsBinary(to);
    if (KindOf(from) == Kind::kList && KindOf(to) == Kind::kList)
      return arrow::Equal(*from.children[0].type, *to.children[0].type);
    return false;
  }

  Result<ExpressionPtr> CastExpression(ExpressionPtr value, const TypePtr& to, bool or_null, Span span) const {
    if (SameForm(*value->type(), *to)) return value;
    if (!CanCast(*value->type(), *to)) {
      return ErrorAt(text_, span, "cannot cast " + value->type()->ToString() + " to " + to->ToString());
    }
    Kernel kernel = [to, or_null](std::span<const Vector> args, std::int64_t) {
      return firn::filter::Cast(args[0], to, or_null);
    };
    const bool can_fail = !or_null && !(IsNumeric(*value->type()) && arrow::IsFloating(to->id));
    const bool constant = value->Literal() != nullptr;
    std::string name = (or_null ? "try_cast_" : "cast_") + to->ToString();
    return Fold(MakeCall(std::move(name), to, span, {value}, std::move(kernel), {.can_fail = can_fail}), constant);
  }

  // Truth.
  Result<ExpressionPtr> Boolean(const Syntax& node, std::string_view what) {
    // LanceDB takes regexp_match() for a test here.
    const bool match = node.kind == SyntaxKind::kCall && node.text == "regexp_match";
    FIRN_TRY(ExpressionPtr value, match ? Call(node, "regexp_like") : Bind(node));
    if (value->type()->id == TypeId::kBool) return value;
    if (value->type()->id == TypeId::kNull) return MakeLiteral(NullVector(Bool(), 1), node.span);
    return At(node, std::string(what) + " must be true or false, not " + value->type()->ToString(),
              "compare it with something, or test it with IS NOT NULL");
  }

  Result<ExpressionPtr> Negation(const Syntax& node) {
    FIRN_TRY(ExpressionPtr value, Boolean(node.children[0], "what NOT applies to"));
    return Not(node, std::move(value));
  }
  Result<ExpressionPtr> Not(const Syntax& node, ExpressionPtr value) const {
    const bool constant = value->Literal() != nullptr;
    return Fold(MakeNot(node.span, std::move(value)), constant);
  }

  Result<ExpressionPtr> Logic(const Syntax& node) {
    const bool is_and = node.kind == SyntaxKind::kAnd;
    std::vector<ExpressionPtr> terms;
    for (const Syntax& child : node.children) {
      auto term = Boolean(child, is_and ? "each side of AND" : "each side of OR");
      if (terms.empty()) guarded_++;
      if (!term) return guarded_--, std::move(term).error();
      terms.push_back(*std::move(term));
    }
    guarded_--;
    const bool constant = std::ranges::all_of(terms, [](const ExpressionPtr& t) { return t->Literal() != nullptr; });
    return Fold(MakeLogic(is_and, node.span, std::move(terms)), constant);
  }

  Result<ExpressionPtr> Is(const Syntax& node) {
    ExpressionPtr value;
    if (node.text == "NULL") {
      FIRN_TRY(value, Bind(node.children[0]));
      const bool constant = value->Literal() != nullptr;
      FIRN_TRY(value, Fold(MakeIsNull(node.span, std::move(value)), constant));
    } else {
      FIRN_TRY(value, Boolean(node.children[0], "what IS " + node.text + " applies to"));
      const Truth wanted = node.text == "TRUE" ? kTrue : node.text == "FALSE" ? kFalse : kUnknown;
      Kernel kernel = [wanted](std::span<const Vector> args, std::int64_t rows) -> Result<Vector> {
        std::vector<Truth> out(static_cast<std::size_t>(rows));
        const std::vector<Truth>& in = args[0].Get<Truth>();
        for (std::int64_t i = 0; i < rows; i++) out[i] = in[args[0].Slot(i)] == wanted ? kTrue : kFalse;
        return BoolVector(std::move(out));
      };
      std::string name = "is_" + node.text;
      for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
      FIRN_TRY(value, Apply(std::move(name), node.span, {Bool(), {Bool()}, std::move(kernel), {.keeps_nulls = true}},
                            {value}));
    }
    return node.negated ? Not(node, std::move(value)) : value;
  }

  // Comparisons.
  /// A constant put into the form of what it is compared with, where that loses nothing.
  Result<ExpressionPtr> Adapt(ExpressionPtr literal, const TypePtr& other) const {
    const Vector* value = literal->Literal();
    if (value == nullptr || value->IsNull(0) || arrow::Equal(*literal->type(), *other)) return literal;
    const TypePtr& type = literal->type();
    const auto cast = [&](const TypePtr& to) -> std::optional<Vector> {
      auto out = firn::filter::Cast(*value, to);
      return out ? std::optional(*std::move(out)) : std::nullopt;
    };
    const auto kept = [&](const TypePtr& to) -> std::optional<Vector> {
      auto there = cast(to);
      if (!there) return std::nullopt;
      const auto back = firn::filter::Cast(*there, type);
      return back && CompareItems(*back, 0, *value, 0) == 0 ? std::move(there) : std::nullopt;
    };
    std::optional<Vector> better;
    if (IsTextual(*type) && KindOf(*other) != Kind::kText && CanCast(*type, *other) && other->id != TypeId::kNull) {
      better = cast(other);
      if (!better) {
        std::string shown(value->Get<std::string_view>()[0].substr(0, 60));
        return ErrorAt(text_, literal->span(), "'" + shown + "' cannot be compared with " + other->ToString(),
                       "it does not read as a " + other->ToString());
      }
    } else if (IsTextual(*type) && IsBinary(*other)) {
      better = cast(arrow::Simple(TypeId::kBinary));
    } else if (IsNumeric(*type) && arrow::IsFloating(other->id)) {
      better = cast(other);
      if (better && std::isinf(better->Get<double>()[0])) better.reset();
    } else if (arrow::IsFloating(type->id) && other->id == TypeId::kDecimal128) {
      better = AsDecimal(*value);
    } else if (IsNumeric(*type) && arrow::IsInteger(other->id)) {
      better = kept(other);
    } else if (IsTemporal(*type) && IsTemporal(*other)) {
      better = kept(other);
    }
    return better ? MakeLiteral(*std::move(better), literal->span()) : literal;
  }

  /// 0.1 as the decimal 0.1.
  static std::optional<Vector> AsDecimal(const Vector& value) {
    std::string digits;
    AppendValue(digits, value, 0);
    for (std::int32_t scale = 0; scale <= 18; scale++) {
      const auto unscaled = ParseDecimal(digits, scale);
      const auto exact = ParseDecimal(digits, 20);
      if (!unscaled || !exact) return std::nullopt;
      if (*unscaled * PowerOfTen(20 - scale) == *exact && *unscaled < PowerOfTen(18) && *unscaled > -PowerOfTen(18)) {
        return Constant(arrow::Decimal128(18, scale), *unscaled);
      }
    }
    return std::nullopt;
  }

  Error NotComparable(Span span, const TypePtr& a, const TypePtr& b) const {
    return ErrorAt(text_, span, "cannot compare " + a->ToString() + " with " + b->ToString(), "CAST one of them");
  }

  Result<ExpressionPtr> Comparison(Span span, firn::filter::Comparison op, ExpressionPtr a, ExpressionPtr b) const {
    FIRN_TRY(a, Adapt(a, b->type()));
    FIRN_TRY(b, Adapt(b, a->type()));
    const auto common = CommonType(a->type(), b->type());
    const bool lists = common && KindOf(**common) == Kind::kList;
    const bool ordered = op != firn::filter::Comparison::kEqual && op != firn::filter::Comparison::kNotEqual;
    if (!common || KindOf(**common) == Kind::kStruct || (lists && ordered) ||
        (lists && KindOf(*(*common)->children[0].type) == Kind::kStruct)) {
      return NotComparable(span, a->type(), b->type());
    }
    const auto is_null = [](const ExpressionPtr& e) { return e->Literal() != nullptr && e->Literal()->IsNull(0); };
    if (is_null(a) || is_null(b)) return MakeLiteral(NullVector(Bool(), 1), span);
    const auto direct = [](const ExpressionPtr& column, const ExpressionPtr& literal) {
      const bool text = KindOf(*column->type()) == Kind::kText && KindOf(*literal->type()) == Kind::kText;
      return column->IsColumn() && literal->Literal() != nullptr &&
             (text || arrow::Equal(*column->type(), *literal->type()));
    };
    if (direct(a, b)) return MakeColumnComparison(span, op, a, b);
    if (direct(b, a)) return MakeColumnComparison(span, Mirrored(op), b, a);
    Kernel kernel = [op](std::span<const Vector> args, std::int64_t) -> Result<Vector> {
      return Compare(op, args[0], args[1]);
    };
    return Apply(std::string(SymbolOf(op)), span, {Bool(), {*common, *common}, std::move(kernel), {}}, {a, b});
  }

  static std::optional<firn::filter::Comparison> ComparisonOf(std::string_view symbol) {
    using enum firn::filter::Comparison;
    for (const auto op : {kEqual, kNotEqual, kLess, kLessEqual, kGreater, kGreaterEqual}) {
      if (SymbolOf(op) == symbol) return op;
    }
    return std::nullopt;
  }

  Result<ExpressionPtr> Distinct(const Syntax& node) {
    FIRN_TRY(ExpressionPtr a, Bind(node.children[0]));
    FIRN_TRY(ExpressionPtr b, Bind(node.children[1]));
    FIRN_TRY(a, Adapt(a, b->type()));
    FIRN_TRY(b, Adapt(b, a->type()));
    const auto common = CommonType(a->type(), b->type());
    if (!common || KindOf(**common) == Kind::kStruct) return NotComparable(node.span, a->type(), b->type());
    Kernel kernel = [](std::span<const Vector> args, std::int64_t) -> Result<Vector> {
      return SameValue(args[0], args[1]);
    };
    FIRN_TRY(ExpressionPtr same, Apply("is_not_distinct", node.span,
                                       {Bool(), {*common, *common}, std::move(kernel), {.keeps_nulls = true}}, {a, b}));
    return node.negated ? same : Not(node, std::move(same));
  }

  Result<ExpressionPtr> Between(const Syntax& node) {
    FIRN_TRY(const std::vector<ExpressionPtr> parts, BindAll(node.children));
    std::vector<ExpressionPtr> terms(2);
    FIRN_TRY(terms[0], Comparison(node.span, firn::filter::Comparison::kGreaterEqual, parts[0], parts[1]));
    FIRN_TRY(terms[1], Comparison(node.span, firn::filter::Comparison::kLessEqual, parts[0], parts[2]));
    const bool constant = std::ranges::all_of(terms, [](const ExpressionPtr& t) { return t->Literal() != nullptr; });
    FIRN_TRY(ExpressionPtr between, Fold(MakeLogic(true, node.span, std::move(terms)), constant));
    return node.negated ? Not(node, std::move(between)) : between;
  }

  Result<ExpressionPtr> In(const Syntax& node) {
    FIRN_TRY(std::vector<ExpressionPtr> parts, BindAll(node.children));
    const ExpressionPtr value = parts[0];
    std::vector<ExpressionPtr> items(parts.begin() + 1, parts.end());
    const bool constant = std::ranges::all_of(items, [](const ExpressionPtr& e) { return e->Literal() != nullptr; });
    ExpressionPtr in;
    if (constant) {
      FIRN_TRY(in, InSet(node, value, std::move(items)));
    } else {
      std::vector<ExpressionPtr> terms;
      for (const ExpressionPtr& item : items) {
        FIRN_TRY(ExpressionPtr same, Comparison(item->span(), firn::filter::Comparison::kEqual, value, item));
        terms.push_back(std::move(same));
      }
      in = terms.size() == 1 ? terms[0] : MakeLogic(false, node.span, std::move(terms));
    }
    return node.negated ? Not(node, std::move(in)) : in;
  }

  Result<ExpressionPtr> InSet(const Syntax& node, const ExpressionPtr& value, std::vector<ExpressionPtr> items) const {
    TypePtr type = value->type();
    for (ExpressionPtr& item : items) {
      FIRN_TRY(item, Adapt(item, value->type()));
      const auto common = CommonType(type, item->type());
      if (!common || KindOf(**common) == Kind::kStruct) return NotComparable(item->span(), value->type(), item->type());
      type = *common;
    }
    std::vector<Vector> vectors;
    std::vector<Pick> picks;
    for (const ExpressionPtr& item : items) {
      FIRN_TRY(Vector one,
               Placed(item->span(), SameForm(*item->type(), *type) ? Result<Vector>(*item->Literal())
                                                                   : firn::filter::Cast(*item->Literal(), type)));
      picks.push_back({static_cast<std::uint32_t>(vectors.size()), 0});
      vectors.push_back(std::move(one));
    }
    return Apply("in_" + std::to_string(items.size()) + "_values", node.span,
                 BindInSet(type, Interleave(type, vectors, picks)), {value});
  }

  Result<ExpressionPtr> Like(const Syntax& node) {
    FIRN_TRY(const std::vector<ExpressionPtr> values, BindAll(node.children));
    const bool ignore_case = node.text == "i";
    const Arguments arguments{ignore_case ? "ILIKE" : "LIKE", values};
    FIRN_TRY(BoundFunction like, Placed(node.span, BindLike(arguments, ignore_case, node.type_name[0])));
    FIRN_TRY(ExpressionPtr bound, Apply(ignore_case ? "ilike" : "like", node.span, std::move(like), values));
    return node.negated ? Not(node, std::move(bound)) : bound;
  }

  // Operators.
  Result<ExpressionPtr> Binary(const Syntax& node) {
    if (node.children[1].kind == SyntaxKind::kInterval) return AddInterval(node);
    FIRN_TRY(std::vector<ExpressionPtr> sides, BindAll(node.children));
    if (const auto op = ComparisonOf(node.text)) return Comparison(node.span, *op, sides[0], sides[1]);
    if (node.text == "||") return CallBound(node, "||", std::move(sides));
    if (node.text.find('~') != std::string::npos) {
      const bool ignore_case = node.text.ends_with('*');
      FIRN_TRY(BoundFunction match, Placed(node.span, BindRegex({"~", sides}, ignore_case)));
      FIRN_TRY(ExpressionPtr bound, Apply(ignore_case ? "~*" : "~", node.span, std::move(match), std::move(sides)));
      return node.text.starts_with('!') ? Not(node, std::move(bound)) : bound;
    }
    // A float written next to a decimal is a decimal.
    for (int i = 0; i < 2; i++) {
      const ExpressionPtr& other = sides[1 - i];
      if (other->type()->id != TypeId::kDecimal128 || !arrow::IsFloating(sides[i]->type()->id)) continue;
      FIRN_TRY(sides[i], Adapt(sides[i], other->type()));
    }
    const bool days = sides[0]->type()->id == TypeId::kDate32 && arrow::IsInteger(sides[1]->type()->id) &&
                      (node.text == "+" || node.text == "-");
    if (days) return AddDays(node, std::move(sides));
    FIRN_TRY(BoundFunction arithmetic,
             Placed(node.span, BindArithmetic(node.text[0], sides[0]->type(), sides[1]->type())));
    return Apply(node.text, node.span, std::move(arithmetic), std::move(sides));
  }

  /// date - 1: in days.
  Result<ExpressionPtr> AddDays(const Syntax& node, std::vector<ExpressionPtr> sides) const {
    FIRN_TRY(sides[0], CastExpression(sides[0], Int64(), false, node.span));
    FIRN_TRY(BoundFunction sum, BindArithmetic(node.text[0], Int64(), Int64()));
    FIRN_TRY(ExpressionPtr days, Apply(node.text, node.span, std::move(sum), std::move(sides)));
    return CastExpression(days, arrow::Simple(TypeId::kDate32), false, node.span);
  }

  Result<ExpressionPtr> AddInterval(const Syntax& node) {
    if (node.text != "+" && node.text != "-")
      return At(node.children[1], "an INTERVAL can only be added or subtracted");
    FIRN_TRY(Interval interval, Placed(node.children[1].span, ParseInterval(node.children[1].text)));
    if (node.text == "-") interval = {-interval.months, -interval.days, -interval.nanos};
    FIRN_TRY(ExpressionPtr moment, Bind(node.children[0]));
    if (!IsTemporal(*moment->type()))
      return At(node, "an INTERVAL is added to a date or timestamp, not to " + moment->type()->ToString());
    return Apply("add_interval", node.span, BindAddInterval(moment->type(), interval), {moment});
  }

  Result<ExpressionPtr> Negative(const Syntax& node) {
    FIRN_TRY(ExpressionPtr value, Bind(node.children[0]));
    if (!IsNumeric(*value->type()) && value->type()->id != TypeId::kNull)
      return At(node, "cannot negate " + value->type()->ToString());
    return Apply("negative", node.span, BindNegate(value->type()), {value});
  }

  Result<ExpressionPtr> CastTo(const Syntax& node) {
    FIRN_TRY(const TypePtr to, Placed(node.span, TypeByName(node.type_name)));
    FIRN_TRY(ExpressionPtr value, Bind(node.children[0]));
    // SameForm would skip casts that change what the value is called; CAST means it.
    if (arrow::Equal(*value->type(), *to)) return value;
    const TypePtr& from = value->type();
    const bool widens = SameForm(*from, *to) && KindOf(*from) != Kind::kText && KindOf(*from) != Kind::kList;
    if (!widens || from->id == TypeId::kNull)
      return CastExpression(std::move(value), to, node.text == "try", node.span);
    Kernel kernel = [to](std::span<const Vector> args, std::int64_t) { return firn::filter::Cast(args[0], to); };
    const bool constant = value->Literal() != nullptr;
    return Fold(MakeCall("cast_" + to->ToString(), to, node.span, {value}, std::move(kernel), {}), constant);
  }

  Result<ExpressionPtr> Case(const Syntax& node) {
    std::size_t at = 0;
    ExpressionPtr operand;
    if (node.case_operand) {
      FIRN_TRY(operand, Bind(node.children[at++]));
    }
    std::vector<ExpressionPtr> conditions;
    std::vector<ExpressionPtr> values;
    guarded_++;
    Status bound = CaseBranches(node, at, operand, conditions, values);
    guarded_--;
    FIRN_CHECK(std::move(bound));
    return CaseOf(node, std::move(conditions), std::move(values));
  }

  Status CaseBranches(const Syntax& node, std::size_t at, const ExpressionPtr& operand,
                      std::vector<ExpressionPtr>& conditions, std::vector<ExpressionPtr>& values) {
    const std::size_t end = node.children.size() - (node.case_else ? 1 : 0);
    for (; at < end; at += 2) {
      const Syntax& when = node.children[at];
      ExpressionPtr condition;
      if (operand == nullptr) {
        FIRN_TRY(condition, Boolean(when, "what stands after WHEN"));
      } else {
        FIRN_TRY(ExpressionPtr value, Bind(when));
        FIRN_TRY(condition, Comparison(when.span, firn::filter::Comparison::kEqual, operand, value));
      }
      conditions.push_back(std::move(condition));
      FIRN_TRY(ExpressionPtr value, Bind(node.children[at + 1]));
      values.push_back(std::move(value));
    }
    ExpressionPtr otherwise = MakeLiteral(NullVector(Null(), 1), node.span);
    if (node.case_else) {
      FIRN_TRY(otherwise, Bind(node.children.back()));
    }
    values.push_back(std::move(otherwise));
    return {};
  }

  Result<ExpressionPtr> CaseOf(const Syntax& node, std::vector<ExpressionPtr> conditions,
                               std::vector<ExpressionPtr> values) {
    FIRN_TRY(const TypePtr type, Common(node, values, "the results of a CASE"));
    guarded_++;
    bool constant = true;
    Status cast;
    for (ExpressionPtr& value : values) {
      auto changed = CastExpression(value, type, false, value->span());
      if (!changed) {
        cast = std::move(changed).error();
        break;
      }
      value = *std::move(changed);
      constant = constant && value->Literal() != nullptr;
    }
    guarded_--;
    FIRN_CHECK(std::move(cast));
    for (const ExpressionPtr& condition : conditions) constant = constant && condition->Literal() != nullptr;
    return Fold(MakeCase(type, node.span, std::move(conditions), std::move(values)), constant);
  }

  // Functions.
  Result<ExpressionPtr> Call(const Syntax& node, const std::string& name) {
    const std::size_t count = node.children.size();
    const auto need = [&](std::size_t least, std::size_t most) -> Status {
      if (count >= least && count <= most) return {};
      const std::string wanted =
          least == most ? std::to_string(least)
                        : std::to_string(least) + (most >= 10'000 ? " or more" : " to " + std::to_string(most));
      return At(node, name + "() takes " + wanted + (wanted == "1" ? " argument, not " : " arguments, not ") +
                          std::to_string(count));
    };
    if (name == "make_array" || name == "array") return Array(node);
    if (name == "now" || name == "current_timestamp" || name == "current_date" || name == "today") {
      FIRN_CHECK(need(0, 0));
      return Now(node, name == "current_date" || name == "today");
    }
    if (name == "coalesce" || name == "nvl" || name == "ifnull") {
      FIRN_CHECK(name == "coalesce" ? need(1, 10'000) : need(2, 2));
      return Coalesce(node);
    }
    if (name == "nullif") {
      FIRN_CHECK(need(2, 2));
      return NullIf(node);
    }
    if (name == "nvl2") {
      FIRN_CHECK(need(3, 3));
      return Nvl2(node);
    }
    if (name == "is_valid") {
      FIRN_CHECK(need(1, 1));
      FIRN_TRY(ExpressionPtr value, Bind(node.children[0]));
      return Not(node, MakeIsNull(node.span, std::move(value)));
    }
    const Function* function = FindFunction(name);
    if (function == nullptr) {
      const std::vector<std::string_view> names = FunctionNames();
      return At(node, "unknown function \"" + name.substr(0, 60) + "\"", NearestNames(name, names));
    }
    FIRN_CHECK(need(function->least, function->most));
    FIRN_TRY(std::vector<ExpressionPtr> arguments, BindAll(node.children));
    return CallBound(node, name, std::move(arguments));
  }

  Result<ExpressionPtr> CallBound(const Syntax& node, const std::string& name,
                                  std::vector<ExpressionPtr> arguments) const {
    FIRN_TRY(BoundFunction bound, Placed(node.span, FindFunction(name)->bind({name, arguments})));
    return Apply(name, node.span, std::move(bound), std::move(arguments));
  }

  Result<ExpressionPtr> Now(const Syntax& node, bool date) const {
    const std::int64_t nanos = clock_.WallNow().time_since_epoch().count();
    const TypePtr type = arrow::Timestamp(arrow::TimeUnit::kNano, "UTC");
    const ExpressionPtr now = MakeLiteral(Constant(type, nanos), node.span);
    return date ? CastExpression(now, arrow::Simple(TypeId::kDate32), false, node.span) : now;
  }

  Result<ExpressionPtr> Coalesce(const Syntax& node) {
    std::vector<ExpressionPtr> values;
    for (const Syntax& child : node.children) {
      auto value = Bind(child);
      if (values.empty()) guarded_++;
      if (!value) return guarded_--, std::move(value).error();
      values.push_back(*std::move(value));
    }
    guarded_--;
    FIRN_TRY(const TypePtr type, Common(node, values, "the arguments"));
    bool constant = true;
    for (ExpressionPtr& value : values) {
      FIRN_TRY(value, CastExpression(value, type, false, value->span()));
      constant = constant && value->Literal() != nullptr;
    }
    return Fold(MakeCoalesce(type, node.span, std::move(values)), constant);
  }

  Result<ExpressionPtr> NullIf(const Syntax& node) {
    FIRN_TRY(std::vector<ExpressionPtr> values, BindAll(node.children));
    FIRN_TRY(ExpressionPtr same, Comparison(node.span, firn::filter::Comparison::kEqual, values[0], values[1]));
    return CaseOf(node, {same}, {MakeLiteral(NullVector(Null(), 1), node.span), values[0]});
  }

  Result<ExpressionPtr> Nvl2(const Syntax& node) {
    FIRN_TRY(std::vector<ExpressionPtr> values, BindAll(node.children));
    return CaseOf(node, {MakeIsNull(node.span, values[0])}, {values[2], values[1]});
  }

  std::string_view text_;
  const arrow::Schema& schema_;
  const Clock& clock_;
  std::map<std::size_t, std::size_t> used_;  // field of the schema -> slot in BoundTree::columns
  int guarded_ = 0;                          // inside branches that may not be taken
};

}  // namespace

Result<BoundTree> Bind(std::string_view text, const Syntax& syntax, const arrow::Schema& schema, const Clock& clock) {
  Binder binder(text, schema, clock);
  binder.Collect(syntax);
  return binder.Run(syntax);
}

}  // namespace firn::filter
