#include <array>

#include "server/router.h"
#include "server/routes/handlers.h"

namespace firn::server {

std::span<const Route> Routes() {
  using enum Pace;
  static constexpr auto kRead = Scope::kRead;
  static constexpr auto kWrite = Scope::kWrite;
  static constexpr auto kAdmin = Scope::kAdmin;
  static constexpr auto kNoScope = std::optional<Scope>();
  static constexpr std::array kRoutes = {
      Route{"GET", "/health", kNoScope, kQuick, GetHealth},
      Route{"GET", "/health/live", kNoScope, kQuick, GetHealth},
      Route{"GET", "/health/ready", kNoScope, kNormal, GetReady},
      Route{"GET", "/metrics", kNoScope, kNormal, GetMetrics},

      Route{"GET", "/tables", kRead, kNormal, LegacyTables},
      Route{"POST", "/tables", kWrite, kNormal, LegacyCreate},
      Route{"POST", "/search", kRead, kNormal, LegacySearch},

      Route{"GET", "/v1/version", kRead, kQuick, GetVersion},
      Route{"GET", "/v1/tables", kRead, kNormal, ListTables},
      Route{"POST", "/v1/tables", kWrite, kNormal, CreateTable},
      Route{"GET", "/v1/tables/{table}", kRead, kNormal, DescribeTable},
      Route{"POST", "/v1/tables/{table}", kWrite, kNormal, CreateTableFromBody},
      Route{"DELETE", "/v1/tables/{table}", kAdmin, kNormal, DropTable},
      Route{"GET", "/v1/tables/{table}/rows", kRead, kStreams, ScanRows},
      Route{"POST", "/v1/tables/{table}/rows", kWrite, kNormal, AppendRows},
      Route{"GET", "/v1/tables/{table}/count", kRead, kNormal, CountRows},
      Route{"POST", "/v1/tables/{table}/take", kRead, kNormal, TakeRows},
      Route{"POST", "/v1/tables/{table}/search", kRead, kNormal, SearchTable},
      Route{"GET", "/v1/tables/{table}/versions", kRead, kNormal, ListVersions},
      // An index holds nothing that the table does not: who may write may drop it.
      Route{"GET", "/v1/tables/{table}/indexes", kRead, kNormal, ListIndexes},
      Route{"POST", "/v1/tables/{table}/indexes", kWrite, kNormal, BuildIndex},
      Route{"GET", "/v1/tables/{table}/indexes/{index}", kRead, kNormal, DescribeIndex},
      Route{"DELETE", "/v1/tables/{table}/indexes/{index}", kWrite, kNormal, DropIndex},
      Route{"GET", "/v1/tables/{table}/indexes/{index}/build", kRead, kNormal, DescribeBuild},
      Route{"DELETE", "/v1/tables/{table}/indexes/{index}/build", kWrite, kNormal, CancelBuild},
      Route{"POST", "/v1/tables/{table}/recall", kRead, kNormal, MeasureRecall},
  };
  return kRoutes;
}

}  // namespace firn::server
