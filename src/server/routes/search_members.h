#pragma once
// What the two search routes have in common: the members that say how hard to search, and those of an answer beside its
// rows.

#include <string>

#include "query/search.h"
#include "server/http/message.h"
#include "server/json_object.h"

namespace firn::server {

/// Reads `recall`, `nprobes`, `refine` and `exact` into the request.
Status ReadEffort(JsonObject& object, query::SearchRequest& request);

/// `,"warnings":[...]` when there are any, and `,"explain":{...}` when it is asked for.
std::string SearchMembers(const query::Explain& explain, bool asked);

/// For formats without a place for them: the first warning as the header X-Search-Warning.
void AddWarning(const query::Explain& explain, Response& response);

}  // namespace firn::server
