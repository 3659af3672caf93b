#pragma once
// A world for the credential chain that is all a test's: variables, files, endpoints and commands as maps.

#include <map>
#include <string>
#include <vector>

#include "store/s3/credentials.h"

namespace firn::store::testing {

struct CredentialWorld {
  std::map<std::string, std::string, std::less<>> variables;
  std::map<std::string, std::string> files;
  std::map<std::string, HttpResponse> answers;  // by "METHOD authority/target"; nobody answers at any other
  std::map<std::string, std::string> commands;  // what each prints
  std::vector<HttpRequest> sent;
  ManualClock clock;

  /// Valid while the world is.
  CredentialContext Context() {
    CredentialContext context;
    context.environment = [this](std::string_view name) -> std::optional<std::string> {
      const auto at = variables.find(name);
      return at == variables.end() ? std::nullopt : std::optional(at->second);
    };
    context.read_file = [this](const std::string& path) -> Result<std::string> {
      const auto at = files.find(path);
      if (at == files.end()) return NotFound("no file " + path);
      return at->second;
    };
    context.http = [this](HttpRequest request, const Deadline&) -> Result<HttpResponse> {
      sent.push_back(request);
      const auto at = answers.find(request.method + " " + request.endpoint.Authority() + request.target);
      if (at == answers.end()) return Unavailable("nobody at " + request.endpoint.Authority());
      return at->second;
    };
    context.run_command = [this](const std::string& command, const Deadline&) -> Result<std::string> {
      const auto at = commands.find(command);
      if (at == commands.end()) return PermissionDenied("the command failed");
      return at->second;
    };
    context.clock = &clock;
    return context;
  }

  static HttpResponse Answer(int status, std::string body) {
    HttpResponse response;
    response.status = status;
    response.body = Buffer::Of(std::move(body));
    return response;
  }
};

}  // namespace firn::store::testing
