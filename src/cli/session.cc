#include "cli/session.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "base/json_string.h"
#include "cli/version.h"

namespace firn::cli {
namespace {

Deadline DeadlineOf(const CommonOptions& options) {
  if (options.timeout_s <= 0) return Deadline::Never();
  return Deadline::After(SystemClock(),
                         std::chrono::duration_cast<Duration>(std::chrono::duration<double>(options.timeout_s)));
}

/// --log-level, else LOG_LEVEL, else warnings only.
Result<LogLevel> LevelOf(const CommonOptions& options) {
  if (!options.log_level.empty()) return ParseLogLevel(options.log_level);
  const char* environment = std::getenv("LOG_LEVEL");
  return environment == nullptr || *environment == '\0' ? LogLevel::kWarn : ParseLogLevel(environment);
}

void PrintError(const Error& error, bool json) {
  std::string text;
  if (json) {
    text = R"({"error":{"kind":")" + std::string(InfoOf(error.kind).name) + R"(","message":)";
    AppendJsonString(text, error.message);
    text += R"(,"hint":)";
    AppendJsonString(text, error.hint);
    text += "}}\n";
  } else {
    text = "firn: " + error.message + "\n";
    if (!error.hint.empty())
      text += "  " + error.hint +
              (std::string_view(".?!)").find(error.hint.back()) == std::string_view::npos ? ".\n" : "\n");
  }
  std::fputs(text.c_str(), stderr);
}

struct RunCommand {
  Session& session;
  Status operator()(const CreateCommand& command) const { return RunCreate(session, command); }
  Status operator()(const LoadCommand& command) const { return RunLoad(session, command); }
  Status operator()(const SearchCommand& command) const { return RunSearch(session, command); }
  Status operator()(const IndexCommand& command) const { return RunIndex(session, command); }
  Status operator()(const RecallCommand& command) const { return RunRecall(session, command); }
  Status operator()(const RowsCommand& command) const { return RunRows(session, command); }
  Status operator()(const TablesCommand& command) const { return RunTables(session, command); }
  Status operator()(const ShowCommand& command) const { return RunShow(session, command); }
  Status operator()(const DropCommand& command) const { return RunDrop(session, command); }
  Status operator()(const DoctorCommand& command) const { return RunDoctor(session, command); }
  Status operator()(const ServeCommand& command) const { return RunServe(session, command); }
  Status operator()(const KeysCommand& command) const { return RunKeys(session, command); }
  Status operator()(const VersionCommand&) const {
    std::printf(session.options().json ? "{\"version\":\"%s\"}\n" : "firn %s\n", std::string(kVersion).c_str());
    return {};
  }
};

}  // namespace

Session::Session(CommonOptions options)
    : options_(std::move(options)),
      log_(LevelOf(options_).value_or(LogLevel::kWarn)),
      deadline_(DeadlineOf(options_)) {}

std::string Session::database() const { return options_.db.empty() ? "./firn-data" : options_.db; }

Result<std::string> Session::ResolveTable(std::string table) {
  constexpr std::string_view kSuffix = ".lance";
  while (table.size() > 1 && table.ends_with('/')) table.pop_back();
  if (!table.ends_with(kSuffix) || table.find('/') == std::string::npos) return table;
  if (!options_.db.empty() && std::getenv("FIRN_DB") == nullptr) {
    return InvalidArgument("both --db and a table with a path are given", "Give one of them");
  }
  const std::size_t slash = table.rfind('/');
  options_.db = slash == 0 ? "/" : table.substr(0, slash);
  return table.substr(slash + 1, table.size() - slash - 1 - kSuffix.size());
}

Result<engine::Engine*> Session::Engine() {
  if (!engine_) {
    engine::Config config;
    config.database = database();
    config.threads = options_.threads;
    config.store.endpoint = options_.endpoint;
    config.store.region = options_.region;
    config.store.fsync = !options_.no_fsync;
    FIRN_TRY(engine_, engine::Engine::Open(std::move(config), World()));
  }
  return engine_.get();
}

int Main(int argc, const char* const* argv) {
  std::signal(SIGPIPE, SIG_IGN);
  std::variant<Arguments, Printout> parsed = ParseArguments(argc, argv);
  if (const auto* printout = std::get_if<Printout>(&parsed)) {
    std::fputs(printout->text.c_str(), printout->exit_code == 0 ? stdout : stderr);
    return printout->exit_code;
  }
  auto& arguments = std::get<Arguments>(parsed);
  const bool json = arguments.common.json;
  if (const auto level = LevelOf(arguments.common); !level) {
    PrintError(level.error(), json);
    return InfoOf(level.error().kind).exit_code;
  }
  Session session(std::move(arguments.common));
  const Status status = std::visit(RunCommand{session}, arguments.command);
  std::fflush(stdout);
  if (status) return 0;
  PrintError(status.error(), json);
  return InfoOf(status.error().kind).exit_code;
}

}  // namespace firn::cli
