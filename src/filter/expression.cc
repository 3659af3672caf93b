#include "filter/expression.h"

#include <algorithm>
#include <numeric>

#include "filter/cast.h"

namespace firn::filter {
namespace {

using arrow::TypePtr;

class LiteralNode final : public Expression {
 public:
  LiteralNode(Vector value, Span span) : Expression(value.type, span), value_(std::move(value)) {}
  Result<Vector> Evaluate(const Context&, const Rows& rows) const override {
    Vector copy = value_;
    copy.rows = rows.count;
    return copy;
  }
  const Vector* Literal() const override { return &value_; }
  std::string ToString() const override {
    std::string out;
    const bool quoted = !value_.IsNull(0) && value_.kind() != Kind::kBool && value_.kind() != Kind::kFloat &&
                        value_.kind() != Kind::kList && !arrow::IsInteger(type_->id);
    if (quoted && value_.kind() == Kind::kText && !arrow::IsText(type_->id)) {
      return "x'" + ToHex(AsBytes(value_.Get<std::string_view>()[0])) + "'";
    }
    AppendValue(out, value_, 0);
    if (!quoted || value_.kind() == Kind::kDecimal) return out;
    std::string escaped;
    for (const char c : out) escaped += c == '\'' ? std::string("''") : std::string(1, c);
    return "'" + escaped + "'";
  }

 private:
  Vector value_;
};

class ColumnNode final : public Expression {
 public:
  ColumnNode(TypePtr type, Span span, std::size_t column, std::vector<std::size_t> path, std::string name)
      : Expression(std::move(type), span), column_(column), path_(std::move(path)), name_(std::move(name)) {}

  Result<Vector> Evaluate(const Context& context, const Rows& rows) const override {
    const std::vector<const arrow::Array*> arrays = Path(context);
    Vector v = Load(*arrays.back(), rows);
    for (const arrow::Array* parent : arrays) {
      if (parent == arrays.back() || parent->null_count() == 0) continue;
      for (std::int64_t i = 0; i < rows.count; i++) {
        if (parent->IsNull(rows[i])) SetNull(v, i);
      }
    }
    return v;
  }
  std::string ToString() const override { return name_; }
  bool IsColumn() const override { return true; }

  std::vector<Truth> Nulls(const Context& context, const Rows& rows) const {
    std::vector<Truth> out(static_cast<std::size_t>(rows.count), kFalse);
    for (const arrow::Array* array : Path(context)) {
      if (array->null_count() == 0) continue;
      for (std::int64_t i = 0; i < rows.count; i++) {
        if (array->IsNull(rows[i])) out[i] = kTrue;
      }
    }
    return out;
  }

  /// The array itself, for loops that read it in place; null when it is a member of a struct.
  const arrow::Array* Direct(const Context& context) const {
    return path_.empty() ? context.columns[column_] : nullptr;
  }

 private:
  /// The column, the structs on the way, the member. A member is null where any struct around it is.
  std::vector<const arrow::Array*> Path(const Context& context) const {
    std::vector<const arrow::Array*> arrays = {context.columns[column_]};
    for (const std::size_t member : path_) arrays.push_back(&arrays.back()->child(member));
    return arrays;
  }

  std::size_t column_;
  std::vector<std::size_t> path_;
  std::string name_;
};

class ColumnComparisonNode final : public Expression {
 public:
  ColumnComparisonNode(Span span, Comparison op, ExpressionPtr column, ExpressionPtr literal)
      : Expression(Bool(), span), op_(op), column_(std::move(column)), literal_(std::move(literal)) {}

  Result<Vector> Evaluate(const Context& context, const Rows& rows) const override {
    if (const arrow::Array* array = static_cast<const ColumnNode&>(*column_).Direct(context)) {
      if (auto truths = CompareColumn(op_, *array, *literal_->Literal(), rows)) return BoolVector(*std::move(truths));
    }
    FIRN_TRY(const Vector value, column_->Evaluate(context, rows));
    return Compare(op_, value, *literal_->Literal());
  }
  std::string ToString() const override {
    return "(" + column_->ToString() + " " + std::string(SymbolOf(op_)) + " " + literal_->ToString() + ")";
  }

