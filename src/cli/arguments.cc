#include "cli/arguments.h"

#include <CLI/CLI.hpp>
#include <cstring>

#include "cli/completions.h"
#include "cli/version.h"
#include "server/config.h"

namespace firn::cli {
namespace {

constexpr const char* kMainFooter = R"(
Examples:
  firn load docs docs.ndjson                     make the table docs from a file, or append to it
  firn search docs --vector '[0.1, 0.9]' -k 5    the five nearest rows
  firn search docs --like "id = 7" --where "year > 2020" --explain
  firn index docs                                build an index: searches use it at once
  firn rows docs --where "tag = 'new'" --format csv --output new.csv
  firn tables --db s3://bucket/prefix
  firn serve --db s3://bucket/prefix --port 8080

Where tables are: --db, else the environment variable FIRN_DB, else ./firn-data.
Exit codes: 0 done, 2 wrong input, 3 not found, 4 exists already, 5 conflict, 6 permission, 7 a limit, 8 unavailable,
            9 out of time, 10 corrupt data, 11 unsupported, 1 anything else.
)";

constexpr const char* kInputFooter = R"(
Files: .ndjson .jsonl .json .csv .tsv .npy .arrow .ipc, each also as .gz; "-" reads standard input (say --format then).
Types are inferred: a list of equally many numbers in every row is a vector, ISO 8601 times are timestamps, objects are structs.
)";

void AddInput(CLI::App& command, InputOptions& input) {
  command.add_option("--format", input.format, "json, ndjson, csv, tsv, npy or arrow (default: by the file's name)");
  command
      .add_option_function<std::vector<std::string>>(
          "--column",
          [&input](const std::vector<std::string>& values) {
            for (const std::string& value : values) {
              const std::size_t equals = value.find('=');
              if (equals == std::string::npos || equals == 0)
                throw CLI::ValidationError("--column", "wants NAME=FILE, not " + value);
              input.columns.emplace_back(value.substr(0, equals), value.substr(equals + 1));
            }
          },
          "NAME=FILE: one more column from a file of its own, e.g. vector=vectors.npy (repeatable)")
      ->type_name("NAME=FILE");
  command.add_option("--schema", input.schema, "column types, e.g. 'id int64, text string, vector vector(384)'");
}

void AddCreate(CLI::App& app, Command& command) {
  auto* sub = app.add_subcommand("create", "Make a table, from a file or empty from a schema");
  auto args = std::make_shared<CreateCommand>();
  sub->add_option("table", args->table, "Name of the table")->required();
  sub->add_option("file", args->file, "Rows to start with");
  AddInput(*sub, args->input);
  sub->add_flag("--overwrite", args->overwrite, "Replace the table when it exists (older versions stay readable)");
  sub->add_flag("--exist-ok", args->exist_ok, "Leave an existing table as it is");
  sub->footer(std::string(kInputFooter) + R"(
Examples:
  firn create docs docs.ndjson
  firn create docs --schema 'id int64 not null, text string, vector vector(384)'
)");
  sub->callback([args, &command] { command = *args; });
}

void AddLoad(CLI::App& app, Command& command) {
  auto* sub = app.add_subcommand("load", "Load a file into a table; make the table when there is none");
  auto args = std::make_shared<LoadCommand>();
  sub->add_option("table", args->table, "Name of the table")->required();
  sub->add_option("file", args->file, "File to load, or - for standard input")->required();
  AddInput(*sub, args->input);
  sub->add_flag("--overwrite", args->overwrite, "Replace the rows instead of appending");
  sub->add_option("--commit-every", args->commit_every,
                  "Commit after so many rows (default: all rows in one commit, or none)")
      ->type_name("ROWS");
  sub->footer(std::string(kInputFooter) + R"(
Examples:
  firn load docs docs.ndjson.gz
  firn load docs meta.csv --column vector=embeddings.npy
  producer | firn load events - --format ndjson --commit-every 10000
)");
  sub->callback([args, &command] { command = *args; });
}

