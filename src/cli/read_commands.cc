// search, rows, tables, show, doctor: the commands that read.

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "arrow/csv.h"
#include "arrow/ipc.h"
#include "arrow/json.h"
#include "arrow/json_writer.h"
#include "base/json_string.h"
#include "cli/index_text.h"
#include "cli/query_vectors.h"
#include "cli/session.h"
#include "cli/terminal.h"

namespace firn::cli {
namespace {

constexpr std::uint64_t kRowsOnATerminal = 20;
constexpr std::size_t kMaxVectorText = 16U << 20;

void Print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

/// The numbers of a JSON list.
Result<std::vector<float>> ParseVector(const std::string& text) {
  const auto schema = std::make_shared<const arrow::Schema>(
      arrow::Schema{{{"vector", arrow::List(arrow::Simple(arrow::TypeId::kFloat32), false), false, {}}}, {}});
  arrow::JsonOptions options;
  options.layout = arrow::JsonLayout::kObjects;
  options.schema = schema;
  Result<arrow::RecordBatch> parsed = arrow::ReadJson(Buffer::Of("{\"vector\":" + text + "}"), options);
  if (!parsed || parsed->rows != 1) {
    return InvalidArgument("--vector is not a JSON list of numbers: " + text.substr(0, 60),
                           "Write --vector '[0.1, 0.2, 0.3]', or @FILE");
  }
  const auto values = parsed->columns[0].child(0).Values<float>();
  return std::vector<float>(values.begin(), values.end());
}

Result<std::vector<float>> VectorOf(const SearchCommand& command) {
  if (!command.vector.starts_with('@')) return ParseVector(command.vector);
  const std::string path = command.vector.substr(1);
  std::ifstream file(path);
  if (!file) return NotFound("cannot read " + path, "--vector @FILE wants a file that holds a JSON list of numbers");
  std::string text(kMaxVectorText, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  return ParseVector(text);
}

/// The vector of the first row for which the filter holds.
Result<std::vector<float>> VectorLike(const table::Snapshot& snapshot, const std::string& filter,
                                      const std::string& column, const Deadline& deadline) {
  std::string chosen = column;
  for (const arrow::Field& field : snapshot.schema()->fields) {
    if (!chosen.empty() || !arrow::IsVector(*field.type)) continue;
    chosen = field.name;
  }
  if (chosen.empty()) return InvalidArgument("table " + snapshot.name() + " has no vector column");
  table::ScanRequest request;
  request.columns = {chosen};
  request.filter = filter;
  request.limit = 1;
  std::vector<float> vector;
  FIRN_CHECK(snapshot.Scan(
      request,
      [&](const arrow::RecordBatch& batch) -> Result<bool> {
        if (batch.rows == 0 || batch.columns[0].IsNull(0)) return true;
        const auto [begin, end] = batch.columns[0].ItemsAt(0);
        const arrow::Array& items = batch.columns[0].child(0);
        for (std::int64_t i = begin; i < end; i++) {
          std::string text;
          arrow::AppendJsonValue(text, items, i);
          vector.push_back(std::strtof(text.c_str(), nullptr));
        }
        return false;
      },
      deadline));
  if (vector.empty())
    return NotFound("no row with a vector for which " + filter, "--like uses the vector of the first row that matches");
  return vector;
}

void PrintExplain(const query::Explain& explain) {
  std::string text = "plan     " + explain.plan + "\n";
  text += "version  " + std::to_string(explain.version) + "\n";
  text += "scanned  ";
  if (explain.lists > 0) {
    text += WithCommas(explain.lists) + (explain.lists == 1 ? " list: " : " lists: ") +
            WithCommas(explain.rows_estimated) + " rows by 1 bit, " + WithCommas(explain.rows_refined) +
            " of them by 5 bits, " + WithCommas(explain.candidates) + " exactly";
    const std::uint64_t others = explain.rows_scanned - std::min(explain.candidates, explain.rows_scanned);
    if (others > 0) text += "; " + WithCommas(others) + " rows without index exactly";
    text += "\n";
  } else {
    text += WithCommas(explain.rows_scanned) + " rows exactly\n";
  }
  const auto reads = [](const query::Reads& counted) {
    return WithCommas(counted.rounds) + (counted.rounds == 1 ? " round, " : " rounds, ") +
           WithCommas(counted.requests) + (counted.requests == 1 ? " request, " : " requests, ") +
           HumanBytes(counted.bytes);
  };
  const bool far = explain.price_usd > 0;
  if (far) text += "planned  " + reads(query::Reads(explain.opened) += explain.planned) + "\n";
  text += (far ? "spent    " : "store    ") + reads({explain.rounds, explain.requests, explain.bytes_read}) + " read\n";
  if (far)
    text += "price    $" + Number(explain.price_usd, "%.6f") + ", $" + Number(explain.price_usd * 1e6, "%.3g") +
            " for a million such searches (S3's list price of requests)\n";
  text += "time     " + HumanMillis(explain.total_ms) + "  (open " + HumanMillis(explain.open_ms) + ", search " +
          HumanMillis(explain.search_ms) + ", fetch " + HumanMillis(explain.fetch_ms) + ")\n";
  Print(text);
}

/// Where rows go: one of the formats, to a file or to standard output. A file appears when all is written.
class RowOutput {
 public:
  static Result<std::unique_ptr<RowOutput>> Open(const std::string& format, const std::string& path,
                                                 const arrow::SchemaPtr& schema) {
    auto output = std::unique_ptr<RowOutput>(new RowOutput(format, path, schema));
    if (!path.empty()) {
      output->file_ = std::fopen((path + ".part").c_str(), "wb");
      if (output->file_ == nullptr)
        return PermissionDenied("cannot write " + path, "Is the folder there, and yours to write?");
    }
    if (format == "json") FIRN_CHECK(output->Write("["));
    if (format == "csv") {
      std::string header;
      arrow::AppendCsvHeader(header, *schema);
      FIRN_CHECK(output->Write(header));
    }
    if (format == "arrow") {
      output->ipc_.emplace([o = output.get()](ByteSpan bytes) { return o->Write(AsChars(bytes)); },
                           arrow::IpcWriteOptions{});
      FIRN_CHECK(output->ipc_->Start(schema));
    }
    return output;
  }

  ~RowOutput() {
    if (file_ == nullptr) return;
    std::fclose(file_);
    std::remove((path_ + ".part").c_str());
  }

  Status Append(const arrow::RecordBatch& batch) {
    if (batch.rows == 0) return {};
    if (ipc_) return ipc_->Write(batch);
    std::string text;
    if (format_ == "json") {
      text = any_ ? ",\n" : "\n";
      json_.AppendItems(text, batch);
    } else if (format_ == "csv") {
      arrow::AppendCsvRows(text, batch);
    } else {
      json_.AppendLines(text, batch);
    }
    any_ = true;
    return Write(text);
  }

  Status Finish() {
    if (format_ == "json") FIRN_CHECK(Write("\n]\n"));
    if (ipc_) FIRN_CHECK(ipc_->Finish());
    if (file_ == nullptr) return {};
    const bool closed = std::fclose(std::exchange(file_, nullptr)) == 0;
    if (!closed || std::rename((path_ + ".part").c_str(), path_.c_str()) != 0)
      return Unavailable("could not finish writing " + path_);
    return {};
  }

 private:
  RowOutput(std::string format, std::string path, const arrow::SchemaPtr& schema)
      : format_(std::move(format)), path_(std::move(path)), json_(*schema) {}

  Status Write(std::string_view text) {
    std::FILE* to = file_ != nullptr ? file_ : stdout;
    if (std::fwrite(text.data(), 1, text.size(), to) != text.size()) {
      return Unavailable("could not write to " + (path_.empty() ? std::string("standard output") : path_),
                         "Is the disk full, or the reader gone?");
    }
    return {};
  }

  const std::string format_;
  const std::string path_;
  std::FILE* file_ = nullptr;  // null: standard output
  bool any_ = false;
  arrow::JsonRowWriter json_;
  std::optional<arrow::IpcWriter> ipc_;
};

Result<std::string> FormatOf(const RowsCommand& command, bool json) {
  if (!command.format.empty()) {
    for (const char* known : {"table", "json", "ndjson", "csv", "arrow"}) {
      if (command.format == known) return command.format;
    }
    return InvalidArgument("unknown format \"" + command.format + "\"", "Use table, json, ndjson, csv or arrow");
  }
  if (json) return std::string("json");
  if (command.output.ends_with(".csv")) return std::string("csv");
  if (command.output.ends_with(".json")) return std::string("json");
  if (command.output.ends_with(".arrow") || command.output.ends_with(".arrows")) return std::string("arrow");
  return std::string(command.output.empty() && IsTerminal(STDOUT_FILENO) ? "table" : "ndjson");
}

Status PrintRowsTable(const table::Snapshot& snapshot, table::ScanRequest request, const Deadline& deadline) {
  const std::uint64_t limit = request.limit.value_or(kRowsOnATerminal);
  request.limit = limit + 1;
  std::vector<arrow::RecordBatch> batches;
  FIRN_CHECK(snapshot.Scan(
      request,
      [&](arrow::RecordBatch batch) -> Result<bool> {
        batches.push_back(std::move(batch));
        return true;
      },
      deadline));
  FIRN_TRY(const arrow::SchemaPtr schema, snapshot.ProjectedSchema(request.columns, request.with_row_address));
  FIRN_TRY(arrow::RecordBatch rows, arrow::Concat(schema, batches));
  const bool more = rows.rows > static_cast<std::int64_t>(limit);
  if (more) rows = rows.Slice(0, static_cast<std::int64_t>(limit));
  Print(RenderRows(rows, TerminalWidth()));
  if (more) Print("\u2026 more rows; --limit shows them\n");
  return {};
}

std::optional<std::vector<std::string>> ColumnsOf(const std::vector<std::string>& columns) {
  if (columns.empty()) return std::nullopt;
  return columns;
}

Result<query::SearchRequest> RequestOf(const SearchCommand& command) {
  query::SearchRequest request;
  request.vector_column = command.column;
  request.k = command.k;
  request.offset = command.offset;
  request.filter = command.where;
  request.postfilter = command.postfilter;
  request.distance_at_least = command.min_distance;
  request.distance_below = command.max_distance;
  request.columns = ColumnsOf(command.columns);
  request.with_row_address = command.with_row_id;
  request.recall = command.recall;
  request.exact = command.exact;
  request.nprobes = command.nprobes;
  request.refine = command.refine;
  if (!command.metric.empty()) {
    FIRN_TRY(request.metric, simd::ParseMetric(command.metric));
  }
  return request;
}

/// `results`: of each query vector. With --vectors there are many of them, and each has a list or a table of its own.
void PrintResults(const SearchCommand& command, bool json, std::span<const arrow::RecordBatch> results,
                  const query::Explain& explain) {
  const bool many = !command.vectors.empty();
  if (json) {
    std::string text = many ? "{\"results\":[" : "{\"results\":";
    for (const arrow::RecordBatch& rows : results) {
      if (text.ends_with(']')) text += ",\n";
      text += "[";
      arrow::JsonRowWriter(*rows.schema).AppendItems(text, rows);
      text += "]";
    }
    if (many) text += "]";
    if (!explain.warnings.empty()) {
      text += ",\"warnings\":[";
      for (const std::string& warning : explain.warnings) {
        if (!text.ends_with('[')) text += ',';
        AppendJsonString(text, warning);
      }
      text += ']';
    }
    if (command.explain) text += ",\"explain\":" + query::ExplainJson(explain);
    Print(text + "}\n");
    return;
  }
  for (const std::string& warning : explain.warnings) std::fprintf(stderr, "firn: %s\n", warning.c_str());
  for (std::size_t i = 0; i < results.size(); i++) {
    if (many) Print((i > 0 ? "\nquery " : "query ") + std::to_string(i) + "\n");
    Print(results[i].rows == 0 ? "no row matches\n" : RenderRows(results[i], TerminalWidth()));
  }
  if (command.explain) {
    Print("\n");
    PrintExplain(explain);
  }
}

}  // namespace

Status RunSearch(Session& session, const SearchCommand& command) {
  FIRN_TRY(const std::string name, session.ResolveTable(command.table));
  FIRN_TRY(query::SearchRequest request, RequestOf(command));
  if (command.vector.empty() && command.like.empty() && command.vectors.empty()) {
    return InvalidArgument("search wants --vector, --vectors or --like",
                           "For example --vector '[0.1, 0.2]', or --like \"id = 7\"");
  }
  FIRN_TRY(engine::Engine * engine, session.Engine());
  if (!command.vectors.empty()) {
    // One more than may be: that there are too many is for the search to say.
    FIRN_TRY(const auto vectors, ReadVectors(command.vectors, query::kMaxVectors + 1));
    FIRN_TRY(const query::ManyResults found,
             engine->SearchMany(name, command.version, request, vectors, session.deadline()));
    PrintResults(command, session.options().json, found.rows, found.explain);
    return {};
  }
  if (!command.like.empty()) {
    FIRN_TRY(const table::SnapshotPtr snapshot, engine->Snapshot(name, command.version, session.deadline()));
    FIRN_TRY(request.vector, VectorLike(*snapshot, command.like, command.column, session.deadline()));
  } else {
    FIRN_TRY(request.vector, VectorOf(command));
  }
  FIRN_TRY(const query::SearchResult found, engine->Search(name, command.version, request, session.deadline()));
  PrintResults(command, session.options().json, {&found.rows, 1}, found.explain);
  return {};
}

Status RunRows(Session& session, const RowsCommand& command) {
  FIRN_TRY(const std::string format, FormatOf(command, session.options().json));
  FIRN_TRY(const std::string name, session.ResolveTable(command.table));
  FIRN_TRY(engine::Engine * engine, session.Engine());
  FIRN_TRY(const table::SnapshotPtr snapshot, engine->Snapshot(name, command.version, session.deadline()));
  if (command.count) {
    FIRN_TRY(const std::uint64_t rows, snapshot->CountRows(command.where, session.deadline()));
    Print(session.options().json ? "{\"rows\":" + std::to_string(rows) + "}\n" : std::to_string(rows) + "\n");
    return {};
  }
  table::ScanRequest request;
  request.columns = ColumnsOf(command.columns);
  request.filter = command.where;
  request.limit = command.limit;
  request.offset = command.offset;
  request.with_row_address = command.with_row_id;
  if (format == "table") return PrintRowsTable(*snapshot, std::move(request), session.deadline());

  FIRN_TRY(const arrow::SchemaPtr schema, snapshot->ProjectedSchema(request.columns, request.with_row_address));
  FIRN_TRY(const auto output, RowOutput::Open(format, command.output, schema));
  FIRN_CHECK(snapshot->Scan(
      request,
      [&](const arrow::RecordBatch& batch) -> Result<bool> {
        FIRN_CHECK(output->Append(batch));
        return true;
      },
      session.deadline()));
  return output->Finish();
}

Status RunTables(Session& session, const TablesCommand&) {
  FIRN_TRY(engine::Engine * engine, session.Engine());
  FIRN_TRY(const table::TablePage page, engine->ListTables("", 0, session.deadline()));
  std::string text;
  if (session.options().json) {
    text = "{\"tables\":[";
    for (std::size_t i = 0; i < page.names.size(); i++) {
      if (i > 0) text += ",";
      AppendJsonString(text, page.names[i]);
    }
    text += "]}\n";
  } else {
    for (const std::string& name : page.names) text += name + "\n";
    if (page.names.empty() && IsTerminal(STDOUT_FILENO))
      text = "no tables in " + session.database() + " yet; `firn load TABLE FILE` makes one\n";
  }
  Print(text);
  return {};
}

namespace {

Status PrintVersions(Session& session, engine::Engine& engine, const std::string& name) {
  FIRN_TRY(const std::vector<table::VersionInfo> versions, engine.Versions(name, session.deadline()));
  if (session.options().json) {
    std::string text = "{\"versions\":[";
    for (std::size_t i = 0; i < versions.size(); i++) {
      const table::VersionInfo& version = versions[i];
      text += (i > 0 ? ",{\"version\":" : "{\"version\":") + std::to_string(version.version) + ",\"timestamp\":\"" +
              IsoTime(version.timestamp) + "\",\"rows\":" + std::to_string(version.rows) +
              ",\"fragments\":" + std::to_string(version.fragments) + ",\"writer\":";
      AppendJsonString(text, version.writer);
      text += "}";
    }
    Print(text + "]}\n");
    return {};
  }
  TextTable table({{"version", true}, {"time", false}, {"rows", true}, {"fragments", true}, {"written by", false}});
  for (const table::VersionInfo& version : versions) {
    table.Add({std::to_string(version.version), IsoTime(version.timestamp), WithCommas(version.rows),
               WithCommas(version.fragments), version.writer});
  }
  Print(table.Render(TerminalWidth()));
  return {};
}

}  // namespace

Status RunShow(Session& session, const ShowCommand& command) {
  FIRN_TRY(const std::string name, session.ResolveTable(command.table));
  FIRN_TRY(engine::Engine * engine, session.Engine());
  if (command.versions) return PrintVersions(session, *engine, name);
  FIRN_TRY(const engine::TableDescription table, engine->Describe(name, command.version, session.deadline()));
  // Indexes follow the newest version; what they say of an older one is not worth a question.
  std::vector<engine::IndexDescription> indexes;
  if (!command.version) {
    FIRN_TRY(indexes, engine->Indexes(name, session.deadline()));
  }
  if (session.options().json) {
    std::string text = "{\"name\":";
    AppendJsonString(text, table.name);
    text += ",\"location\":";
    AppendJsonString(text, table.location);
    text += ",\"version\":" + std::to_string(table.version) + ",\"rows\":" + std::to_string(table.rows) +
            ",\"fragments\":" + std::to_string(table.fragments) +
            ",\"data_bytes\":" + std::to_string(table.data_bytes) + ",\"data_version\":\"" + table.data_version +
            "\",\"modified\":\"" + IsoTime(table.modified) + "\",\"writer\":";
    AppendJsonString(text, table.writer);
    text += ",\"columns\":[";
    for (std::size_t i = 0; i < table.schema->fields.size(); i++) {
      const arrow::Field& field = table.schema->fields[i];
      text += i > 0 ? ",{\"name\":" : "{\"name\":";
      AppendJsonString(text, field.name);
      text += ",\"type\":";
      AppendJsonString(text, field.type->ToString());
      text += std::string(",\"nullable\":") + (field.nullable ? "true" : "false") + "}";
    }
    text += "]";
    if (!command.version) text += ",\"indexes\":" + IndexesJson(indexes);
    Print(text + "}\n");
    return {};
  }
  std::string text = "table     " + table.name + "\n";
  text += "location  " + table.location + "\n";
  text += "version   " + std::to_string(table.version) + ", written " + IsoTime(table.modified) + " by " +
          table.writer + "\n";
  text += "rows      " + WithCommas(table.rows) + " in " + WithCommas(table.fragments) +
          (table.fragments == 1 ? " fragment" : " fragments") + ", " + HumanBytes(table.data_bytes) + "\n\n";
  Print(text);
  TextTable columns({{"column", false}, {"type", false}, {"null", false}});
  for (const arrow::Field& field : table.schema->fields)
    columns.Add({field.name, field.type->ToString(), field.nullable ? "yes" : "no"});
  Print(columns.Render(TerminalWidth()));
  if (!indexes.empty()) Print("\n" + IndexesTable(indexes));
  return {};
}

Status RunDoctor(Session& session, const DoctorCommand&) {
  FIRN_TRY(engine::Engine * engine, session.Engine());
  FIRN_TRY(const store::DoctorReport report, engine->Doctor(session.deadline()));
  std::string text;
  if (session.options().json) {
    text = "{\"store\":";
    AppendJsonString(text, report.store);
    text += ",\"verdict\":\"" + std::string(store::NameOf(report.Overall())) + "\",\"findings\":[";
    for (std::size_t i = 0; i < report.findings.size(); i++) {
      const store::Finding& finding = report.findings[i];
      text += i > 0 ? ",{\"name\":" : "{\"name\":";
      AppendJsonString(text, finding.name);
      text += ",\"verdict\":\"" + std::string(store::NameOf(finding.verdict)) + "\",\"message\":";
      AppendJsonString(text, finding.message);
      text += ",\"advice\":";
      AppendJsonString(text, finding.advice);
      text += ",\"took_ms\":" + std::to_string(std::chrono::duration<double, std::milli>(finding.took).count()) + "}";
    }
    text += "]}\n";
  } else {
    text = report.store + "\n\n";
    for (const store::Finding& finding : report.findings) {
      const char* mark = finding.verdict == store::Verdict::kOk     ? "\u2713"
                         : finding.verdict == store::Verdict::kWarn ? "!"
                                                                    : "\u2717";
      text += std::string(mark) + " " + finding.name + ": " + finding.message + " (" +
              HumanMillis(std::chrono::duration<double, std::milli>(finding.took).count()) + ")\n";
      if (!finding.advice.empty()) text += "    " + finding.advice + "\n";
    }
  }
  Print(text);
  if (report.Overall() == store::Verdict::kFail)
    return Unsupported("this store lacks what Firn needs", "See the findings above");
  return {};
}

}  // namespace firn::cli
