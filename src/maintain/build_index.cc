#include "maintain/build_index.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <set>
#include <tuple>

#include "maintain/calibrate.h"
#include "maintain/vector_rows.h"
#include "table/head.h"
#include "table/index_catalog.h"

namespace firn::maintain {
namespace {

using table::Snapshot;

/// Rows that a task turns into floats at once.
constexpr std::size_t kRowsAtOnce = 4096;

struct Target {
  std::string name;
  std::string column;
  std::int32_t field_id = 0;
  simd::Metric metric = simd::Metric::kL2;
  simd::Element element = simd::Element::kF32;
  std::size_t dim = 0;
  std::vector<const lance::Fragment*> fragments;
  std::vector<index::SegmentFragment> covered;       // parallel to fragments
  std::map<std::uint64_t, std::uint64_t> first_row;  // of each fragment, by id
  std::uint64_t rows = 0;                            // physical
  std::set<std::string> replaced;                    // objects of segments whose fragments are among these
};

constexpr std::size_t kMaxNameBytes = 255;

Status CheckIndexName(std::string_view name) {
  const bool control = std::ranges::any_of(name, [](unsigned char c) { return c < 0x20 || c == 0x7F; });
  if (!name.empty() && name.size() <= kMaxNameBytes && !control) return {};
  return InvalidArgument("an index cannot have " + std::string(control        ? "a name with control characters"
                                                               : name.empty() ? "an empty name"
                                                                              : "so long a name"),
                         "Use 1 to 255 bytes of printable characters");
}

Result<Target> FindTarget(const Snapshot& snapshot, const index::Catalog& catalog, const BuildOptions& options) {
  Target target;
  FIRN_TRY(target.column, query::VectorColumn(snapshot, options.column));
  const arrow::Type& type = *snapshot.schema()->fields[*snapshot.schema()->IndexOf(target.column)].type;
  target.element = *query::ElementOf(type);
  target.dim = static_cast<std::size_t>(type.list_size);
  target.field_id = snapshot.manifest().schema.FindTopLevel(target.column)->id;
  target.name = options.name.empty() ? target.column + "_idx" : options.name;
  FIRN_CHECK(CheckIndexName(target.name));
  target.metric = options.metric.value_or(simd::Metric::kL2);
  for (const index::SegmentEntry& entry : catalog.segments) {
    if (entry.name != target.name) continue;
    if (entry.column != target.column)
      return AlreadyExists("index \"" + target.name + "\" is on column \"" + entry.column + "\"",
                           "Give this one another name");
    if (!options.metric) target.metric = entry.metric;
    if (options.only_missing && target.metric != entry.metric) {
      return InvalidArgument("index \"" + target.name + "\" is for " + std::string(simd::NameOf(entry.metric)) +
                                 ", and the rows it lacks cannot be indexed for " +
                                 std::string(simd::NameOf(target.metric)),
                             "Leave the metric out, or build the whole index anew");
    }
  }
  if (target.metric == simd::Metric::kHamming)
    return Unsupported("there is no index for hamming distance yet",
                       "Searches by hamming distance are exact; use l2, cosine or dot for an index");
  if (target.dim > index::kMaxIndexDim) {
    return Unsupported("column \"" + target.column + "\" has vectors of " + std::to_string(target.dim) +
                           " values, beyond what an index takes, " + std::to_string(index::kMaxIndexDim),
                       "Searches of it are exact");
  }
  return target;
}

bool OfTarget(const index::SegmentEntry& entry, const Target& target) {
  return entry.name == target.name && entry.metric == target.metric;
}

/// The fragments to index: all, or those that no segment of this index says anything of, but for `target.replaced`.
void AddFragments(const Snapshot& snapshot, const index::Catalog& catalog, bool only_missing, Target& target) {
  for (const lance::Fragment& fragment : snapshot.manifest().fragments) {
    const bool covered =
        only_missing && std::ranges::any_of(catalog.segments, [&](const index::SegmentEntry& entry) {
          return OfTarget(entry, target) && !target.replaced.contains(entry.object) &&
                 std::ranges::any_of(entry.fragments, [&](const index::SegmentFragment& each) {
                   return each.id == fragment.id && table::StillCovers(each, snapshot.manifest(), target.field_id);
                 });
        });
    const lance::DataFile* file = table::DataFileOf(fragment, target.field_id);
    if (covered || file == nullptr || fragment.LiveRows() == 0) continue;
    target.fragments.push_back(&fragment);
    target.covered.push_back({fragment.id, fragment.physical_rows, file->path});
    target.first_row.emplace(fragment.id, target.rows);
    target.rows += fragment.physical_rows;
  }
}

/// The smallest segments, when there are many: half of what there may be stay. So a row is built anew a few times while
/// its table grows by steps, and never with each.
std::set<std::string> SegmentsToReplace(const index::Catalog& catalog, const Target& target, std::size_t most) {
  std::vector<const index::SegmentEntry*> own;
  for (const index::SegmentEntry& entry : catalog.segments) {
    if (OfTarget(entry, target)) own.push_back(&entry);
  }
  if (own.size() < most) return {};
  std::ranges::sort(own, {}, [](const index::SegmentEntry* entry) {
    return std::tuple(entry->PhysicalRows(), entry->created, std::string_view(entry->object));
  });
  const std::size_t kept = most / 2;
  std::set<std::string> replaced;
  std::uint64_t rows = target.rows;
  for (const index::SegmentEntry* entry : std::span(own).first(own.size() - std::min(own.size(), kept))) {
    if ((rows += entry->PhysicalRows()) > index::kMaxSegmentRows) break;
    replaced.insert(entry->object);
  }
  return replaced;
}

void ChooseFragments(const Snapshot& snapshot, const index::Catalog& catalog, const BuildOptions& options,
                     Target& target) {
  AddFragments(snapshot, catalog, options.only_missing, target);
  if (!options.only_missing || target.fragments.empty()) return;
  target.replaced = SegmentsToReplace(catalog, target, options.most_segments);
  if (target.replaced.empty()) return;
  target.fragments.clear();
  target.covered.clear();
  target.first_row.clear();
  target.rows = 0;
  AddFragments(snapshot, catalog, true, target);
}

/// One build: the passes over the column, and the object they make.
class Build {
 public:
  Build(const Snapshot& snapshot, const Target& target, const BuildOptions& options, const BuildProgress& progress,
        const Deadline& deadline)
      : snapshot_(snapshot), target_(target), options_(options), progress_(progress), deadline_(deadline) {}

