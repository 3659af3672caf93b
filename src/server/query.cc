#include "server/query.h"

#include <algorithm>
#include <charconv>

#include "server/nearest_name.h"

namespace firn::server {

Status Query::CheckNames(std::span<const std::string_view> known) const {
  for (std::size_t i = 0; i < parameters_.size(); i++) {
    const std::string& name = parameters_[i].first;
    if (std::ranges::find(known, name) == known.end()) {
      return InvalidArgument("unknown query parameter " + Quoted(name), HintForUnknown(name, known));
    }
    for (std::size_t j = 0; j < i; j++) {
      if (parameters_[j].first == name) return InvalidArgument("the query parameter '" + name + "' stands twice");
    }
  }
  return {};
}

std::optional<std::string> Query::Text(std::string_view name) const {
  const auto found =
      std::ranges::find(parameters_, name, [](const auto& parameter) { return std::string_view(parameter.first); });
  return found == parameters_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<std::vector<std::string>> Query::List(std::string_view name) const {
  const auto text = Text(name);
  if (!text) return std::nullopt;
  std::vector<std::string> items;
  std::string_view rest = *text;
  while (!rest.empty()) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    items.emplace_back(rest.substr(0, comma));
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  return items;
}

Result<std::optional<std::uint64_t>> Query::Unsigned(std::string_view name) const {
  const auto text = Text(name);
  if (!text) return std::optional<std::uint64_t>();
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc() || end != text->data() + text->size()) {
    return InvalidArgument("the query parameter '" + std::string(name) + "' is " + Quoted(*text) +
                           ", not a whole number from 0 on");
  }
  return std::optional(number);
}

Result<std::optional<bool>> Query::Bool(std::string_view name) const {
  const auto text = Text(name);
  if (!text) return std::optional<bool>();
  if (*text == "true") return std::optional(true);
  if (*text == "false") return std::optional(false);
  return InvalidArgument("the query parameter '" + std::string(name) + "' is " + Quoted(*text) + ", not true or false");
}

}  // namespace firn::server
