#pragma once
// Structured logs: one JSON object a line, to stderr or wherever the owner says. Never write a secret into a field.

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

#include "base/clock.h"

namespace firn {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarn, kError, kOff };

/// "debug" | "info" | "warn" | "warning" | "error" | "off", in any case (what LOG_LEVEL holds).
Result<LogLevel> ParseLogLevel(std::string_view text);

struct LogField {
  std::string_view name;
  std::variant<std::string_view, std::int64_t, double, bool> value;

  LogField(std::string_view field, std::string_view text) : name(field), value(text) {}
  LogField(std::string_view field, const std::string& text) : name(field), value(std::string_view(text)) {}
  LogField(std::string_view field, const char* text) : name(field), value(std::string_view(text)) {}
  LogField(std::string_view field, bool flag) : name(field), value(flag) {}
  LogField(std::string_view field, double number) : name(field), value(number) {}
  template <std::integral T>
    requires(!std::same_as<T, bool>)
  LogField(std::string_view field, T number) : name(field), value(static_cast<std::int64_t>(number)) {}
};

/// Thread-safe; each line is written whole.
class Log {
 public:
  using Sink = std::function<void(std::string_view line)>;  // line ends in '\n'; called under a lock

  /// To stderr.
  explicit Log(LogLevel level, const Clock& clock = SystemClock());
  Log(LogLevel level, const Clock& clock, Sink sink);

  /// {"time":"...Z","level":"info","message":"...", fields...}
  void Write(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {});
  void Debug(std::string_view message, std::initializer_list<LogField> fields = {}) {
    Write(LogLevel::kDebug, message, fields);
  }
  void Info(std::string_view message, std::initializer_list<LogField> fields = {}) {
    Write(LogLevel::kInfo, message, fields);
  }
  void Warn(std::string_view message, std::initializer_list<LogField> fields = {}) {
    Write(LogLevel::kWarn, message, fields);
  }
  void Error(std::string_view message, std::initializer_list<LogField> fields = {}) {
    Write(LogLevel::kError, message, fields);
  }

  bool Enabled(LogLevel level) const { return level >= level_ && level_ != LogLevel::kOff; }

 private:
  const LogLevel level_;
  const Clock& clock_;
  std::mutex mutex_;
  Sink sink_;
};

}  // namespace firn
