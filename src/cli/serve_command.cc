// serve and keys.

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>

#include "cli/session.h"
#include "server/auth.h"
#include "server/config.h"
#include "server/server.h"

namespace firn::cli {

Status RunServe(Session& session, const ServeCommand& command) {
  const CommonOptions& options = session.options();
  server::ConfigSources sources;
  sources.environment = store::ProcessEnvironment();
  sources.read_file = server::ReadConfigFile;
  for (const auto& [name, value] : command.settings) sources.flags[name] = value;
  for (const auto& [name, value] : {std::pair{"db", options.db},
                                    {"endpoint", options.endpoint},
                                    {"region", options.region},
                                    {"config", command.config_file}}) {
    if (!value.empty()) sources.flags[name] = value;
  }
  if (!options.log_level.empty()) sources.flags["log-level"] = options.log_level;
  if (options.threads > 0) sources.flags["threads"] = std::to_string(options.threads);
  if (options.no_fsync) sources.flags["fsync"] = "false";
  FIRN_TRY(const server::ResolvedConfig resolved, server::ResolveConfig(sources));
  if (command.print_config) {
    std::fputs(server::PrintConfig(resolved).c_str(), stdout);
    return {};
  }
  Random random(Random::EntropySeed());
  Log log(resolved.config.log_level);
  const engine::World world{SystemClock(), random, log, store::ProcessEnvironment()};
  FIRN_TRY(const auto engine, engine::Engine::Open(resolved.config.engine, world));
  FIRN_TRY(const auto server, server::Server::Start(resolved.config.server, *engine, world));
  std::printf("firn serves %s on %s\n", engine->DescribeStore().c_str(), server->address().c_str());
  std::fflush(stdout);
  if (!server->RunUntilSignal()) return DeadlineExceeded("some requests were cut off when the server stopped");
  return {};
}

Status RunKeys(Session& session, const KeysCommand& command) {
  server::KeyRequest request;
  request.id = command.id;
  for (const std::string& text : command.scopes) {
    FIRN_TRY(const server::Scope scope, server::ParseScope(text));
    request.scopes.push_back(scope);
  }
  // The file must be readable as it is, and not know the id yet, before a line is added to it.
  if (Result<std::string> present = server::ReadConfigFile(command.file); present) {
    FIRN_TRY(const server::CreatedKey probe, server::CreateKey(request, server::SystemEntropy()));
    FIRN_CHECK(server::KeyRing::Parse(*present + probe.line, command.file));
  } else if (present.error().kind != ErrorKind::kNotFound) {
    return std::move(present).error();
  }
  FIRN_TRY(const server::CreatedKey created, server::CreateKey(request, server::SystemEntropy()));
  const int file = open(command.file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return PermissionDenied("cannot write " + command.file, "Is the folder there, and yours to write?");
  const bool written =
      write(file, created.line.data(), created.line.size()) == static_cast<ssize_t>(created.line.size()) &&
      fsync(file) == 0;
  close(file);
  if (!written) return Unavailable("could not write " + command.file, "Is the disk full?");
  if (session.options().json) {
    std::printf("{\"id\":\"%s\",\"key\":\"%s\"}\n", request.id.c_str(), created.key.c_str());
  } else {
    std::printf("%s\n", created.key.c_str());
    if (!session.options().quiet)
      std::fprintf(stderr, "Shown once; %s holds only a hash of it.\n", command.file.c_str());
  }
  return {};
}

}  // namespace firn::cli
