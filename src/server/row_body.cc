#include "server/row_body.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "arrow/csv.h"
#include "arrow/ipc.h"
#include "arrow/json.h"
#include "server/json_object.h"
#include "server/nearest_name.h"

namespace firn::server {
namespace {

constexpr std::string_view kFormats =
    "Send application/json, application/x-ndjson, text/csv, application/vnd.apache.arrow.stream or "
    "application/vnd.apache.arrow.file";
constexpr std::uint64_t kMaxIpcBatchBytes = 1ULL << 30;
constexpr std::size_t kInflateBytes = 1 << 20;

/// What the client sent is the client's fault: damage is InvalidArgument, and too much of it is 413.
Error Blame(Error error, Call& call) {
  if (error.kind == ErrorKind::kDataCorruption) error.kind = ErrorKind::kInvalidArgument;
  if (error.kind == ErrorKind::kResourceExhausted) call.error_status = 413;
  return std::move(error).In("the request body");
}

class ClientRows final : public arrow::BatchSource {
 public:
  ClientRows(std::unique_ptr<arrow::BatchSource> inner, Call& call) : inner_(std::move(inner)), call_(call) {}
  arrow::SchemaPtr schema() const override { return inner_->schema(); }
  Result<std::optional<arrow::RecordBatch>> Next() override {
    FIRN_CHECK(call_.deadline.Check("reading the rows"));
    auto batch = inner_->Next();
    if (!batch) return Blame(std::move(batch).error(), call_);
    return batch;
  }

 private:
  std::unique_ptr<arrow::BatchSource> inner_;
  Call& call_;
};

Result<std::unique_ptr<arrow::BatchSource>> Opened(Result<std::unique_ptr<arrow::BatchSource>> source, Call& call) {
  if (!source) return Blame(std::move(source).error(), call);
  return std::unique_ptr<arrow::BatchSource>(std::make_unique<ClientRows>(*std::move(source), call));
}

/// The text is all here, so a schema is inferred from every row of it, not from the first ones.
Result<std::unique_ptr<arrow::BatchSource>> OpenText(Call& call, Buffer text, arrow::JsonLayout layout,
                                                     arrow::SchemaPtr schema) {
  arrow::JsonOptions options;
  options.layout = layout;
  options.schema = std::move(schema);
  if (options.schema == nullptr) {
    auto inferred = arrow::InferJsonSchema(arrow::FromBuffer(text), options);
    if (!inferred) return Blame(std::move(inferred).error(), call);
    options.schema = *std::move(inferred);
  }
  return Opened(arrow::OpenJson(arrow::FromBuffer(std::move(text)), std::move(options)), call);
}

Result<std::unique_ptr<arrow::BatchSource>> OpenCsvText(Call& call, Buffer text, arrow::SchemaPtr schema) {
  arrow::CsvOptions options;
  options.schema = std::move(schema);
  if (options.schema == nullptr) {
    auto inferred = arrow::InferCsvSchema(arrow::FromBuffer(text), options);
    if (!inferred) return Blame(std::move(inferred).error(), call);
    options.schema = *std::move(inferred);
  }
  return Opened(arrow::OpenCsv(arrow::FromBuffer(std::move(text)), std::move(options)), call);
}

Result<std::unique_ptr<arrow::BatchSource>> OpenJsonBody(Call& call, arrow::SchemaPtr schema) {
  const std::size_t first = call.body.find_first_not_of(" \t\r\n");
  if (first != std::string::npos && call.body[first] == '[') {
    return OpenText(call, Buffer::Of(std::move(call.body)), arrow::JsonLayout::kList, std::move(schema));
  }
  FIRN_TRY(const JsonObject object, JsonObject::Parse(call.body));
  static constexpr std::array<std::string_view, 1> kMembers = {"data"};
  FIRN_CHECK(object.CheckMembers(kMembers));
  const std::string_view list = object.Raw("data");
  if (list.empty())
    return InvalidArgument("the member 'data' is missing", "Send a list of objects, or {\"data\": [...]}");
  return OpenRowList(call, list, std::move(schema));
}

std::string MediaType(std::string_view content_type) {
  std::string type(content_type.substr(0, content_type.find(';')));
  while (type.ends_with(' ')) type.pop_back();
  std::ranges::transform(type, type.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return type;
}

}  // namespace

Status DecodeBody(Call& call) {
  const std::string_view coding = call.head.HeaderOf("content-encoding");
  if (coding.empty() || EqualsIgnoringCase(coding, "identity")) return {};
  if (!EqualsIgnoringCase(coding, "gzip")) {
    call.error_status = 415;
    return Unsupported("the Content-Encoding " + Quoted(coding) + " is not known", "Send gzip, or nothing");
  }
  const auto plain = arrow::Gunzip(arrow::FromBuffer(Buffer::Of(std::move(call.body))));
  std::string body;
  while (true) {
    FIRN_CHECK(call.deadline.Check("unpacking the body"));
    auto piece = plain->Read(kInflateBytes);
    if (!piece) return Blame(std::move(piece).error(), call);
    if (piece->empty()) break;
    if (body.size() + piece->size() > call.max_body_bytes) {
      call.error_status = 413;
      return ResourceExhausted(
          "the unpacked request body is over the limit of " + std::to_string(call.max_body_bytes) + " bytes",
          "Send it in smaller pieces, or raise max-body-bytes");
    }
    body.append(piece->chars());
  }
  call.body = std::move(body);
  return {};
}

Result<std::unique_ptr<arrow::BatchSource>> OpenRows(Call& call, arrow::SchemaPtr schema) {
  FIRN_CHECK(DecodeBody(call));
  const std::string type = MediaType(call.head.HeaderOf("content-type"));
  if (type == "application/json") return OpenJsonBody(call, std::move(schema));
  if (type == "application/x-ndjson" || type == "application/ndjson" || type == "application/jsonl") {
    return OpenText(call, Buffer::Of(std::move(call.body)), arrow::JsonLayout::kLines, std::move(schema));
  }
  if (type == "text/csv") return OpenCsvText(call, Buffer::Of(std::move(call.body)), std::move(schema));
  if (type == "application/vnd.apache.arrow.stream" || type == "application/vnd.apache.arrow.file") {
    return Opened(arrow::OpenIpc(Buffer::Of(std::move(call.body)), {.max_batch_bytes = kMaxIpcBatchBytes}), call);
  }
  call.error_status = 415;
  return Unsupported(
      type.empty() ? "the request has no Content-Type" : "the Content-Type " + Quoted(type) + " is not known",
      std::string(kFormats));
}

Result<std::unique_ptr<arrow::BatchSource>> OpenRowList(Call& call, std::string_view list, arrow::SchemaPtr schema) {
  if (!list.starts_with('[')) return InvalidArgument("the member 'data' is not a list of objects");
  const auto offset = static_cast<std::size_t>(list.data() - call.body.data());
  const std::size_t size = list.size();
  return OpenText(call, Buffer::Of(std::move(call.body)).Slice(offset, size), arrow::JsonLayout::kList,
                  std::move(schema));
}

Result<table::AppendResult> Answerable(Call& call, Result<table::AppendResult> written) {
  if (!written && written.error().kind == ErrorKind::kUnsupported) call.error_status = 422;
  return written;
}

}  // namespace firn::server
