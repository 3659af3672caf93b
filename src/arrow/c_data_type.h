#pragma once
// What c_data's two sources share: a field as the C Data Interface has it.

#include <vector>

#include "arrow/c_data_abi.h"
#include "arrow/type.h"
#include "base/result.h"

namespace firn::arrow {

struct ForeignField {
  Field field;         // as Firn has it: dictionaries and views resolved
  TypePtr index_type;  // dictionary-encoded: an integer type; else null
  bool is_view = false;
  std::vector<ForeignField> children;
};

/// Unsupported names the field whose type Firn does not have. The schema is left as it is.
Result<ForeignField> ReadForeignField(const ArrowSchema& schema, int depth = 0);

}  // namespace firn::arrow