 private:
  Comparison op_;
  ExpressionPtr column_;
  ExpressionPtr literal_;
};

class CallNode final : public Expression {
 public:
  CallNode(std::string name, TypePtr type, Span span, std::vector<ExpressionPtr> arguments, Kernel kernel,
           CallTraits traits)
      : Expression(std::move(type), span),
        name_(std::move(name)),
        arguments_(std::move(arguments)),
        kernel_(std::move(kernel)),
        traits_(traits) {}

  Result<Vector> Evaluate(const Context& context, const Rows& rows) const override {
    std::vector<Vector> values;
    values.reserve(arguments_.size());
    for (const ExpressionPtr& argument : arguments_) {
      FIRN_TRY(Vector value, argument->Evaluate(context, rows));
      values.push_back(std::move(value));
    }
    if (!traits_.keeps_nulls) {
      for (const Vector& value : values) {
        if (value.kind() == Kind::kNull || (value.constant && value.IsNull(0))) return NullVector(type_, rows.count);
      }
      // A kernel that can fail must not fail on a row that is null anyway.
      if (traits_.can_fail) return EvaluateWithoutNulls(context, std::move(values), rows.count);
    }
    auto result = kernel_(values, rows.count);
    if (!result) return Located(context, std::move(result).error());
    if (!traits_.keeps_nulls) {
      std::vector<const Vector*> pointers;
      for (const Vector& value : values) pointers.push_back(&value);
      MergeNulls(*result, pointers);
    }
    for (const Vector& value : values) {
      if (KindOf(*type_) != Kind::kBool)
        result->owners.insert(result->owners.end(), value.owners.begin(), value.owners.end());
    }
    return std::move(*result);
  }

  std::string ToString() const override {
    const bool infix = arguments_.size() == 2 && name_.find_first_of("=<>+-*/%|~") != std::string::npos;
    if (infix) return "(" + arguments_[0]->ToString() + " " + name_ + " " + arguments_[1]->ToString() + ")";
    std::string out = name_ + "(";
    for (std::size_t i = 0; i < arguments_.size(); i++) out += (i > 0 ? ", " : "") + arguments_[i]->ToString();
    return out + ")";
  }

  bool CanFail() const override {
    return traits_.can_fail || std::ranges::any_of(arguments_, [](const ExpressionPtr& a) { return a->CanFail(); });
  }

 private:
  Result<Vector> EvaluateWithoutNulls(const Context& context, std::vector<Vector> values, std::int64_t rows) const {
    std::vector<Pick> present;
    for (std::int64_t i = 0; i < rows; i++) {
      if (std::ranges::none_of(values, [&](const Vector& v) { return v.IsNull(i); })) present.push_back({0, i});
    }
    const bool all = static_cast<std::int64_t>(present.size()) == rows;
    if (!all) {
      for (Vector& value : values) {
        if (value.constant) {
          value.rows = static_cast<std::int64_t>(present.size());
        } else {
          value = Interleave(value.type, std::span(&value, 1), present);
        }
      }
    }
    auto result = kernel_(values, static_cast<std::int64_t>(present.size()));
    if (!result) return Located(context, std::move(result).error());
    for (const Vector& value : values)
      result->owners.insert(result->owners.end(), value.owners.begin(), value.owners.end());
    if (all) return std::move(*result);
    std::vector<Vector> sources;
    sources.push_back(std::move(*result));
    sources.push_back(NullVector(type_, 1));
    std::vector<Pick> picks(static_cast<std::size_t>(rows), Pick{1, 0});
    for (std::size_t i = 0; i < present.size(); i++) picks[present[i].row] = {0, static_cast<std::int64_t>(i)};
    return Interleave(type_, sources, picks);
  }

  Error Located(const Context& context, Error error) const {
    std::string part(context.text.substr(span_.begin, span_.end - span_.begin));
    if (part.size() > 80) part = part.substr(0, 77) + "...";
    error.message += " in `" + part + "`";
    return error;
  }

