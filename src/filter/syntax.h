#pragma once
// What the filter text says, before names and types mean anything.

#include <cstdint>
#include <string>
#include <vector>

#include "filter/lexer.h"

namespace firn::filter {

enum class SyntaxKind : std::uint8_t {
  kNull,
  kBoolean,       // text: TRUE | FALSE
  kNumber,        // text: as written, with a '-' in front when negative
  kString,        // text
  kHex,           // text: hexadecimal digits
  kTypedLiteral,  // type_name: DATE | TIMESTAMP | TIME; text
  kInterval,      // text: "1 day 2 hours"
  kName,          // text: a column
  kField,         // children[0].text
  kIndex,         // children[0][children[1]]; 1-based
  kNot,
  kNegate,
  kAnd,  // two or more children
  kOr,
  kBinary,    // text: = <> < <= > >= + - * / % || ~ ~* !~ !~*
  kIs,        // text: NULL | TRUE | FALSE | UNKNOWN; negated
  kDistinct,  // IS DISTINCT FROM; negated: IS NOT DISTINCT FROM
  kBetween,   // value, low, high; negated
  kIn,        // value, then the list; negated
  kLike,      // value, pattern; negated, text: "" | "i" (ILIKE); type_name: the escape character
  kCast,      // value; type_name; text: "" | "try"
  kCase,      // flags below; [operand] (when then)* [else]
  kCall,      // text: the function's name in small letters
  kArray,     // [a, b]
};

struct Syntax {
  SyntaxKind kind = SyntaxKind::kNull;
  Span span;
  std::string text;
  std::string type_name;
  bool negated = false;
  bool quoted = false;  // kName, kField: was written in quotes
  bool case_operand = false;
  bool case_else = false;
  int depth = 1;
  std::vector<Syntax> children;
};

struct SyntaxTree {
  Syntax root;
};

}  // namespace firn::filter
