#pragma once
// Query vectors from a file.

#include <string>
#include <vector>

#include "base/result.h"

namespace firn::cli {

/// The vectors in the first column of a file, at most `most` of them: a .npy file has one a row. NotFound: no such
/// file. InvalidArgument: it holds no vectors.
Result<std::vector<std::vector<float>>> ReadVectors(const std::string& path, std::size_t most);

}  // namespace firn::cli
