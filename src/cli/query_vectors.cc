#include "cli/query_vectors.h"

#include <cstdlib>

#include "arrow/file_source.h"
#include "arrow/json_writer.h"
#include "query/search.h"

namespace firn::cli {

Result<std::vector<std::vector<float>>> ReadVectors(const std::string& path, std::size_t most) {
  std::vector<std::vector<float>> vectors;
  FIRN_TRY(const auto source, arrow::OpenFile(path, {}));
  for (;;) {
    FIRN_TRY(const std::optional<arrow::RecordBatch> batch, source->Next());
    if (!batch || vectors.size() == most) return vectors;
    if (batch->columns.empty() || !query::ElementOf(batch->columns[0].type())) {
      return InvalidArgument(path + " holds no vectors in its first column",
                             "A .npy file of one vector a row is what is wanted");
    }
    for (std::int64_t row = 0; row < batch->rows && vectors.size() < most; row++) {
      const auto [begin, end] = batch->columns[0].ItemsAt(row);
      std::vector<float> vector;
      for (std::int64_t i = begin; i < end; i++) {
        std::string text;
        arrow::AppendJsonValue(text, batch->columns[0].child(0), i);
        vector.push_back(std::strtof(text.c_str(), nullptr));
      }
      vectors.push_back(std::move(vector));
    }
  }
}

}  // namespace firn::cli