  std::string name_;
  std::vector<ExpressionPtr> arguments_;
  Kernel kernel_;
  CallTraits traits_;
};

/// The rows (of `rows`) at `positions`.
std::vector<std::int64_t> Narrow(const Rows& rows, std::span<const std::int64_t> positions) {
  std::vector<std::int64_t> out(positions.size());
  for (std::size_t i = 0; i < positions.size(); i++) out[i] = rows[positions[i]];
  return out;
}

class LogicNode final : public Expression {
 public:
  LogicNode(bool is_and, Span span, std::vector<ExpressionPtr> terms)
      : Expression(Bool(), span), is_and_(is_and), terms_(std::move(terms)) {}

  Result<Vector> Evaluate(const Context& context, const Rows& rows) const override {
    FIRN_TRY(Vector first, terms_[0]->Evaluate(context, rows));
    std::vector<Truth> truths = Spread(std::move(first), rows.count);
    for (std::size_t t = 1; t < terms_.size(); t++) {
      const Truth settled = is_and_ ? kFalse : kTrue;
      const auto open = rows.count - std::ranges::count(truths, settled);
      if (open == 0) break;
      if (open == rows.count || (!terms_[t]->CanFail() && open * kDenseShare > rows.count)) {
        FIRN_TRY(Vector next, terms_[t]->Evaluate(context, rows));
        Combine(truths, next);
      } else {
        FIRN_CHECK(CombineOpen(context, rows, *terms_[t], settled, truths));
      }
    }
    return BoolVector(std::move(truths));
  }
  bool CanFail() const override {
    return std::ranges::any_of(terms_, [](const ExpressionPtr& t) { return t->CanFail(); });
  }
  std::string ToString() const override {
    std::string out = "(";
    for (std::size_t i = 0; i < terms_.size(); i++)
      out += (i > 0 ? (is_and_ ? " AND " : " OR ") : "") + terms_[i]->ToString();
    return out + ")";
  }

 private:
  // With fewer open rows than one in this many, gathering them is cheaper than computing all.
  static constexpr std::int64_t kDenseShare = 8;

  static std::vector<Truth> Spread(Vector v, std::int64_t rows) {
    if (!v.constant) return std::move(v.Get<Truth>());
    return std::vector<Truth>(static_cast<std::size_t>(rows), v.Get<Truth>()[0]);
  }

  void Combine(std::vector<Truth>& truths, const Vector& next) const {
    const Truth* from = next.Get<Truth>().data();
    const std::int64_t step = next.constant ? 0 : 1;
    const auto rows = static_cast<std::int64_t>(truths.size());
    for (std::int64_t i = 0; i < rows; i++) {
      const Truth other = from[i * step];
      truths[i] = static_cast<Truth>(is_and_ ? truths[i] & other : truths[i] | other);
    }
  }

  Status CombineOpen(const Context& context, const Rows& rows, const Expression& term, Truth settled,
                     std::vector<Truth>& truths) const {
    std::vector<std::int64_t> positions;
    for (std::int64_t i = 0; i < rows.count; i++) {
      if (truths[i] != settled) positions.push_back(i);
    }
    const std::vector<std::int64_t> numbers = Narrow(rows, positions);
    FIRN_TRY(const Vector next, term.Evaluate(context, {0, static_cast<std::int64_t>(numbers.size()), numbers.data()}));
    for (std::size_t i = 0; i < positions.size(); i++) {
      const Truth other = next.Get<Truth>()[next.Slot(static_cast<std::int64_t>(i))];
      Truth& truth = truths[positions[i]];
      truth = static_cast<Truth>(is_and_ ? truth & other : truth | other);
    }
    return {};
  }

  bool is_and_;
  std::vector<ExpressionPtr> terms_;
};

class IsNullNode final : public Expression {
 public:
  IsNullNode(Span span, ExpressionPtr value) : Expression(Bool(), span), value_(std::move(value)) {}
  Result<Vector> Evaluate(const Context& context, const Rows& rows) const override {
    if (value_->IsColumn()) return BoolVector(static_cast<const ColumnNode&>(*value_).Nulls(context, rows));
    FIRN_TRY(const Vector value, value_->Evaluate(context, rows));
    std::vector<Truth> out(static_cast<std::size_t>(rows.count));
    for (std::int64_t i = 0; i < rows.count; i++) out[i] = value.IsNull(i) ? kTrue : kFalse;
    return BoolVector(std::move(out));
  }
  bool CanFail() const override { return value_->CanFail(); }
  std::string ToString() const override { return "(" + value_->ToString() + " IS NULL)"; }