  Result<index::SegmentEntry> Run() {
    const SteadyTime begin = clock().Now();
    index::SegmentOptions segment;
    segment.rows_per_list = options_.rows_per_list;
    segment.seed = options_.seed;
    segment.scratch_folder = options_.scratch_folder;
    segment.memory_bytes = options_.memory_bytes / 2;
    FIRN_CHECK(Sample(segment));
    HoldBackQueries();
    Report(BuildPhase::kTrain, 0, 1);
    FIRN_TRY(const auto builder, index::SegmentBuilder::Train(
                                     {sample_.data(), sample_.size() / target_.dim, target_.dim}, target_.rows,
                                     target_.metric, target_.element, target_.covered, segment, pool(), deadline_));
    sample_ = {};
    sample_rows_ = {};
    FIRN_CHECK(Encode(*builder));
    Report(BuildPhase::kWrite, 0, 1);
    index::SegmentEntry entry;
    entry.object = "_firn/segments/" + snapshot_.environment().random.Uuid() + ".vec";
    const std::string key = snapshot_.root() + "/" + entry.object;
    FIRN_TRY(const index::BuiltSegment built, builder->Finish(store(), key, deadline_));
    entry.name = target_.name;
    entry.column = target_.column;
    entry.field_id = target_.field_id;
    entry.metric = target_.metric;
    entry.dim = static_cast<std::uint32_t>(target_.dim);
    entry.object_bytes = built.object_bytes;
    entry.footer = built.footer;
    entry.rows = built.rows;
    entry.lists = static_cast<std::uint32_t>(built.lists);
    entry.created = clock().WallNow();
    entry.fragments = target_.covered;
    FIRN_CHECK(MeasureEffort(key, entry));
    entry.build_s = std::chrono::duration<double>(clock().Now() - begin).count();
    return entry;
  }

 private:
  Clock& clock() const { return snapshot_.environment().clock; }
  TaskPool& pool() const { return snapshot_.environment().pool; }
  store::ObjectStore& store() const { return snapshot_.environment().store; }

  void Report(BuildPhase phase, std::uint64_t done, std::uint64_t total) {
    const std::lock_guard lock(progress_mutex_);
    if (progress_) progress_(phase, done, total);
  }

  Snapshot::PieceRequest Pieces() const {
    return {.columns = {target_.column}, .predicate = nullptr, .fragments = target_.fragments};
  }

