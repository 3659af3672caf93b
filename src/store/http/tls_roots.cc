#include "store/http/tls_roots.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>

namespace firn::store {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 2> kFolders = {"/etc/ssl/certs", "/etc/pki/tls/certs"};
constexpr std::array<std::string_view, 4> kBundles = {"/etc/ssl/certs/ca-certificates.crt",
                                                      "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
                                                      "/etc/ssl/cert.pem"};
constexpr int kMaxEntries = 4096;

/// Holds at least one "xxxxxxxx.0" of eight hexadecimal digits.
bool IsHashed(const std::string& folder) {
  std::error_code error;
  int seen = 0;
  for (fs::directory_iterator at(folder, error), end; !error && at != end && seen < kMaxEntries; at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (name.size() == 10 && name.ends_with(".0") && name.find_first_not_of("0123456789abcdef") == 8) return true;
    ++seen;
  }
  return false;
}

std::string Get(const Environment& environment, std::string_view name) { return environment(name).value_or(""); }

}  // namespace

TlsRoots FindTlsRoots(const Environment& environment, const std::string& system_root) {
  std::error_code error;
  if (std::string given = Get(environment, "AWS_CA_BUNDLE"); !given.empty()) {
    if (fs::is_directory(given, error)) return {"", std::move(given)};
    return {std::move(given), ""};
  }
  if (TlsRoots given{Get(environment, "SSL_CERT_FILE"), Get(environment, "SSL_CERT_DIR")};
      !given.file.empty() || !given.folder.empty()) {
    return given;
  }
  for (const std::string_view folder : kFolders) {
    if (std::string path = system_root + std::string(folder); IsHashed(path)) return {"", std::move(path)};
  }
  for (const std::string_view bundle : kBundles) {
    if (std::string path = system_root + std::string(bundle); fs::exists(path, error)) return {std::move(path), ""};
  }
  return {};
}

}  // namespace firn::store
