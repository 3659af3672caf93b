#include "server/error_reply.h"

#include "base/json_string.h"

namespace firn::server {

void AppendError(std::string& out, const Error& error) {
  out.append(R"({"kind":")").append(InfoOf(error.kind).name).append(R"(","message":)");
  AppendJsonString(out, error.message);
  if (!error.hint.empty()) {
    out.append(R"(,"hint":)");
    AppendJsonString(out, error.hint);
  }
  out += '}';
}

Response ErrorReply(const Error& error, std::string_view request_id, int status) {
  const ErrorKindInfo& info = InfoOf(error.kind);
  Response response;
  response.status = status == 0 ? info.http_status : status;
  std::string& body = response.body;
  body.append(R"({"error":)");
  AppendError(body, error);
  body.append(R"(,"request_id":)");
  AppendJsonString(body, request_id);
  body.append("}\n");
  if (response.status == 503) response.headers.push_back({"Retry-After", "1"});
  return response;
}

}  // namespace firn::server