 private:
  ExpressionPtr value_;
};

class NotNode final : public Expression {
 public:
  NotNode(Span span, ExpressionPtr value) : Expression(Bool(), span), value_(std::move(value)) {}
  Result<Vector> Evaluate(const Context& context, const Rows& rows) const override {
    FIRN_TRY(Vector v, value_->Evaluate(context, rows));
    for (Truth& truth : v.Get<Truth>()) truth = Not(truth);
    return v;
  }
  bool CanFail() const override { return value_->CanFail(); }
  std::string ToString() const override { return "NOT " + value_->ToString(); }

 private:
  ExpressionPtr value_;
};

/// Computes branches over the rows that they answer, and puts the answers together.
class Branches {
 public:
  Branches(const Context& context, const Rows& rows)
      : context_(context), rows_(rows), picks_(static_cast<std::size_t>(rows.count)) {
    open_.resize(static_cast<std::size_t>(rows.count));
    std::iota(open_.begin(), open_.end(), 0);
  }
  std::span<const std::int64_t> open() const { return open_; }

  Result<Vector> Compute(const Expression& expression, std::span<const std::int64_t> positions) const {
    const std::vector<std::int64_t> numbers = Narrow(rows_, positions);
    return expression.Evaluate(context_, {0, static_cast<std::int64_t>(numbers.size()), numbers.data()});
  }
  /// `values` answers `positions`, item for item; where `take` is false the row stays open.
  void Answer(std::span<const std::int64_t> positions, Vector values, const std::function<bool(std::int64_t)>& take) {
    const auto source = static_cast<std::uint32_t>(sources_.size());
    std::vector<std::int64_t> rest;
    for (std::size_t i = 0; i < positions.size(); i++) {
      if (take(static_cast<std::int64_t>(i))) {
        picks_[positions[i]] = {source, static_cast<std::int64_t>(i)};
      } else {
        rest.push_back(positions[i]);
      }
    }
    sources_.push_back(std::move(values));
    open_ = std::move(rest);
  }
  void SetOpen(std::vector<std::int64_t> open) { open_ = std::move(open); }
  Vector Finish(const TypePtr& type) {
    if (!open_.empty()) {
      std::vector<std::int64_t> rest = std::move(open_);
      Answer(rest, NullVector(type, static_cast<std::int64_t>(rest.size())), [](std::int64_t) { return true; });
    }
    if (sources_.empty()) return MakeVector(type, 0);
    return Interleave(type, sources_, picks_);
  }

 private:
  const Context& context_;
  const Rows& rows_;
  std::vector<std::int64_t> open_;
  std::vector<Vector> sources_;
  std::vector<Pick> picks_;
};

class CaseNode final : public Expression {
 public:
  CaseNode(TypePtr type, Span span, std::vector<ExpressionPtr> conditions, std::vector<ExpressionPtr> values)
      : Expression(std::move(type), span), conditions_(std::move(conditions)), values_(std::move(values)) {}

  Result<Vector> Evaluate(const Context& context, const Rows& rows) const override {
    if (rows.count == 0) return NullVector(type_, 0);
    Branches branches(context, rows);
    const auto always = [](std::int64_t) { return true; };
    for (std::size_t i = 0; i < conditions_.size() && !branches.open().empty(); i++) {
      const std::vector<std::int64_t> open(branches.open().begin(), branches.open().end());
      FIRN_TRY(const Vector condition, branches.Compute(*conditions_[i], open));
      std::vector<std::int64_t> taken;
      std::vector<std::int64_t> rest;
      for (std::size_t r = 0; r < open.size(); r++) {
        const bool is_true = condition.Get<Truth>()[condition.Slot(static_cast<std::int64_t>(r))] == kTrue;
        (is_true ? taken : rest).push_back(open[r]);
      }
      if (!taken.empty()) {
        FIRN_TRY(Vector value, branches.Compute(*values_[i], taken));
        branches.Answer(taken, std::move(value), always);
      }
      branches.SetOpen(std::move(rest));
    }
    if (!branches.open().empty()) {
      const std::vector<std::int64_t> open(branches.open().begin(), branches.open().end());
      FIRN_TRY(Vector value, branches.Compute(*values_.back(), open));
      branches.Answer(open, std::move(value), always);
    }
    return branches.Finish(type_);
  }
  bool CanFail() const override {
    const auto fails = [](const ExpressionPtr& e) { return e->CanFail(); };
    return std::ranges::any_of(conditions_, fails) || std::ranges::any_of(values_, fails);
  }
  std::string ToString() const override {
    std::string out = "CASE";
    for (std::size_t i = 0; i < conditions_.size(); i++) {
      out += " WHEN " + conditions_[i]->ToString() + " THEN " + values_[i]->ToString();
    }
    return out + " ELSE " + values_.back()->ToString() + " END";
  }

