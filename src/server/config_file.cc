#include "server/config_file.h"

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

namespace firn::server {
namespace {

using FlatSettings = std::map<std::string, std::string, std::less<>>;

Status Flatten(const toml::table& table, const std::string& prefix, std::string_view path, FlatSettings& settings) {
  for (const auto& [key, node] : table) {
    const std::string name = prefix + std::string(key.str());
    if (const auto* inner = node.as_table()) {
      FIRN_CHECK(Flatten(*inner, name + ".", path, settings));
    } else if (const auto* text = node.as_string()) {
      settings[name] = text->get();
    } else if (const auto* integer = node.as_integer()) {
      settings[name] = std::to_string(integer->get());
    } else if (const auto* flag = node.as_boolean()) {
      settings[name] = flag->get() ? "true" : "false";
    } else {
      return InvalidArgument(std::string(path) + " line " + std::to_string(node.source().begin.line) + ": '" + name +
                             "' is neither a string, an integer nor true or false");
    }
  }
  return {};
}

}  // namespace

Result<FlatSettings> ReadToml(std::string_view text, std::string_view path) {
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed) {
    const auto& at = parsed.error().source().begin;
    return InvalidArgument(std::string(path) + " line " + std::to_string(at.line) + " column " +
                           std::to_string(at.column) + ": " + std::string(parsed.error().description()));
  }
  FlatSettings settings;
  FIRN_CHECK(Flatten(parsed.table(), "", path, settings));
  return settings;
}

}  // namespace firn::server
