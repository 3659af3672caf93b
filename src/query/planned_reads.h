#pragma once
// What a plan will have to read, as far as it can be known before. Private to the module.

#include "query/plan.h"

namespace firn::query {

/// For `vectors` queries. A guess where it depends on what is found: how many candidates there will be.
Reads PlannedReads(const OpenTable& table, const Plan& plan, const SearchRequest& request, std::size_t vectors);

}  // namespace firn::query
