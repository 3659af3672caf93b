#include "server/row_reply.h"

#include <algorithm>
#include <cctype>

#include "arrow/csv.h"
#include "arrow/ipc.h"
#include "arrow/json_writer.h"
#include "server/nearest_name.h"

namespace firn::server {
namespace {

constexpr std::size_t kPieceBytes = 64 << 10;
constexpr std::int64_t kCsvRows = 128;  // between looks at the size
constexpr std::string_view kVersionHeader = "X-Table-Version";

struct NamedFormat {
  std::string_view name;
  std::string_view media_type;
  RowFormat format;
};
constexpr NamedFormat kFormats[] = {{"json", "application/json", RowFormat::kJson},
                                    {"ndjson", "application/x-ndjson", RowFormat::kNdjson},
                                    {"csv", "text/csv", RowFormat::kCsv},
                                    {"arrow", "application/vnd.apache.arrow.stream", RowFormat::kArrow}};

/// The first media range of Accept that there is; weights other than 0 are not compared.
std::optional<RowFormat> Accepted(std::string_view accept) {
  while (!accept.empty()) {
    const std::size_t comma = std::min(accept.find(','), accept.size());
    const std::string_view range = accept.substr(0, comma);
    accept.remove_prefix(std::min(comma + 1, accept.size()));
    std::string type(range.substr(0, range.find(';')));
    std::erase_if(type, [](char c) { return c == ' ' || c == '\t'; });
    if (range.find(";q=0") != std::string_view::npos &&
        range.find_first_of("123456789", range.find(";q=0")) == std::string_view::npos)
      continue;
    if (type == "*/*" || type == "application/*") return RowFormat::kJson;
    if (type == "text/*") return RowFormat::kCsv;
    for (const NamedFormat& format : kFormats) {
      if (EqualsIgnoringCase(type, format.media_type)) return format.format;
    }
  }
  return std::nullopt;
}

}  // namespace

Result<RowFormat> ChooseFormat(Call& call) {
  if (const auto name = call.query.Text("format")) {
    for (const NamedFormat& format : kFormats) {
      if (*name == format.name) return format.format;
    }
    return InvalidArgument("unknown format " + Quoted(*name), "Formats are json, ndjson, csv and arrow");
  }
  const std::string_view accept = call.head.HeaderOf("accept");
  if (accept.empty()) return RowFormat::kJson;
  if (const auto format = Accepted(accept)) return *format;
  call.error_status = 406;
  return Unsupported(
      "none of the formats in Accept is known",
      "There are application/json, application/x-ndjson, text/csv and application/vnd.apache.arrow.stream");
}

std::string_view ContentTypeOf(RowFormat format) {
  return std::ranges::find(kFormats, format, &NamedFormat::format)->media_type;
}

struct RowStream::Parts {
  Parts(RowFormat row_format, arrow::SchemaPtr row_schema, JsonFrame json_frame, BodyWriter& writer)
      : format(row_format),
        schema(std::move(row_schema)),
        frame(std::move(json_frame)),
        body(writer),
        json(*schema),
        ipc([this](ByteSpan bytes) { return body.Write(AsChars(bytes)); }, {}) {}

  const RowFormat format;
  const arrow::SchemaPtr schema;
  const JsonFrame frame;
  BodyWriter& body;
  const arrow::JsonRowWriter json;
  arrow::IpcWriter ipc;
  std::string piece;
  bool first = true;

