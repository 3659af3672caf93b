#pragma once
// Reading columns of rows of fragments. Every fragment of one call goes forward together, so that the number of
// dependent rounds does not grow with the number of fragments:
//   1. tails of data files whose footers are not cached   2. chunk tables or repetition indexes, where a page has one
//   3. the values.  A fixed-width page (vectors) needs no step 2; a column read whole fuses 2 and 3.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "arrow/array.h"
#include "base/task_pool.h"
#include "lance/manifest.h"
#include "store/object_store.h"

namespace firn::lance {

class ReadRound;

/// Parsed footers and column metadata of data files, by path, and what later steps learn of them. Data files are
/// immutable, so an entry never goes stale. Thread-safe; bounded by bytes, least recently used goes first.
class FileMetadataCache {
 public:
  explicit FileMetadataCache(std::size_t capacity_bytes = 64U << 20);
  ~FileMetadataCache();
  struct Entries;
  Entries& entries() { return *entries_; }

 private:
  std::unique_ptr<Entries> entries_;
};

/// Which rows of a fragment, as physical offsets (deleted rows count).
struct RowSelection {
  struct Range {
    std::uint64_t begin;
    std::uint64_t end;
  };
  std::vector<Range> ranges;  // ascending, not overlapping, not empty; rows come back in this order

  static RowSelection Rows(std::uint64_t begin, std::uint64_t end) { return {{{begin, end}}}; }
  /// From sorted, unique offsets.
  static RowSelection Offsets(std::span<const std::uint32_t> sorted_offsets);
  std::uint64_t Count() const;
};

struct FragmentRead {
  const Fragment* fragment = nullptr;
  RowSelection rows;
};

struct ReadContext {
  store::ObjectStore& store;
  std::string root;  // "docs.lance"
  const Schema& schema;
  FileMetadataCache& cache;
  TaskPool* pool = nullptr;           // decodes on it when given
  std::string_view folder = "data/";  // of the data files, below the root
};

/// The top-level columns `columns` (manifest names; all below a nested one) of the selected rows. One list of batches
/// for each FragmentRead, together its rows in order. Batches break where pages do, so that vectors can be handed out
/// without a copy (a view of the store's buffer). Deletions are not applied: the caller does that. A column that a
/// fragment has no file for reads as null. With no columns, batches have rows only. Corrupt files give DataCorruption
/// naming the object; encodings that are not known give Unsupported naming the encoding, column and file.
Result<std::vector<std::vector<arrow::RecordBatch>>> ReadFragments(const ReadContext& context,
                                                                   std::span<const FragmentRead> reads,
                                                                   std::span<const std::string> columns,
                                                                   const Deadline& deadline);

/// Reads ahead, into `context.cache`, all that later ReadFragments of any rows of these columns need besides values:
/// footers, column metadata, and the indexes of pages that are too large to be read whole. After it, such a read costs
/// one round (unless the cache has dropped something, or a page's index alone is larger than 1 MiB). Two rounds in all;
/// what the cache has is not read again. Through a store::RecordingStore and an empty cache it collects what lets a
/// store::PrimedStore answer everything but that one round.
struct MetadataRead {
  bool page_indexes = true;  // false: footers and column metadata only
  /// Asks for little more than what is needed, in up to four rounds: for a store that has the bytes at hand, so that a
  /// RecordingStore before it collects no more than them.
  bool sparing = false;
};
Status ReadMetadata(const ReadContext& context, std::span<const Fragment* const> fragments,
                    std::span<const std::string> columns, const Deadline& deadline, const MetadataRead& what = {});
/// The same for one fragment; what is missing of page indexes is added to `round`, which may hold wishes of the caller
/// and is run.
Status LearnPages(const ReadContext& context, const Fragment& fragment, std::span<const std::string> columns,
                  ReadRound& round, const Deadline& deadline);

}  // namespace firn::lance
