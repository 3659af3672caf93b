// index, recall: building indexes, and checking what they promise.

#include <cstdio>
#include <cstdlib>

#include "arrow/file_source.h"
#include "arrow/json_writer.h"
#include "base/json_string.h"
#include "cli/index_text.h"
#include "cli/query_vectors.h"
#include "cli/session.h"
#include "cli/terminal.h"

namespace firn::cli {
namespace {

/// "512MiB", "1GiB", "1073741824".
Result<std::uint64_t> ParseBytes(const std::string& text) {
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  const std::string unit(end);
  double factor = 0;
  if (unit.empty() || unit == "B") factor = 1;
  if (unit == "KiB" || unit == "K") factor = 1024.0;
  if (unit == "MiB" || unit == "M") factor = 1024.0 * 1024;
  if (unit == "GiB" || unit == "G") factor = 1024.0 * 1024 * 1024;
  if (end == text.c_str() || factor == 0 || !(number * factor >= 1) || number * factor > 1e15)
    return InvalidArgument("\"" + text + "\" is not a size", "Write for example 512MiB or 2GiB");
  return static_cast<std::uint64_t>(number * factor);
}

void Print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

Status ListIndexes(Session& session, engine::Engine& engine, const std::string& name) {
  FIRN_TRY(const std::vector<engine::IndexDescription> indexes, engine.Indexes(name, session.deadline()));
  if (session.options().json) {
    Print("{\"indexes\":" + IndexesJson(indexes) + "}\n");
  } else if (indexes.empty()) {
    Print("no indexes on " + name + " yet; `firn index " + name + "` builds one\n");
  } else {
    Print(IndexesTable(indexes));
  }
  return {};
}

/// The index that is meant: by its name, by its column, or the only one.
Result<std::string> ChooseIndex(Session& session, engine::Engine& engine, const std::string& name,
                                const IndexCommand& command) {
  FIRN_TRY(const std::vector<engine::IndexDescription> indexes, engine.Indexes(name, session.deadline()));
  std::vector<std::string> meant;
  std::string all;
  for (const engine::IndexDescription& index : indexes) {
    all += (all.empty() ? "" : ", ") + index.name;
    if (!command.name.empty() && index.name != command.name) continue;
    if (!command.column.empty() && index.column != command.column) continue;
    meant.push_back(index.name);
  }
  if (meant.size() == 1) return meant.front();
  const std::string hint = all.empty() ? "It has no index" : "Its indexes are: " + all;
  if (!meant.empty()) return InvalidArgument("table " + name + " has several such indexes", hint + "; say --name NAME");
  std::string what = "table " + name + " has no index";
  if (!command.name.empty()) what += " \"" + command.name + "\"";
  if (!command.column.empty()) what += " on column \"" + command.column + "\"";
  return NotFound(what, all.empty() ? "`firn index " + name + "` builds one" : hint);
}

Status DropIndex(Session& session, engine::Engine& engine, const std::string& name, const IndexCommand& command) {
  FIRN_TRY(const std::string index, ChooseIndex(session, engine, name, command));
  FIRN_CHECK(engine.DropIndex(name, index, session.deadline()));
  if (session.options().json) {
    std::string text = "{\"dropped\":";
    AppendJsonString(text, index);
    Print(text + "}\n");
  } else if (!session.options().quiet) {
    Print("dropped index " + index + " of " + name + "\n");
  }
  return {};
}

Status BuildIndex(Session& session, engine::Engine& engine, const std::string& name, const IndexCommand& command) {
  maintain::BuildOptions options;
  options.name = command.name;
  options.column = command.column;
  options.rows_per_list = command.rows_per_list;
  options.only_missing = command.only_missing;
  if (!command.metric.empty()) {
    FIRN_TRY(options.metric, simd::ParseMetric(command.metric));
  }
  if (!command.memory.empty()) {
    FIRN_TRY(options.memory_bytes, ParseBytes(command.memory));
  }
  const char* temporary = std::getenv("TMPDIR");
  if (temporary != nullptr && *temporary != '\0') options.scratch_folder = temporary;
  if (!command.scratch.empty()) options.scratch_folder = command.scratch;

  FIRN_TRY(const maintain::BuildPlan plan, engine.PlanIndex(name, options, session.deadline()));
  Result<index::SegmentEntry> built = InvalidArgument("");
  {
    std::unique_ptr<Progress> progress;
    std::optional<maintain::BuildPhase> shown;
    const auto show = [&](maintain::BuildPhase phase, std::uint64_t done, std::uint64_t total) {
      if (shown != phase)
        progress = std::make_unique<Progress>("index on " + name + ": " + std::string(maintain::NameOf(phase)),
                                              session.clock(), session.options().quiet);
      shown = phase;
      if (maintain::CountsRows(phase)) progress->ShowRows(done, total);
      if (!maintain::CountsRows(phase)) progress->ShowName();
    };
    built = engine.BuildIndex(name, options, show, session.deadline());
  }
  if (!built) return std::move(built).error();
  const double promise = built->calibrations.empty() ? 0 : static_cast<double>(built->calibrations.back().recall);
  if (session.options().json) {
    std::string text = "{\"table\":";
    AppendJsonString(text, name);
    text += ",\"index\":";
    AppendJsonString(text, built->name);
    text += ",\"column\":";
    AppendJsonString(text, built->column);
    text += ",\"metric\":\"" + std::string(simd::NameOf(built->metric)) + "\",\"rows\":" + std::to_string(built->rows) +
            ",\"lists\":" + std::to_string(built->lists) + ",\"bytes\":" + std::to_string(built->object_bytes) +
            ",\"hot_bytes\":" + std::to_string(built->footer.hot_bytes) + ",\"recall_up_to\":" + Number(promise) +
            ",\"build_s\":" + Number(built->build_s) + "}\n";
    Print(text);
  } else if (plan.rows == 0 && command.only_missing) {
    if (!session.options().quiet) Print("index " + plan.name + " on " + name + " has every row already\n");
  } else if (!session.options().quiet) {
    Print(
        "index " + built->name + " on " + name + "." + built->column + ": " + WithCommas(built->rows) + " rows in " +
        WithCommas(built->lists) + " lists, " + HumanBytes(built->object_bytes) + " (" +
        Number(static_cast<double>(built->object_bytes) / static_cast<double>(std::max<std::uint64_t>(built->rows, 1)),
               "%.0f") +
        " bytes a row), " + std::string(simd::NameOf(built->metric)) + ", recall promised up to " +
        Number(promise, "%.3g") + " (" + HumanMillis(built->build_s * 1000) + ")\n");
  }
  return {};
}

}  // namespace

Status RunIndex(Session& session, const IndexCommand& command) {
  FIRN_TRY(const std::string name, session.ResolveTable(command.table));
  FIRN_TRY(engine::Engine * engine, session.Engine());
  if (command.list) return ListIndexes(session, *engine, name);
  if (command.drop) return DropIndex(session, *engine, name, command);
  return BuildIndex(session, *engine, name, command);
}

Status RunRecall(Session& session, const RecallCommand& command) {
  FIRN_TRY(const std::string name, session.ResolveTable(command.table));
  maintain::RecallOptions options;
  options.column = command.column;
  options.filter = command.where;
  if (command.queries) options.queries = *command.queries;
  options.k = command.k;
  if (!command.promises.empty()) options.promises = command.promises;
  if (!command.metric.empty()) {
    FIRN_TRY(options.metric, simd::ParseMetric(command.metric));
  }
  if (!command.vectors.empty()) {
    FIRN_TRY(options.vectors, ReadVectors(command.vectors, command.queries.value_or(maintain::kMaxRecallQueries)));
  }
  FIRN_TRY(engine::Engine * engine, session.Engine());
  FIRN_TRY(const maintain::RecallReport report, engine->MeasureRecall(name, options, session.deadline()));
  if (session.options().json) {
    std::string text = "{\"column\":";
    AppendJsonString(text, report.column);
    text += ",\"queries\":" + std::to_string(report.queries) + ",\"k\":" + std::to_string(report.k) + ",\"recall\":[";
    for (const maintain::RecallRow& row : report.rows) {
      text += std::string(text.ends_with('[') ? "" : ",") +
              "{\"promise\":" + Number(static_cast<double>(row.promise), "%.4g") +
              ",\"truth\":" + Number(row.truth, "%.4f") + ",\"worst\":" + Number(row.worst, "%.4f") +
              ",\"median_ms\":" + Number(row.median_ms) + ",\"exact_ms\":" + Number(row.exact_ms) +
              ",\"lists\":" + Number(row.lists, "%.1f") + ",\"candidates\":" + Number(row.candidates, "%.1f") + "}";
    }
    Print(text + "]}\n");
    return {};
  }
  TextTable table({{"promise", true},
                   {"truth", true},
                   {"worst query", true},
                   {"median", true},
                   {"exact", true},
                   {"lists", true},
                   {"candidates", true}});
  for (const maintain::RecallRow& row : report.rows) {
    table.Add({Number(static_cast<double>(row.promise), "%.3g"), Number(row.truth, "%.4f"), Number(row.worst, "%.2f"),
               HumanMillis(row.median_ms), HumanMillis(row.exact_ms), Number(row.lists, "%.1f"),
               Number(row.candidates, "%.1f")});
  }
  Print("recall@" + std::to_string(report.k) + " of " + name + "." + report.column + " over " +
        WithCommas(report.queries) + " queries\n" + table.Render(TerminalWidth()) + "plan: " + report.plan + "\n");
  return {};
}

}  // namespace firn::cli
