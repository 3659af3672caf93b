// LIKE, ~ and the regexp_ functions. Regular expressions are RE2's: linear in the text, bounded in memory.

#include <re2/re2.h>

#include <map>

#include "filter/functions.h"
#include "filter/like.h"
#include "filter/types.h"

namespace firn::filter {
namespace {

using arrow::TypePtr;
using View = std::string_view;
using RegexPtr = std::shared_ptr<const re2::RE2>;

constexpr std::int64_t kRegexMemory = 8 << 20;

Result<RegexPtr> Compile(View pattern, bool ignore_case, bool dot_matches_newline, bool multi_line) {
  re2::RE2::Options options;
  options.set_max_mem(kRegexMemory);
  options.set_log_errors(false);
  options.set_case_sensitive(!ignore_case);
  options.set_dot_nl(dot_matches_newline);
  const std::string whole = (multi_line ? "(?m)" : "") + std::string(pattern);
  auto regex = std::make_shared<const re2::RE2>(re2::StringPiece(whole.data(), whole.size()), options);
  if (!regex->ok()) {
    std::string shown(pattern.substr(0, 60));
    return InvalidArgument("the regular expression '" + shown + "' is not valid: " + regex->error(),
                           "the syntax is RE2's: no look-around, no back-references");
  }
  return RegexPtr(std::move(regex));
}

struct Flags {
  bool ignore_case = false;
  bool dot_matches_newline = false;
  bool multi_line = false;
  bool all = false;  // g: regexp_replace
};
Result<Flags> ParseFlags(View text, bool allow_all) {
  Flags flags;
  for (const char c : text) {
    if (c == 'i') {
      flags.ignore_case = true;
    } else if (c == 's') {
      flags.dot_matches_newline = true;
    } else if (c == 'm') {
      flags.multi_line = true;
    } else if (c == 'g' && allow_all) {
      flags.all = true;
    } else {
      return InvalidArgument(std::string("unknown flag '") + c + "'",
                             allow_all ? "flags are i, m, s, g" : "flags are i, m, s");
    }
  }
  return flags;
}

/// Compiles each pattern once: a constant one while binding, others as they come (the last one is kept).
class Patterns {
 public:
  Patterns(RegexPtr constant, Flags flags) : constant_(std::move(constant)), flags_(flags) {}
  Result<const re2::RE2*> For(View pattern) {
    if (constant_ != nullptr) return constant_.get();
    if (last_ == nullptr || pattern != last_pattern_) {
      FIRN_TRY(last_, Compile(pattern, flags_.ignore_case, flags_.dot_matches_newline, flags_.multi_line));
      last_pattern_ = pattern;
    }
    return last_.get();
  }

 private:
  RegexPtr constant_;
  Flags flags_;
  RegexPtr last_;
  std::string last_pattern_;
};

struct Prepared {
  std::vector<TypePtr> types;
  RegexPtr constant;
  Flags flags;
};

/// regexp_x(text, pattern ..., flags at `flags_at` when given, constant).
Result<Prepared> Prepare(const Arguments& a, std::size_t flags_at, bool allow_all) {
  Prepared prepared;
  for (std::size_t i = 0; i < a.size(); i++) {
    if (a.type(i)->id != arrow::TypeId::kNull && !IsTextual(*a.type(i))) return a.Wants(i, "text");
    prepared.types.push_back(a.type(i)->id == arrow::TypeId::kNull ? Utf8() : a.type(i));
  }
  if (a.size() > flags_at) {
    const Vector* flags = a.literal(flags_at);
    if (flags == nullptr) return a.Wants(flags_at, "constant flags");
    FIRN_TRY(prepared.flags, ParseFlags(flags->Get<View>()[0], allow_all));
  }
  if (const Vector* pattern = a.literal(1)) {
    const Flags& f = prepared.flags;
    FIRN_TRY(prepared.constant, Compile(pattern->Get<View>()[0], f.ignore_case, f.dot_matches_newline, f.multi_line));
  }
  return prepared;
}

View At(std::span<const Vector> args, std::size_t a, std::int64_t row) {
  return args[a].Get<View>()[args[a].Slot(row)];
}

BoundFunction MatchFunction(Prepared prepared) {
  const bool fails = prepared.constant == nullptr;
  Kernel kernel = [constant = prepared.constant, flags = prepared.flags](std::span<const Vector> args,
                                                                         std::int64_t rows) -> Result<Vector> {
    Patterns patterns(constant, flags);
    std::vector<Truth> out(static_cast<std::size_t>(rows));
    for (std::int64_t i = 0; i < rows; i++) {
      FIRN_TRY(const re2::RE2* regex, patterns.For(At(args, 1, i)));
      const View text = At(args, 0, i);
      out[i] = re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), *regex) ? kTrue : kFalse;
    }
    return BoolVector(std::move(out));
  };
  return {Bool(), std::move(prepared.types), std::move(kernel), {.can_fail = fails}};
}

