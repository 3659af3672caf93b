#pragma once
// Where batches come from, one at a time: a file, a request body, a scan. The one pull interface that loaders, readers
// and writers share.

#include <memory>
#include <optional>
#include <vector>

#include "arrow/array.h"

namespace firn::arrow {

/// Not thread-safe.
class BatchSource {
 public:
  virtual ~BatchSource() = default;
  /// The schema of every batch.
  virtual SchemaPtr schema() const = 0;
  /// The next batch (it may have zero rows); empty at the end.
  virtual Result<std::optional<RecordBatch>> Next() = 0;
};

/// A source over batches in memory, all of `schema`.
std::unique_ptr<BatchSource> FromBatches(SchemaPtr schema, std::vector<RecordBatch> batches);

}  // namespace firn::arrow
