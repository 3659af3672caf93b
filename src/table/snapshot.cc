#include <algorithm>
#include <numeric>

#include "arrow/builder.h"
#include "table/scanner.h"
#include "table/table.h"

namespace firn::table {
namespace {

/// Where the matching rows lie closer together than this on average, reading only them would read the bytes between
/// them as well (neighbouring ranges are joined), and copy: the window is read whole, as views where the store gives
/// them, and the rows are picked in memory.
constexpr std::uint64_t kSparseGapBytes = 64U << 10;

constexpr std::size_t kMaxTakeBytes = 2'000'000'000;

std::vector<std::string> AllColumns(const arrow::Schema& schema) {
  std::vector<std::string> names;
  for (const arrow::Field& field : schema.fields) names.push_back(field.name);
  return names;
}

std::string KnownColumns(const arrow::Schema& schema) {
  std::string names;
  for (const arrow::Field& field : schema.fields) names += (names.empty() ? "" : ", ") + field.name;
  return names;
}

/// The batch's columns in the order of `schema`, with the row addresses when asked for.
arrow::RecordBatch Finish(arrow::RecordBatch batch, const arrow::SchemaPtr& schema, bool with_row_address,
                          std::vector<std::uint64_t> addresses) {
  batch.schema = schema;
  if (with_row_address) {
    arrow::ArrayData data;
    data.type = arrow::Simple(arrow::TypeId::kUInt64);
    data.length = batch.rows;
    data.data = Buffer::OfValues(std::move(addresses));
    batch.columns.push_back(arrow::Array(std::move(data)));
  }
  return batch;
}

std::size_t SizeOf(const arrow::RecordBatch& batch) {
  std::size_t bytes = 0;
  for (const arrow::Array& column : batch.columns) bytes += arrow::SizeBytes(column);
  return bytes;
}

/// Physical offsets of the rows of one read, batch by batch.
std::vector<std::uint64_t> AddressesOf(const lance::FragmentRead& read, std::uint64_t skip, std::uint64_t count) {
  std::vector<std::uint64_t> addresses;
  addresses.reserve(count);
  for (const lance::RowSelection::Range& range : read.rows.ranges) {
    const std::uint64_t rows = range.end - range.begin;
    if (skip >= rows) {
      skip -= rows;
      continue;
    }
    for (std::uint64_t row = range.begin + skip; row < range.end && addresses.size() < count; row++) {
      addresses.push_back(lance::MakeRowAddress(read.fragment->id, row));
    }
    skip = 0;
    if (addresses.size() == count) break;
  }
  return addresses;
}

/// Cuts offset and limit out of a stream of counted rows.
class Cut {
 public:
  Cut(std::uint64_t offset, std::optional<std::uint64_t> limit) : skip_(offset), left_(limit) {}
  bool Done() const { return left_ && *left_ == 0; }
  /// The part of the next `rows` rows to keep.
  lance::RowSelection::Range Keep(std::uint64_t rows) {
    const std::uint64_t begin = std::min(skip_, rows);
    skip_ -= begin;
    const std::uint64_t count = left_ ? std::min(*left_, rows - begin) : rows - begin;
    if (left_) *left_ -= count;
    return {begin, begin + count};
  }