 private:
  std::vector<ExpressionPtr> conditions_;
  std::vector<ExpressionPtr> values_;
};

class CoalesceNode final : public Expression {
 public:
  CoalesceNode(TypePtr type, Span span, std::vector<ExpressionPtr> values)
      : Expression(std::move(type), span), values_(std::move(values)) {}

  Result<Vector> Evaluate(const Context& context, const Rows& rows) const override {
    if (rows.count == 0) return NullVector(type_, 0);
    Branches branches(context, rows);
    for (const ExpressionPtr& expression : values_) {
      if (branches.open().empty()) break;
      const std::vector<std::int64_t> open(branches.open().begin(), branches.open().end());
      FIRN_TRY(Vector value, branches.Compute(*expression, open));
      std::vector<bool> present(open.size());
      for (std::size_t i = 0; i < open.size(); i++) present[i] = !value.IsNull(static_cast<std::int64_t>(i));
      branches.Answer(open, std::move(value), [&](std::int64_t i) { return present[static_cast<std::size_t>(i)]; });
    }
    return branches.Finish(type_);
  }
  bool CanFail() const override {
    return std::ranges::any_of(values_, [](const ExpressionPtr& v) { return v->CanFail(); });
  }
  std::string ToString() const override {
    std::string out = "coalesce(";
    for (std::size_t i = 0; i < values_.size(); i++) out += (i > 0 ? ", " : "") + values_[i]->ToString();
    return out + ")";
  }

 private:
  std::vector<ExpressionPtr> values_;
};

}  // namespace

ExpressionPtr MakeLiteral(Vector value, Span span) { return std::make_shared<LiteralNode>(std::move(value), span); }
ExpressionPtr MakeColumn(TypePtr type, Span span, std::size_t column, std::vector<std::size_t> path, std::string name) {
  return std::make_shared<ColumnNode>(std::move(type), span, column, std::move(path), std::move(name));
}
ExpressionPtr MakeColumnComparison(Span span, Comparison op, ExpressionPtr column, ExpressionPtr literal) {
  return std::make_shared<ColumnComparisonNode>(span, op, std::move(column), std::move(literal));
}
ExpressionPtr MakeCall(std::string name, TypePtr type, Span span, std::vector<ExpressionPtr> arguments, Kernel kernel,
                       CallTraits traits) {
  return std::make_shared<CallNode>(std::move(name), std::move(type), span, std::move(arguments), std::move(kernel),
                                    traits);
}
ExpressionPtr MakeLogic(bool is_and, Span span, std::vector<ExpressionPtr> terms) {
  return std::make_shared<LogicNode>(is_and, span, std::move(terms));
}
ExpressionPtr MakeIsNull(Span span, ExpressionPtr value) {
  return std::make_shared<IsNullNode>(span, std::move(value));
}
ExpressionPtr MakeNot(Span span, ExpressionPtr value) { return std::make_shared<NotNode>(span, std::move(value)); }
ExpressionPtr MakeCase(TypePtr type, Span span, std::vector<ExpressionPtr> conditions,
                       std::vector<ExpressionPtr> values) {
  return std::make_shared<CaseNode>(std::move(type), span, std::move(conditions), std::move(values));
}
ExpressionPtr MakeCoalesce(TypePtr type, Span span, std::vector<ExpressionPtr> values) {
  return std::make_shared<CoalesceNode>(std::move(type), span, std::move(values));
}

}  // namespace firn::filter