void AddSearch(CLI::App& app, Command& command) {
  auto* sub = app.add_subcommand("search", "Find the rows nearest to a vector");
  auto args = std::make_shared<SearchCommand>();
  sub->add_option("table", args->table, "Name of the table")->required();
  auto* vector = sub->add_option("--vector", args->vector, "The query: a JSON list of numbers, or @FILE that holds one")
                     ->type_name("JSON");
  auto* like = sub->add_option("--like", args->like, "Use the vector of the first row for which this filter holds")
                   ->type_name("FILTER");
  auto* vectors = sub->add_option("--vectors", args->vectors, "Search for every vector of this .npy file at once")
                      ->type_name("FILE");
  vector->excludes(like);
  vectors->excludes(vector);
  vectors->excludes(like);
  sub->add_option("--column", args->column, "The vector column (default: the only one)");
  sub->add_option("-k,--limit", args->k, "How many rows")->capture_default_str();
  sub->add_option("--offset", args->offset, "Skip so many of the nearest");
  sub->add_option("--where", args->where, "SQL filter that rows must pass, e.g. \"year > 2020 AND tag IN ('a', 'b')\"")
      ->type_name("FILTER");
  sub->add_flag("--postfilter", args->postfilter, "Apply the filter to the k nearest instead (fewer rows may remain)");
  sub->add_option("--metric", args->metric,
                  "l2, cosine, dot or hamming (default: that of the index, else l2; hamming for uint8 vectors)");
  sub->add_option("--min-distance", args->min_distance, "Only rows at least this far");
  sub->add_option("--max-distance", args->max_distance, "Only rows nearer than this");
  sub->add_option("--columns", args->columns, "Columns to show, e.g. id,title (default: all)")->delimiter(',');
  sub->add_option("--version", args->version, "Search this version of the table (default: the newest)");
  sub->add_flag("--with-row-id", args->with_row_id, "Show each row's id");
  sub->add_option(
         "--recall", args->recall,
         "With an index: share of the true nearest rows to find, above 0 up to 1, kept by measurement (1 = exact)")
      ->capture_default_str();
  sub->add_flag("--exact", args->exact, "Search without the index");
  sub->add_option("--nprobes", args->nprobes, "Scan so many lists of the index instead of keeping a recall");
  sub->add_option("--refine", args->refine, "Exact distances for at most this many times k candidates");
  sub->add_flag("--explain", args->explain, "Say what the search did: index or not, rows, requests, bytes, time");
  sub->footer(R"(
Examples:
  firn search docs --vector '[0.12, 0.7, ...]' -k 5
  firn search docs --vector @query.json --where "lang = 'en'" --columns id,title
  firn search docs --like "id = 42" --metric cosine --explain
  firn search docs --vectors queries.npy -k 100 --columns id --json
)");
  sub->callback([args, &command] { command = *args; });
}

void AddIndex(CLI::App& app, Command& command) {
  auto* sub = app.add_subcommand("index", "Build, list or drop indexes; a search uses them at once");
  auto args = std::make_shared<IndexCommand>();
  sub->add_option("table", args->table, "Name of the table")->required();
  sub->add_option("column", args->column, "The column (default: the only vector column)");
  sub->add_option("--kind", args->kind, "What to build: vector")
      ->check(CLI::IsMember({"vector"}))
      ->capture_default_str();
  sub->add_option("--name", args->name, "Name of the index (default: COLUMN_idx)");
  sub->add_option("--metric", args->metric, "l2, cosine or dot (default: that of the index it replaces, else l2)");
  sub->add_option("--rows-per-list", args->rows_per_list,
                  "Average length of a list (default: about the square root of the rows)");
  sub->add_flag("--missing", args->only_missing, "Index only rows that came since, and keep what there is");
  sub->add_option("--memory", args->memory, "Memory to build in (default: 1GiB)")->type_name("BYTES");
  sub->add_option("--scratch", args->scratch, "Folder for what exceeds it (default: TMPDIR, else /tmp)")
      ->type_name("FOLDER");
  auto* list = sub->add_flag("--list", args->list, "List the table's indexes instead");
  sub->add_flag("--drop", args->drop, "Drop an index instead: the only one, or that of COLUMN or --name")
      ->excludes(list);
  sub->footer(R"(
The command returns when the index is there; searches use the older one until then. A search finds rows that came since, too:
--missing adds them to the index when they have become many. `firn recall` compares what an index promises with the truth.

Examples:
  firn index docs
  firn index docs vector --metric cosine
  firn index docs --missing
  firn index docs --list
  firn index docs --drop
)");
  sub->callback([args, &command] { command = *args; });

  auto* recall = app.add_subcommand("recall", "Compare promised with true recall, by searching both ways");
  auto recall_args = std::make_shared<RecallCommand>();
  recall->add_option("table", recall_args->table, "Name of the table")->required();
  recall->add_option("column", recall_args->column, "The vector column (default: the only one)");
  recall->add_option("--metric", recall_args->metric, "l2, cosine or dot (default: that of the index)");
  recall->add_option("--recall", recall_args->promises, "Promises to check (default: 0.9,0.95,0.99)")->delimiter(',');
  recall->add_option("--where", recall_args->where, "Filter of every search")->type_name("FILTER");
  recall->add_option("--queries", recall_args->queries, "How many rows of the table to search for (default: 200)");
  recall
      ->add_option("--vectors", recall_args->vectors,
                   "Search for the vectors of this .npy file instead, for all or the first --queries of them")
      ->type_name("FILE");
  recall->add_option("-k,--limit", recall_args->k, "How many neighbours")->capture_default_str();
  recall->footer(R"(
Examples:
  firn recall docs
  firn recall docs --where "lang = 'en'" --recall 0.95
  firn recall docs --vectors queries.npy -k 100
)");
  recall->callback([recall_args, &command] { command = *recall_args; });
}

