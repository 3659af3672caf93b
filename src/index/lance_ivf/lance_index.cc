#include "index/lance_ivf/lance_index.h"

#include <algorithm>
#include <charconv>
#include <new>
#include <stdexcept>

#include "index/lance_ivf/ivf_model.h"
#include "index/lance_ivf/partition_scan.h"
#include "lance/index_metadata.h"
#include "lance/lance_file.h"

namespace firn::index {
namespace {

constexpr std::uint64_t kWholeFileBytes = 1ULL << 20;  // read at once rather than its end first
constexpr std::uint64_t kMaxModelBytes = 1ULL << 30;   // centroids or codebook
constexpr std::int32_t kMaxIndexVersion = 1;
constexpr std::string_view kRebuild = "build the index anew with a current LanceDB";

bool IsVectorIndex(const lance::IndexMetadata& index) {
  return index.details_type.ends_with("VectorIndexDetails") || index.file_sizes.contains("auxiliary.idx");
}

/// The dimension of the indexed column, when it is one that can be searched.
Result<std::size_t> DimensionOf(const LanceIndexInfo& info, const lance::Manifest& manifest) {
  if (info.field_ids.size() != 1) return Unsupported("it is over several columns");
  const lance::Field* field = manifest.schema.Find(info.field_ids[0]);
  if (field == nullptr) return Unsupported("the table no longer has its column");
  constexpr std::string_view kVector = "fixed_size_list:float:";
  const std::string_view type = field->logical_type;
  std::size_t dimension = 0;
  if (type.starts_with(kVector)) {
    const char* end = type.data() + type.size();
    const auto [stop, error] = std::from_chars(type.data() + kVector.size(), end, dimension);
    if (error != std::errc() || stop != end) dimension = 0;
  }
  if (dimension == 0)
    return Unsupported("column " + field->name + " is " + field->logical_type + ", not float32 vectors");
  return dimension;
}

/// What can be said before a file is opened.
Result<std::size_t> CheckUsable(const LanceIndexInfo& info, const lance::Manifest& manifest) {
  if (!info.kind.empty()) FIRN_CHECK(CodesOf(info.kind));
  if (info.index_version > kMaxIndexVersion) {
    return Unsupported("it has the format version " + std::to_string(info.index_version) + "; this Firn knows " +
                       std::to_string(kMaxIndexVersion));
  }
  if (info.base_id) return Unsupported("its files are stored in another base path");
  if (((manifest.reader_flags | manifest.writer_flags) & lance::kFlagStableRowIds) != 0)
    return Unsupported("the table has stable row ids");
  return DimensionOf(info, manifest);
}

std::string Named(const LanceIndexInfo& info) { return "index " + info.name; }

}  // namespace

/// What an index's objects say; the same in every version of the table that lists it.
struct LanceIndex::Files {
  std::string uuid;
  std::string name;
  IndexHeader header;
  IvfModel model;
  lance::LanceFile codes;

  static Result<std::shared_ptr<const Files>> Read(store::ObjectStore& store, std::string_view root,
                                                   const LanceIndexInfo& info, std::size_t dimension,
                                                   const Deadline& deadline);
};

/// Which row addresses are rows of covered fragments.
struct LanceIndex::Coverage {
  struct Rows {
    std::uint64_t fragment;
    std::uint64_t count;
  };
  std::vector<Rows> fragments;  // by id

