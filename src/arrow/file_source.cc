#include "arrow/file_source.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <utility>

#include "arrow/byte_stream.h"
#include "arrow/csv.h"
#include "arrow/ipc.h"
#include "arrow/json.h"
#include "arrow/npy.h"
#include "arrow/text_value.h"

namespace firn::arrow {
namespace {

struct FormatName {
  std::string_view name;  // also the extension
  FileFormat format;
};
constexpr FormatName kFormats[] = {
    {"json", FileFormat::kJson}, {"ndjson", FileFormat::kNdjson}, {"jsonl", FileFormat::kNdjson},
    {"csv", FileFormat::kCsv},   {"tsv", FileFormat::kTsv},       {"tab", FileFormat::kTsv},
    {"npy", FileFormat::kNpy},   {"arrow", FileFormat::kArrow},   {"arrows", FileFormat::kArrow},
    {"ipc", FileFormat::kArrow}, {"feather", FileFormat::kArrow},
};
constexpr const char* kKnownFormats = "json, ndjson, csv, tsv, npy and arrow are known";

// Large enough that most batches lie in one piece and are not copied together.
constexpr std::size_t kArrowPiece = 4 << 20;

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

bool IsGzip(const std::string& path) { return Lower(path).ends_with(".gz"); }

Result<FileFormat> FormatByName(const std::string& path) {
  std::string name = Lower(path.substr(path.rfind('/') + 1));
  if (name.ends_with(".gz")) name.resize(name.size() - 3);
  const std::size_t dot = name.rfind('.');
  for (const auto& [extension, format] : kFormats) {
    if (dot != std::string::npos && std::string_view(name).substr(dot + 1) == extension) return format;
  }
  return InvalidArgument("the name " + Quoted(path) + " does not tell the file's format",
                         std::string("Name the format; ") + kKnownFormats);
}

Result<std::unique_ptr<BatchSource>> OpenFormat(std::unique_ptr<ByteStream> bytes, FileFormat format,
                                                const FileOptions& options) {
  switch (format) {
    case FileFormat::kByName:
      break;
    case FileFormat::kJson:
    case FileFormat::kNdjson: {
      JsonOptions json;
      json.layout = format == FileFormat::kJson ? JsonLayout::kAuto : JsonLayout::kLines;
      json.schema = options.schema;
      json.infer_rows = options.infer_rows;
      json.batch_rows = options.batch_rows;
      return OpenJson(std::move(bytes), std::move(json));
    }
    case FileFormat::kCsv:
    case FileFormat::kTsv: {
      CsvOptions csv;
      csv.delimiter = format == FileFormat::kCsv ? ',' : '\t';
      csv.schema = options.schema;
      csv.infer_rows = options.infer_rows;
      csv.batch_rows = options.batch_rows;
      csv.empty_is_null = options.empty_is_null;
      return OpenCsv(std::move(bytes), std::move(csv));
    }
    case FileFormat::kNpy: {
      NpyOptions npy;
      npy.column = options.npy_column;
      npy.batch_rows = options.batch_rows;
      return OpenNpy(std::move(bytes), std::move(npy));
    }
    case FileFormat::kArrow: {
      std::shared_ptr<ByteStream> shared = std::move(bytes);
      return OpenIpcStream([shared] { return shared->Read(kArrowPiece); });
    }
  }
  return Internal("a file format without a reader");
}

/// One file.
class SingleFile final : public FileSource {
 public:
  SingleFile(std::string path, const ByteStream* bytes, std::unique_ptr<BatchSource> batches)
      : path_(std::move(path)), bytes_(bytes), batches_(std::move(batches)) {}

  SchemaPtr schema() const override { return batches_->schema(); }
  Result<std::optional<RecordBatch>> Next() override {
    auto batch = batches_->Next();
    if (!batch) return std::move(batch).error().In(path_);
    return batch;
  }
  Progress progress() const override { return {bytes_->bytes_read(), bytes_->bytes_total()}; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  const ByteStream* bytes_;  // owned by batches_
  std::unique_ptr<BatchSource> batches_;
};

Result<std::unique_ptr<SingleFile>> OpenSingle(const std::string& path, const FileOptions& options) {
  FileFormat format = options.format;
  if (format == FileFormat::kByName) {
    FIRN_TRY(format, FormatByName(path));
  }
  FIRN_TRY(auto bytes, OpenFileBytes(path));
  if (IsGzip(path)) bytes = Gunzip(std::move(bytes));
  const ByteStream* view = bytes.get();
  auto batches = OpenFormat(std::move(bytes), format, options);
  if (!batches) return std::move(batches).error().In(path);
  return std::make_unique<SingleFile>(path, view, *std::move(batches));
}

/// Several files side by side: row i of each is row i of the table.
class SideBySide final : public FileSource {
 public:
  explicit SideBySide(std::vector<std::unique_ptr<SingleFile>> files) {
    for (auto& file : files) parts_.push_back({std::move(file), {}, 0, false});
  }

