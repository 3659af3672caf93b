#pragma once
// Private to lance/: the change that made a version, as other writers see it, and whether ours still holds after
// theirs.

#include <cstdint>
#include <string>
#include <string_view>

#include "lance/commit.h"
#include "lance/manifest.h"

namespace firn::lance {

/// The operations that Lance knows, by their field number in the Transaction message.
enum class OperationKind : std::uint8_t {
  kUnknown = 0,
  kAppend = 100,
  kDelete = 101,
  kOverwrite = 102,
  kCreateIndex = 103,
  kRewrite = 104,
  kMerge = 105,
  kRestore = 106,
  kReserveFragments = 107,
  kUpdate = 108,
  kProject = 109,
  kUpdateConfig = 110,
  kDataReplacement = 111,
  kUpdateMemWal = 112,
  kClone = 113,
  kUpdateBases = 114,
  kDataOverlay = 115,
};

struct Transaction {
  std::string uuid;
  OperationKind kind = OperationKind::kUnknown;
};

/// The serialised message of `operation`, which was decided on `read_version`.
std::string EncodeTransaction(std::string_view uuid, std::uint64_t read_version, const Operation& operation);

/// DataCorruption when it is no Transaction message; kUnknown when it is one of a kind that Firn does not know.
Result<Transaction> DecodeTransaction(ByteSpan message);
/// The one that stands inside a manifest object; empty uuid when there is none.
Result<Transaction> InlineTransaction(const Manifest& manifest);

/// Fine when `ours`, decided on `base`, means the same after `theirs` has made `now`. Else Conflict, which says what
/// came between.
Status CheckCommutes(const Operation& ours, const Manifest& base, const Transaction& theirs, const Manifest& now,
                     std::string_view table);

}  // namespace firn::lance
