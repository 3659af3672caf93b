#include "server/config.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/json_string.h"
#include "server/config_file.h"
#include "server/nearest_name.h"

namespace firn::server {
namespace {

constexpr std::size_t kMaxConfigFileBytes = 1 << 20;
constexpr std::uint16_t kDefaultPort = 8080;
constexpr std::uint64_t kDefaultMeasureAfter = 1000;  // commands end before that, and need not count

struct Found {
  std::string value;
  std::string origin;
};

/// LANCEDB_BUCKET names a bucket, not a URI.
std::string FromEnvironment(std::string_view name, std::string value) {
  if (name == "LANCEDB_BUCKET" && value.find("://") == std::string::npos) value.insert(0, "s3://");
  return value;
}

std::optional<Found> FindInEnvironment(const Setting& setting, const store::Environment& environment) {
  for (const std::string_view name : setting.env) {
    auto value = environment(name);
    if (value && !value->empty()) return Found{FromEnvironment(name, std::move(*value)), "env " + std::string(name)};
  }
  return std::nullopt;
}

Status CheckKnown(std::string_view name, std::string_view what, std::string_view Setting::* member) {
  std::vector<std::string_view> known;
  for (const Setting& setting : Settings()) {
    if (setting.*member == name) return {};
    if (!(setting.secret && member == &Setting::flag)) known.push_back(setting.*member);
  }
  return InvalidArgument("unknown " + std::string(what) + " " + Quoted(name), HintForUnknown(name, known));
}

/// The given settings by the flag's name, however they were written: "max-body-bytes", "max_body_bytes",
/// "limits.body_bytes".
Result<std::map<std::string, std::string, std::less<>>> ByFlag(
    const std::map<std::string, std::string, std::less<>>& given) {
  std::map<std::string, std::string, std::less<>> flags;
  for (const auto& [name, value] : given) {
    std::string flag = name;
    std::ranges::replace(flag, '_', '-');
    const auto setting = std::ranges::find(Settings(), std::string_view(name), &Setting::toml);
    if (setting != Settings().end()) flag = setting->flag;
    if (flag != "config") FIRN_CHECK(CheckKnown(flag, "setting", &Setting::flag));
    flags[flag] = value;
  }
  return flags;
}

/// Credentials belong together: one from a file and one from the environment is a mistake that a store reports badly.
Status CheckTogether(const Config& config) {
  const store::StoreOptions& s3 = config.engine.store;
  if (s3.access_key_id.empty() != s3.secret_access_key.empty()) {
    return InvalidArgument(s3.access_key_id.empty() ? "secret-access-key is set without access-key-id"
                                                    : "access-key-id is set without secret-access-key",
                           "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or neither");
  }
  return {};
}

std::string TomlValue(const Setting& setting, const std::string& text) {
  if (setting.secret) return text.empty() ? "\"\"" : "\"***\"";
  const bool bare =
      text == "true" || text == "false" || (!text.empty() && text.find_first_not_of("0123456789") == std::string::npos);
  if (bare) return text;
  std::string quoted;
  AppendJsonString(quoted, text);
  return quoted;
}

}  // namespace

Result<ResolvedConfig> ResolveConfig(const ConfigSources& sources) {
  FIRN_TRY(const auto flags, ByFlag(sources.flags));
  std::string path;
  if (const auto flag = flags.find("config"); flag != flags.end()) {
    path = flag->second;
  } else {
    path = sources.environment("FIRN_CONFIG").value_or("");
  }
  std::map<std::string, std::string, std::less<>> file;
  if (!path.empty()) {
    FIRN_TRY(const std::string text, sources.read_file(path));
    FIRN_TRY(file, ReadToml(text, path));
    for (const auto& [key, value] : file) {
      if (auto known = CheckKnown(key, "setting", &Setting::toml); !known) return std::move(known).error().In(path);
    }
  }

  ResolvedConfig resolved;
  resolved.config.server.listener.port = kDefaultPort;
  resolved.config.engine.measure_after = kDefaultMeasureAfter;
  for (const Setting& setting : Settings()) {
    std::optional<Found> found;
    if (const auto flag = flags.find(setting.flag); flag != flags.end()) {
      if (setting.secret) {
        return InvalidArgument(
            "--" + std::string(setting.flag) + " is not taken as a flag: other users of the machine could read it",
            "Set " + std::string(setting.env.front()));
      }
      found = Found{flag->second, "flag"};
    } else if (found = FindInEnvironment(setting, sources.environment); found) {
    } else if (const auto entry = file.find(setting.toml); entry != file.end()) {
      found = Found{entry->second, "file " + path};
    }
    resolved.origins[std::string(setting.flag)] = found ? found->origin : "default";
    if (!found) continue;
    if (auto set = setting.set(resolved.config, found->value); !set) {
      return std::move(set).error().In(std::string(setting.flag) + " (from " + found->origin + ")");
    }
  }
  FIRN_CHECK(CheckTogether(resolved.config));
  return resolved;
}

std::string PrintConfig(const ResolvedConfig& resolved) {
  // Keys without a dot come first: in TOML they cannot follow a table.
  const auto section_of = [](const Setting* setting) {
    const std::size_t dot = setting->toml.find('.');
    return dot == std::string_view::npos ? std::string_view() : setting->toml.substr(0, dot);
  };
  std::vector<const Setting*> ordered;
  for (const Setting& setting : Settings()) ordered.push_back(&setting);
  std::ranges::sort(ordered, {}, [&](const Setting* setting) { return std::pair(section_of(setting), setting); });

  std::string out;
  std::string_view section;
  for (const Setting* setting : ordered) {
    if (const auto own = section_of(setting); own != section) {
      section = own;
      out.append("\n[").append(section).append("]\n");
    }
    const std::string_view key = section.empty() ? setting->toml : setting->toml.substr(section.size() + 1);
    const auto origin = resolved.origins.find(setting->flag);
    out.append(key).append(" = ").append(TomlValue(*setting, setting->show(resolved.config)));
    out.append("  # ")
        .append(origin == resolved.origins.end() ? "default" : origin->second)
        .append("; ")
        .append(setting->help)
        .append("\n");
  }
  return out;
}

Result<std::string> ReadConfigFile(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
  if (!file) {
    std::string message = "cannot read " + path + ": " + std::strerror(errno);
    if (errno == EACCES) return PermissionDenied(std::move(message));
    return NotFound(std::move(message));
  }
  std::string text(kMaxConfigFileBytes + 1, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  if (std::ferror(file.get()) != 0) return Unavailable("cannot read " + path);
  if (text.size() > kMaxConfigFileBytes) return ResourceExhausted(path + " is larger than 1 MiB");
  return text;
}

}  // namespace firn::server
