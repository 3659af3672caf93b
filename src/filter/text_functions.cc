#include <algorithm>
#include <limits>

#include "filter/functions.h"
#include "filter/types.h"
#include "filter/utf8.h"

namespace firn::filter {
namespace {

using arrow::TypePtr;
using Texts = Reader<std::string_view>;
using Ints = Reader<std::int64_t>;
using View = std::string_view;

/// Text as it is; NULL as text.
Result<TypePtr> WantText(const Arguments& a, std::size_t i) {
  if (a.type(i)->id == arrow::TypeId::kNull) return Utf8();
  if (IsTextual(*a.type(i))) return a.type(i);
  return a.Wants(i, "text");
}
Result<TypePtr> WantWhole(const Arguments& a, std::size_t i) {
  if (a.type(i)->id == arrow::TypeId::kNull || arrow::IsInteger(a.type(i)->id)) return Int64();
  return a.Wants(i, "a whole number");
}
/// Text, or something that has a text form.
Result<TypePtr> WantPrintable(const Arguments& a, std::size_t i) {
  const Kind kind = KindOf(*a.type(i));
  if (kind == Kind::kText) return WantText(a, i);
  if (kind == Kind::kList || kind == Kind::kStruct || a.type(i)->id == arrow::TypeId::kDuration)
    return a.Wants(i, "text");
  return Utf8();
}

/// Checks arguments against a pattern of t (text), i (whole number).
Result<std::vector<TypePtr>> Shape(const Arguments& a, View pattern) {
  std::vector<TypePtr> types;
  for (std::size_t i = 0; i < a.size(); i++) {
    FIRN_TRY(TypePtr type, pattern[i] == 't' ? WantText(a, i) : WantWhole(a, i));
    types.push_back(std::move(type));
  }
  return types;
}

/// text -> text, one part of the input: no copy.
template <class F>
BoundFunction Slice(std::vector<TypePtr> types, F slice) {
  Kernel kernel = [slice](std::span<const Vector> args, std::int64_t rows) -> Result<Vector> {
    Vector out = MakeVector(Utf8(), rows);
    for (std::int64_t i = 0; i < rows; i++) {
      if (std::ranges::any_of(args, [&](const Vector& v) { return v.IsNull(i); })) continue;
      out.Get<View>()[i] = slice(args, i);
    }
    return out;
  };
  return {Utf8(), std::move(types), std::move(kernel), {}};
}

/// text -> new text.
template <class F>
BoundFunction Write(std::vector<TypePtr> types, F write) {
  Kernel kernel = [write](std::span<const Vector> args, std::int64_t rows) -> Result<Vector> {
    TextWriter writer(rows);
    for (std::int64_t i = 0; i < rows; i++) {
      write(args, i, writer);
      FIRN_CHECK(writer.Close());
    }
    return writer.Finish(Utf8());
  };
  return {Utf8(), std::move(types), std::move(kernel), {.can_fail = true}};
}

/// text -> whole number.
template <class F>
BoundFunction Count(std::vector<TypePtr> types, F count) {
  Kernel kernel = [count](std::span<const Vector> args, std::int64_t rows) -> Result<Vector> {
    Vector out = MakeVector(Int64(), rows);
    for (std::int64_t i = 0; i < rows; i++) {
      if (std::ranges::any_of(args, [&](const Vector& v) { return v.IsNull(i); })) continue;
      out.Get<std::int64_t>()[i] = count(args, i);
    }
    return out;
  };
  return {Int64(), std::move(types), std::move(kernel), {}};
}

View TextAt(std::span<const Vector> args, std::size_t a, std::int64_t row) {
  return args[a].Get<View>()[args[a].Slot(row)];
}
std::int64_t IntAt(std::span<const Vector> args, std::size_t a, std::int64_t row) {
  return args[a].Get<std::int64_t>()[args[a].Slot(row)];
}

Result<BoundFunction> Test(const Arguments& a, bool (*test)(View, View)) {
  FIRN_TRY(auto types, Shape(a, "tt"));
  Kernel kernel = [test](std::span<const Vector> args, std::int64_t rows) -> Result<Vector> {
    const Texts x(args[0]);
    const Texts y(args[1]);
    std::vector<Truth> out(static_cast<std::size_t>(rows));
    for (std::int64_t i = 0; i < rows; i++) out[i] = test(x[i], y[i]) ? kTrue : kFalse;
    return BoolVector(std::move(out));
  };
  return BoundFunction{Bool(), std::move(types), std::move(kernel), {}};
}

enum class Side { kBoth, kLeft, kRight };
Result<BoundFunction> Trim(const Arguments& a, Side side) {
  FIRN_TRY(auto types, Shape(a, "tt"));
  return Slice(std::move(types), [side](std::span<const Vector> args, std::int64_t i) {
    View text = TextAt(args, 0, i);
    const View set = args.size() > 1 ? TextAt(args, 1, i) : View(" ");
    while (side != Side::kRight && !text.empty()) {
      const View first = FirstCharacter(text);
      if (set.find(first) == View::npos) break;
      text.remove_prefix(first.size());
    }
    while (side != Side::kLeft && !text.empty()) {
      const View last = LastCharacter(text);
      if (set.find(last) == View::npos) break;
      text.remove_suffix(last.size());
    }
    return text;
  });
}

Result<BoundFunction> Pad(const Arguments& a, bool left) {
  FIRN_TRY(auto types, Shape(a, "tit"));
  return Write(std::move(types), [left](std::span<const Vector> args, std::int64_t i, TextWriter& out) {
    const View text = TextAt(args, 0, i);
    const std::int64_t wanted = std::max<std::int64_t>(0, IntAt(args, 1, i));
    const View fill = args.size() > 2 ? TextAt(args, 2, i) : View(" ");
    const std::int64_t have = CountCharacters(text);
    if (have >= wanted || fill.empty()) return out.Append(text.substr(0, OffsetOf(text, wanted)));
    if (!left) out.Append(text);
    View rest;
    for (std::int64_t n = have; n < wanted && !out.full(); n++) {
      if (rest.empty()) rest = fill;
      const View c = FirstCharacter(rest);
      out.Append(c);
      rest.remove_prefix(c.size());
    }
    if (left) out.Append(text);
  });
}

/// Characters [from, from + count) of 1, 2, ...; from may lie before the start.
View Substring(View text, std::int64_t from, std::int64_t count) {
  std::int64_t end = 0;
  if (__builtin_add_overflow(from, count, &end)) end = std::numeric_limits<std::int64_t>::max();
  if (end <= 1) return text.substr(0, 0);
  const std::size_t begin_byte = OffsetOf(text, std::max<std::int64_t>(from, 1) - 1);
  return text.substr(begin_byte, OffsetOf(text, end - 1) - begin_byte);
}

View SplitPart(View text, View by, std::int64_t n) {
  if (by.empty()) return n == 1 || n == -1 ? text : View();
  if (n < 0) {
    std::int64_t parts = 1;
    for (std::size_t at = text.find(by); at != View::npos; at = text.find(by, at + by.size())) parts++;
    if (n < -parts) return {};
    n += parts + 1;
  }
  for (std::int64_t part = 1;; part++) {
    const std::size_t at = text.find(by);
    if (part == n) return text.substr(0, at);
    if (at == View::npos) return {};
    text.remove_prefix(at + by.size());
  }
}

Result<BoundFunction> Concat(const Arguments& a) {
  BoundFunction f{Utf8(), {}, {}, {.can_fail = true, .keeps_nulls = true}};
  for (std::size_t i = 0; i < a.size(); i++) {
    FIRN_TRY(TypePtr type, WantPrintable(a, i));
    f.argument_types.push_back(std::move(type));
  }
  const bool separated = a.name == "concat_ws";
  f.kernel = [separated](std::span<const Vector> args, std::int64_t rows) -> Result<Vector> {
    TextWriter writer(rows);
    std::vector<std::int64_t> nulls;
    for (std::int64_t i = 0; i < rows; i++) {
      bool first = true;
      if (separated && args[0].IsNull(i)) nulls.push_back(i);
      for (std::size_t part = separated ? 1 : 0; part < args.size() && !(separated && args[0].IsNull(i)); part++) {
        if (args[part].IsNull(i)) continue;
        if (separated && !first) writer.Append(TextAt(args, 0, i));
        writer.Append(TextAt(args, part, i));
        first = false;
      }
      FIRN_CHECK(writer.Close());
    }
    Vector out = writer.Finish(Utf8());
    for (const std::int64_t row : nulls) SetNull(out, row);
    return out;
  };
  return f;
}

Result<BoundFunction> Joined(const Arguments& a) {
  std::vector<TypePtr> types;
  for (std::size_t i = 0; i < a.size(); i++) {
    FIRN_TRY(TypePtr type, WantPrintable(a, i));
    types.push_back(std::move(type));
  }
  return Write(std::move(types), [](std::span<const Vector> args, std::int64_t i, TextWriter& out) {
    for (std::size_t part = 0; part < args.size(); part++) out.Append(TextAt(args, part, i));
  });
}

Result<BoundFunction> Length(const Arguments& a) {
  FIRN_TRY(TypePtr type, WantPrintable(a, 0));
  return Count({std::move(type)},
               [](std::span<const Vector> args, std::int64_t i) { return CountCharacters(TextAt(args, 0, i)); });
}

Result<BoundFunction> Octets(const Arguments& a) {
  const bool bits = a.name == "bit_length";
  if (KindOf(*a.type(0)) != Kind::kText && a.type(0)->id != arrow::TypeId::kNull) return a.Wants(0, "text");
  const TypePtr type = a.type(0)->id == arrow::TypeId::kNull ? Utf8() : a.type(0);
  return Count({type}, [bits](std::span<const Vector> args, std::int64_t i) {
    return static_cast<std::int64_t>(TextAt(args, 0, i).size()) * (bits ? 8 : 1);
  });
}

Result<BoundFunction> Chr(const Arguments& a) {
  FIRN_TRY(auto types, Shape(a, "i"));
  Kernel kernel = [](std::span<const Vector> args, std::int64_t rows) -> Result<Vector> {
    TextWriter writer(rows);
    for (std::int64_t i = 0; i < rows; i++) {
      const std::int64_t code = IntAt(args, 0, i);
      if (code < 0 || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) {
        return InvalidArgument("no character has the number " + std::to_string(code));
      }
      std::string character;
      AppendUtf8(character, static_cast<char32_t>(code));
      writer.Append(character);
      FIRN_CHECK(writer.Close());
    }
    return writer.Finish(Utf8());
  };
  return BoundFunction{Utf8(), std::move(types), std::move(kernel), {.can_fail = true}};
}

Result<BoundFunction> SplitPartFunction(const Arguments& a) {
  FIRN_TRY(auto types, Shape(a, "tti"));
  Kernel kernel = [](std::span<const Vector> args, std::int64_t rows) -> Result<Vector> {
    Vector out = MakeVector(Utf8(), rows);
    for (std::int64_t i = 0; i < rows; i++) {
      const std::int64_t n = IntAt(args, 2, i);
      if (n == 0) return InvalidArgument("split_part() counts from 1, not 0");
      out.Get<View>()[i] = SplitPart(TextAt(args, 0, i), TextAt(args, 1, i), n);
    }
    return out;
  };
  return BoundFunction{Utf8(), std::move(types), std::move(kernel), {.can_fail = true}};
}

template <void (*Map)(View, std::string&)>
Result<BoundFunction> Mapped(const Arguments& a) {
  FIRN_TRY(auto types, Shape(a, "t"));
  return Write(std::move(types), [](std::span<const Vector> args, std::int64_t i, TextWriter& out) {
    if (args[0].IsNull(i)) return;
    std::string mapped;
    Map(TextAt(args, 0, i), mapped);
    out.Append(mapped);
  });
}

void Reversed(View text, std::string& out) {
  while (!text.empty()) {
    const View last = LastCharacter(text);
    out += last;
    text.remove_suffix(last.size());
  }
}

Result<BoundFunction> Replace(const Arguments& a) {
  FIRN_TRY(auto types, Shape(a, "ttt"));
  return Write(std::move(types), [](std::span<const Vector> args, std::int64_t i, TextWriter& out) {
    View text = TextAt(args, 0, i);
    const View from = TextAt(args, 1, i);
    const View to = TextAt(args, 2, i);
    for (std::size_t at = 0; !from.empty() && (at = text.find(from)) != View::npos && !out.full();) {
      out.Append(text.substr(0, at));
      out.Append(to);
      text.remove_prefix(at + from.size());
    }
    out.Append(text);
  });
}

Result<BoundFunction> Repeat(const Arguments& a) {
  FIRN_TRY(auto types, Shape(a, "ti"));
  return Write(std::move(types), [](std::span<const Vector> args, std::int64_t i, TextWriter& out) {
    const View text = TextAt(args, 0, i);
    for (std::int64_t n = IntAt(args, 1, i); n > 0 && !text.empty() && !out.full(); n--) out.Append(text);
  });
}

Result<BoundFunction> Substr(const Arguments& a) {
  FIRN_TRY(auto types, Shape(a, "tii"));
  Kernel kernel = [](std::span<const Vector> args, std::int64_t rows) -> Result<Vector> {
    Vector out = MakeVector(Utf8(), rows);
    for (std::int64_t i = 0; i < rows; i++) {
      const std::int64_t count = args.size() > 2 ? IntAt(args, 2, i) : std::numeric_limits<std::int64_t>::max();
      if (count < 0) return InvalidArgument("substr() takes a length of 0 or more, not " + std::to_string(count));
      out.Get<View>()[i] = Substring(TextAt(args, 0, i), IntAt(args, 1, i), count);
    }
    return out;
  };
  return BoundFunction{Utf8(), std::move(types), std::move(kernel), {.can_fail = a.size() > 2}};
}

/// The first n characters, or all but the last -n; from the right likewise.
Result<BoundFunction> Edge(const Arguments& a, bool left) {
  FIRN_TRY(auto types, Shape(a, "ti"));
  return Slice(std::move(types), [left](std::span<const Vector> args, std::int64_t i) {
    const View text = TextAt(args, 0, i);
    const std::int64_t n = IntAt(args, 1, i);
    const std::int64_t length = CountCharacters(text);
    const std::int64_t keep = n >= 0 ? std::min(n, length) : std::max<std::int64_t>(0, length + std::max(n, -length));
    return left ? text.substr(0, OffsetOf(text, keep)) : text.substr(OffsetOf(text, length - keep));
  });
}

Result<BoundFunction> Strpos(const Arguments& a) {
  FIRN_TRY(auto types, Shape(a, "tt"));
  return Count(std::move(types), [](std::span<const Vector> args, std::int64_t i) -> std::int64_t {
    const View text = TextAt(args, 0, i);
    const std::size_t at = text.find(TextAt(args, 1, i));
    return at == View::npos ? 0 : CountCharacters(text.substr(0, at)) + 1;
  });
}

Result<BoundFunction> Ascii(const Arguments& a) {
  FIRN_TRY(auto types, Shape(a, "t"));
  return Count(std::move(types), [](std::span<const Vector> args, std::int64_t i) -> std::int64_t {
    const View text = TextAt(args, 0, i);
    return text.empty() ? 0 : static_cast<std::int64_t>(DecodeFirst(text));
  });
}

using A = const Arguments&;
constexpr Function kFunctions[] = {
    {"lower", 1, 1, Mapped<ToLower>},
    {"lcase", 1, 1, Mapped<ToLower>},
    {"upper", 1, 1, Mapped<ToUpper>},
    {"ucase", 1, 1, Mapped<ToUpper>},
    {"initcap", 1, 1, Mapped<ToTitle>},
    {"reverse", 1, 1, Mapped<Reversed>},
    {"length", 1, 1, Length},
    {"char_length", 1, 1, Length},
    {"character_length", 1, 1, Length},
    {"octet_length", 1, 1, Octets},
    {"bit_length", 1, 1, Octets},
    {"btrim", 1, 2, [](A a) { return Trim(a, Side::kBoth); }},
    {"ltrim", 1, 2, [](A a) { return Trim(a, Side::kLeft); }},
    {"rtrim", 1, 2, [](A a) { return Trim(a, Side::kRight); }},
    {"substr", 2, 3, Substr},
    {"starts_with", 2, 2, [](A a) { return Test(a, [](View x, View y) { return x.starts_with(y); }); }},
    {"ends_with", 2, 2, [](A a) { return Test(a, [](View x, View y) { return x.ends_with(y); }); }},
    {"contains", 2, 2, [](A a) { return Test(a, [](View x, View y) { return x.find(y) != View::npos; }); }},
    {"concat", 1, 10'000, Concat},
    {"concat_ws", 2, 10'000, Concat},
    {"||", 2, 2, Joined},
    {"replace", 3, 3, Replace},
    {"left", 2, 2, [](A a) { return Edge(a, true); }},
    {"right", 2, 2, [](A a) { return Edge(a, false); }},
    {"lpad", 2, 3, [](A a) { return Pad(a, true); }},
    {"rpad", 2, 3, [](A a) { return Pad(a, false); }},
    {"repeat", 2, 2, Repeat},
    {"strpos", 2, 2, Strpos},
    {"instr", 2, 2, Strpos},
    {"split_part", 3, 3, SplitPartFunction},
    {"ascii", 1, 1, Ascii},
    {"chr", 1, 1, Chr},
};

}  // namespace

std::span<const Function> TextFunctions() { return kFunctions; }

}  // namespace firn::filter