  Status Flush(std::size_t least) {
    if (piece.size() < std::max<std::size_t>(least, 1)) return {};
    FIRN_CHECK(body.Write(piece));
    piece.clear();
    return {};
  }
  Status WriteJson(const arrow::RecordBatch& batch) {
    for (std::int64_t row = 0; row < batch.rows; row++) {
      if (format == RowFormat::kJson && !first) piece += ',';
      first = false;
      json.AppendObject(piece, batch, row);
      if (format == RowFormat::kNdjson) piece += '\n';
      FIRN_CHECK(Flush(kPieceBytes));
    }
    return {};
  }
  Status WriteCsv(const arrow::RecordBatch& batch) {
    for (std::int64_t row = 0; row < batch.rows; row += kCsvRows) {
      arrow::AppendCsvRows(piece, batch.Slice(row, std::min(kCsvRows, batch.rows - row)));
      FIRN_CHECK(Flush(kPieceBytes));
    }
    return {};
  }
};

RowStream::RowStream(RowFormat format, arrow::SchemaPtr schema, JsonFrame frame, BodyWriter& body)
    : parts_(std::make_unique<Parts>(format, std::move(schema), std::move(frame), body)) {}
RowStream::~RowStream() = default;

Status RowStream::Start() {
  if (parts_->format == RowFormat::kArrow) return parts_->ipc.Start(parts_->schema);
  if (parts_->format == RowFormat::kJson) parts_->piece = parts_->frame.before;
  if (parts_->format == RowFormat::kCsv) arrow::AppendCsvHeader(parts_->piece, *parts_->schema);
  return {};
}

Status RowStream::Write(const arrow::RecordBatch& batch) {
  switch (parts_->format) {
    case RowFormat::kArrow:
      return parts_->ipc.Write(batch);
    case RowFormat::kCsv:
      return parts_->WriteCsv(batch);
    case RowFormat::kJson:
    case RowFormat::kNdjson:
      break;
  }
  return parts_->WriteJson(batch);
}

Status RowStream::Finish() {
  if (parts_->format == RowFormat::kArrow) return parts_->ipc.Finish();
  if (parts_->format == RowFormat::kJson) parts_->piece += parts_->frame.after;
  return parts_->Flush(1);
}

Response RowsHead(RowFormat format, std::uint64_t version) {
  Response response;
  response.content_type = ContentTypeOf(format);
  response.headers.push_back({std::string(kVersionHeader), std::to_string(version)});
  return response;
}

Response RowsResponse(RowFormat format, arrow::RecordBatch rows, std::uint64_t version, std::string_view member,
                      std::string_view rest) {
  Response response = RowsHead(format, version);
  JsonFrame frame{"{\"" + std::string(member) + "\":[",
                  "],\"version\":" + std::to_string(version) + std::string(rest) + "}\n"};
  response.stream = [format, rows = std::move(rows), frame = std::move(frame)](BodyWriter& body) -> Status {
    RowStream stream(format, rows.schema, frame, body);
    FIRN_CHECK(stream.Start());
    FIRN_CHECK(stream.Write(rows));
    return stream.Finish();
  };
  return response;
}

namespace {

arrow::RecordBatch WithQuery(arrow::RecordBatch rows, std::size_t query) {
  auto schema = std::make_shared<arrow::Schema>(*rows.schema);
  arrow::ArrayData numbers;
  numbers.type = arrow::Simple(arrow::TypeId::kInt32);
  numbers.length = rows.rows;
  numbers.data = Buffer::OfValues(
      std::vector<std::int32_t>(static_cast<std::size_t>(rows.rows), static_cast<std::int32_t>(query)));
  schema->fields.insert(schema->fields.begin(), {"_query", numbers.type, false, {}});
  rows.columns.emplace(rows.columns.begin(), std::move(numbers));
  rows.schema = std::move(schema);
  return rows;
}

Status WriteJsonLists(const std::vector<arrow::RecordBatch>& lists, const JsonFrame& frame, BodyWriter& body) {
  for (std::size_t i = 0; i < lists.size(); i++) {
    const JsonFrame inner{i == 0 ? frame.before + "[" : ",[", i + 1 == lists.size() ? "]" + frame.after : "]"};
    RowStream stream(RowFormat::kJson, lists[i].schema, inner, body);
    FIRN_CHECK(stream.Start());
    FIRN_CHECK(stream.Write(lists[i]));
    FIRN_CHECK(stream.Finish());
  }
  return {};
}

}  // namespace

Response RowListsResponse(RowFormat format, std::vector<arrow::RecordBatch> lists, std::uint64_t version,
                          std::string_view member, std::string_view rest) {
  Response response = RowsHead(format, version);
  JsonFrame frame{"{\"" + std::string(member) + "\":[",
                  "],\"version\":" + std::to_string(version) + std::string(rest) + "}\n"};
  response.stream = [format, lists = std::move(lists), frame = std::move(frame)](BodyWriter& body) -> Status {
    if (format == RowFormat::kJson) return WriteJsonLists(lists, frame, body);
    RowStream stream(format, WithQuery(lists.front(), 0).schema, frame, body);
    FIRN_CHECK(stream.Start());
    for (std::size_t i = 0; i < lists.size(); i++) FIRN_CHECK(stream.Write(WithQuery(lists[i], i)));
    return stream.Finish();
  };
  return response;
}

}  // namespace firn::server
