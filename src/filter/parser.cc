#include "filter/parser.h"

#include <algorithm>
#include <array>
#include <utility>

namespace firn::filter {
namespace {

// How tightly operators bind, loosest first.
enum Precedence {
  kLowest = 0,
  kOrLevel,
  kAndLevel,
  kNotLevel,
  kIsLevel,
  kLikeLevel,
  kCompareLevel,
  kAddLevel,
  kMultiplyLevel,
  kCastLevel
};

class Parser {
 public:
  Parser(std::string_view text, std::vector<Token> tokens) : text_(text), tokens_(std::move(tokens)) {}

  Result<SyntaxTree> Run() {
    FIRN_TRY(Syntax root, Expression(kLowest));
    if (Peek().kind != TokenKind::kEnd) return Unexpected("expected the end or an operator");
    return SyntaxTree{std::move(root)};
  }

 private:
  // Tokens.
  const Token& Peek(std::size_t ahead = 0) const { return tokens_[std::min(at_ + ahead, tokens_.size() - 1)]; }
  const Token& Take() { return tokens_[at_ + 1 < tokens_.size() ? at_++ : at_]; }
  bool AtWord(std::string_view upper, std::size_t ahead = 0) const {
    return Peek(ahead).kind == TokenKind::kWord && Peek(ahead).upper == upper;
  }
  bool AtSymbol(std::string_view symbol, std::size_t ahead = 0) const {
    return Peek(ahead).kind == TokenKind::kSymbol && Peek(ahead).text == symbol;
  }
  bool TakeWord(std::string_view upper) { return AtWord(upper) && (Take(), true); }
  bool TakeSymbol(std::string_view symbol) { return AtSymbol(symbol) && (Take(), true); }
  Status ExpectSymbol(std::string_view symbol) {
    if (TakeSymbol(symbol)) return {};
    return Unexpected("expected '" + std::string(symbol) + "'");
  }
  Status ExpectWord(std::string_view upper) {
    if (TakeWord(upper)) return {};
    return Unexpected("expected " + std::string(upper));
  }
  Error Unexpected(const std::string& expected) const {
    const Token& token = Peek();
    if (token.kind == TokenKind::kEnd) return ErrorAt(text_, token.span, expected + ", found the end of the filter");
    std::string found(text_.substr(token.span.begin, std::min<std::size_t>(token.span.end - token.span.begin, 40)));
    return ErrorAt(text_, token.span, expected + ", found `" + found + "`");
  }

  // Nodes.
  Result<Syntax> Node(SyntaxKind kind, std::size_t begin, std::vector<Syntax> children, std::string text = {}) const {
    Syntax node;
    node.kind = kind;
    node.span = {begin, at_ == 0 ? begin : tokens_[at_ - 1].span.end};
    node.text = std::move(text);
    for (const Syntax& child : children) node.depth = std::max(node.depth, child.depth + 1);
    if (node.depth > kMaxDepth) return TooDeep(node.span);
    node.children = std::move(children);
    return node;
  }
  Error TooDeep(Span at) const {
    return ErrorAt(text_, at, "the filter nests more than " + std::to_string(kMaxDepth) + " deep",
                   "long lists of values are shorter with IN (...)");
  }
  static std::vector<Syntax> Children(Syntax a) {
    std::vector<Syntax> list;
    list.push_back(std::move(a));
    return list;
  }
  static std::vector<Syntax> Children(Syntax a, Syntax b) {
    std::vector<Syntax> list = Children(std::move(a));
    list.push_back(std::move(b));
    return list;
  }

  // Expressions: precedence climbing.
  Result<Syntax> Expression(int above) {
    if (++open_ > kMaxDepth) return TooDeep(Peek().span);
    FIRN_TRY(Syntax left, Prefix());
    while (true) {
      const int level = NextLevel();
      if (level <= above) break;
      FIRN_TRY(left, Infix(std::move(left), level));
    }
    open_--;
    return left;
  }

  int NextLevel() const {
    const Token& token = Peek();
    if (token.kind == TokenKind::kWord) {
      if (token.upper == "OR") return kOrLevel;
      if (token.upper == "AND") return kAndLevel;
      if (token.upper == "IS") return kIsLevel;
      const std::size_t skip = token.upper == "NOT" ? 1 : 0;
      if (AtWord("LIKE", skip) || AtWord("ILIKE", skip)) return kLikeLevel;
      if (AtWord("IN", skip) || AtWord("BETWEEN", skip)) return kCompareLevel;
      return kLowest;
    }
    if (token.kind != TokenKind::kSymbol) return kLowest;
    const std::string& symbol = token.text;
    if (symbol == "=" || symbol == "==" || symbol == "!=" || symbol == "<>" || symbol == "<" || symbol == "<=" ||
        symbol == ">" || symbol == ">=") {
      return kCompareLevel;
    }
    if (symbol == "~" || symbol == "~*" || symbol == "!~" || symbol == "!~*") return kLikeLevel;
    if (symbol == "+" || symbol == "-") return kAddLevel;
    if (symbol == "*" || symbol == "/" || symbol == "%" || symbol == "||") return kMultiplyLevel;
    if (symbol == "::" || symbol == "[" || symbol == ".") return kCastLevel;
    return kLowest;
  }

