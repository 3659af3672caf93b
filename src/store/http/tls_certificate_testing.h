#pragma once
// A certificate for tests of TLS on this machine.

#include <string>

namespace firn::store::testing {

/// Self-signed, for localhost, *.localhost and 127.0.0.1, made anew in a temporary folder that goes with it.
class TlsCertificate {
 public:
  TlsCertificate();
  ~TlsCertificate();
  TlsCertificate(const TlsCertificate&) = delete;
  TlsCertificate& operator=(const TlsCertificate&) = delete;

  std::string certificate() const { return folder_ + "/certificate.pem"; }
  std::string key() const { return folder_ + "/key.pem"; }
  /// A folder that holds it in OpenSSL's hashed form.
  std::string hashed_folder() const { return folder_ + "/etc/ssl/certs"; }
  /// What hashed_folder() would be below, were it the machine's own.
  std::string root() const { return folder_; }

 private:
  std::string folder_;
};

}  // namespace firn::store::testing
