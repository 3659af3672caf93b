#pragma once
// Private to lance_ivf/: what an index's two files say of themselves, as checked values. The picture stands in
// lance_index.h.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "lance/lance_file.h"
#include "simd/distance.h"

namespace firn::index {

enum class Codes : std::uint8_t { kFlat, kScalar, kProduct };

/// From the schema metadata of both files and the schema of the second.
struct IndexHeader {
  std::string kind;  // "IVF_PQ"
  Codes codes = Codes::kFlat;
  simd::Metric metric = simd::Metric::kL2;
  std::string code_column;
  std::size_t dimension = 0;
  double bound_start = 0;  // scalar
  double bound_end = 0;
  std::size_t sub_vectors = 0;          // product
  std::uint32_t codebook_position = 0;  // global buffer of the codes' file
  bool transposed = true;
};

/// "IVF_PQ", "IVF_HNSW_SQ", ... as VectorIndexDetails say it; "" when they do not.
std::string KindFromDetails(std::string_view details);
/// Unsupported for a kind that cannot be searched.
Result<Codes> CodesOf(std::string_view kind);

/// `dimension` is that of the table's column. Unsupported, DataCorruption.
Result<IndexHeader> ReadHeader(const lance::LanceFile& index, const lance::LanceFile& codes, std::size_t dimension);

struct Partition {
  std::uint64_t first_row = 0;
  std::uint64_t rows = 0;
};

struct IvfModel {
  std::vector<float> centroids;  // partitions x dimension
  std::vector<Partition> partitions;
  std::vector<float> codebook;  // sub-vector x 256 x dimension of a sub-vector; product only
};

/// From the Ivf messages of index.idx and of auxiliary.idx (`codes`, which has `rows` rows). DataCorruption.
Status ReadCentroids(ByteSpan index_message, const IndexHeader& header, IvfModel& model);
Status ReadPartitions(ByteSpan codes_message, std::uint64_t rows, IvfModel& model);
Status ReadCodebook(ByteSpan message, const IndexHeader& header, IvfModel& model);

}  // namespace firn::index
