#include "arrow/json_parser.h"

#include <charconv>

#include "arrow/text_value.h"

namespace firn::arrow {
namespace {

namespace dom = simdjson::dom;

Status ObserveObject(dom::object object, std::int64_t row, std::size_t& members_left, TypeGuess& guess) {
  guess.SeeObject(row);
  for (const dom::key_value_pair member : object) {
    const std::size_t before = guess.MemberCount();
    TypeGuess& member_guess = guess.Member(member.key);
    if (guess.MemberCount() > before && members_left-- == 0) {
      members_left = 0;
      return ResourceExhausted("row " + std::to_string(row) + ": too many columns, the last is " + Quoted(member.key),
                               "Keep varying names as text or in a list, not as columns");
    }
    FIRN_CHECK(Observe(member.value, row, members_left, member_guess));
  }
  return {};
}

}  // namespace

// `allocate` only sets the depth here; memory grows with the texts.
JsonParser::JsonParser(std::size_t max_bytes)
    : parser_(max_bytes + kJsonPadding), allocated_(parser_.allocate(0, kMaxJsonDepth + 1)) {}

std::optional<JsonMistake> JsonParser::Parse(std::string_view text, bool padded, dom::element& document) {
  if (allocated_ != simdjson::SUCCESS) return JsonMistake{0, simdjson::error_message(allocated_)};
  const simdjson::error_code failed = parser_.parse(text.data(), text.size(), !padded).get(document);
  if (failed == simdjson::SUCCESS) return std::nullopt;
  if (auto mistake = FindJsonMistake(text, kMaxJsonDepth)) return mistake;
  if (const auto rewritten = WithLargeIntegersAsFloats(text)) {
    if (parser_.parse(*rewritten).get(document) == simdjson::SUCCESS) return std::nullopt;
  }
  return JsonMistake{0, simdjson::error_message(failed)};
}

std::string Describe(dom::element value) {
  switch (value.type()) {
    case dom::element_type::ARRAY:
      return "a list";
    case dom::element_type::OBJECT:
      return "an object";
    case dom::element_type::STRING:
      return "text " + Quoted(std::string_view(value.get_string().value_unsafe()));
    case dom::element_type::BOOL:
      return value.get_bool().value_unsafe() ? "true" : "false";
    case dom::element_type::NULL_VALUE:
      return "null";
    case dom::element_type::INT64:
      return "the number " + std::to_string(value.get_int64().value_unsafe());
    case dom::element_type::UINT64:
      return "the number " + std::to_string(value.get_uint64().value_unsafe());
    default:
      break;
  }
  char text[32];
  const double number = value.get_double().value_unsafe();
  return "the number " + std::string(text, std::to_chars(text, text + sizeof text, number).ptr);
}

Status Observe(dom::element value, std::int64_t row, std::size_t& members_left, TypeGuess& guess) {
  switch (value.type()) {
    case dom::element_type::NULL_VALUE:
      guess.SeeNull();
      break;
    case dom::element_type::BOOL:
      guess.SeeBool(row);
      break;
    case dom::element_type::INT64:
      guess.SeeInteger(value.get_int64().value_unsafe(), row);
      break;
    case dom::element_type::UINT64:
      guess.SeeUnsigned(value.get_uint64().value_unsafe(), row);
      break;
    case dom::element_type::STRING:
      guess.SeeText(value.get_string().value_unsafe(), row);
      break;
    case dom::element_type::OBJECT:
      return ObserveObject(value.get_object().value_unsafe(), row, members_left, guess);
    case dom::element_type::ARRAY: {
      // Counted by walking: simdjson's own count saturates.
      const dom::array items = value.get_array().value_unsafe();
      std::size_t count = 0;
      for ([[maybe_unused]] const dom::element item : items) count++;
      TypeGuess& item_guess = guess.SeeList(count, row);
      for (const dom::element item : items) FIRN_CHECK(Observe(item, row, members_left, item_guess));
      break;
    }
    default:
      guess.SeeFloating(row);
  }
  return {};
}

}  // namespace firn::arrow
