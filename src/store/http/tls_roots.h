#pragma once
// Where the certificates of trusted authorities lie on this machine.

#include <string>

#include "store/open.h"

namespace firn::store {

/// Either or both may be empty. A folder is in OpenSSL's hashed form ("4a6481c9.0"), which is looked into only for the
/// one authority that a server names; parsing a bundle of 145 costs 30 ms before the first request.
struct TlsRoots {
  std::string file;
  std::string folder;
};

/// AWS_CA_BUNDLE, else SSL_CERT_FILE and SSL_CERT_DIR, else the system's hashed folder, else its bundle. `system_root`
/// goes before the system's paths ("" outside tests). Looks at the disk's folders, but reads no certificate.
TlsRoots FindTlsRoots(const Environment& environment, const std::string& system_root = "");

}  // namespace firn::store