 private:
  std::uint64_t skip_;
  std::optional<std::uint64_t> left_;
};

}  // namespace

Snapshot::Snapshot(Environment environment, std::string name, std::string root, lance::Manifest manifest,
                   arrow::SchemaPtr schema)
    : environment_(environment),
      name_(std::move(name)),
      root_(std::move(root)),
      manifest_(std::move(manifest)),
      schema_(std::move(schema)),
      lazy_(std::make_shared<Lazy>()) {}

Result<filter::Predicate> Snapshot::Bind(std::string_view filter) const {
  return filter::ParseFilter(filter, *schema_, environment_.clock);
}

Result<arrow::SchemaPtr> Snapshot::ProjectedSchema(const std::optional<std::vector<std::string>>& columns,
                                                   bool with_row_address) const {
  auto projected = std::make_shared<arrow::Schema>();
  if (!columns) {
    projected->fields = schema_->fields;
  } else {
    for (const std::string& name : *columns) {
      const auto index = schema_->IndexOf(name);
      if (!index)
        return InvalidArgument("table " + name_ + " has no column \"" + name + "\"",
                               "Its columns are: " + KnownColumns(*schema_));
      if (projected->IndexOf(name)) return InvalidArgument("column \"" + name + "\" is asked for twice");
      projected->fields.push_back(schema_->fields[*index]);
    }
  }
  projected->metadata = schema_->metadata;
  if (with_row_address) {
    projected->fields.push_back({std::string(kRowAddressColumn), arrow::Simple(arrow::TypeId::kUInt64), false, {}});
  }
  return arrow::SchemaPtr(std::move(projected));
}

Result<std::uint64_t> Snapshot::CountRows(std::string_view filter, const Deadline& deadline) const {
  if (filter.empty()) return LiveRows();
  FIRN_TRY(const filter::Predicate predicate, Bind(filter));
  const Scanner scanner(*this, deadline);
  std::uint64_t count = 0;
  FIRN_CHECK(scanner.ForEachWindow(predicate.columns(), 0, [&](Scanner::Window window) -> Result<bool> {
    FIRN_TRY(const auto matches, scanner.Match(window, &predicate));
    for (std::size_t i = 0; i < window.size(); i++) count += matches[i] ? matches[i]->size() : window[i].rows.Count();
    return true;
  }));
  return count;
}

Status Snapshot::Scan(const ScanRequest& request, const BatchSink& sink, const Deadline& deadline) const {
  FIRN_TRY(const arrow::SchemaPtr schema, ProjectedSchema(request.columns, request.with_row_address));
  std::optional<filter::Predicate> predicate;
  if (!request.filter.empty()) {
    FIRN_TRY(predicate, Bind(request.filter));
  }
  if (request.limit && *request.limit == 0) return {};
  const std::vector<std::string> columns = request.columns ? *request.columns : AllColumns(*schema_);
  std::vector<std::string> touched = columns;
  if (predicate) touched.insert(touched.end(), predicate->columns().begin(), predicate->columns().end());

  const Scanner scanner(*this, deadline);
  Cut cut(request.offset, request.limit);
  const std::uint64_t first_rows = request.limit ? std::max<std::uint64_t>(1024, request.offset + *request.limit) : 0;
  return scanner.ForEachWindow(touched, first_rows, [&](Scanner::Window window) -> Result<bool> {
    // Which rows first, their columns after: rows that do not match or are cut off are never read.
    FIRN_TRY(auto matches, scanner.Match(window, predicate ? &*predicate : nullptr));
    std::vector<lance::FragmentRead> reads;
    for (std::size_t i = 0; i < window.size(); i++) {
      const lance::RowSelection::Range& range = window[i].rows.ranges.front();
      const lance::RowSelection::Range keep = cut.Keep(matches[i] ? matches[i]->size() : range.end - range.begin);
      if (keep.begin == keep.end) continue;
      reads.push_back(
          {window[i].fragment,
           matches[i] ? lance::RowSelection::Offsets(std::span(*matches[i]).subspan(keep.begin, keep.end - keep.begin))
                      : lance::RowSelection::Rows(range.begin + keep.begin, range.begin + keep.end)});
    }
    FIRN_TRY(auto batches, scanner.Read(reads, columns));
    for (std::size_t i = 0; i < reads.size(); i++) {
      std::uint64_t done = 0;
      for (arrow::RecordBatch& batch : batches[i]) {
        const auto rows = static_cast<std::uint64_t>(batch.rows);
        std::vector<std::uint64_t> addresses;
        if (request.with_row_address) addresses = AddressesOf(reads[i], done, rows);
        done += rows;
        FIRN_TRY(const bool more,
                 sink(Finish(std::move(batch), schema, request.with_row_address, std::move(addresses))));
        if (!more) return false;
      }
    }
    return !cut.Done();
  });
}

Result<arrow::RecordBatch> Snapshot::Take(std::span<const lance::RowAddress> addresses,
                                          const std::optional<std::vector<std::string>>& columns, bool with_row_address,
                                          const Deadline& deadline) const {
  FIRN_TRY(const arrow::SchemaPtr schema, ProjectedSchema(columns, with_row_address));
  const std::vector<std::string> names = columns ? *columns : AllColumns(*schema_);
  std::vector<lance::RowAddress> sorted(addresses.begin(), addresses.end());
  std::ranges::sort(sorted);
  sorted.erase(std::ranges::unique(sorted).begin(), sorted.end());

  std::vector<lance::FragmentRead> ranges;  // to check what lives; one range per fragment
  std::vector<lance::FragmentRead> reads;
  for (auto first = sorted.begin(); first != sorted.end();) {
    const std::uint64_t fragment_id = *first >> 32;
    const auto last = std::ranges::find_if(first, sorted.end(),
                                           [&](lance::RowAddress address) { return address >> 32 != fragment_id; });
    const lance::Fragment* fragment = manifest_.FindFragment(fragment_id);
    std::vector<std::uint32_t> offsets;
    for (auto address = first; address != last; ++address) {
      offsets.push_back(static_cast<std::uint32_t>(*address));
      if (fragment == nullptr || offsets.back() >= fragment->physical_rows) {
        return NotFound(
            "table " + name_ + " version " + std::to_string(version()) + " has no row " + std::to_string(*address),
            "Row ids are those that a search or scan of this version gave; compaction changes them");
      }
    }
    reads.push_back({fragment, lance::RowSelection::Offsets(offsets)});
    if (fragment->deletion)
      ranges.push_back({fragment, lance::RowSelection::Rows(offsets.front(), std::uint64_t{offsets.back()} + 1)});
    first = last;
  }

  const Scanner scanner(*this, deadline);
  if (!ranges.empty()) {
    FIRN_TRY(const auto alive, scanner.Match(ranges, nullptr));
    for (std::size_t i = 0; i < ranges.size(); i++) {
      if (!alive[i]) continue;
      for (const lance::RowAddress address : sorted) {
        if (address >> 32 == ranges[i].fragment->id &&
            !std::ranges::binary_search(*alive[i], static_cast<std::uint32_t>(address))) {
          return NotFound("row " + std::to_string(address) + " of table " + name_ + " is deleted in version " +
                          std::to_string(version()));
        }
      }
    }
  }

  FIRN_TRY(auto batches, scanner.Read(reads, names));
  FIRN_TRY(const arrow::SchemaPtr plain, ProjectedSchema(columns, false));
  std::vector<arrow::RecordBatch> pieces;
  for (auto& list : batches) std::ranges::move(list, std::back_inserter(pieces));
  for (arrow::RecordBatch& piece : pieces) piece.schema = plain;
  FIRN_TRY(arrow::RecordBatch rows, arrow::Concat(plain, pieces));
  if (!std::ranges::equal(sorted, addresses)) {
    // Repeats could make a 32-bit column overflow.
    const std::size_t repeats = (addresses.size() + sorted.size() - 1) / sorted.size();
    if (SizeOf(rows) > kMaxTakeBytes / repeats) {
      return ResourceExhausted("the rows asked for are more than 2 GB", "Ask for fewer rows, or fewer columns");
    }
    std::vector<std::int64_t> order;
    order.reserve(addresses.size());
    for (const lance::RowAddress address : addresses)
      order.push_back(std::ranges::lower_bound(sorted, address) - sorted.begin());
    rows = arrow::Take(rows, order);
  }
  return Finish(std::move(rows), schema, with_row_address, {addresses.begin(), addresses.end()});
}

Result<const std::map<std::uint64_t, lance::DeletionVector>*> Snapshot::Deletions(const Deadline& deadline) const {
  const std::lock_guard lock(lazy_->mutex);
  if (!lazy_->deletions) {
    std::vector<const lance::Fragment*> fragments;
    for (const lance::Fragment& fragment : manifest_.fragments) {
      if (fragment.deletion) fragments.push_back(&fragment);
    }
    if (fragments.empty()) {
      lazy_->deletions.emplace();
    } else {
      FIRN_TRY(lazy_->deletions, lance::ReadDeletionVectors(environment_.store, root_, fragments, deadline));
    }
  }
  return &*lazy_->deletions;
}

Status Snapshot::ScanPieces(const PieceRequest& request, const PieceSink& sink, const Deadline& deadline) const {
  const Scanner scanner = request.fragments ? Scanner(*this, *request.fragments, deadline) : Scanner(*this, deadline);
  const std::vector<std::string>& columns = request.columns;
  const filter::Predicate* predicate = request.predicate;
  const std::uint64_t row_bytes = scanner.RowBytes(columns);
  return scanner.ForEachWindow(columns, 0, [&](Scanner::Window window) -> Result<bool> {
    FIRN_TRY(auto matches, scanner.Match(window, predicate));
    std::vector<lance::FragmentRead> reads;
    std::vector<std::size_t> source;  // which match each read belongs to
    std::vector<bool> dense;
    for (std::size_t i = 0; i < window.size(); i++) {
      if (matches[i] && matches[i]->empty()) continue;
      dense.push_back(!matches[i] || matches[i]->size() * kSparseGapBytes >= window[i].rows.Count() * row_bytes);
      source.push_back(i);
      reads.push_back(dense.back()
                          ? window[i]
                          : lance::FragmentRead{window[i].fragment, lance::RowSelection::Offsets(*matches[i])});
    }
    FIRN_TRY(auto batches, scanner.Read(reads, columns));

    std::vector<Piece> pieces;
    for (std::size_t i = 0; i < reads.size(); i++) {
      const Scanner::Matches& match = matches[source[i]];
      const std::uint64_t range_begin = window[source[i]].rows.ranges.front().begin;
      std::uint64_t done = 0;
      for (arrow::RecordBatch& batch : batches[i]) {
        const auto rows = static_cast<std::uint64_t>(batch.rows);
        Piece piece{.fragment = reads[i].fragment,
                    .batch = std::move(batch),
                    .first_offset = range_begin + done,
                    .offsets = {},
                    .every_row = true,
                    .selected = {}};
        if (match && !dense[i]) {
          piece.offsets.assign(match->begin() + static_cast<std::ptrdiff_t>(done),
                               match->begin() + static_cast<std::ptrdiff_t>(done + rows));
        } else if (match) {
          piece.every_row = false;
          for (auto at = std::ranges::lower_bound(*match, piece.first_offset);
               at != match->end() && *at < piece.first_offset + rows; ++at) {
            piece.selected.push_back(static_cast<std::int64_t>(*at - piece.first_offset));
          }
        }
        done += rows;
        pieces.push_back(std::move(piece));
      }
    }
    FIRN_CHECK(environment_.pool.ParallelFor(pieces.size(), [&](std::size_t i) { return sink(pieces[i]); }));
    return true;
  });
}

}  // namespace firn::table
