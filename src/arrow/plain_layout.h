#pragma once
// Arrow layouts that Firn does not keep, turned into those that it does: dictionaries and views.

#include <span>
#include <string_view>

#include "arrow/array.h"

namespace firn::arrow {

/// How much memory what comes from outside may still unfold to.
class ByteBudget {
 public:
  explicit ByteBudget(std::uint64_t bytes) : left_(bytes) {}
  /// ResourceExhausted names `what` when it does not fit.
  Status Charge(std::uint64_t bytes, std::string_view what);

 private:
  std::uint64_t left_;
};

/// values[indices[i]] for each i, null where the index is null. `indices` is a valid array of integers, `values` a
/// valid one without children. DataCorruption for an index outside `values`.
Result<Array> DecodeDictionary(const Array& indices, const Array& values, ByteBudget& budget, std::string_view what);

/// A utf8 or binary array (`type`) of `length` views, 16 bytes each, into `blocks`. `validity` as in ArrayData.
Result<Array> DecodeViews(const TypePtr& type, std::int64_t length, std::int64_t null_count, const Buffer& validity,
                          ByteSpan views, std::span<const ByteSpan> blocks, ByteBudget& budget, std::string_view what);

}  // namespace firn::arrow