  Result<Syntax> Infix(Syntax left, int level) {
    const std::size_t begin = left.span.begin;
    const Token& op = Take();
    if (op.kind == TokenKind::kWord) {
      if (level == kAndLevel || level == kOrLevel) return Chain(std::move(left), level);
      if (level == kIsLevel) return Is(std::move(left));
      const bool negated = op.upper == "NOT";
      const std::string word = negated ? Take().upper : op.upper;
      FIRN_TRY(Syntax node, word == "IN"        ? In(std::move(left))
                            : word == "BETWEEN" ? Between(std::move(left))
                                                : Like(std::move(left), word == "ILIKE"));
      node.negated = negated;
      return node;
    }
    if (op.text == "::") {
      FIRN_TRY(std::string type, TypeName());
      FIRN_TRY(Syntax node, Node(SyntaxKind::kCast, begin, Children(std::move(left))));
      node.type_name = std::move(type);
      return node;
    }
    if (op.text == ".") {
      const Token& name = Peek();
      if (name.kind != TokenKind::kWord && name.kind != TokenKind::kQuotedWord)
        return Unexpected("expected a field name after '.'");
      Take();
      FIRN_TRY(Syntax node, Node(SyntaxKind::kField, begin, Children(std::move(left)), name.text));
      node.quoted = name.kind == TokenKind::kQuotedWord;
      return node;
    }
    if (op.text == "[") return Subscript(std::move(left));
    std::string symbol = op.text == "==" ? "=" : op.text == "!=" ? "<>" : op.text;
    FIRN_TRY(Syntax right, Expression(level));
    return Node(SyntaxKind::kBinary, begin, Children(std::move(left), std::move(right)), std::move(symbol));
  }

  /// a AND b AND c is one node, so that long filters do not nest.
  Result<Syntax> Chain(Syntax left, int level) {
    const std::size_t begin = left.span.begin;
    std::vector<Syntax> terms = Children(std::move(left));
    do {
      FIRN_TRY(Syntax term, Expression(level));
      terms.push_back(std::move(term));
    } while (TakeWord(level == kAndLevel ? "AND" : "OR"));
    return Node(level == kAndLevel ? SyntaxKind::kAnd : SyntaxKind::kOr, begin, std::move(terms));
  }

  Result<Syntax> Is(Syntax value) {
    const std::size_t begin = value.span.begin;
    const bool negated = TakeWord("NOT");
    if (TakeWord("DISTINCT")) {
      FIRN_CHECK(ExpectWord("FROM"));
      FIRN_TRY(Syntax right, Expression(kCompareLevel));
      FIRN_TRY(Syntax node, Node(SyntaxKind::kDistinct, begin, Children(std::move(value), std::move(right))));
      node.negated = negated;
      return node;
    }
    for (const std::string_view word : {"NULL", "TRUE", "FALSE", "UNKNOWN"}) {
      if (!TakeWord(word)) continue;
      FIRN_TRY(Syntax node, Node(SyntaxKind::kIs, begin, Children(std::move(value)), std::string(word)));
      node.negated = negated;
      return node;
    }
    return Unexpected("expected NULL, TRUE, FALSE, UNKNOWN or DISTINCT FROM after IS");
  }

  Result<Syntax> In(Syntax value) {
    const std::size_t begin = value.span.begin;
    std::vector<Syntax> children = Children(std::move(value));
    FIRN_CHECK(ExpectSymbol("("));
    FIRN_CHECK(Arguments(children, ")", kMaxInList + 1));
    if (children.size() == 1) return ErrorAt(text_, tokens_[at_ - 1].span, "IN needs at least one value");
    return Node(SyntaxKind::kIn, begin, std::move(children));
  }

  Result<Syntax> Between(Syntax value) {
    const std::size_t begin = value.span.begin;
    std::vector<Syntax> children = Children(std::move(value));
    FIRN_TRY(Syntax low, Expression(kCompareLevel));
    FIRN_CHECK(ExpectWord("AND"));
    FIRN_TRY(Syntax high, Expression(kCompareLevel));
    children.push_back(std::move(low));
    children.push_back(std::move(high));
    return Node(SyntaxKind::kBetween, begin, std::move(children));
  }