Result<BoundFunction> RegexpLike(const Arguments& a) {
  FIRN_TRY(Prepared prepared, Prepare(a, 2, false));
  return MatchFunction(std::move(prepared));
}

/// The groups of the first match (the whole match when there are none) as a list; NULL when nothing matches.
Result<BoundFunction> RegexpMatch(const Arguments& a) {
  FIRN_TRY(Prepared prepared, Prepare(a, 2, false));
  const TypePtr type = arrow::List(Utf8());
  Kernel kernel = [type, constant = prepared.constant, flags = prepared.flags](std::span<const Vector> args,
                                                                               std::int64_t rows) -> Result<Vector> {
    Patterns patterns(constant, flags);
    Vector out = MakeVector(type, rows);
    Lists lists;
    std::vector<View> items;
    std::vector<std::uint8_t> valid;
    for (std::int64_t i = 0; i < rows; i++) {
      FIRN_TRY(const re2::RE2* regex, patterns.For(At(args, 1, i)));
      const View text = At(args, 0, i);
      const int groups = regex->NumberOfCapturingGroups();
      std::vector<re2::StringPiece> found(static_cast<std::size_t>(groups) + 1);
      const auto begin = static_cast<std::int64_t>(items.size());
      if (regex->Match(re2::StringPiece(text.data(), text.size()), 0, text.size(), re2::RE2::UNANCHORED, found.data(),
                       groups + 1)) {
        for (int g = groups > 0 ? 1 : 0; g <= groups; g++) {
          items.emplace_back(found[g].data(), found[g].size());
          valid.push_back(found[g].data() != nullptr ? 1 : 0);
        }
      } else {
        SetNull(out, i);
      }
      lists.ranges.push_back({begin, static_cast<std::int64_t>(items.size())});
    }
    Vector texts = MakeVector(Utf8(), static_cast<std::int64_t>(items.size()));
    texts.data = std::move(items);
    texts.valid = std::move(valid);
    lists.items = std::make_shared<Vector>(std::move(texts));
    out.data = std::move(lists);
    return out;
  };
  return BoundFunction{type, std::move(prepared.types), std::move(kernel), {.can_fail = prepared.constant == nullptr}};
}

Result<BoundFunction> RegexpReplace(const Arguments& a) {
  FIRN_TRY(Prepared prepared, Prepare(a, 3, true));
  Kernel kernel = [constant = prepared.constant, flags = prepared.flags](std::span<const Vector> args,
                                                                         std::int64_t rows) -> Result<Vector> {
    Patterns patterns(constant, flags);
    TextWriter writer(rows);
    for (std::int64_t i = 0; i < rows; i++) {
      FIRN_TRY(const re2::RE2* regex, patterns.For(At(args, 1, i)));
      const View text = At(args, 0, i);
      const View to = At(args, 2, i);
      if (text.size() * (to.size() + 1) > kMaxComputedText)
        return InvalidArgument("regexp_replace() of a text this long");
      std::string changed(text);
      const re2::StringPiece rewrite(to.data(), to.size());
      if (flags.all) {
        re2::RE2::GlobalReplace(&changed, *regex, rewrite);
      } else {
        re2::RE2::Replace(&changed, *regex, rewrite);
      }
      writer.Append(changed);
      FIRN_CHECK(writer.Close());
    }
    return writer.Finish(Utf8());
  };
  return BoundFunction{Utf8(), std::move(prepared.types), std::move(kernel), {.can_fail = true}};
}

