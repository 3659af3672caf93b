#include "store/http/tls_certificate_testing.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>

namespace firn::store::testing {
namespace {

namespace fs = std::filesystem;

constexpr long kLifeSeconds = 24 * 60 * 60;

void AddExtension(X509* certificate, int kind, const char* value) {
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

}  // namespace

TlsCertificate::TlsCertificate() {
  std::string name = (fs::temp_directory_path() / "firn-tls-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) std::abort();
  folder_ = name;
  fs::create_directories(hashed_folder());

  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> pair(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const std::unique_ptr<X509, decltype(&X509_free)> made(X509_new(), X509_free);
  X509_set_version(made.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(made.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(made.get()), -kLifeSeconds);
  X509_gmtime_adj(X509_getm_notAfter(made.get()), kLifeSeconds);
  X509_set_pubkey(made.get(), pair.get());
  X509_NAME* subject = X509_get_subject_name(made.get());
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("Firn test"), -1, -1,
                             0);
  X509_set_issuer_name(made.get(), subject);
  AddExtension(made.get(), NID_basic_constraints, "critical,CA:TRUE");
  AddExtension(made.get(), NID_subject_alt_name, "DNS:localhost,DNS:*.localhost,IP:127.0.0.1");
  X509_sign(made.get(), pair.get(), EVP_sha256());

  const std::unique_ptr<std::FILE, decltype(&std::fclose)> to(std::fopen(certificate().c_str(), "w"), std::fclose);
  PEM_write_X509(to.get(), made.get());
  std::fflush(to.get());
  const std::unique_ptr<std::FILE, decltype(&std::fclose)> secret(std::fopen(key().c_str(), "w"), std::fclose);
  PEM_write_PrivateKey(secret.get(), pair.get(), nullptr, nullptr, 0, nullptr, nullptr);
  std::fflush(secret.get());
  char hashed[16];
  std::snprintf(hashed, sizeof hashed, "%08lx.0", X509_NAME_hash_ex(subject, nullptr, nullptr, nullptr));
  fs::copy_file(certificate(), hashed_folder() + "/" + hashed);
}

TlsCertificate::~TlsCertificate() {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

}  // namespace firn::store::testing
