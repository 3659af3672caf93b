#include "server/json_object.h"

#include <simdjson.h>

#include <cmath>

#include "server/nearest_name.h"

namespace firn::server {
namespace {

namespace dom = simdjson::dom;
namespace ondemand = simdjson::ondemand;
constexpr std::size_t kMaxMembers = 64;

struct Member {
  std::string name;
  std::string_view raw;
};

Error WrongType(std::string_view name, std::string_view wanted) {
  return InvalidArgument("the member '" + std::string(name) + "' is not " + std::string(wanted));
}

Result<float> ToFloat(const dom::element& element, const std::string& place) {
  double number = 0;
  if (element.get(number) != simdjson::SUCCESS) return WrongType(place, "a number");
  if (!std::isfinite(static_cast<float>(number))) return WrongType(place, "a number that fits 32 bits");
  return static_cast<float>(number);
}

/// Line and column, 1-based, of `at` in `text`.
std::string PlaceOf(std::string_view text, const char* at) {
  if (at < text.data() || at > text.data() + text.size()) return {};
  const std::string_view before(text.data(), static_cast<std::size_t>(at - text.data()));
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const std::size_t column = before.size() - (before.rfind('\n') + 1) + 1;
  return " at line " + std::to_string(line) + " column " + std::to_string(column);
}

}  // namespace

struct JsonObject::Parts {
  std::vector<Member> members;
  ondemand::parser splitter;
  dom::parser parser;

