#pragma once
// Record batches and dictionary batches out of Arrow IPC messages.

#include <map>
#include <span>
#include <vector>

#include "arrow/array.h"
#include "arrow/flatbuffer_reader.h"
#include "arrow/ipc_schema.h"
#include "arrow/plain_layout.h"

namespace firn::arrow::ipc {

/// The dictionaries seen so far, by their id.
class Dictionaries {
 public:
  explicit Dictionaries(std::uint64_t max_bytes) : budget_(max_bytes) {}
  /// A DictionaryBatch: sets one, or adds to it.
  Status Read(const FlatTable& table, const Buffer& body, const WireSchema& schema);
  /// DataCorruption when it has not come yet.
  Result<Array> Find(std::int64_t id);

 private:
  ByteBudget budget_;  // for all of them, replaced ones too
  std::map<std::int64_t, std::vector<Array>> pieces_;
};

struct Columns {
  std::int64_t rows = 0;
  std::vector<Array> arrays;
};

/// The columns of a RecordBatch, validated. They share `body` where it is not compressed and is aligned.
Result<Columns> ReadColumns(const FlatTable& table, const Buffer& body, std::span<const WireField> fields,
                            Dictionaries& dictionaries, ByteBudget& budget);

}  // namespace firn::arrow::ipc
