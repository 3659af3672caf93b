#include "query/open_table.h"

#include <algorithm>
#include <bit>

#include "query/hot_graph.h"
#include "query/seen_queries.h"
#include "table/index_catalog.h"

namespace firn::query {
namespace {

/// A mask of all rows, the bits behind the last one off.
index::RowMask AllRows(std::uint64_t rows) {
  index::RowMask mask((rows + 63) / 64, ~std::uint64_t{0});
  if (rows % 64 != 0) mask.back() >>= 64 - rows % 64;
  return mask;
}

void ClearRows(index::RowMask& mask, std::uint64_t begin, std::uint64_t end) {
  for (std::uint64_t row = begin; row < end;) {
    if (row % 64 == 0 && row + 64 <= end) {
      mask[row / 64] = 0;
      row += 64;
    } else {
      mask[row / 64] &= ~(std::uint64_t{1} << (row % 64));
      row++;
    }
  }
}

std::uint64_t CountBits(const index::RowMask& mask) {
  std::uint64_t count = 0;
  for (const std::uint64_t word : mask) count += static_cast<std::uint64_t>(std::popcount(word));
  return count;
}

/// What such a filter says may change while the version does not.
bool DependsOnTime(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text.contains("now") || text.contains("current_");
}

}  // namespace

lance::RowAddress OpenSegment::AddressOf(std::uint32_t row) const {
  const auto next = std::ranges::upper_bound(first_rows, std::uint64_t{row});
  const auto fragment = static_cast<std::size_t>(next - first_rows.begin()) - 1;
  return lance::MakeRowAddress(segment->header().fragments[fragment].id, row - first_rows[fragment]);
}

OpenTable::OpenTable(table::SnapshotPtr snapshot, index::Catalog catalog, Residency residency, Shared shared,
                     std::vector<std::string> warnings)
    : snapshot_(std::move(snapshot)),
      catalog_(std::move(catalog)),
      residency_(residency),
      shared_(std::move(shared)),
      catalog_warnings_(std::move(warnings)) {}

std::optional<simd::Metric> OpenTable::IndexedMetric(const std::string& column, const Deadline& deadline) {
  for (auto entry = catalog_.segments.rbegin(); entry != catalog_.segments.rend(); ++entry) {
    if (entry->column != column) continue;
    for (const index::SegmentFragment& fragment : entry->fragments) {
      if (table::StillCovers(fragment, snapshot_->manifest(), entry->field_id)) return entry->metric;
    }
  }
  const lance::Field* field = snapshot_->manifest().schema.FindTopLevel(column);
  if (field == nullptr) return std::nullopt;
  const std::lock_guard lock(mutex_);
  const std::vector<NamedLanceIndex>& theirs = LanceIndexesOf(field->id, deadline);
  if (theirs.empty()) return std::nullopt;
  return theirs.front().index->metric();
}

// ---- indexes ----

Result<std::shared_ptr<const ColumnIndex>> OpenTable::IndexOf(const std::string& column, simd::Metric metric,
                                                              const Deadline& deadline) {
  // Held while reading: searches that come meanwhile want the same bytes.
  const std::lock_guard lock(mutex_);
  const auto found = indexes_.find({column, metric});
  if (found != indexes_.end()) return found->second;
  FIRN_TRY(auto opened, OpenIndex(column, metric, deadline));
  indexes_.emplace(ColumnKey{column, metric}, opened);
  return opened;
}

Result<std::shared_ptr<const ColumnIndex>> OpenTable::OpenIndex(const std::string& column, simd::Metric metric,
                                                                const Deadline& deadline) {
  const lance::Manifest& manifest = snapshot_->manifest();
  const lance::Field* field = manifest.schema.FindTopLevel(column);
  const auto position = snapshot_->schema()->IndexOf(column);
  if (field == nullptr || !position) return NotFound("there is no column \"" + column + "\"");
  const auto dim = static_cast<std::uint32_t>(snapshot_->schema()->fields[*position].type->list_size);

  // Newer segments first: where two cover a fragment, the later one was built for a reason.
  std::vector<const index::SegmentEntry*> wanted;
  std::map<std::uint64_t, const index::SegmentEntry*> owner;
  for (auto entry = catalog_.segments.rbegin(); entry != catalog_.segments.rend(); ++entry) {
    if (entry->column != column || entry->field_id != field->id || entry->metric != metric || entry->dim != dim)
      continue;
    bool useful = false;
    for (const index::SegmentFragment& fragment : entry->fragments) {
      if (table::StillCovers(fragment, manifest, field->id))
        useful = owner.emplace(fragment.id, &*entry).second || useful;
    }
    if (useful) wanted.push_back(&*entry);
  }

  auto opened = std::make_shared<ColumnIndex>();
  opened->warnings = catalog_warnings_;
  FIRN_CHECK(OpenSegments(*opened, wanted, deadline));
  std::map<std::uint64_t, bool> covered;
  for (OpenSegment& segment : opened->segments) {
    index::RowMask live = AllRows(segment.first_rows.back());
    const std::vector<index::SegmentFragment>& fragments = segment.segment->header().fragments;
    bool all = true;
    for (std::size_t i = 0; i < fragments.size(); i++) {
      const auto owned = owner.find(fragments[i].id);
      if (owned != owner.end() && owned->second == segment.entry) {
        covered[fragments[i].id] = true;
        continue;
      }
      ClearRows(live, segment.first_rows[i], segment.first_rows[i + 1]);
      all = false;
    }
    if (!all) segment.live = std::move(live);
    FIRN_CHECK(FindLive(segment, deadline));
  }
  for (const lance::Fragment& fragment : manifest.fragments) {
    if (!covered.contains(fragment.id) && fragment.LiveRows() > 0) opened->uncovered.push_back(&fragment);
  }
  if (!opened->uncovered.empty()) OpenLanceIndexes(*opened, field->id, metric, deadline);
  return opened;
}

const std::vector<OpenTable::NamedLanceIndex>& OpenTable::LanceIndexesOf(std::int32_t field_id,
                                                                         const Deadline& deadline) {
  const auto [found, fresh] = lance_indexes_.try_emplace(field_id);
  if (!fresh) return found->second;
  const table::Environment& environment = snapshot_->environment();
  const auto skip = [&](std::string_view name, const Error& error) {
    environment.log.Info("LanceDB's index is not used",
                         {{"table", snapshot_->name()}, {"index", name}, {"why", error.message}});
  };
  const auto infos = index::ListLanceIndexes(snapshot_->manifest());
  if (!infos) {
    skip("", infos.error());
    return found->second;
  }
  for (const index::LanceIndexInfo& info : *infos) {
    if (info.field_ids != std::vector<std::int32_t>{field_id}) continue;
    auto opened = index::LanceIndex::Open(environment.store, snapshot_->root(), info, snapshot_->manifest(), deadline);
    if (opened) {
      found->second.push_back({info.name, *std::move(opened)});
    } else {
      skip(info.name, opened.error());
    }
  }
  return found->second;
}

/// Gives uncovered fragments to indexes that LanceDB built.
void OpenTable::OpenLanceIndexes(ColumnIndex& index, std::int32_t field_id, simd::Metric metric,
                                 const Deadline& deadline) {
  for (const NamedLanceIndex& theirs : LanceIndexesOf(field_id, deadline)) {
    if (theirs.index->metric() != metric) continue;
    OpenLanceIndex opened{theirs.name, theirs.index, {}};
    std::erase_if(index.uncovered, [&](const lance::Fragment* fragment) {
      if (!theirs.index->covered().contains(fragment->id)) return false;
      opened.fragments.push_back(fragment);
      return true;
    });
    if (!opened.fragments.empty()) index.lance.push_back(std::move(opened));
  }
}

/// A segment's footer, at the end of `bytes`: that of the format that this program knows, and the catalog's.
Status CheckFooter(const Buffer& bytes, std::uint64_t object_bytes, const std::string& key,
                   const index::SegmentFooter& expected) {
  FIRN_TRY(const index::SegmentFooter footer, index::DecodeSegmentFooter(bytes.bytes(), object_bytes, key));
  if (footer.hot_offset == expected.hot_offset && footer.hot_bytes == expected.hot_bytes &&
      footer.hot_crc == expected.hot_crc)
    return {};
  return DataCorruption("index object " + key + " is not what its catalog says");
}

/// Hot parts of all segments in one round; whole objects where those are mappings.
Status OpenTable::OpenSegments(ColumnIndex& index, std::span<const index::SegmentEntry* const> entries,
                               const Deadline& deadline) {
  if (entries.empty()) return {};
  std::vector<store::ReadRequest> requests;
  std::vector<bool> whole;
  for (const index::SegmentEntry* entry : entries) {
    whole.push_back(residency_.mapped);
    store::ReadRequest hot = table::HotPartRequest(snapshot_->root(), *entry);
    requests.push_back(whole.back() ? store::ReadRequest::Whole(std::move(hot.key)) : std::move(hot));
  }
  auto answers = snapshot_->environment().store.ReadMany(requests, deadline);
  for (std::size_t i = 0; i < entries.size(); i++) {
    const auto open = [&]() -> Status {
      if (!answers[i]) return std::move(answers[i]).error();
      const index::SegmentFooter& footer = entries[i]->footer;
      const Buffer& bytes = answers[i]->bytes;
      const std::uint64_t hot_at = whole[i] ? footer.hot_offset : 0;
      if (!InBounds(hot_at, footer.hot_bytes, bytes.size()))
        return DataCorruption("index object " + requests[i].key + " is truncated");
      FIRN_CHECK(CheckFooter(bytes, answers[i]->object_size_bytes, requests[i].key, footer));
      FIRN_TRY(auto segment,
               index::VectorSegment::Parse(requests[i].key, bytes.Slice(hot_at, footer.hot_bytes), footer));
      const index::SegmentHeader& header = segment->header();
      if (header.fragments != entries[i]->fragments || header.metric != entries[i]->metric ||
          header.dim != entries[i]->dim)
        return DataCorruption("index object " + requests[i].key + " is not what its catalog says");
      OpenSegment opened{
          .entry = entries[i], .segment = segment, .lists = nullptr, .first_rows = {0}, .live = {}, .live_rows = 0};
      if (whole[i]) {
        FIRN_TRY(index::LoadedLists lists, segment->Map(bytes));
        opened.lists = std::make_shared<const index::LoadedLists>(std::move(lists));
      }
      for (const index::SegmentFragment& fragment : segment->header().fragments)
        opened.first_rows.push_back(opened.first_rows.back() + fragment.rows);
      index.segments.push_back(std::move(opened));
      return {};
    };
    const Status status = open();
    if (status) continue;
    const ErrorKind kind = status.error().kind;
    if (kind != ErrorKind::kDataCorruption && kind != ErrorKind::kNotFound && kind != ErrorKind::kUnsupported &&
        kind != ErrorKind::kInvalidArgument)
      return status.error();
    index.warnings.push_back("index \"" + entries[i]->name + "\" is not used: " + status.error().ToString());
    snapshot_->environment().log.Warn(
        "index not used",
        {{"table", snapshot_->name()}, {"index", entries[i]->name}, {"error", status.error().message}});
  }
  return {};
}

/// Takes deleted rows out of the mask.
Status OpenTable::FindLive(OpenSegment& segment, const Deadline& deadline) const {
  FIRN_TRY(const auto* deletions, snapshot_->Deletions(deadline));
  const std::vector<index::SegmentFragment>& fragments = segment.segment->header().fragments;
  for (std::size_t i = 0; i < fragments.size(); i++) {
    const auto deleted = deletions->find(fragments[i].id);
    if (deleted == deletions->end()) continue;
    if (!segment.live) segment.live = AllRows(segment.first_rows.back());
    for (const std::uint32_t offset : deleted->second.offsets()) {
      const std::uint64_t row = segment.first_rows[i] + offset;
      if (row < segment.first_rows[i + 1]) (*segment.live)[row / 64] &= ~(std::uint64_t{1} << (row % 64));
    }
  }
  segment.live_rows = segment.live ? CountBits(*segment.live) : segment.first_rows.back();
  return {};
}

void OpenTable::Distrust(const std::string& column, simd::Metric metric, const std::string& why) {
  auto exact = std::make_shared<ColumnIndex>();
  exact->warnings.push_back("the index is not used: " + why);
  for (const lance::Fragment& fragment : snapshot_->manifest().fragments) exact->uncovered.push_back(&fragment);
  snapshot_->environment().log.Warn("index not used",
                                    {{"table", snapshot_->name()}, {"column", column}, {"error", why}});
  const std::lock_guard lock(mutex_);
  indexes_[{column, metric}] = std::move(exact);
}

// ---- vectors and masks ----

std::uint64_t OpenTable::BytesOfVectors(const std::string& column) const {
  const auto position = snapshot_->schema()->IndexOf(column);
  if (!position) return 0;
  const arrow::Type& type = *snapshot_->schema()->fields[*position].type;
  std::uint64_t rows = 0;
  for (const lance::Fragment& fragment : snapshot_->manifest().fragments) rows += fragment.physical_rows;
  return rows * static_cast<std::uint64_t>(type.list_size) *
         static_cast<std::uint64_t>(arrow::BitWidth(*type.children[0].type)) / 8;
}

Result<std::shared_ptr<const ResidentVectors>> OpenTable::Vectors(const std::string& column, const Deadline& deadline) {
  const std::lock_guard lock(mutex_);
  const auto found = vectors_.find(column);
  if (found != vectors_.end()) return found->second;
  if (!residency_.mapped) return std::shared_ptr<const ResidentVectors>();
  FIRN_TRY(auto vectors, ResidentVectors::Load(*snapshot_, column, deadline));
  vectors_.emplace(column, vectors);
  return vectors;
}

// ---- heat ----

OpenTable::Scratch OpenTable::BorrowScratch() const {
  constexpr std::size_t kMostIdle = 64;
  std::unique_ptr<SegmentScratch> scratch;
  {
    const std::lock_guard lock(scratch_mutex_);
    if (!idle_scratch_.empty()) {
      scratch = std::move(idle_scratch_.back());
      idle_scratch_.pop_back();
    }
  }
  if (!scratch) scratch = std::make_unique<SegmentScratch>();
  return {scratch.release(), [this](SegmentScratch* back) {
            std::unique_ptr<SegmentScratch> owned(back);
            const std::lock_guard lock(scratch_mutex_);
            if (idle_scratch_.size() < kMostIdle) idle_scratch_.push_back(std::move(owned));
          }};
}

std::string OpenTable::KeyOf(const std::string& column, simd::Metric metric) const {
  return snapshot_->root() + '\n' + column + '\n' + std::string(simd::NameOf(metric));
}

void OpenTable::InBackground(std::function<Status(OpenTable&, const Deadline&)> work) {
  snapshot_->environment().pool.Post([self = shared_from_this(), work = std::move(work)] {
    const std::shared_ptr<const std::atomic<bool>>& stopping = self->shared_.stopping;
    const Status done = work(*self, stopping ? Deadline::Never().WithCancel(stopping) : Deadline::Never());
    if (!done)
      self->snapshot_->environment().log.Info("table not heated",
                                              {{"table", self->snapshot_->name()}, {"why", done.error().message}});
  });
}

void OpenTable::CountSearch(const std::string& column, simd::Metric metric, std::span<const float> query,
                            std::string_view filter) {
  const std::uint64_t count = searches_.fetch_add(1, std::memory_order_relaxed) + 1;
  const bool warm = !residency_.mapped && residency_.bytes > 0 && count == residency_.warm_after;
  const bool build =
      shared_.graphs != nullptr && shared_.graphs->capacity_bytes() > 0 && count == residency_.graph_after;
  if (warm || build) {
    InBackground([column, metric, build](OpenTable& self, const Deadline& deadline) -> Status {
      FIRN_CHECK(self.Warm(column, metric, deadline));
      return build ? self.BuildGraphs(column, metric, deadline) : Status();
    });
  }
  constexpr std::uint64_t kLookAtMemoryEach = 256;
  if (shared_.graphs != nullptr && count % kLookAtMemoryEach == 0) {
    InBackground([](OpenTable& self, const Deadline&) -> Status {
      if (self.shared_.graphs->Relieve()) self.Cool();
      return {};
    });
  }
  if (shared_.seen != nullptr && shared_.measure && shared_.seen->Note(KeyOf(column, metric), query, filter)) {
    InBackground([column, metric](OpenTable& self, const Deadline& deadline) -> Status {
      FIRN_CHECK(self.Warm(column, metric, deadline));
      self.shared_.measure(self, column, metric, deadline);
      return {};
    });
  }
}

std::vector<SeenQuery> OpenTable::SeenQueriesOf(const std::string& column, simd::Metric metric) const {
  return shared_.seen == nullptr ? std::vector<SeenQuery>() : shared_.seen->Of(KeyOf(column, metric));
}

Status OpenTable::Warm(const std::string& column, simd::Metric metric, const Deadline& deadline) {
  if (residency_.mapped) return {};
  const std::lock_guard one_at_a_time(warming_);
  FIRN_TRY(const auto cold, IndexOf(column, metric, deadline));
  std::uint64_t bytes = BytesOfVectors(column);
  std::vector<store::ReadRequest> requests;
  for (const OpenSegment& segment : cold->segments) {
    if (segment.lists) continue;
    bytes += segment.entry->object_bytes;
    requests.push_back(store::ReadRequest::Whole(segment.segment->key()));
  }
  {
    const std::lock_guard lock(mutex_);
    if (vectors_.contains(column) && requests.empty()) return {};
    if (resident_bytes_ + bytes > residency_.bytes || (shared_.graphs && !shared_.graphs->HasRoomFor(bytes)))
      return ResourceExhausted("index and vectors take " + std::to_string(bytes) +
                               " bytes, more than may stay in memory");
  }
  auto answers = snapshot_->environment().store.ReadMany(requests, deadline);
  auto warm = std::make_shared<ColumnIndex>(*cold);
  std::size_t next = 0;
  for (OpenSegment& segment : warm->segments) {
    if (segment.lists) continue;
    if (!answers[next]) return std::move(answers[next]).error();
    FIRN_TRY(index::LoadedLists lists, segment.segment->Map(std::move(answers[next++]->bytes)));
    segment.lists = std::make_shared<const index::LoadedLists>(std::move(lists));
  }
  FIRN_TRY(auto vectors, ResidentVectors::Load(*snapshot_, column, deadline));
  const std::lock_guard lock(mutex_);
  resident_bytes_ += bytes;
  indexes_[{column, metric}] = std::move(warm);
  vectors_[column] = std::move(vectors);
  masks_.clear();  // they do not count by lists
  mask_bytes_ = 0;
  return {};
}

void OpenTable::Cool() {
  if (residency_.mapped) return;  // the machine takes mapped pages back by itself
  const std::lock_guard lock(mutex_);
  for (auto& [key, index] : indexes_) {
    auto cold = std::make_shared<ColumnIndex>(*index);
    for (OpenSegment& segment : cold->segments) segment.lists = nullptr;
    index = std::move(cold);
  }
  vectors_.clear();
  masks_.clear();
  mask_bytes_ = 0;
  resident_bytes_ = 0;
}

void OpenTable::DropGraphs() {
  if (shared_.graphs == nullptr) return;
  const std::lock_guard lock(mutex_);
  for (const auto& [key, index] : indexes_) {
    for (const OpenSegment& segment : index->segments) shared_.graphs->Drop(segment.segment->key());
  }
}

Status OpenTable::BuildGraphs(const std::string& column, simd::Metric metric, const Deadline& deadline) {
  FIRN_TRY(const auto index, IndexOf(column, metric, deadline));
  FIRN_TRY(const auto vectors, Vectors(column, deadline));
  HotGraphs* graphs = shared_.graphs.get();
  if (!vectors || graphs == nullptr) return {};
  for (const OpenSegment& segment : index->segments) {
    const std::string& key = segment.segment->key();
    if (!segment.lists || graphs->Find(key)) continue;
    constexpr std::uint64_t kLeastBytesOfRow = 512, kBytesOfRow = 5120;  // when built, and while it is
    if (segment.live_rows * kLeastBytesOfRow > graphs->capacity_bytes()) continue;
    if (!graphs->HasRoomFor(segment.live_rows * kBytesOfRow)) return ResourceExhausted("too little memory for a graph");
    if (!graphs->Claim(key)) continue;
    FIRN_TRY(auto graph,
             BuildHotGraph(segment, *vectors, SeenQueriesOf(column, metric), snapshot_->environment().pool, deadline));
    if (graph != nullptr) graphs->Put(key, std::move(graph));
  }
  return {};
}

Result<std::shared_ptr<const filter::Predicate>> OpenTable::Bind(const std::string& text) {
  constexpr std::size_t kMostKept = 64, kLongestKept = 4096;
  {
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find(predicates_, text, &KeptPredicate::text);
    if (found != predicates_.end()) {
      predicates_.splice(predicates_.begin(), predicates_, found);
      return found->predicate;
    }
  }
  FIRN_TRY(filter::Predicate bound, snapshot_->Bind(text));
  auto predicate = std::make_shared<const filter::Predicate>(std::move(bound));
  if (text.size() > kLongestKept || DependsOnTime(text)) return predicate;
  const std::lock_guard lock(mutex_);
  predicates_.push_front({text, predicate});
  if (predicates_.size() > kMostKept) predicates_.pop_back();
  return predicate;
}

Result<std::shared_ptr<const FilterMask>> OpenTable::MaskOf(const std::shared_ptr<const ColumnIndex>& index,
                                                            const std::string& column, const std::string& text,
                                                            const filter::Predicate& predicate,
                                                            const Deadline& deadline) {
  const auto is_it = [&](const KeptMask& kept) { return kept.index == index && kept.text == text; };
  {
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find_if(masks_, is_it);
    if (found != masks_.end()) {
      masks_.splice(masks_.begin(), masks_, found);
      return found->mask;
    }
  }
  FIRN_TRY(const auto vectors, Vectors(column, deadline));
  FIRN_TRY(auto mask, Evaluate(*index, predicate, vectors, deadline));
  if (DependsOnTime(text)) return mask;
  std::uint64_t bytes =
      mask->few.size() * (sizeof(lance::RowAddress) + sizeof(void*)) + text.size() + sizeof(FilterMask);
  for (const index::RowMask& each : mask->masks) bytes += each.size() * 8;
  for (const auto& each : mask->list_matches) bytes += each ? each->SizeBytes() : 0;
  const std::lock_guard lock(mutex_);
  if (bytes > residency_.mask_bytes || std::ranges::any_of(masks_, is_it)) return mask;
  masks_.push_front({index, text, mask, bytes});
  mask_bytes_ += bytes;
  while (mask_bytes_ > residency_.mask_bytes) {
    mask_bytes_ -= masks_.back().bytes;
    masks_.pop_back();
  }
  return mask;
}

Result<std::shared_ptr<const FilterMask>> OpenTable::Evaluate(const ColumnIndex& index,
                                                              const filter::Predicate& predicate,
                                                              std::shared_ptr<const ResidentVectors> vectors,
                                                              const Deadline& deadline) const {
  struct Place {
    std::size_t segment;
    std::uint64_t first_row;
  };
  std::map<std::uint64_t, Place> places;
  auto mask = std::make_shared<FilterMask>();
  std::vector<const lance::Fragment*> fragments;
  for (std::size_t s = 0; s < index.segments.size(); s++) {
    const OpenSegment& segment = index.segments[s];
    mask->masks.emplace_back((segment.first_rows.back() + 63) / 64, 0);
    const auto& covered = segment.segment->header().fragments;
    for (std::size_t i = 0; i < covered.size(); i++) {
      const std::uint64_t row = segment.first_rows[i];
      // A fragment that this segment does not own has no live row here.
      const lance::Fragment* fragment = snapshot_->manifest().FindFragment(covered[i].id);
      if (fragment == nullptr || covered[i].rows == 0) continue;
      if (!table::StillCovers(covered[i], snapshot_->manifest(), segment.entry->field_id)) continue;
      if (places.emplace(covered[i].id, Place{s, row}).second) fragments.push_back(fragment);
    }
  }
  std::mutex mutex;
  FIRN_CHECK(snapshot_->ScanPieces(
      {.columns = {}, .predicate = &predicate, .fragments = fragments},
      [&](const table::Snapshot::Piece& piece) -> Status {
        const auto found = places.find(piece.fragment->id);
        if (found == places.end()) return {};
        const std::lock_guard lock(mutex);
        index::RowMask& bits = mask->masks[found->second.segment];
        const auto add = [&](std::int64_t row) {
          const std::uint64_t number = found->second.first_row + piece.OffsetOf(row);
          bits[number / 64] |= std::uint64_t{1} << (number % 64);
        };
        if (piece.every_row) {
          for (std::int64_t row = 0; row < piece.batch.rows; row++) add(row);
        } else {
          for (const std::int64_t row : piece.selected) add(row);
        }
        return {};
      },
      deadline));
  for (std::size_t s = 0; s < index.segments.size(); s++) {
    if (index.segments[s].live) {
      for (std::size_t word = 0; word < mask->masks[s].size(); word++)
        mask->masks[s][word] &= (*index.segments[s].live)[word];
    }
    mask->matches.push_back(CountBits(mask->masks[s]));
    mask->total += mask->matches.back();
    mask->list_matches.emplace_back();
    if (!index.segments[s].lists) continue;
    auto by_lists = index.segments[s].segment->MatchLists(*index.segments[s].lists, mask->masks[s]);
    if (by_lists) mask->list_matches.back() = *std::move(by_lists);  // else the scan will say what is wrong
  }
  if (mask->total > FilterMask::kFewRows) return std::shared_ptr<const FilterMask>(mask);
  for (std::size_t s = 0; s < index.segments.size(); s++) {
    for (std::size_t word = 0; word < mask->masks[s].size(); word++) {
      for (std::uint64_t left = mask->masks[s][word]; left != 0; left &= left - 1) {
        const auto row = static_cast<std::uint32_t>(word * 64 + static_cast<std::size_t>(std::countr_zero(left)));
        mask->few.push_back(index.segments[s].AddressOf(row));
      }
    }
  }
  std::ranges::sort(mask->few);
  mask->vectors = std::move(vectors);
  if (mask->vectors) {
    for (const lance::RowAddress row : mask->few) mask->few_places.push_back(mask->vectors->At(row));
  }
  return std::shared_ptr<const FilterMask>(mask);
}

}  // namespace firn::query
