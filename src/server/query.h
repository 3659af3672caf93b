#pragma once
// The query parameters of a URL, with errors that name the parameter.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace firn::server {

class Query {
 public:
  Query() = default;
  explicit Query(std::vector<std::pair<std::string, std::string>> parameters) : parameters_(std::move(parameters)) {}

  /// InvalidArgument: a name that is not among `known` (with the nearest), or one that stands twice.
  Status CheckNames(std::span<const std::string_view> known) const;
  std::optional<std::string> Text(std::string_view name) const;
  /// "a,b,c"
  std::optional<std::vector<std::string>> List(std::string_view name) const;
  Result<std::optional<std::uint64_t>> Unsigned(std::string_view name) const;
  Result<std::optional<bool>> Bool(std::string_view name) const;

 private:
  std::vector<std::pair<std::string, std::string>> parameters_;
};

}  // namespace firn::server
