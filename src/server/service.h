#pragma once
// Between the connections and the routes: who may ask, how often and how long; request ids, logs, metrics, errors.

#include <memory>
#include <string>

#include "base/log.h"
#include "base/random.h"
#include "server/http/application.h"
#include "server/rate_limit.h"
#include "server/router.h"
#include "server/server.h"

namespace firn::server {

class Service final : public Application {
 public:
  /// Everything given by reference outlives the service.
  Service(const ServerConfig& config, KeyRing keys, Backend& backend, Random& random, Log& log);

  std::unique_ptr<Exchange> Begin(RequestHead head) override;
  std::unique_ptr<Exchange> BeginMalformed(std::string peer) override;

 private:
  class RequestExchange;

  /// The key that a request shows, or the refusal. Null and no refusal: it needs none.
  struct Admission {
    const Key* key = nullptr;
    std::optional<Error> error;
    int status = 0;
    std::vector<Header> headers;
  };
  Admission Admit(const Route& route, const RequestHead& head);
  bool NeedsKey(const Route& route) const;
  std::string RequestId(const RequestHead& head);

  const ServerConfig& config_;
  const KeyRing keys_;
  Backend& backend_;
  Random& random_;
  Log& log_;
  RateLimits rate_limits_;
};

}  // namespace firn::server