void AddRows(CLI::App& app, Command& command) {
  auto* sub = app.add_subcommand("rows", "Read rows of a table, or count them");
  auto args = std::make_shared<RowsCommand>();
  sub->add_option("table", args->table, "Name of the table")->required();
  sub->add_option("--format", args->format,
                  "table, json, ndjson, csv or arrow (default: table on a terminal, else ndjson)");
  sub->add_option("-o,--output", args->output, "Write to this file");
  sub->add_option("--columns", args->columns, "Columns to read, e.g. id,title (default: all)")->delimiter(',');
  sub->add_option("--where", args->where, "SQL filter")->type_name("FILTER");
  sub->add_option("--limit", args->limit, "At most so many rows (default: all; 20 on a terminal)");
  sub->add_option("--offset", args->offset, "Skip so many rows");
  sub->add_option("--version", args->version, "Read this version of the table (default: the newest)");
  sub->add_flag("--with-row-id", args->with_row_id, "Add each row's id as _rowid");
  sub->add_flag("--count", args->count, "Only say how many rows there are");
  sub->footer(R"(
Examples:
  firn rows docs
  firn rows docs --count --where "year = 2024"
  firn rows docs --columns id,text --format csv --output docs.csv
)");
  sub->callback([args, &command] { command = *args; });
}

void AddSmall(CLI::App& app, Command& command) {
  auto* tables = app.add_subcommand("tables", "List the tables");
  tables->callback([&command] { command = TablesCommand{}; });

  auto* show = app.add_subcommand("show", "Describe a table: columns, rows, size, versions");
  auto show_args = std::make_shared<ShowCommand>();
  show->add_option("table", show_args->table, "Name of the table")->required();
  show->add_option("--version", show_args->version, "Describe this version (default: the newest)");
  show->add_flag("--versions", show_args->versions, "List all versions");
  show->callback([show_args, &command] { command = *show_args; });

  auto* drop = app.add_subcommand("drop", "Delete a table and all its versions");
  auto drop_args = std::make_shared<DropCommand>();
  drop->add_option("table", drop_args->table, "Name of the table")->required();
  drop->add_flag("--if-exists", drop_args->if_exists, "No error when there is none");
  drop->callback([drop_args, &command] { command = *drop_args; });

  auto* doctor = app.add_subcommand("doctor", "Check that a folder or bucket can do what Firn needs");
  doctor->footer("\nExamples:\n  firn doctor --db s3://bucket/prefix\n");
  doctor->callback([&command] { command = DoctorCommand{}; });

  auto* version = app.add_subcommand("version", "Print the version");
  version->callback([&command] { command = VersionCommand{}; });
}

void AddServe(CLI::App& app, Command& command) {
  auto* sub = app.add_subcommand("serve", "Serve the tables over HTTP");
  auto args = std::make_shared<ServeCommand>();
  // Every setting is a flag, but secrets, and those that all commands have.
  for (const server::Setting& setting : server::Settings()) {
    const std::string flag = "--" + std::string(setting.flag);
    if (setting.secret || app.get_option_no_throw(flag) != nullptr) continue;
    sub->add_option_function<std::string>(
        flag,
        [args, name = std::string(setting.flag)](const std::string& value) {
          args->settings.emplace_back(name, value);
        },
        std::string(setting.help));
  }
  sub->add_option("--config", args->config_file, "TOML file with settings");
  sub->add_flag("--print-config", args->print_config,
                "Print every setting, its value and where that came from, and exit");
  sub->footer(R"(
A setting's value comes from its flag, else its environment variable, else the TOML file, else its default.

Examples:
  firn serve --db ./firn-data --port 8080
  firn serve --config firn.toml --print-config
)");
  sub->callback([args, &command] { command = *args; });

  auto* keys = app.add_subcommand("keys", "Make an API key and add its hash to a keys file");
  auto keys_args = std::make_shared<KeysCommand>();
  keys->add_option("file", keys_args->file, "The keys file (made when absent)")->required();
  keys->add_option("--id", keys_args->id, "A name for the key, as it stands in logs")->required();
  keys->add_option("--scopes", keys_args->scopes, "read, write, admin")->delimiter(',')->required();
  keys->footer(
      "\nThe key is printed once and stored only as a hash.\n\nExamples:\n  firn keys keys.jsonl --id loader --scopes "
      "read,write\n");
  keys->callback([keys_args, &command] { command = *keys_args; });
}

