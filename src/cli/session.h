#pragma once
// What every command works with: the engine on the chosen database, a deadline, and the options.

#include <memory>
#include <string>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "cli/arguments.h"
#include "engine/engine.h"

namespace firn::cli {

class Session {
 public:
  explicit Session(CommonOptions options);

  /// A table on the command line is a name in the database, or the path or URI of a `.lance` folder, which then says
  /// the database too.
  Result<std::string> ResolveTable(std::string table);
  /// Opened with the first call.
  Result<engine::Engine*> Engine();

  const CommonOptions& options() const { return options_; }
  const Deadline& deadline() const { return deadline_; }
  Clock& clock() { return SystemClock(); }
  engine::World World() { return {SystemClock(), random_, log_, store::ProcessEnvironment()}; }
  /// The database's URI.
  std::string database() const;

 private:
  CommonOptions options_;
  Random random_{Random::EntropySeed()};
  Log log_;
  Deadline deadline_;
  std::unique_ptr<engine::Engine> engine_;
};

// The commands. Each prints what it has to say; an error is printed by the caller.
Status RunCreate(Session& session, const CreateCommand& command);
Status RunLoad(Session& session, const LoadCommand& command);
Status RunSearch(Session& session, const SearchCommand& command);
Status RunIndex(Session& session, const IndexCommand& command);
Status RunRecall(Session& session, const RecallCommand& command);
Status RunRows(Session& session, const RowsCommand& command);
Status RunTables(Session& session, const TablesCommand& command);
Status RunShow(Session& session, const ShowCommand& command);
Status RunDrop(Session& session, const DropCommand& command);
Status RunDoctor(Session& session, const DoctorCommand& command);
Status RunServe(Session& session, const ServeCommand& command);
Status RunKeys(Session& session, const KeysCommand& command);

/// The whole program: parse, run, print the error if there is one. Returns the exit code.
int Main(int argc, const char* const* argv);

}  // namespace firn::cli