  /// Null when the fragment is not covered.
  const Rows* Find(std::uint64_t fragment) const {
    const auto found = std::ranges::lower_bound(fragments, fragment, {}, &Rows::fragment);
    return found == fragments.end() || found->fragment != fragment ? nullptr : &*found;
  }
};

Result<std::vector<LanceIndexInfo>> ListLanceIndexes(const lance::Manifest& manifest) {
  FIRN_TRY(std::vector<lance::IndexMetadata> indexes, lance::DecodeIndexes(manifest));
  std::vector<LanceIndexInfo> infos;
  for (lance::IndexMetadata& index : indexes) {
    if (!IsVectorIndex(index)) continue;
    LanceIndexInfo info;
    info.name = std::move(index.name);
    info.uuid = std::move(index.uuid);
    info.field_ids = std::move(index.field_ids);
    info.dataset_version = index.dataset_version;
    info.kind = KindFromDetails(index.details);
    if (index.fragments) info.fragments.insert(index.fragments->begin(), index.fragments->end());
    info.index_version = index.index_version;
    info.base_id = index.base_id;
    info.file_sizes = std::move(index.file_sizes);
    infos.push_back(std::move(info));
  }
  return infos;
}

Result<std::shared_ptr<const LanceIndex::Files>> LanceIndex::Files::Read(store::ObjectStore& store,
                                                                         std::string_view root,
                                                                         const LanceIndexInfo& info,
                                                                         std::size_t dimension,
                                                                         const Deadline& deadline) {
  const auto place = [&](const std::string& name) {
    const auto size = info.file_sizes.find(name);
    return lance::LanceFilePlace{name, size == info.file_sizes.end() ? 0 : size->second};
  };
  const lance::LanceFilePlace places[] = {place("index.idx"), place("auxiliary.idx")};
  const std::string folder = (root.empty() ? "" : std::string(root) + "/") + "_indices/" + info.uuid;
  FIRN_TRY(lance::LanceFile::Opened opened, lance::LanceFile::Open(store, folder, places, kWholeFileBytes, deadline));
  const lance::LanceFile& index = opened.files[0];
  const lance::LanceFile& codes = opened.files[1];

  auto files = std::make_shared<Files>();
  files->uuid = info.uuid;
  files->name = info.name;
  FIRN_TRY(files->header, ReadHeader(index, codes, dimension));
  if (!info.kind.empty() && info.kind != files->header.kind)
    return DataCorruption(index.Describe() + " is an " + files->header.kind + " index where the manifest says " +
                          info.kind);

  Buffer centroids;
  Buffer partitions;
  Buffer codebook;
  lance::ReadRound round(store, opened.ends);
  FIRN_CHECK(index.AddGlobalBuffer(1, kMaxModelBytes, round, &centroids));
  FIRN_CHECK(codes.AddGlobalBuffer(1, kMaxModelBytes, round, &partitions));
  if (files->header.codes == Codes::kProduct)
    FIRN_CHECK(codes.AddGlobalBuffer(files->header.codebook_position, kMaxModelBytes, round, &codebook));
  const std::string columns[] = {"_rowid", files->header.code_column};
  FIRN_CHECK(codes.Learn(columns, round, deadline));

  Status status = ReadCentroids(centroids.bytes(), files->header, files->model);
  if (!status) return std::move(status).error().In(index.Describe());
  status = ReadPartitions(partitions.bytes(), codes.rows(), files->model);
  if (status && files->header.codes == Codes::kProduct)
    status = ReadCodebook(codebook.bytes(), files->header, files->model);
  if (status && files->model.partitions.size() * dimension != files->model.centroids.size())
    status = DataCorruption("it has another number of partitions than " + index.Describe() + " has centroids");
  if (!status) return std::move(status).error().In(codes.Describe());
  files->codes = std::move(opened.files[1]);
  return std::shared_ptr<const Files>(std::move(files));
}

Result<std::shared_ptr<const LanceIndex>> LanceIndex::Open(store::ObjectStore& store, std::string_view root,
                                                           const LanceIndexInfo& info, const lance::Manifest& manifest,
                                                           const Deadline& deadline) {
  const auto open = [&]() -> Result<std::shared_ptr<const LanceIndex>> {
    FIRN_TRY(const std::size_t dimension, CheckUsable(info, manifest));
    FIRN_TRY(std::shared_ptr<const Files> files, Files::Read(store, root, info, dimension, deadline));
    return LanceIndex(std::move(files), nullptr, {}).At(info, manifest);
  };
  try {
    auto index = open();
    if (index) return index;
    Error error = std::move(index).error().In(Named(info));
    // A hint speaks of rewriting the table, which a file of another version would need if it were data.
    if (error.kind == ErrorKind::kUnsupported && !error.hint.empty()) error.hint = kRebuild;
    return error;
  } catch (const std::bad_alloc&) {
    return ResourceExhausted("no memory for " + Named(info));
  } catch (const std::length_error&) {
    return ResourceExhausted("no memory for " + Named(info));
  }
}

Result<std::shared_ptr<const LanceIndex>> LanceIndex::At(const LanceIndexInfo& info,
                                                         const lance::Manifest& manifest) const {
  if (info.uuid != files_->uuid) return InvalidArgument(Named(info) + " has other files");
  Result<std::size_t> dimension = CheckUsable(info, manifest);
  if (!dimension) return std::move(dimension).error().In(Named(info));
  if (*dimension != files_->header.dimension)
    return DataCorruption(Named(info) + " has another dimension than its column");
  auto coverage = std::make_shared<Coverage>();
  std::set<std::uint64_t> covered;
  for (const lance::Fragment& fragment : manifest.fragments) {
    if (!info.fragments.contains(fragment.id)) continue;
    covered.insert(fragment.id);
    coverage->fragments.push_back({fragment.id, fragment.physical_rows});
  }
  std::ranges::sort(coverage->fragments, {}, &Coverage::Rows::fragment);
  return std::shared_ptr<const LanceIndex>(new LanceIndex(files_, std::move(coverage), std::move(covered)));
}

simd::Metric LanceIndex::metric() const { return files_->header.metric; }
std::string_view LanceIndex::kind() const { return files_->header.kind; }
std::size_t LanceIndex::dimension() const { return files_->header.dimension; }
std::size_t LanceIndex::partitions() const { return files_->model.partitions.size(); }
bool LanceIndex::approximate() const { return files_->header.codes != Codes::kFlat; }
float LanceIndex::scale_to_metric() const { return approximate() && metric() == simd::Metric::kCosine ? 0.5F : 1.0F; }

namespace {

/// The values of a partition's codes, which are not null.
Result<const std::uint8_t*> CodeBytes(const arrow::Array& column, std::size_t row_bytes) {
  const arrow::Array& items = column.child(0);
  const std::size_t needed = static_cast<std::size_t>(column.length()) * row_bytes;
  if (column.null_count() != 0 || items.null_count() != 0 || items.data().data.size() < needed)
    return DataCorruption("a vector's codes are null");
  return items.data().data.data();
}

}  // namespace

Result<std::vector<simd::Hit>> LanceIndex::Search(std::span<const float> query, std::size_t nprobes, std::size_t k,
                                                  const std::function<bool(lance::RowAddress)>* accept,
                                                  const Deadline& deadline, TaskPool* pool) const {
  const IndexHeader& header = files_->header;
  if (query.size() != header.dimension) {
    return InvalidArgument("the query has " + std::to_string(query.size()) + " values, index " + files_->name +
                           " has " + std::to_string(header.dimension));
  }
  if (k == 0 || coverage_->fragments.empty()) return std::vector<simd::Hit>();
  const QueryScan scan(header, files_->model, query);
  const std::vector<std::size_t> probed = scan.NearestPartitions(nprobes);

  std::vector<lance::RowSelection::Range> parts;
  for (const std::size_t partition : probed) {
    const Partition& rows = files_->model.partitions[partition];
    parts.push_back({rows.first_row, rows.first_row + rows.rows});
  }
  const std::string columns[] = {"_rowid", header.code_column};
  FIRN_TRY(const std::vector<arrow::RecordBatch> batches, files_->codes.Read(parts, columns, pool, deadline));

  const std::size_t row_bytes = header.codes == Codes::kProduct  ? header.sub_vectors
                                : header.codes == Codes::kScalar ? header.dimension
                                                                 : header.dimension * sizeof(float);
  std::vector<std::vector<simd::Hit>> found(probed.size());
  const auto search_part = [&](std::size_t i) -> Status {
    FIRN_CHECK(deadline.Check("the search of index " + files_->name));
    const arrow::RecordBatch& batch = batches[i];
    if (batch.rows == 0) return {};
    if (batch.columns[0].null_count() != 0) return DataCorruption(files_->codes.Describe() + ": a row id is null");
    const auto ids = batch.columns[0].Values<std::uint64_t>();
    Result<const std::uint8_t*> codes = CodeBytes(batch.columns[1], row_bytes);
    if (!codes) return std::move(codes).error().In(files_->codes.Describe());
    std::vector<float> distances(ids.size());
    scan.Distances(probed[i], *codes, distances);

    simd::TopK top(k);
    const Coverage::Rows* fragment = nullptr;
    for (std::size_t row = 0; row < ids.size(); row++) {
      if (!(distances[row] <= top.Bound())) continue;
      const std::uint64_t id = ids[row] >> 32;
      if (fragment == nullptr || fragment->fragment != id) fragment = coverage_->Find(id);
      if (fragment == nullptr) continue;  // rows of fragments that the table has no more, or that were rewritten
      if ((ids[row] & UINT32_MAX) >= fragment->count) {
        return DataCorruption(files_->codes.Describe() + ": it points to row " + std::to_string(ids[row] & UINT32_MAX) +
                              " of fragment " + std::to_string(id) + ", which has " + std::to_string(fragment->count));
      }
      if (accept != nullptr && !(*accept)(ids[row])) continue;
      top.Offer(distances[row], ids[row]);
    }
    found[i] = top.Take();
    return {};
  };
  if (pool != nullptr) {
    FIRN_CHECK(pool->ParallelFor(probed.size(), search_part));
  } else {
    for (std::size_t i = 0; i < probed.size(); i++) FIRN_CHECK(search_part(i));
  }
  simd::TopK best(k);
  for (const std::vector<simd::Hit>& hits : found) {
    for (const simd::Hit& hit : hits) best.Offer(hit.distance, hit.row);
  }
  return best.Take();
}

}  // namespace firn::index
