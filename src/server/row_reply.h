#pragma once
// Rows in an answer, in the format that the client asks for.

#include <cstdint>
#include <string_view>

#include "arrow/array.h"
#include "server/router.h"

namespace firn::server {

enum class RowFormat : std::uint8_t { kJson, kNdjson, kCsv, kArrow };

/// By ?format=json|ndjson|csv|arrow, else by Accept, else JSON. InvalidArgument for another format; with
/// call.error_status 406 when Accept names nothing that there is.
Result<RowFormat> ChooseFormat(Call& call);
std::string_view ContentTypeOf(RowFormat format);

/// Writes batches of one schema into a body, piece by piece. JSON is {"version":N,"rows":[...]}. Not thread-safe.
class RowStream {
 public:
  RowStream(RowFormat format, arrow::SchemaPtr schema, std::uint64_t version, BodyWriter& body);
  ~RowStream();

  Status Start();
  Status Write(const arrow::RecordBatch& batch);
  Status Finish();

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

/// A whole answer of one batch. `member` names the list in JSON; `rest` are more members after it: `,"count":1`.
Result<Response> RowsResponse(RowFormat format, const arrow::RecordBatch& rows, std::uint64_t version,
                              std::string_view member, std::string_view rest = {});

}  // namespace firn::server
