#pragma once
// Where a JSON text goes wrong. The parser proper says only that it does; this walks the text again, slowly, for a
// message.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace firn::arrow {

struct JsonMistake {
  std::size_t offset = 0;  // in bytes; the text's size when it ends too early
  std::string what;        // "a comma or '}' is missing"
};

/// The first offence of `text`, one JSON value and nothing after it, against RFC 8259 or `max_depth`; empty when there
/// is none.
std::optional<JsonMistake> FindJsonMistake(std::string_view text, int max_depth);

/// `text` with every integer that no 64 bits hold turned into a float (`e0` behind its digits), for parsers that refuse
/// such; empty when there is none. `text` need not be sound.
std::optional<std::string> WithLargeIntegersAsFloats(std::string_view text);

}  // namespace firn::arrow
