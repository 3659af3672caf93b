#include "arrow/batch_source.h"

namespace firn::arrow {
namespace {

class VectorSource final : public BatchSource {
 public:
  VectorSource(SchemaPtr schema, std::vector<RecordBatch> batches)
      : schema_(std::move(schema)), batches_(std::move(batches)) {}
  SchemaPtr schema() const override { return schema_; }
  Result<std::optional<RecordBatch>> Next() override {
    if (next_ == batches_.size()) return std::optional<RecordBatch>();
    return std::optional<RecordBatch>(std::move(batches_[next_++]));
  }

 private:
  SchemaPtr schema_;
  std::vector<RecordBatch> batches_;
  std::size_t next_ = 0;
};

}  // namespace

std::unique_ptr<BatchSource> FromBatches(SchemaPtr schema, std::vector<RecordBatch> batches) {
  return std::make_unique<VectorSource>(std::move(schema), std::move(batches));
}

}  // namespace firn::arrow
