#pragma once
// The functions behind the routes of route_table.cc; api/openapi.yaml says what each takes and gives.

#include "server/router.h"

namespace firn::server {

// health.cc
Result<Response> GetHealth(Call& call);
Result<Response> GetReady(Call& call);
Result<Response> GetMetrics(Call& call);
Result<Response> GetVersion(Call& call);

// legacy.cc: the routes of the service that Firn replaces.
Result<Response> LegacyCreate(Call& call);
Result<Response> LegacyTables(Call& call);
Result<Response> LegacySearch(Call& call);

// tables.cc
Result<Response> ListTables(Call& call);
Result<Response> CreateTable(Call& call);
Result<Response> CreateTableFromBody(Call& call);
Result<Response> DescribeTable(Call& call);
Result<Response> DropTable(Call& call);
Result<Response> ListVersions(Call& call);

// rows.cc
Result<Response> AppendRows(Call& call);
Result<Response> ScanRows(Call& call);
Result<Response> TakeRows(Call& call);
Result<Response> CountRows(Call& call);

// search.cc
Result<Response> SearchTable(Call& call);

// indexes.cc
Result<Response> ListIndexes(Call& call);
Result<Response> BuildIndex(Call& call);
Result<Response> DescribeIndex(Call& call);
Result<Response> DropIndex(Call& call);
Result<Response> DescribeBuild(Call& call);
Result<Response> CancelBuild(Call& call);

// recall.cc
Result<Response> MeasureRecall(Call& call);

}  // namespace firn::server
