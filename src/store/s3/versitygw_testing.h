#pragma once
// A real S3 server for tests: versitygw on a free port of 127.0.0.1, over a temporary folder.

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "store/object_store.h"
#include "store/open.h"

namespace firn::store::testing {

/// The environment of a machine on which nothing is set.
Environment NoEnvironment();

/// What a store needs, for tests that share one.
StoreContext TestContext(Environment environment = NoEnvironment());

class VersityGateway {
 public:
  struct TlsFiles {
    std::string certificate;
    std::string key;
  };

  /// Finds the program by FIRN_VERSITYGW, PATH or Go's bin folder; NotFound says how to get it.
  static Result<std::unique_ptr<VersityGateway>> Start(const TlsFiles& tls = {});
  /// One for the whole test program, without TLS; null, with a failure added to the running test, if it cannot start.
  static VersityGateway* Shared();
  ~VersityGateway();

  std::uint16_t port() const { return port_; }
  /// Keys, region and endpoint, path-style; `host` = "localhost" also takes virtual-host style.
  StoreOptions Options(const std::string& host = "127.0.0.1") const;
  Status MakeBucket(const std::string& bucket, const StoreContext& context = TestContext()) const;
  /// A new bucket's name, made.
  Result<std::string> MakeFreshBucket();

 private:
  VersityGateway() = default;
  Status Launch(const std::string& program, const TlsFiles& tls);
  Status AwaitHealth() const;

  std::string folder_;
  std::uint16_t port_ = 0;
  pid_t pid_ = -1;
  bool tls_ = false;
  int buckets_ = 0;
};

}  // namespace firn::store::testing
