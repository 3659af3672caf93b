#pragma once
// Walking a snapshot in windows of bounded memory; what Count, Scan and ScanPieces share. Private to the module.

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "table/table.h"

namespace firn::table {

inline constexpr std::uint64_t kWindowBytes = 256ULL << 20;

/// Deletion vectors, loaded once for all fragments with the first read that needs them.
struct Snapshot::Lazy {
  std::mutex mutex;
  std::optional<std::map<std::uint64_t, lance::DeletionVector>> deletions;
};

class Scanner {
 public:
  Scanner(const Snapshot& snapshot, const Deadline& deadline) : snapshot_(snapshot), deadline_(deadline) {
    for (const lance::Fragment& fragment : snapshot.manifest().fragments) fragments_.push_back(&fragment);
  }
  /// Of some fragments only.
  Scanner(const Snapshot& snapshot, std::vector<const lance::Fragment*> fragments, const Deadline& deadline)
      : snapshot_(snapshot), fragments_(std::move(fragments)), deadline_(deadline) {}

  using Window = std::span<const lance::FragmentRead>;  // each read is one range of one fragment
  /// Returns false to stop.
  using WindowSink = std::function<Result<bool>(Window)>;

  /// All rows in table order, as windows that hold at most kWindowBytes of `columns` each; the first has about
  /// `first_rows` rows (0 = no such wish) and later ones grow, so that a small limit reads little.
  Status ForEachWindow(std::span<const std::string> columns, std::uint64_t first_rows, const WindowSink& sink) const;

  /// The live rows of a read for which the predicate is TRUE, as physical offsets; empty optional = every row of the
  /// range.
  using Matches = std::optional<std::vector<std::uint32_t>>;
  Result<std::vector<Matches>> Match(Window window, const filter::Predicate* predicate) const;

  Result<std::vector<std::vector<arrow::RecordBatch>>> Read(Window window, std::span<const std::string> columns) const;

  /// What a row of `columns` takes in memory, estimated where widths vary.
  std::uint64_t RowBytes(std::span<const std::string> columns) const;

 private:
  const Environment& world() const { return snapshot_.environment_; }

  const Snapshot& snapshot_;
  std::vector<const lance::Fragment*> fragments_;
  const Deadline& deadline_;
};

}  // namespace firn::table
