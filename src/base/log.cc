#include "base/log.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <ctime>

#include "base/json_string.h"

namespace firn {
namespace {

std::string_view NameOf(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarn:
      return "warn";
    case LogLevel::kError:
      return "error";
    case LogLevel::kOff:
      break;
  }
  return "off";
}

void AppendTime(std::string& out, WallTime time) {
  const auto millis = std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
  const std::time_t seconds = millis / 1000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  const std::size_t length = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text + length, sizeof text - length, ".%03dZ", static_cast<int>(millis % 1000));
  out += text;
}

struct AppendValue {
  std::string& out;
  void operator()(std::string_view text) const { AppendJsonString(out, text); }
  void operator()(std::int64_t number) const { out += std::to_string(number); }
  void operator()(bool flag) const { out += flag ? "true" : "false"; }
  void operator()(double number) const {
    if (!std::isfinite(number)) {
      out += "null";
      return;
    }
    char text[32];
    std::snprintf(text, sizeof text, "%.6g", number);
    out += text;
  }
};

}  // namespace

Result<LogLevel> ParseLogLevel(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (lower == "debug") return LogLevel::kDebug;
  if (lower == "info") return LogLevel::kInfo;
  if (lower == "warn" || lower == "warning") return LogLevel::kWarn;
  if (lower == "error") return LogLevel::kError;
  if (lower == "off") return LogLevel::kOff;
  return InvalidArgument("unknown log level '" + std::string(text) + "'", "Use debug, info, warn, error or off");
}

Log::Log(LogLevel level, const Clock& clock)
    : Log(level, clock, [](std::string_view line) { std::fwrite(line.data(), 1, line.size(), stderr); }) {}

Log::Log(LogLevel level, const Clock& clock, Sink sink) : level_(level), clock_(clock), sink_(std::move(sink)) {}

void Log::Write(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
  if (!Enabled(level)) return;
  std::string line = R"({"time":")";
  AppendTime(line, clock_.WallNow());
  line.append(R"(","level":")").append(NameOf(level)).append(R"(","message":)");
  AppendJsonString(line, message);
  for (const LogField& field : fields) {
    line += ',';
    AppendJsonString(line, field.name);
    line += ':';
    std::visit(AppendValue{line}, field.value);
  }
  line += "}\n";
  const std::lock_guard lock(mutex_);
  sink_(line);
}

}  // namespace firn
