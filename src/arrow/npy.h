#pragma once
// NumPy's .npy files (format versions 1 to 3; numpy.org/doc/stable/reference/generated/numpy.lib.format.html) as one
// column.
//
//   shape (n,)       a column of n numbers
//   shape (n, d)     n vectors: fixed_size_list[d]
//   dtype            f2 f4 f8 i1 i2 i4 i8 u1 u2 u4 u8, little-endian; b1 as bool in one dimension
//
// Errors: DataCorruption for a file that is none or is cut off; Unsupported, with what to do, for Fortran order,
// big-endian numbers, other types, and other than one or two dimensions; InvalidArgument for a vector with a NaN or
// infinity, naming its row.

#include <cstdint>
#include <memory>
#include <string>

#include "arrow/batch_source.h"
#include "arrow/byte_stream.h"

namespace firn::arrow {

struct NpyOptions {
  std::string column = "vector";  // its name
  std::int64_t batch_rows = 65'536;
  std::size_t batch_bytes = 64 << 20;
};

/// Batches share the memory that `bytes` reads into: over a Buffer nothing is copied, unless it is not aligned.
Result<std::unique_ptr<BatchSource>> OpenNpy(std::unique_ptr<ByteStream> bytes, NpyOptions options);

}  // namespace firn::arrow
