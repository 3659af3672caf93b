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
  /// `max_bytes`: what they may take together, those that were replaced aside.
  explicit Dictionaries(std::uint64_t max_bytes) : max_bytes_(max_bytes) {}
  /// A DictionaryBatch: sets one, or adds to it.
  Status Read(const FlatTable& table, const Buffer& body, const WireSchema& schema);
  /// DataCorruption when it has not come yet.
  Result<Array> Find(std::int64_t id);

 private:
  struct Dictionary {
    std::vector<Array> pieces;  // one after the other
    std::uint64_t bytes = 0;
  };
  const std::uint64_t max_bytes_;
  std::uint64_t bytes_ = 0;
  std::map<std::int64_t, Dictionary> dictionaries_;
};

struct Columns {
  std::int64_t rows = 0;
  std::vector<Array> arrays;
};

/// The columns of a RecordBatch, validated. They share `body` where it is not compressed and is aligned.
Result<Columns> ReadColumns(const FlatTable& table, const Buffer& body, std::span<const WireField> fields,
                            Dictionaries& dictionaries, ByteBudget& budget);

}  // namespace firn::arrow::ipc
