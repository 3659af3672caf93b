#include "query/resident_vectors.h"

#include <algorithm>
#include <mutex>

#include "simd/distance.h"

namespace firn::query {

Result<std::shared_ptr<const ResidentVectors>> ResidentVectors::Load(const table::Snapshot& snapshot,
                                                                     const std::string& column,
                                                                     const Deadline& deadline) {
  const auto resident = std::make_shared<ResidentVectors>();
  std::map<std::uint64_t, std::vector<Piece>> by_fragment;
  const auto& environment = snapshot.environment();
  std::vector<lance::FragmentRead> reads;
  for (const lance::Fragment& fragment : snapshot.manifest().fragments) {
    if (fragment.physical_rows > 0) reads.push_back({&fragment, lance::RowSelection::Rows(0, fragment.physical_rows)});
  }
  const lance::ReadContext context{environment.store, snapshot.root(), snapshot.manifest().schema,
                                   environment.metadata_cache, &environment.pool};
  const std::vector<std::string> columns = {column};
  FIRN_TRY(const auto batches, lance::ReadFragments(context, reads, columns, deadline));
  for (std::size_t i = 0; i < reads.size(); i++) {
    std::uint64_t begin = 0;
    for (const arrow::RecordBatch& batch : batches[i]) {
      const arrow::Array& rows = batch.columns.front();
      const std::uint64_t end = begin + static_cast<std::uint64_t>(batch.rows);
      if (resident->row_bytes_ == 0 && batch.rows > 0) {
        const auto items = static_cast<std::size_t>(rows.type().list_size);
        resident->row_bytes_ = items * static_cast<std::size_t>(arrow::BitWidth(*rows.type().children[0].type)) / 8;
      }
      by_fragment[reads[i].fragment->id].push_back(
          {end, rows, rows.child(0).data().data.data(), begin, rows.null_count() != 0});
      begin = end;
    }
  }
  for (auto& [id, pieces] : by_fragment) resident->fragments_.push_back({id, std::move(pieces)});
  return resident;
}

const std::uint8_t* ResidentVectors::At(lance::RowAddress address) const {
  const std::uint64_t id = address >> 32, offset = address & 0xFFFF'FFFF;
  const Fragment* fragment = fragments_.data();
  if (fragments_.size() > 1 || fragments_.empty()) {
    const auto found = std::ranges::lower_bound(fragments_, id, {}, &Fragment::id);
    if (found == fragments_.end()) return nullptr;
    fragment = &*found;
  }
  if (fragment->id != id) return nullptr;
  const auto piece = std::ranges::upper_bound(fragment->pieces, offset, {}, &Piece::end);
  if (piece == fragment->pieces.end()) return nullptr;
  const std::uint64_t row = offset - piece->begin;
  if (piece->nulls && piece->rows.IsNull(static_cast<std::int64_t>(row))) return nullptr;
  return piece->values + row * row_bytes_;
}

}  // namespace firn::query