  Status Start(const std::vector<ColumnFile>& names) {
    Schema schema = *parts_[0].file->schema();
    for (std::size_t i = 1; i < parts_.size(); i++) {
      const SchemaPtr own = parts_[i].file->schema();
      if (own->fields.size() != 1) {
        return InvalidArgument(names[i - 1].path + " has " + std::to_string(own->fields.size()) +
                               " columns where one, " + Quoted(names[i - 1].name) + ", is wanted");
      }
      if (schema.IndexOf(names[i - 1].name)) {
        return InvalidArgument("column " + Quoted(names[i - 1].name) + " of " + names[i - 1].path +
                                   " is there already, in " + parts_[0].file->path(),
                               "Give it another name");
      }
      schema.fields.push_back(own->fields[0]);
      schema.fields.back().name = names[i - 1].name;
    }
    schema_ = std::make_shared<const Schema>(std::move(schema));
    return {};
  }

  SchemaPtr schema() const override { return schema_; }

  Result<std::optional<RecordBatch>> Next() override {
    std::int64_t rows = INT64_MAX;
    for (Part& part : parts_) {
      FIRN_CHECK(part.Fill());
      rows = std::min(rows, part.batch.rows);
    }
    if (rows == 0) {
      FIRN_CHECK(CheckAllEnded());
      return std::optional<RecordBatch>();
    }
    RecordBatch joined{schema_, {}, rows};
    for (Part& part : parts_) {
      for (Array& column : part.TakeRows(rows).columns) joined.columns.push_back(std::move(column));
    }
    return std::optional(std::move(joined));
  }

  Progress progress() const override {
    Progress sum;
    bool known = true;
    for (const Part& part : parts_) {
      const Progress one = part.file->progress();
      sum.bytes_read += one.bytes_read;
      sum.bytes_total += one.bytes_total;
      known = known && one.bytes_total > 0;
    }
    if (!known) sum.bytes_total = 0;
    return sum;
  }

 private:
  struct Part {
    std::unique_ptr<SingleFile> file;
    RecordBatch batch;  // rows not given out yet
    std::int64_t rows_given = 0;
    bool ended = false;

    Status Fill() {
      while (batch.rows == 0 && !ended) {
        FIRN_TRY(auto next, file->Next());
        ended = !next.has_value();
        if (next) batch = *std::move(next);
      }
      return {};
    }
    RecordBatch TakeRows(std::int64_t rows) {
      rows_given += rows;
      if (rows == batch.rows) return std::exchange(batch, RecordBatch{});
      RecordBatch first = batch.Slice(0, rows);
      batch = batch.Slice(rows, batch.rows - rows);
      return first;
    }
  };

  Status CheckAllEnded() const {
    const auto ended = std::ranges::find_if(parts_, [](const Part& part) { return part.batch.rows == 0; });
    const auto longer = std::ranges::find_if(parts_, [](const Part& part) { return part.batch.rows > 0; });
    if (longer == parts_.end()) return {};
    return InvalidArgument(ended->file->path() + " has " + std::to_string(ended->rows_given) + " rows and " +
                               longer->file->path() + " has more",
                           "Files that are loaded side by side must have equally many rows");
  }

  std::vector<Part> parts_;
  SchemaPtr schema_;
};

/// The schema without the columns that other files bring.
SchemaPtr WithoutColumns(const SchemaPtr& schema, const std::vector<ColumnFile>& columns) {
  if (!schema || columns.empty()) return schema;
  auto rest = std::make_shared<Schema>(*schema);
  std::erase_if(rest->fields, [&](const Field& field) {
    return std::ranges::any_of(columns, [&](const ColumnFile& column) { return column.name == field.name; });
  });
  return rest;
}

}  // namespace

Result<FileFormat> ParseFileFormat(std::string_view name) {
  const std::string lower = Lower(name);
  for (const auto& [known, format] : kFormats) {
    if (lower == known) return format;
  }
  return InvalidArgument("there is no file format " + Quoted(name), kKnownFormats);
}

Result<std::unique_ptr<FileSource>> OpenFile(const std::string& path, FileOptions options) {
  const std::vector<ColumnFile> columns = std::exchange(options.columns, {});
  options.schema = WithoutColumns(options.schema, columns);
  FIRN_TRY(auto first, OpenSingle(path, options));
  if (columns.empty()) return first;
  std::vector<std::unique_ptr<SingleFile>> files;
  files.push_back(std::move(first));
  options.format = FileFormat::kByName;
  options.schema = nullptr;
  for (const ColumnFile& column : columns) {
    FIRN_TRY(auto file, OpenSingle(column.path, options));
    files.push_back(std::move(file));
  }
  auto joined = std::make_unique<SideBySide>(std::move(files));
  FIRN_CHECK(joined->Start(columns));
  return joined;
}

}  // namespace firn::arrow
