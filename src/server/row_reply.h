#pragma once
// Rows in an answer, in the format that the client asks for.

#include <cstdint>
#include <string_view>
#include <vector>

#include "arrow/array.h"
#include "server/router.h"

namespace firn::server {

enum class RowFormat : std::uint8_t { kJson, kNdjson, kCsv, kArrow };

/// By ?format=json|ndjson|csv|arrow, else by Accept, else JSON. InvalidArgument for another format; with
/// call.error_status 406 when Accept names nothing that there is.
Result<RowFormat> ChooseFormat(Call& call);
std::string_view ContentTypeOf(RowFormat format);

/// What stands around the list of rows in JSON: `{"version":1,"rows":[` and `]}`.
struct JsonFrame {
  std::string before;
  std::string after;
};

/// Writes batches of one schema into a body, piece by piece. Not thread-safe.
class RowStream {
 public:
  RowStream(RowFormat format, arrow::SchemaPtr schema, JsonFrame frame, BodyWriter& body);
  ~RowStream();

  Status Start();
  Status Write(const arrow::RecordBatch& batch);
  Status Finish();

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

/// 200 with the format's type and X-Table-Version; the caller adds the body.
Response RowsHead(RowFormat format, std::uint64_t version);

/// A whole answer of one batch; its text is never all in memory. `member` names the list in JSON; `rest` are more
/// members after it:
/// `,"count":1`.
Response RowsResponse(RowFormat format, arrow::RecordBatch rows, std::uint64_t version, std::string_view member,
                      std::string_view rest = {});

/// The same for a list of lists of rows, of one schema. Formats that know one list only have all rows in it, each with
/// the number of its list in front: `_query` (int32).
Response RowListsResponse(RowFormat format, std::vector<arrow::RecordBatch> lists, std::uint64_t version,
                          std::string_view member, std::string_view rest = {});

}  // namespace firn::server
