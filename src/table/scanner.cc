#include "table/scanner.h"

#include <algorithm>

namespace firn::table {
namespace {

/// Bytes of a value whose width the type tells, or empty.
std::optional<std::uint64_t> FixedBytes(const arrow::Type& type) {
  if (type.id == arrow::TypeId::kNull) return 0;
  if (type.id == arrow::TypeId::kFixedSizeList) {
    const auto item = FixedBytes(*type.children[0].type);
    if (!item) return std::nullopt;
    return *item * static_cast<std::uint64_t>(type.list_size);
  }
  if (type.id == arrow::TypeId::kStruct) {
    std::uint64_t total = 0;
    for (const arrow::Field& member : type.children) {
      const auto bytes = FixedBytes(*member.type);
      if (!bytes) return std::nullopt;
      total += *bytes;
    }
    return total;
  }
  if (type.id == arrow::TypeId::kFixedSizeBinary) return type.list_size;
  const std::int64_t bits = arrow::BitWidth(type);
  if (bits == 0) return std::nullopt;
  return static_cast<std::uint64_t>((bits + 7) / 8);
}

/// `range` without the rows in `deleted`; empty optional when none of them is in it.
Scanner::Matches Alive(const lance::RowSelection::Range& range, const lance::DeletionVector* deleted) {
  if (deleted == nullptr) return std::nullopt;
  const auto offsets = deleted->offsets();
  auto next = std::ranges::lower_bound(offsets, range.begin);
  if (next == offsets.end() || *next >= range.end) return std::nullopt;
  std::vector<std::uint32_t> alive;
  alive.reserve(range.end - range.begin);
  for (std::uint64_t row = range.begin; row < range.end; row++) {
    if (next != offsets.end() && *next == row) {
      ++next;
    } else {
      alive.push_back(static_cast<std::uint32_t>(row));
    }
  }
  return alive;
}

}  // namespace

Status Scanner::ForEachWindow(std::span<const std::string> columns, std::uint64_t first_rows,
                              const WindowSink& sink) const {
  const std::uint64_t most_rows =
      std::max<std::uint64_t>(1, kWindowBytes / std::max<std::uint64_t>(1, RowBytes(columns)));
  std::uint64_t wanted = first_rows == 0 ? most_rows : std::clamp<std::uint64_t>(first_rows, 1, most_rows);
  std::vector<lance::FragmentRead> window;
  std::uint64_t window_rows = 0;
  const auto flush = [&]() -> Result<bool> {
    if (window.empty()) return true;
    FIRN_CHECK(deadline_.Check("the scan of " + snapshot_.name()));
    FIRN_TRY(const bool more, sink(window));
    window.clear();
    window_rows = 0;
    wanted = std::min(most_rows, wanted * 8);
    return more;
  };
  for (const lance::Fragment* fragment : fragments_) {
    for (std::uint64_t row = 0; row < fragment->physical_rows;) {
      const std::uint64_t rows = std::min(fragment->physical_rows - row, wanted - window_rows);
      window.push_back({fragment, lance::RowSelection::Rows(row, row + rows)});
      row += rows;
      window_rows += rows;
      if (window_rows < wanted) continue;
      FIRN_TRY(const bool more, flush());
      if (!more) return {};
    }
  }
  FIRN_CHECK(flush());
  return {};
}

Result<std::vector<Scanner::Matches>> Scanner::Match(Window window, const filter::Predicate* predicate) const {
  FIRN_TRY(const auto* deletions, snapshot_.Deletions(deadline_));
  std::vector<std::vector<arrow::RecordBatch>> inputs;
  if (predicate != nullptr) {
    FIRN_TRY(inputs, Read(window, predicate->columns()));
  }
  std::vector<Matches> matches(window.size());
  FIRN_CHECK(world().pool.ParallelFor(window.size(), [&](std::size_t i) -> Status {
    const lance::RowSelection::Range& range = window[i].rows.ranges.front();
    const auto found = deletions->find(window[i].fragment->id);
    const lance::DeletionVector* deleted = found == deletions->end() ? nullptr : &found->second;
    if (predicate == nullptr) {
      matches[i] = Alive(range, deleted);
      return {};
    }
    std::vector<std::uint32_t> offsets;
    std::uint64_t batch_begin = range.begin;
    for (const arrow::RecordBatch& batch : inputs[i]) {
      FIRN_TRY(const std::vector<std::int64_t> rows, predicate->Select(batch));
      for (const std::int64_t row : rows)
        offsets.push_back(static_cast<std::uint32_t>(batch_begin + static_cast<std::uint64_t>(row)));
      batch_begin += static_cast<std::uint64_t>(batch.rows);
    }
    if (deleted != nullptr) {
      std::vector<std::uint32_t> alive;
      std::ranges::set_difference(offsets, deleted->offsets(), std::back_inserter(alive));
      offsets = std::move(alive);
    }
    matches[i] = std::move(offsets);
    return {};
  }));
  return matches;
}

Result<std::vector<std::vector<arrow::RecordBatch>>> Scanner::Read(Window window,
                                                                   std::span<const std::string> columns) const {
  const lance::ReadContext context{world().store, snapshot_.root_, snapshot_.manifest_.schema, world().metadata_cache,
                                   &world().pool};
  return lance::ReadFragments(context, window, columns, deadline_);
}

std::uint64_t Scanner::RowBytes(std::span<const std::string> columns) const {
  std::uint64_t file_bytes = 0;
  std::uint64_t rows = 0;
  for (const lance::Fragment& fragment : snapshot_.manifest_.fragments) {
    for (const lance::DataFile& file : fragment.files) file_bytes += file.size_bytes;
    rows += fragment.physical_rows;
  }
  // A column of varying width is at most what a whole row takes; compressed text may be several times that in memory.
  const std::uint64_t varying = rows == 0 || file_bytes == 0 ? 1024 : 4 * (file_bytes / rows) + 16;
  std::uint64_t bytes = 8;
  for (const std::string& name : columns) {
    const auto index = snapshot_.schema()->IndexOf(name);
    bytes += index ? FixedBytes(*snapshot_.schema()->fields[*index].type).value_or(varying) : 0;
  }
  return bytes;
}

}  // namespace firn::table