Result<BoundFunction> RegexpCount(const Arguments& a) {
  FIRN_TRY(Prepared prepared, Prepare(a, 2, false));
  Kernel kernel = [constant = prepared.constant, flags = prepared.flags](std::span<const Vector> args,
                                                                         std::int64_t rows) -> Result<Vector> {
    Patterns patterns(constant, flags);
    Vector out = MakeVector(Int64(), rows);
    for (std::int64_t i = 0; i < rows; i++) {
      FIRN_TRY(const re2::RE2* regex, patterns.For(At(args, 1, i)));
      const View text = At(args, 0, i);
      const re2::StringPiece piece(text.data(), text.size());
      re2::StringPiece found;
      std::int64_t count = 0;
      for (std::size_t at = 0;
           at <= text.size() && regex->Match(piece, at, text.size(), re2::RE2::UNANCHORED, &found, 1); count++) {
        at = static_cast<std::size_t>(found.data() - text.data()) + std::max<std::size_t>(found.size(), 1);
      }
      out.Get<std::int64_t>()[i] = count;
    }
    return out;
  };
  return BoundFunction{
      Int64(), std::move(prepared.types), std::move(kernel), {.can_fail = prepared.constant == nullptr}};
}

constexpr Function kFunctions[] = {
    {"regexp_like", 2, 3, RegexpLike},
    {"regexp_match", 2, 3, RegexpMatch},
    {"regexp_replace", 3, 4, RegexpReplace},
    {"regexp_count", 2, 3, RegexpCount},
};

}  // namespace

Result<BoundFunction> BindRegex(const Arguments& arguments, bool ignore_case) {
  FIRN_TRY(Prepared prepared, Prepare(arguments, 2, false));
  prepared.flags.ignore_case = ignore_case;
  if (const Vector* pattern = arguments.literal(1); pattern != nullptr && ignore_case) {
    FIRN_TRY(prepared.constant, Compile(pattern->Get<View>()[0], true, false, false));
  }
  return MatchFunction(std::move(prepared));
}

Result<BoundFunction> BindLike(const Arguments& arguments, bool ignore_case, char escape) {
  for (std::size_t i = 0; i < 2; i++) {
    const TypePtr& type = arguments.type(i);
    if (type->id != arrow::TypeId::kNull && !IsTextual(*type)) return arguments.Wants(i, "text");
  }
  BoundFunction f{Bool(), {}, {}, {}};
  for (std::size_t i = 0; i < 2; i++)
    f.argument_types.push_back(arguments.type(i)->id == arrow::TypeId::kNull ? Utf8() : arguments.type(i));
  const Vector* constant = arguments.literal(1);
  if (ignore_case) {
    Prepared prepared{f.argument_types, nullptr, {}};
    if (constant != nullptr) {
      FIRN_TRY(prepared.constant, Compile(LikePattern::ToRegex(constant->Get<View>()[0], escape), true, true, false));
    }
    f.traits.can_fail = constant == nullptr;
    f.kernel = [escape, regex = prepared.constant](std::span<const Vector> args, std::int64_t rows) -> Result<Vector> {
      Patterns patterns(regex, {.ignore_case = true, .dot_matches_newline = true});
      std::vector<Truth> out(static_cast<std::size_t>(rows));
      for (std::int64_t i = 0; i < rows; i++) {
        const View text = At(args, 0, i);
        FIRN_TRY(const re2::RE2* compiled,
                 patterns.For(regex != nullptr ? View() : View(LikePattern::ToRegex(At(args, 1, i), escape))));
        out[i] = re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), *compiled) ? kTrue : kFalse;
      }
      return BoolVector(std::move(out));
    };
    return f;
  }
  std::shared_ptr<const LikePattern> prepared;
  if (constant != nullptr) prepared = std::make_shared<const LikePattern>(constant->Get<View>()[0], escape);
  f.kernel = [escape, prepared](std::span<const Vector> args, std::int64_t rows) -> Result<Vector> {
    std::vector<Truth> out(static_cast<std::size_t>(rows));
    const Reader<View> texts(args[0]);
    for (std::int64_t i = 0; i < rows; i++) {
      const bool match =
          prepared != nullptr ? prepared->Matches(texts[i]) : LikePattern(At(args, 1, i), escape).Matches(texts[i]);
      out[i] = match ? kTrue : kFalse;
    }
    return BoolVector(std::move(out));
  };
  return f;
}

std::span<const Function> PatternFunctions() { return kFunctions; }

}  // namespace firn::filter
