#include "index/lance_ivf/ivf_model.h"

#include <cmath>

#include "index.pb.h"
#include "simdjson.h"

namespace firn::index {
namespace {

namespace dom = simdjson::dom;

constexpr std::int32_t kFloat32 = 2;  // of Tensor.data_type
constexpr std::size_t kCodewords = 256;

template <class Message>
Status Parse(ByteSpan bytes, std::string_view what, Message& message) {
  if (bytes.size() > INT32_MAX || !message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return DataCorruption(std::string(what) + " is not a valid message");
  return {};
}

/// The tensor's values, `rows` x `width` of them.
Result<std::vector<float>> FloatsFrom(const lance::pb::Tensor& tensor, std::size_t rows, std::size_t width,
                                      std::string_view what) {
  if (tensor.data_type() != kFloat32) return Unsupported(std::string(what) + " are not float32");
  if (tensor.data().size() / sizeof(float) / width != rows || tensor.data().size() != rows * width * sizeof(float)) {
    return DataCorruption(std::string(what) + " have " + std::to_string(tensor.data().size()) + " bytes instead of " +
                          std::to_string(rows) + " x " + std::to_string(width) + " values");
  }
  std::vector<float> values(rows * width);
  if (!values.empty()) std::memcpy(values.data(), tensor.data().data(), tensor.data().size());
  return values;
}

/// An object of the schema metadata. `parser` keeps what is returned.
Result<dom::object> ObjectFrom(dom::parser& parser, std::string_view json, std::string_view what) {
  dom::object object;
  if (parser.parse(json.data(), json.size()).get(object) != simdjson::SUCCESS)
    return DataCorruption("its " + std::string(what) + " is not a JSON object");
  return object;
}

Result<std::string> MetadataOf(const lance::LanceFile& file, const std::string& key) {
  const auto found = file.metadata().find(key);
  if (found == file.metadata().end()) return DataCorruption("it has no \"" + key + "\" in its schema");
  return found->second;
}

Result<std::string_view> TextIn(const dom::object& object, std::string_view key) {
  std::string_view text;
  if (object[key].get(text) != simdjson::SUCCESS) return DataCorruption("it does not say its " + std::string(key));
  return text;
}

Result<std::uint64_t> NumberIn(const dom::object& object, std::string_view key) {
  std::uint64_t number = 0;
  if (object[key].get(number) != simdjson::SUCCESS) return DataCorruption("it does not say its " + std::string(key));
  return number;
}

/// "storage_metadata": a list with one text, which is JSON again.
Result<std::string> StorageMetadata(const lance::LanceFile& codes) {
  FIRN_TRY(const std::string list, MetadataOf(codes, "storage_metadata"));
  dom::parser parser;
  std::string_view text;
  if (parser.parse(list).at(0).get(text) != simdjson::SUCCESS)
    return DataCorruption("its storage_metadata is not a list of texts");
  return std::string(text);
}

Status ReadKind(const lance::LanceFile& index, IndexHeader& header) {
  FIRN_TRY(const std::string json, MetadataOf(index, "lance:index"));
  dom::parser parser;
  FIRN_TRY(const dom::object object, ObjectFrom(parser, json, "lance:index"));
  FIRN_TRY(const std::string_view kind, TextIn(object, "type"));
  FIRN_TRY(const std::string_view metric, TextIn(object, "distance_type"));
  header.kind = kind;
  FIRN_TRY(header.codes, CodesOf(kind));
  if (metric == "l2") {
    header.metric = simd::Metric::kL2;
  } else if (metric == "cosine") {
    header.metric = simd::Metric::kCosine;
  } else if (metric == "dot") {
    header.metric = simd::Metric::kDot;
  } else {
    return Unsupported("it is an index for the metric " + std::string(metric));
  }
  return {};
}

Status CheckBits(const dom::object& object, std::string_view key) {
  FIRN_TRY(const std::uint64_t bits, NumberIn(object, key));
  if (bits != 8) return Unsupported("it has codes of " + std::to_string(bits) + " bits; this Firn reads those of 8");
  return {};
}

Status ReadScalar(const dom::object& object, IndexHeader& header) {
  FIRN_CHECK(CheckBits(object, "num_bits"));
  if (object["bounds"]["start"].get(header.bound_start) != simdjson::SUCCESS ||
      object["bounds"]["end"].get(header.bound_end) != simdjson::SUCCESS || !std::isfinite(header.bound_start) ||
      !std::isfinite(header.bound_end)) {
    return DataCorruption("it does not say the bounds of its codes");
  }
  return {};
}

Status ReadProduct(const dom::object& object, IndexHeader& header) {
  FIRN_CHECK(CheckBits(object, "nbits"));
  FIRN_TRY(header.sub_vectors, NumberIn(object, "num_sub_vectors"));
  FIRN_TRY(const std::uint64_t dimension, NumberIn(object, "dimension"));
  FIRN_TRY(const std::uint64_t position, NumberIn(object, "codebook_position"));
  if (object["transposed"].get(header.transposed) != simdjson::SUCCESS)
    return DataCorruption("it does not say whether its codes are transposed");
  if (position == 0) return Unsupported("its codebook is stored in an older way", "build the index anew");
  if (position > UINT32_MAX || dimension != header.dimension || header.sub_vectors == 0 ||
      header.dimension % header.sub_vectors != 0) {
    return DataCorruption("it has " + std::to_string(header.sub_vectors) + " sub-vectors of " +
                          std::to_string(dimension) + " values in global buffer " + std::to_string(position));
  }
  header.codebook_position = static_cast<std::uint32_t>(position);
  return {};
}

Status CheckColumn(const lance::LanceFile& codes, const std::string& name, const std::string& logical_type) {
  const lance::Field* field = codes.schema().FindTopLevel(name);
  if (field == nullptr) return DataCorruption("it has no column " + name);
  if (field->logical_type != logical_type)
    return Unsupported("its column " + name + " is " + field->logical_type + " instead of " + logical_type);
  return {};
}

Status ReadStorage(const lance::LanceFile& codes, IndexHeader& header) {
  FIRN_TRY(const std::string json, StorageMetadata(codes));
  dom::parser parser;
  FIRN_TRY(const dom::object object, ObjectFrom(parser, json, "storage_metadata"));
  const std::string dimension = std::to_string(header.dimension);
  std::string type;
  switch (header.codes) {
    case Codes::kFlat:
      header.code_column = "flat";
      type = "fixed_size_list:float:" + dimension;
      break;
    case Codes::kScalar:
      header.code_column = "__sq_code";
      type = "fixed_size_list:uint8:" + dimension;
      FIRN_CHECK(ReadScalar(object, header));
      break;
    case Codes::kProduct:
      header.code_column = "__pq_code";
      FIRN_CHECK(ReadProduct(object, header));
      type = "fixed_size_list:uint8:" + std::to_string(header.sub_vectors);
      break;
  }
  FIRN_CHECK(CheckColumn(codes, "_rowid", "uint64"));
  return CheckColumn(codes, header.code_column, type);
}

}  // namespace

std::string KindFromDetails(std::string_view details) {
  lance::pb::VectorIndexDetails message;
  if (!Parse(AsBytes(details), "", message)) return "";
  const std::string family = message.has_hnsw_index_config() ? "IVF_HNSW_" : "IVF_";
  switch (message.compression_case()) {
    case lance::pb::VectorIndexDetails::kPq:
      return family + "PQ";
    case lance::pb::VectorIndexDetails::kSq:
      return family + "SQ";
    case lance::pb::VectorIndexDetails::kRq:
      return family + "RQ";
    case lance::pb::VectorIndexDetails::kFlat:
      return family + "FLAT";
    default:
      return "";
  }
}

Result<Codes> CodesOf(std::string_view kind) {
  if (kind == "IVF_FLAT") return Codes::kFlat;
  if (kind == "IVF_SQ") return Codes::kScalar;
  if (kind == "IVF_PQ") return Codes::kProduct;
  return Unsupported("it is of the kind " + std::string(kind) + "; this Firn searches IVF_FLAT, IVF_SQ and IVF_PQ");
}

Result<IndexHeader> ReadHeader(const lance::LanceFile& index, const lance::LanceFile& codes, std::size_t dimension) {
  IndexHeader header;
  header.dimension = dimension;
  if (Status status = ReadKind(index, header); !status) return std::move(status).error().In(index.Describe());
  if (Status status = ReadStorage(codes, header); !status) return std::move(status).error().In(codes.Describe());
  return header;
}

Status ReadCentroids(ByteSpan index_message, const IndexHeader& header, IvfModel& model) {
  lance::pb::Ivf ivf;
  FIRN_CHECK(Parse(index_message, "its IVF model", ivf));
  const lance::pb::Tensor& tensor = ivf.centroids_tensor();
  if (tensor.shape_size() != 2 || tensor.shape(0) == 0 || tensor.shape(1) != header.dimension)
    return DataCorruption("its centroids do not have the column's dimension");
  FIRN_TRY(model.centroids, FloatsFrom(tensor, tensor.shape(0), header.dimension, "its centroids"));
  return {};
}

Status ReadPartitions(ByteSpan codes_message, std::uint64_t rows, IvfModel& model) {
  lance::pb::Ivf ivf;
  FIRN_CHECK(Parse(codes_message, "its IVF model", ivf));
  if (ivf.offsets_size() != ivf.lengths_size()) return DataCorruption("its partitions do not have one offset each");
  std::uint64_t end = 0;  // of the partition before: no row is in two
  for (int i = 0; i < ivf.lengths_size(); i++) {
    const Partition partition{ivf.offsets(i), ivf.lengths(i)};
    if (partition.first_row < end || !InBounds(partition.first_row, partition.rows, rows))
      return DataCorruption("partition " + std::to_string(i) + " is not of rows of its own");
    end = partition.first_row + partition.rows;
    model.partitions.push_back(partition);
  }
  return {};
}

Status ReadCodebook(ByteSpan message, const IndexHeader& header, IvfModel& model) {
  lance::pb::Tensor tensor;
  FIRN_CHECK(Parse(message, "its codebook", tensor));
  FIRN_TRY(model.codebook, FloatsFrom(tensor, kCodewords, header.dimension, "its codebook's values"));
  return {};
}

}  // namespace firn::index