void AddCommon(CLI::App& app, CommonOptions& common) {
  app.add_option("--db", common.db, "The database: a folder or s3://bucket/prefix")
      ->envname("FIRN_DB")
      ->type_name("URI");
  app.add_option(
         "--endpoint", common.endpoint,
         "S3 endpoint, e.g. http://127.0.0.1:9000 (default: AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, AWS_ENDPOINT, AWS)")
      ->type_name("URL");
  app.add_option("--region", common.region, "S3 region (default: AWS_REGION, AWS_DEFAULT_REGION, us-east-1)");
  app.add_option("--timeout", common.timeout_s, "Give up after so many seconds (default: never)")->type_name("SECONDS");
  app.add_option("--threads", common.threads, "Threads to compute with (default: one per core)");
  app.add_option("--log-level", common.log_level,
                 "debug, info, warn, error or off, to standard error (LOG_LEVEL; default: warn, of serve: info)");
  app.add_flag("--json", common.json, "Print JSON for programs");
  app.add_flag("-q,--quiet", common.quiet, "No progress and no remarks");
  app.add_flag("--no-fsync", common.no_fsync, "On a folder: faster writes that a power cut may lose");
}

/// The names of commands and options, for the completion scripts.
std::vector<CompletionCommand> Describe(const CLI::App& app) {
  std::vector<CompletionCommand> commands;
  const auto options_of = [](const CLI::App& of) {
    std::vector<std::string> names;
    for (const CLI::Option* option : of.get_options()) {
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    }
    return names;
  };
  commands.push_back({"", app.get_description(), options_of(app)});
  for (const CLI::App* sub : app.get_subcommands({}))
    commands.push_back({sub->get_name(), sub->get_description(), options_of(*sub)});
  return commands;
}

}  // namespace

std::variant<Arguments, Printout> ParseArguments(int argc, const char* const* argv) {
  CLI::App app{"Firn: a vector database on open Lance tables, in a folder or a bucket", "firn"};
  Arguments arguments;
  std::string shell;
  app.require_subcommand(1);
  app.fallthrough();
  app.footer(kMainFooter);
  app.set_version_flag("--version", std::string("firn ") + std::string(kVersion));
  AddCommon(app, arguments.common);
  AddLoad(app, arguments.command);
  AddSearch(app, arguments.command);
  AddIndex(app, arguments.command);
  AddRows(app, arguments.command);
  AddCreate(app, arguments.command);
  AddSmall(app, arguments.command);
  AddServe(app, arguments.command);
  auto* completions = app.add_subcommand("completions", "Print a shell completion script");
  completions->add_option("shell", shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  completions->footer(
      "\nExamples:\n  source <(firn completions bash)\n  firn completions fish > "
      "~/.config/fish/completions/firn.fish\n");

  try {
    if (argc <= 1) return Printout{2, app.help()};
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {  // --help, --version
    const bool version = dynamic_cast<const CLI::CallForVersion*>(&success) != nullptr;
    if (version) return Printout{0, std::string("firn ") + std::string(kVersion) + "\n"};
    const auto chosen = app.get_subcommands();
    return Printout{0, chosen.empty() ? app.help() : chosen.front()->help()};
  } catch (const CLI::ParseError& error) {
    const auto chosen = app.get_subcommands();
    const std::string command = chosen.empty() ? "firn" : "firn " + chosen.front()->get_name();
    return Printout{InfoOf(ErrorKind::kInvalidArgument).exit_code,
                    "firn: " + std::string(error.what()) + "\nTry `" + command + " --help`.\n"};
  }
  if (completions->parsed()) return Printout{0, CompletionScript(shell, Describe(app))};
  return arguments;
}

}  // namespace firn::cli
