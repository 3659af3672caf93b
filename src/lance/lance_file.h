#pragma once
// A Lance file that is not part of a fragment: one of an index. Same layout (file_metadata.h), same page readers.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "arrow/array.h"
#include "base/result.h"
#include "lance/file_metadata.h"
#include "lance/fragment_reader.h"
#include "lance/read_round.h"
#include "store/object_store.h"

namespace firn::lance {

struct LanceFilePlace {
  std::string name;              // below the folder
  std::uint64_t size_bytes = 0;  // 0: not known
};

/// Immutable and thread-safe once opened. Its store must outlive it. Errors name the object: DataCorruption;
/// Unsupported for versions before 2.1 and for encodings that are not known; what the store says.
class LanceFile {
 public:
  struct Opened;
  /// The ends of all `places` below `folder` in one round (one or two more when the metadata of a file does not lie in
  /// its last 64 KiB; a file known to be at most `whole_bytes` large is read whole).
  static Result<Opened> Open(store::ObjectStore& store, std::string_view folder, std::span<const LanceFilePlace> places,
                             std::uint64_t whole_bytes, const Deadline& deadline);

  std::uint64_t rows() const { return fragment_.physical_rows; }
  const Schema& schema() const { return schema_; }
  const arrow::Metadata& metadata() const { return schema_.metadata; }
  std::string Describe() const { return "file " + key_; }

  /// `*to` gets the bytes of global buffer `index` (0 is the schema) when `round` runs. At most `max_bytes`.
  Status AddGlobalBuffer(std::uint32_t index, std::uint64_t max_bytes, ReadRound& round, Buffer* to) const;
  /// Runs `round`, together with what later reads of these columns would look up first: LearnPages.
  Status Learn(std::span<const std::string> columns, ReadRound& round, const Deadline& deadline) const;
  /// A batch for each of `parts` (ranges of rows), in order; empty ranges give empty batches. One round for all after
  /// Learn.
  Result<std::vector<arrow::RecordBatch>> Read(std::span<const RowSelection::Range> parts,
                                               std::span<const std::string> columns, TaskPool* pool,
                                               const Deadline& deadline) const;

 private:
  struct Opening;
  ReadContext Context(TaskPool* pool) const { return {*store_, folder_, schema_, *cache_, pool, ""}; }

  store::ObjectStore* store_ = nullptr;
  std::string folder_;
  std::string key_;
  FileFooter footer_;
  std::vector<ByteRange> globals_;
  Schema schema_;
  Fragment fragment_;  // as if it were one
  std::shared_ptr<FileMetadataCache> cache_;
};

struct LanceFile::Opened {
  std::vector<LanceFile> files;  // in the order of the places
  KnownEnds ends;                // what was read; for the rounds that follow
};

}  // namespace firn::lance