  const Member* Find(std::string_view name) const {
    for (const Member& member : members) {
      if (member.name == name) return member.raw == "null" ? nullptr : &member;
    }
    return nullptr;
  }
  Result<dom::element> Parse(const Member& member) {
    dom::element element;
    // The text goes on behind the member, or has padding there.
    if (const auto error = parser.parse(member.raw.data(), member.raw.size(), false).get(element); error) {
      return InvalidArgument("the member '" + member.name + "' is not valid JSON: " + simdjson::error_message(error));
    }
    return element;
  }
  Result<std::optional<dom::element>> Get(std::string_view name) {
    const Member* member = Find(name);
    if (member == nullptr) return std::optional<dom::element>();
    FIRN_TRY(const dom::element element, Parse(*member));
    return std::optional(element);
  }
  template <class T>
  Result<std::optional<T>> Scalar(std::string_view name, std::string_view wanted) {
    FIRN_TRY(const auto element, Get(name));
    if (!element) return std::optional<T>();
    T value{};
    if (element->get(value) != simdjson::SUCCESS) return WrongType(name, wanted);
    return std::optional<T>(value);
  }
  template <class Value, class Item>
  Result<std::optional<std::vector<Value>>> List(std::string_view name, std::size_t most, const Item& item) {
    FIRN_TRY(const auto element, Get(name));
    if (!element) return std::optional<std::vector<Value>>();
    dom::array array;
    if (element->get(array) != simdjson::SUCCESS) return WrongType(name, "a list");
    std::vector<Value> values;
    values.reserve(std::min(array.size(), most));
    for (const dom::element value : array) {
      if (values.size() == most)
        return InvalidArgument("the member '" + std::string(name) + "' has more than " + std::to_string(most) +
                               " items");
      FIRN_TRY(Value converted, item(value, std::string(name) + "[" + std::to_string(values.size()) + "]"));
      values.push_back(std::move(converted));
    }
    return std::optional(std::move(values));
  }
};

JsonObject::JsonObject(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
JsonObject::~JsonObject() = default;
JsonObject::JsonObject(JsonObject&&) noexcept = default;
JsonObject& JsonObject::operator=(JsonObject&&) noexcept = default;

Result<JsonObject> JsonObject::Parse(std::string& text) {
  auto parts = std::make_unique<Parts>();
  text.reserve(text.size() + simdjson::SIMDJSON_PADDING);
  if (text.find_first_not_of(" \t\r\n") == std::string::npos)
    return InvalidArgument("the text is empty; a JSON object belongs there");

  ondemand::document document;
  const auto broken = [&](simdjson::error_code error) -> Error {
    const char* at = nullptr;
    const std::string place =
        document.current_location().get(at) == simdjson::SUCCESS ? PlaceOf(text, at) : std::string();
    return InvalidArgument("not valid JSON" + place + ": " + simdjson::error_message(error));
  };
  if (const auto error = parts->splitter.iterate(text.data(), text.size(), text.capacity()).get(document); error) {
    return InvalidArgument(std::string("not valid JSON: ") + simdjson::error_message(error));
  }
  ondemand::json_type type;
  if (const auto error = document.type().get(type); error) return broken(error);
  if (type != ondemand::json_type::object) return InvalidArgument("the text is not a JSON object");
  ondemand::object object;
  if (const auto error = document.get_object().get(object); error) return broken(error);
  for (auto field : object) {
    std::string_view name, raw;
    if (const auto error = field.error(); error) return broken(error);
    if (const auto error = field.unescaped_key().get(name); error) return broken(error);
    if (const auto error = field.value().raw_json().get(raw); error) return broken(error);
    while (!raw.empty() && std::string_view(" \t\r\n").find(raw.back()) != std::string_view::npos) raw.remove_suffix(1);
    for (const Member& member : parts->members) {
      if (member.name == name) return InvalidArgument("the member " + Quoted(name) + " stands twice");
    }
    if (parts->members.size() == kMaxMembers) return InvalidArgument("the object has more than 64 members");
    parts->members.push_back({std::string(name), raw});
  }
  if (!document.at_end()) return InvalidArgument("the text goes on after its JSON object");
  return JsonObject(std::move(parts));
}

Status JsonObject::CheckMembers(std::span<const std::string_view> known) const {
  for (const Member& member : parts_->members) {
    if (std::ranges::find(known, member.name) == known.end()) {
      return InvalidArgument("unknown member " + Quoted(member.name) + "", HintForUnknown(member.name, known));
    }
  }
  return {};
}

Result<std::optional<std::string>> JsonObject::String(std::string_view name) {
  FIRN_TRY(const auto text, parts_->Scalar<std::string_view>(name, "a string"));
  return text ? std::optional(std::string(*text)) : std::nullopt;
}
Result<std::optional<std::uint64_t>> JsonObject::Unsigned(std::string_view name) {
  return parts_->Scalar<std::uint64_t>(name, "a whole number from 0 on");
}
Result<std::optional<double>> JsonObject::Number(std::string_view name) {
  return parts_->Scalar<double>(name, "a number");
}
Result<std::optional<bool>> JsonObject::Bool(std::string_view name) {
  return parts_->Scalar<bool>(name, "true or false");
}

Result<std::optional<std::vector<std::string>>> JsonObject::Strings(std::string_view name) {
  return parts_->List<std::string>(name, 10'000,
                                   [](const dom::element& element, const std::string& place) -> Result<std::string> {
                                     std::string_view text;
                                     if (element.get(text) != simdjson::SUCCESS) return WrongType(place, "a string");
                                     return std::string(text);
                                   });
}

Result<std::optional<std::vector<std::uint64_t>>> JsonObject::UnsignedList(std::string_view name) {
  return parts_->List<std::uint64_t>(
      name, 1'000'000, [](const dom::element& element, const std::string& place) -> Result<std::uint64_t> {
        std::uint64_t number = 0;
        if (element.get(number) != simdjson::SUCCESS) return WrongType(place, "a whole number from 0 on");
        return number;
      });
}

Result<std::optional<std::vector<float>>> JsonObject::Floats(std::string_view name) {
  return parts_->List<float>(name, kMaxFloats, ToFloat);
}

Result<std::optional<std::vector<std::vector<float>>>> JsonObject::FloatLists(std::string_view name) {
  std::size_t floats = 0;
  return parts_->List<std::vector<float>>(
      name, kMaxFloats, [&](const dom::element& element, const std::string& place) -> Result<std::vector<float>> {
        dom::array array;
        if (element.get(array) != simdjson::SUCCESS) return WrongType(place, "a list of numbers");
        std::vector<float> values;
        for (const dom::element value : array) {
          if (floats++ == kMaxFloats)
            return InvalidArgument("the member '" + std::string(name) + "' has more than " +
                                   std::to_string(kMaxFloats) + " numbers");
          FIRN_TRY(const float number, ToFloat(value, place + "[" + std::to_string(values.size()) + "]"));
          values.push_back(number);
        }
        return values;
      });
}

std::string_view JsonObject::Raw(std::string_view name) const {
  const Member* member = parts_->Find(name);
  return member == nullptr ? std::string_view() : member->raw;
}

Result<std::optional<std::vector<std::string>>> JsonObject::RawList(std::string_view name) {
  return parts_->List<std::string>(name, 10'000,
                                   [](const dom::element& element, const std::string& place) -> Result<std::string> {
                                     if (!element.is_object()) return WrongType(place, "an object");
                                     return simdjson::minify(element);
                                   });
}

}  // namespace firn::server