  /// Rows at random places: tables are often sorted by what their vectors say.
  Status Sample(const index::SegmentOptions& segment) {
    Report(BuildPhase::kSample, 0, target_.rows);
    const std::size_t wanted = index::SampleRows(target_.rows, target_.dim, segment, options_.memory_bytes / 4);
    // Of the physical rows, each is chosen with the same chance; the exact number does not matter.
    const double share = std::min(
        1.0, 1.05 * static_cast<double>(wanted) / static_cast<double>(std::max<std::uint64_t>(target_.rows, 1)));
    std::mutex mutex;
    std::map<std::uint64_t, FloatRows> found;  // by row number, so that the sample does not depend on the threads
    std::uint64_t done = 0;
    FIRN_CHECK(snapshot_.ScanPieces(
        Pieces(),
        [&](const Snapshot::Piece& piece) -> Status {
          FIRN_CHECK(deadline_.Check("sampling vectors"));
          const std::uint64_t first = target_.first_row.at(piece.fragment->id);
          Random random(options_.seed ^ (first + piece.OffsetOf(0)) * 0x9E3779B97F4A7C15ULL);
          std::vector<std::int64_t> chosen;
          for (const std::int64_t row : PositionsOf(piece)) {
            if (share >= 1 || random.Unit() < share) chosen.push_back(row);
          }
          FloatRows rows = ToFloats(piece, chosen);
          const std::lock_guard lock(mutex);
          done += static_cast<std::uint64_t>(piece.batch.rows);
          if (!rows.offsets.empty()) found.emplace(first + rows.offsets.front(), std::move(rows));
          Report(BuildPhase::kSample, done, target_.rows);
          return {};
        },
        deadline_));
    for (auto& [first, rows] : found) {
      sample_.insert(sample_.end(), rows.values.begin(), rows.values.end());
      for (const std::uint32_t offset : rows.offsets)
        sample_rows_.push_back(static_cast<std::uint32_t>(first - rows.offsets.front() + offset));
      rows = {};
    }
    if (sample_.empty())
      return InvalidArgument(
          "column \"" + target_.column + "\" of table " + snapshot_.name() + " holds no vector to index",
          "Load rows first");
    return {};
  }

  /// Takes rows out of the sample, spread over it, to serve as queries: centroids must not have been drawn to them, as
  /// they are not to a stranger's query.
  void HoldBackQueries() {
    const std::size_t rows = sample_rows_.size();
    const std::size_t count = std::min(rows / 4, kCalibrationQueries);
    if (count == 0) return;
    std::size_t kept = 0;
    for (std::size_t row = 0, next = 0; row < rows; row++) {
      const auto begin = sample_.begin() + static_cast<std::ptrdiff_t>(row * target_.dim);
      if (next < count && row == rows * next / count) {
        queries_.push_back(
            {std::vector<float>(begin, begin + static_cast<std::ptrdiff_t>(target_.dim)), sample_rows_[row]});
        next++;
        continue;
      }
      std::copy(begin, begin + static_cast<std::ptrdiff_t>(target_.dim),
                sample_.begin() + static_cast<std::ptrdiff_t>(kept++ * target_.dim));
    }
    sample_.resize(kept * target_.dim);
  }

  Status Encode(index::SegmentBuilder& builder) {
    std::atomic<std::uint64_t> done{0};
    return snapshot_.ScanPieces(
        Pieces(),
        [&](const Snapshot::Piece& piece) -> Status {
          const std::uint64_t first = target_.first_row.at(piece.fragment->id);
          const std::vector<std::int64_t> positions = PositionsOf(piece);
          const std::size_t tasks = (positions.size() + kRowsAtOnce - 1) / kRowsAtOnce;
          return pool().ParallelFor(tasks, [&](std::size_t task) -> Status {
            FIRN_CHECK(deadline_.Check("encoding vectors"));
            const auto some = std::span(positions).subspan(
                task * kRowsAtOnce, std::min(kRowsAtOnce, positions.size() - task * kRowsAtOnce));
            FloatRows rows = ToFloats(piece, some);
            for (std::uint32_t& number : rows.offsets) number += static_cast<std::uint32_t>(first);
            FIRN_CHECK(builder.Add(rows.matrix(), rows.offsets));
            Report(BuildPhase::kEncode, done += some.size(), target_.rows);
            return {};
          });
        },
        deadline_);
  }