  Result<Syntax> Like(Syntax value, bool ignore_case) {
    const std::size_t begin = value.span.begin;
    FIRN_TRY(Syntax pattern, Expression(kLikeLevel));
    std::string escape = "\\";
    if (TakeWord("ESCAPE")) {
      const Token& token = Peek();
      if (token.kind != TokenKind::kString || token.text.size() != 1)
        return Unexpected("ESCAPE needs one ASCII character in quotes");
      escape = Take().text;
    }
    FIRN_TRY(Syntax node,
             Node(SyntaxKind::kLike, begin, Children(std::move(value), std::move(pattern)), ignore_case ? "i" : ""));
    node.type_name = std::move(escape);
    return node;
  }

  Result<Syntax> Subscript(Syntax value) {
    const std::size_t begin = value.span.begin;
    if (Peek().kind == TokenKind::kString && AtSymbol("]", 1)) {
      std::string name = Take().text;
      Take();
      FIRN_TRY(Syntax node, Node(SyntaxKind::kField, begin, Children(std::move(value)), std::move(name)));
      node.quoted = true;
      return node;
    }
    FIRN_TRY(Syntax index, Expression(kLowest));
    FIRN_CHECK(ExpectSymbol("]"));
    return Node(SyntaxKind::kIndex, begin, Children(std::move(value), std::move(index)));
  }

  /// Comma-separated expressions up to `close`, appended to `list` until it holds `most`.
  Status Arguments(std::vector<Syntax>& list, std::string_view close, std::size_t most) {
    if (TakeSymbol(close)) return {};
    do {
      FIRN_TRY(Syntax value, Expression(kLowest));
      if (list.size() >= most) {
        return ErrorAt(text_, value.span, "a list of more than " + std::to_string(kMaxInList) + " values");
      }
      list.push_back(std::move(value));
    } while (TakeSymbol(","));
    return ExpectSymbol(close);
  }

  // What an expression begins with.
  Result<Syntax> Prefix() {
    const Token& token = Peek();
    const std::size_t begin = token.span.begin;
    switch (token.kind) {
      case TokenKind::kNumber:
        return Leaf(SyntaxKind::kNumber);
      case TokenKind::kString:
        return Leaf(SyntaxKind::kString);
      case TokenKind::kHex:
        return Leaf(SyntaxKind::kHex);
      case TokenKind::kQuotedWord:
        return Leaf(SyntaxKind::kName);
      case TokenKind::kWord:
        return Word();
      case TokenKind::kEnd:
        return Unexpected("expected a value");
      case TokenKind::kSymbol:
        break;
    }
    if (TakeSymbol("(")) {
      FIRN_TRY(Syntax inner, Expression(kLowest));
      FIRN_CHECK(ExpectSymbol(")"));
      inner.span = {begin, tokens_[at_ - 1].span.end};
      return inner;
    }
    if (TakeSymbol("[")) return ArrayLiteral(begin);
    if (TakeSymbol("+")) return Expression(kMultiplyLevel);
    if (TakeSymbol("-")) {
      if (Peek().kind == TokenKind::kNumber && !AtSymbol("::", 1)) {
        FIRN_TRY(Syntax number, Leaf(SyntaxKind::kNumber));
        number.text.insert(0, "-");
        number.span.begin = begin;
        return number;
      }
      FIRN_TRY(Syntax value, Expression(kMultiplyLevel));
      return Node(SyntaxKind::kNegate, begin, Children(std::move(value)));
    }
    return Unexpected("expected a value");
  }

  Result<Syntax> Leaf(SyntaxKind kind) {
    const Token& token = Take();
    FIRN_TRY(Syntax node, Node(kind, token.span.begin, {}, token.text));
    node.quoted = token.kind == TokenKind::kQuotedWord;
    return node;
  }

