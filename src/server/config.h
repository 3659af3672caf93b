#pragma once
// Every setting of `firn serve` (and of the other commands: those of the database), once: its flag, environment
// variables, TOML key, default and help. A flag wins over the environment, that over the file, that over the default.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "engine/engine.h"
#include "server/server.h"

namespace firn::server {

struct Config {
  engine::Config engine;
  ServerConfig server;
  LogLevel log_level = LogLevel::kInfo;
};

struct Setting {
  std::string_view flag;              // "port": --port
  std::vector<std::string_view> env;  // the first that is set and not empty wins
  std::string_view toml;              // "server.port"
  std::string_view help;              // one line, with the unit
  bool secret = false;                // shown as '***', and never accepted as a flag
  std::function<Status(Config&, std::string_view)> set;
  std::function<std::string(const Config&)> show;  // what set() would accept
};

/// In the order of --help and --print-config.
std::span<const Setting> Settings();

/// Where settings come from. `flags` by the flag's name without leading dashes ('_' is as good as '-'), or by TOML key;
/// "config" (or FIRN_CONFIG) names the TOML file.
struct ConfigSources {
  std::map<std::string, std::string, std::less<>> flags;
  store::Environment environment;
  std::function<Result<std::string>(const std::string& path)> read_file;
};
/// The text of a file; NotFound, PermissionDenied, or ResourceExhausted beyond 1 MiB.
Result<std::string> ReadConfigFile(const std::string& path);

struct ResolvedConfig {
  Config config;
  std::map<std::string, std::string, std::less<>>
      origins;  // flag name -> "flag", "env PORT", "file firn.toml", "default"
};
/// InvalidArgument names the setting, where its value came from and what is wrong; unknown flags and TOML keys are
/// errors that name the nearest setting.
Result<ResolvedConfig> ResolveConfig(const ConfigSources& sources);

/// What --print-config prints: TOML with a comment on where each value came from; secrets as '***'.
std::string PrintConfig(const ResolvedConfig& resolved);

}  // namespace firn::server