  Status MeasureEffort(const std::string& key, index::SegmentEntry& entry) {
    Report(BuildPhase::kCalibrate, 0, 1);
    FIRN_TRY(const store::ReadResult object, store::Read(store(), store::ReadRequest::Whole(key), deadline_));
    const index::SegmentFooter& footer = entry.footer;
    if (!InBounds(footer.hot_offset, footer.hot_bytes, object.bytes.size()))
      return DataCorruption("index object " + key + " is not as it was written");
    FIRN_TRY(const auto segment,
             index::VectorSegment::Parse(key, object.bytes.Slice(footer.hot_offset, footer.hot_bytes), footer));
    FIRN_TRY(const index::LoadedLists lists, segment->Map(object.bytes));
    FIRN_CHECK(Calibrate(*segment, lists, queries_, pool(), deadline_, entry));
    Report(BuildPhase::kCalibrate, 1, 1);
    return {};
  }

  const Snapshot& snapshot_;
  const Target& target_;
  const BuildOptions& options_;
  const BuildProgress& progress_;
  const Deadline& deadline_;
  std::mutex progress_mutex_;
  std::vector<float> sample_;
  std::vector<std::uint32_t> sample_rows_;
  std::vector<CalibrationQuery> queries_;
};

}  // namespace

bool CountsRows(BuildPhase phase) { return phase == BuildPhase::kSample || phase == BuildPhase::kEncode; }

std::string_view NameOf(BuildPhase phase) {
  switch (phase) {
    case BuildPhase::kSample:
      return "reading a sample";
    case BuildPhase::kTrain:
      return "clustering";
    case BuildPhase::kEncode:
      return "encoding";
    case BuildPhase::kWrite:
      return "writing";
    case BuildPhase::kCalibrate:
      break;
  }
  return "measuring recall";
}

namespace {

/// A catalog that cannot be read is begun anew: what it named is derived data.
Result<index::Catalog> KnownIndexes(const Snapshot& snapshot, const Deadline& deadline) {
  Result<index::Catalog> catalog = table::ReadCatalog(snapshot.environment().store, snapshot.root(), deadline);
  if (!catalog && catalog.error().kind == ErrorKind::kDataCorruption) return index::Catalog{};
  return catalog;
}

}  // namespace

Result<BuildPlan> PlanBuild(const table::SnapshotPtr& snapshot, const BuildOptions& options, const Deadline& deadline) {
  FIRN_TRY(const index::Catalog known, KnownIndexes(*snapshot, deadline));
  FIRN_TRY(Target target, FindTarget(*snapshot, known, options));
  ChooseFragments(*snapshot, known, options, target);
  return BuildPlan{target.name, target.column, target.metric, target.rows};
}

Result<index::SegmentEntry> BuildVectorIndex(const table::SnapshotPtr& snapshot, const BuildOptions& options,
                                             const BuildProgress& progress, const Deadline& deadline) {
  store::ObjectStore& store = snapshot->environment().store;
  FIRN_TRY(const index::Catalog known, KnownIndexes(*snapshot, deadline));
  FIRN_TRY(Target target, FindTarget(*snapshot, known, options));
  ChooseFragments(*snapshot, known, options, target);
  if (target.fragments.empty() && options.only_missing) {
    for (const index::SegmentEntry& entry : known.segments) {
      if (entry.name == target.name) return entry;
    }
  }
  if (target.rows > index::kMaxSegmentRows)
    return Unsupported("table " + snapshot->name() + " has more rows than one segment takes, " +
                       std::to_string(index::kMaxSegmentRows));

  Build build(*snapshot, target, options, progress, deadline);
  Result<index::SegmentEntry> built = build.Run();
  if (!built) {
    // Nothing to index in what is missing: the index is as complete as it can be.
    const auto existing = std::ranges::find(known.segments, target.name, &index::SegmentEntry::name);
    const bool complete = options.only_missing && built.error().kind == ErrorKind::kInvalidArgument;
    if (complete && existing != known.segments.end()) return *existing;
    return std::move(built).error();
  }
  const index::SegmentEntry entry = *std::move(built);
  FIRN_CHECK(table::EditCatalog(
      store, snapshot->root(),
      [&](index::Catalog& edited) -> Status {
        std::erase_if(edited.segments, [&](const index::SegmentEntry& other) {
          return other.name == entry.name && (!options.only_missing || target.replaced.contains(other.object));
        });
        if (edited.segments.size() >= index::kMaxSegments)
          return ResourceExhausted("table " + snapshot->name() + " has as many index segments as there may be",
                                   "Build its index anew");
        edited.segments.push_back(entry);
        return {};
      },
      deadline));
  table::RefreshHead(snapshot->environment(), snapshot->root(), deadline);
  return entry;
}

}  // namespace firn::maintain
