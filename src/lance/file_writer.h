#pragma once
// Writing one data file, version 2.1 or 2.2, with simple encodings: flat and variable mini-blocks, full-zip for vectors
// and for wide values.

#include <cstdint>
#include <memory>
#include <string>

#include "arrow/array.h"
#include "base/random.h"
#include "lance/manifest.h"
#include "lance/schema.h"
#include "store/object_store.h"

namespace firn::lance {

struct WriterOptions {
  std::uint64_t page_bytes = 8ULL << 20;  // a column's page is written when it has this many
  FileVersion version{2, 1};  // the table's (Manifest::data_version): 2.1 or 2.2; all files of a table have one
};

/// A name for a new data file, that no other has: 32 hexadecimal digits and ".lance".
std::string NewDataFileName(Random& random);

/// Streams batches into one object. Memory: about page_bytes a column. Not thread-safe.
class FileWriter {
 public:
  /// `schema` gives the field ids. `path` is the object's key in the store, `file_name` its name below data/.
  /// Unsupported for fixed_size_lists of anything but whole-byte numbers.
  static Result<FileWriter> Start(store::ObjectStore& store, std::string path, std::string file_name,
                                  const Schema& schema, const WriterOptions& options, const Deadline& deadline);
  FileWriter(FileWriter&&) noexcept;
  FileWriter& operator=(FileWriter&&) noexcept;
  ~FileWriter();  // without Finish: nothing becomes visible

  /// Columns must be the schema's, in order, with its types (which of their fields are nullable does not matter).
  /// InvalidArgument names the column when they are not, or when a non-nullable one holds a null.
  Status Append(const arrow::RecordBatch& batch, const Deadline& deadline);
  std::uint64_t rows() const;
  /// Bytes so far, buffered ones too: when to start the next file.
  std::uint64_t size_bytes() const;
  /// The file is durable when this returns. A Fragment without id: one file, its rows.
  Result<Fragment> Finish(const Deadline& deadline);

 private:
  struct State;
  explicit FileWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace firn::lance