  Result<Syntax> Word() {
    const std::size_t begin = Peek().span.begin;
    const std::string upper = Peek().upper;
    static constexpr std::array<std::string_view, 14> kReserved = {
        "AND", "OR", "IS", "IN", "LIKE", "ILIKE", "BETWEEN", "WHEN", "THEN", "ELSE", "END", "ESCAPE", "FROM", "SELECT"};
    if (std::ranges::find(kReserved, upper) != kReserved.end()) {
      return Unexpected("expected a value");
    }
    if (TakeWord("NOT")) {
      FIRN_TRY(Syntax value, Expression(kNotLevel - 1));
      return Node(SyntaxKind::kNot, begin, Children(std::move(value)));
    }
    if (upper == "NULL") return Take(), Node(SyntaxKind::kNull, begin, {});
    if (upper == "TRUE" || upper == "FALSE") return Take(), Node(SyntaxKind::kBoolean, begin, {}, upper);
    if (TakeWord("CASE")) return Case(begin);
    if (Peek(1).kind == TokenKind::kString) {
      if (upper == "DATE" || upper == "TIMESTAMP" || upper == "TIME") {
        Take();
        FIRN_TRY(Syntax node, Node(SyntaxKind::kTypedLiteral, begin, {}, Take().text));
        node.type_name = upper;
        return node;
      }
      if (upper == "INTERVAL") return Take(), Interval(begin);
    }
    if (upper == "ARRAY" && AtSymbol("[", 1)) return Take(), Take(), ArrayLiteral(begin);
    if (!AtSymbol("(", 1)) {
      if (upper == "CURRENT_DATE" || upper == "CURRENT_TIMESTAMP") {
        return Take(), Node(SyntaxKind::kCall, begin, {}, upper == "CURRENT_DATE" ? "current_date" : "now");
      }
      return Leaf(SyntaxKind::kName);
    }
    Take();
    Take();
    if (upper == "CAST" || upper == "TRY_CAST") return CastCall(begin, upper == "TRY_CAST");
    if (upper == "EXTRACT" && AtWord("FROM", 1)) return Extract(begin);
    if (upper == "TRIM") return Trim(begin);
    std::string name(upper);
    for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    if (upper == "POSITION") return Position(begin);
    std::vector<Syntax> arguments;
    if ((upper == "SUBSTRING" || upper == "SUBSTR") && !AtSymbol(")")) return Substring(begin);
    FIRN_CHECK(Arguments(arguments, ")", kMaxInList));
    return Node(SyntaxKind::kCall, begin, std::move(arguments), std::move(name));
  }

  Result<Syntax> ArrayLiteral(std::size_t begin) {
    std::vector<Syntax> items;
    FIRN_CHECK(Arguments(items, "]", kMaxInList));
    return Node(SyntaxKind::kArray, begin, std::move(items));
  }

  /// INTERVAL '1 day', INTERVAL '1' DAY.
  Result<Syntax> Interval(std::size_t begin) {
    std::string text = Take().text;
    for (const std::string_view unit : {"YEAR", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "SECOND"}) {
      if (!AtWord(unit) && !AtWord(std::string(unit) + "S")) continue;
      text += " " + Take().upper;
      break;
    }
    return Node(SyntaxKind::kInterval, begin, {}, std::move(text));
  }

  /// [operand] (WHEN x THEN y)* [ELSE z] END, after CASE.
  Result<Syntax> Case(std::size_t begin) {
    std::vector<Syntax> children;
    const bool operand = !AtWord("WHEN");
    if (operand) {
      FIRN_TRY(Syntax value, Expression(kLowest));
      children.push_back(std::move(value));
    }
    if (!AtWord("WHEN")) return Unexpected("expected WHEN");
    while (TakeWord("WHEN")) {
      FIRN_TRY(Syntax when, Expression(kLowest));
      FIRN_CHECK(ExpectWord("THEN"));
      FIRN_TRY(Syntax then, Expression(kLowest));
      children.push_back(std::move(when));
      children.push_back(std::move(then));
    }
    const bool otherwise = TakeWord("ELSE");
    if (otherwise) {
      FIRN_TRY(Syntax value, Expression(kLowest));
      children.push_back(std::move(value));
    }
    FIRN_CHECK(ExpectWord("END"));
    FIRN_TRY(Syntax node, Node(SyntaxKind::kCase, begin, std::move(children)));
    node.case_operand = operand;
    node.case_else = otherwise;
    return node;
  }

  Result<Syntax> CastCall(std::size_t begin, bool is_try) {
    FIRN_TRY(Syntax value, Expression(kLowest));
    FIRN_CHECK(ExpectWord("AS"));
    FIRN_TRY(std::string type, TypeName());
    FIRN_CHECK(ExpectSymbol(")"));
    FIRN_TRY(Syntax node, Node(SyntaxKind::kCast, begin, Children(std::move(value)), is_try ? "try" : ""));
    node.type_name = std::move(type);
    return node;
  }

