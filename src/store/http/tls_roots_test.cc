#include "store/http/tls_roots.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "store/http/tls_certificate_testing.h"

namespace firn::store {
namespace {

Environment Of(std::map<std::string, std::string, std::less<>> variables) {
  return [variables = std::move(variables)](std::string_view name) -> std::optional<std::string> {
    const auto at = variables.find(name);
    return at == variables.end() ? std::nullopt : std::optional(at->second);
  };
}

TEST(TlsRoots, ComeFromTheEnvironmentFirst) {
  const testing::TlsCertificate made;
  const TlsRoots aws = FindTlsRoots(Of({{"AWS_CA_BUNDLE", "/a.pem"}, {"SSL_CERT_FILE", "/b.pem"}}), made.root());
  EXPECT_EQ(aws.file, "/a.pem");
  EXPECT_EQ(aws.folder, "");
  EXPECT_EQ(FindTlsRoots(Of({{"AWS_CA_BUNDLE", made.root()}})).folder, made.root());
  const TlsRoots both = FindTlsRoots(Of({{"SSL_CERT_FILE", "/b.pem"}, {"SSL_CERT_DIR", "/c"}}), made.root());
  EXPECT_EQ(both.file, "/b.pem");
  EXPECT_EQ(both.folder, "/c");
}

TEST(TlsRoots, PreferAHashedFolderToABundle) {
  const testing::TlsCertificate made;
  const std::string bundle = made.hashed_folder() + "/ca-certificates.crt";
  std::ofstream(bundle) << "x";
  EXPECT_EQ(FindTlsRoots(Of({}), made.root()).folder, made.hashed_folder());
  for (const auto& entry : std::filesystem::directory_iterator(made.hashed_folder())) {
    if (entry.path().extension() == ".0") std::filesystem::remove(entry.path());
  }
  EXPECT_EQ(FindTlsRoots(Of({}), made.root()).folder, "");
  EXPECT_EQ(FindTlsRoots(Of({}), made.root()).file, bundle);
  std::filesystem::remove(bundle);
  EXPECT_EQ(FindTlsRoots(Of({}), made.root()).file, "");
}

}  // namespace
}  // namespace firn::store
