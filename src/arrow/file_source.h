#pragma once
// A file of any format that Firn loads, as batches: what `firn load` and its like open.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "arrow/batch_source.h"

namespace firn::arrow {

enum class FileFormat : std::uint8_t {
  kByName,  // .json, .jsonl and .ndjson, .csv, .tsv, .npy, .arrow (also .feather, .ipc, .arrows); then perhaps .gz
  kJson,    // whatever layout it has
  kNdjson,
  kCsv,
  kTsv,
  kNpy,
  kArrow,  // IPC, stream or file
};

/// "json", "ndjson" or "jsonl", "csv", "tsv", "npy", "arrow". InvalidArgument for another name.
Result<FileFormat> ParseFileFormat(std::string_view name);

/// A column that another file holds, row for row: the vectors of `packages.jsonl` in `packages.f16.npy`.
struct ColumnFile {
  std::string name;
  std::string path;  // of a format told by its name, with one column
};

struct FileOptions {
  FileFormat format = FileFormat::kByName;
  SchemaPtr schema;               // JSON and CSV: null means inferred. .npy and Arrow carry their own types
  std::size_t infer_rows = 1000;  // see json.h
  std::int64_t batch_rows = 65'536;
  bool empty_is_null = true;          // see csv.h
  std::string npy_column = "vector";  // the name that an .npy file's column gets
  std::vector<ColumnFile> columns;    // more columns, after the file's own; as many rows each
};

struct Progress {
  std::uint64_t bytes_read = 0;
  std::uint64_t bytes_total = 0;  // 0 when unknown (a pipe)
};

class FileSource : public BatchSource {
 public:
  /// Over all files, in their bytes on disk.
  virtual Progress progress() const = 0;
};

/// Opens a file (and those of `options.columns`); `-` is the standard input, with an explicit format. A name that ends
/// in .gz is decompressed on the way. Errors name the file: NotFound, PermissionDenied, InvalidArgument and
/// DataCorruption as the format's header says, Unsupported; from Next also InvalidArgument when the files differ in
/// rows.
Result<std::unique_ptr<FileSource>> OpenFile(const std::string& path, FileOptions options = {});

}  // namespace firn::arrow
