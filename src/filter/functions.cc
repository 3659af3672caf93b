#include "filter/functions.h"

#include <array>

namespace firn::filter {
namespace {

std::array<std::span<const Function>, 5> Families() {
  return {TextFunctions(), PatternFunctions(), NumberFunctions(), TimeFunctions(), ListFunctions()};
}

}  // namespace

const Vector* Arguments::literal(std::size_t i) const {
  const Vector* value = values[i]->Literal();
  return value != nullptr && !value->IsNull(0) ? value : nullptr;
}

Error Arguments::Wants(std::size_t i, std::string_view what) const {
  return InvalidArgument(std::string(name) + " takes " + std::string(what) + " as argument " + std::to_string(i + 1) +
                         ", not " + type(i)->ToString());
}

const Function* FindFunction(std::string_view name) {
  for (const auto family : Families()) {
    for (const Function& function : family) {
      if (function.name == name) return &function;
    }
  }
  return nullptr;
}

std::vector<std::string_view> FunctionNames() {
  std::vector<std::string_view> names = {"coalesce", "nvl",        "ifnull", "nvl2",        "nullif",
                                         "is_valid", "make_array", "now",    "current_date"};
  for (const auto family : Families()) {
    for (const Function& function : family) names.push_back(function.name);
  }
  return names;
}

}  // namespace firn::filter
