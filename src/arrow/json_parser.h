#pragma once
// One JSON value at a time through simdjson, with limits, and with messages that say where a broken one breaks.
// Inside the arrow module only: its headers for others do not show simdjson.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <simdjson.h>

#include "arrow/infer.h"
#include "arrow/json_mistake.h"

namespace firn::arrow {

/// What simdjson may read behind a text.
inline constexpr std::size_t kJsonPadding = simdjson::SIMDJSON_PADDING;

inline constexpr int kMaxJsonDepth = 64;

/// Not thread-safe.
class JsonParser {
 public:
  explicit JsonParser(std::size_t max_bytes);

  /// `text` as a document that lives until the next call. kJsonPadding readable bytes follow `text`; Parse copies when
  /// `padded` is false. Returns the mistake, if there is one.
  [[nodiscard]] std::optional<JsonMistake> Parse(std::string_view text, bool padded, simdjson::dom::element& document);

 private:
  simdjson::dom::parser parser_;
  simdjson::error_code allocated_;
};

/// `text "abc"`, `the number 1.5`, `a list`, `an object`, `null`: for messages.
std::string Describe(simdjson::dom::element value);

/// Tells `guess` of `value` and all inside. `members_left` is lowered for every new member name; ResourceExhausted at
/// zero.
Status Observe(simdjson::dom::element value, std::int64_t row, std::size_t& members_left, TypeGuess& guess);

}  // namespace firn::arrow