  /// EXTRACT(YEAR FROM x) is date_part('year', x).
  Result<Syntax> Extract(std::size_t begin) {
    FIRN_TRY(Syntax part, Leaf(SyntaxKind::kString));
    FIRN_CHECK(ExpectWord("FROM"));
    FIRN_TRY(Syntax value, Expression(kLowest));
    FIRN_CHECK(ExpectSymbol(")"));
    return Node(SyntaxKind::kCall, begin, Children(std::move(part), std::move(value)), "date_part");
  }

  /// TRIM(x), TRIM(x, 'ab'), TRIM([BOTH | LEADING | TRAILING] ['ab'] FROM x).
  Result<Syntax> Trim(std::size_t begin) {
    std::string name = "btrim";
    const bool side = AtWord("BOTH") || AtWord("LEADING") || AtWord("TRAILING");
    if (side) {
      const std::string word = Take().upper;
      if (word != "BOTH") name = word == "LEADING" ? "ltrim" : "rtrim";
    }
    std::vector<Syntax> arguments;
    if (!(side && AtWord("FROM"))) {
      FIRN_TRY(Syntax first, Expression(kLowest));
      arguments.push_back(std::move(first));
    }
    if (TakeWord("FROM")) {
      FIRN_TRY(Syntax value, Expression(kLowest));
      arguments.insert(arguments.begin(), std::move(value));
    } else if (!side && TakeSymbol(",")) {
      FIRN_TRY(Syntax characters, Expression(kLowest));
      arguments.push_back(std::move(characters));
    }
    FIRN_CHECK(ExpectSymbol(")"));
    return Node(SyntaxKind::kCall, begin, std::move(arguments), std::move(name));
  }

  /// POSITION('b' IN x) is strpos(x, 'b').
  Result<Syntax> Position(std::size_t begin) {
    FIRN_TRY(Syntax needle, Expression(kCompareLevel));
    FIRN_CHECK(ExpectWord("IN"));
    FIRN_TRY(Syntax value, Expression(kCompareLevel));
    FIRN_CHECK(ExpectSymbol(")"));
    return Node(SyntaxKind::kCall, begin, Children(std::move(value), std::move(needle)), "strpos");
  }

  /// SUBSTRING(x, from [, count]), SUBSTRING(x [FROM n] [FOR n]).
  Result<Syntax> Substring(std::size_t begin) {
    std::vector<Syntax> arguments;
    FIRN_TRY(Syntax value, Expression(kLowest));
    arguments.push_back(std::move(value));
    if (AtWord("FROM") || AtWord("FOR")) {
      if (TakeWord("FROM")) {
        FIRN_TRY(Syntax from, Expression(kLowest));
        arguments.push_back(std::move(from));
      } else {
        FIRN_TRY(Syntax one, Node(SyntaxKind::kNumber, Peek().span.begin, {}, "1"));
        arguments.push_back(std::move(one));
      }
      if (TakeWord("FOR")) {
        FIRN_TRY(Syntax count, Expression(kLowest));
        arguments.push_back(std::move(count));
      }
      FIRN_CHECK(ExpectSymbol(")"));
    } else if (TakeSymbol(",")) {
      FIRN_CHECK(Arguments(arguments, ")", 8));
    } else {
      FIRN_CHECK(ExpectSymbol(")"));
    }
    return Node(SyntaxKind::kCall, begin, std::move(arguments), "substr");
  }

  /// A type as written, in capitals with single spaces: "BIGINT UNSIGNED", "DECIMAL(10,2)".
  Result<std::string> TypeName() {
    if (Peek().kind != TokenKind::kWord) return Unexpected("expected a type name");
    std::string name = Take().upper;
    if (name == "DOUBLE" && TakeWord("PRECISION")) return name;
    if (TakeSymbol("(")) {
      name += "(";
      while (!AtSymbol(")")) {
        if (Peek().kind != TokenKind::kNumber && !AtSymbol(",")) return Unexpected("expected a number in the type");
        name += Take().text;
      }
      Take();
      name += ")";
    }
    if (TakeWord("UNSIGNED")) name += " UNSIGNED";
    return name;
  }

  std::string_view text_;
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  int open_ = 0;
};

}  // namespace

Result<SyntaxTree> Parse(std::string_view text) {
  if (text.size() > kMaxTextBytes) {
    return InvalidArgument("the filter is " + std::to_string(text.size()) + " bytes long, more than the most of " +
                               std::to_string(kMaxTextBytes),
                           "shorten the list of values, or filter in several requests");
  }
  if (text.find('\0') != std::string_view::npos)
    return ErrorAt(text, {text.find('\0'), text.size()}, "a zero byte in the filter");
  FIRN_TRY(std::vector<Token> tokens, Tokenize(text));
  return Parser(text, std::move(tokens)).Run();
}

}  // namespace firn::filter
