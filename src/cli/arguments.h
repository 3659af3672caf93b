#pragma once
// The command line as values. Parsing knows CLI11; the commands know only these structs.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"

namespace firn::cli {

/// Options that stand before or after any command.
struct CommonOptions {
  std::string db;         // --db, FIRN_DB; "" = the default of the command
  std::string endpoint;   // --endpoint
  std::string region;     // --region
  std::string log_level;  // --log-level; "" = LOG_LEVEL, else the default of the command
  double timeout_s = 0;   // 0 = none
  std::size_t threads = 0;
  bool json = false;
  bool quiet = false;
  bool no_fsync = false;
};

/// How input files are read.
struct InputOptions {
  std::string format;                                        // "" = by the file's name
  std::vector<std::pair<std::string, std::string>> columns;  // --column NAME=FILE: more columns from files of their own
  std::string schema;                                        // --schema, see arrow/type_text.h
};

struct CreateCommand {
  std::string table;
  std::string file;  // "" = an empty table, then schema is needed
  InputOptions input;
  bool overwrite = false;
  bool exist_ok = false;
};
struct LoadCommand {
  std::string table;
  std::string file;  // "-" = standard input
  InputOptions input;
  bool overwrite = false;
  std::uint64_t commit_every = 0;  // rows; 0 = one commit at the end
};
struct SearchCommand {
  std::string table;
  std::string vector;   // "[1, 2]", or "@file"
  std::string vectors;  // a .npy file: each of its rows is searched for
  std::string like;     // a filter: the vector of the first row for which it holds
  std::string column;
  std::uint64_t k = 10;
  std::uint64_t offset = 0;
  std::string where;
  bool postfilter = false;
  std::string metric;
  std::optional<float> min_distance;
  std::optional<float> max_distance;
  std::vector<std::string> columns;
  std::optional<std::uint64_t> version;
  bool with_row_id = false;
  bool explain = false;
  float recall = 0.95F;
  bool exact = false;
  std::optional<std::uint32_t> nprobes;
  std::optional<std::uint32_t> refine;
};
struct IndexCommand {
  std::string table;
  std::string column;  // "" = the only vector column
  std::string name;
  std::string kind = "vector";
  std::string metric;
  std::size_t rows_per_list = 0;
  bool only_missing = false;
  bool drop = false;
  bool list = false;
  std::string memory;   // "1GiB"
  std::string scratch;  // "" = TMPDIR, else /tmp
};
struct RecallCommand {
  std::string table;
  std::string column;
  std::string metric;
  std::string where;
  std::vector<float> promises;
  std::optional<std::size_t> queries;  // unset = 200 rows, or all vectors of the file
  std::string vectors;                 // a .npy or NDJSON file of queries
  std::size_t k = 10;
};
struct RowsCommand {
  std::string table;
  std::string format;  // "" = a table on a terminal, else ndjson
  std::string output;  // "" = standard output
  std::vector<std::string> columns;
  std::string where;
  std::optional<std::uint64_t> limit;
  std::uint64_t offset = 0;
  std::optional<std::uint64_t> version;
  bool with_row_id = false;
  bool count = false;
};
struct TablesCommand {};
struct ShowCommand {
  std::string table;
  std::optional<std::uint64_t> version;
  bool versions = false;
};
struct DropCommand {
  std::string table;
  bool if_exists = false;
};
struct DoctorCommand {};
struct ServeCommand {
  std::vector<std::pair<std::string, std::string>> settings;  // what flags set, by the setting's name
  std::string config_file;
  bool print_config = false;
};
struct KeysCommand {
  std::string file;
  std::string id;
  std::vector<std::string> scopes;
};
struct VersionCommand {};

using Command =
    std::variant<CreateCommand, LoadCommand, SearchCommand, IndexCommand, RecallCommand, RowsCommand, TablesCommand,
                 ShowCommand, DropCommand, DoctorCommand, ServeCommand, KeysCommand, VersionCommand>;

struct Arguments {
  CommonOptions common;
  Command command;
};

/// What to print instead of running a command: help, completions, or a usage error.
struct Printout {
  int exit_code = 0;
  std::string text;
};

std::variant<Arguments, Printout> ParseArguments(int argc, const char* const* argv);

}  // namespace firn::cli
