#include "store/s3/profile_file.h"

#include "store/s3/credential_providers.h"

namespace firn::store {
namespace {

enum class FileKind : std::uint8_t { kCredentials, kConfig };

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r";
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

std::string_view WithoutComment(std::string_view value) {
  for (std::size_t at = 1; at < value.size(); ++at) {
    if ((value[at] == '#' || value[at] == ';') && (value[at - 1] == ' ' || value[at - 1] == '\t')) {
      return Trim(value.substr(0, at));
    }
  }
  return value;
}

/// The profile that "[...]" opens, "" for sections of another kind.
std::string SectionProfile(std::string_view line, FileKind kind) {
  const std::size_t end = line.find(']');
  if (end == std::string_view::npos) return {};
  std::string_view name = Trim(line.substr(1, end - 1));
  const bool has_word = name.starts_with("profile ") || name.starts_with("profile\t");
  if (has_word) {
    name = Trim(name.substr(8));
  } else if (kind == FileKind::kConfig && name != "default") {
    return {};
  }
  if (name.size() >= 2 && (name.front() == '"' || name.front() == '\'') && name.back() == name.front()) {
    name = name.substr(1, name.size() - 2);
  }
  return std::string(name);
}

/// Settings that are there already stay.
void Parse(std::string_view text, FileKind kind, Profiles& into) {
  Profile* profile = nullptr;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));

    const std::string_view trimmed = Trim(line);
    if (trimmed.empty() || trimmed[0] == '#' || trimmed[0] == ';') continue;
    if (trimmed[0] == '[') {
      const std::string name = SectionProfile(trimmed, kind);
      profile = name.empty() ? nullptr : &into.by_name[name];
      continue;
    }
    const bool is_nested = line[0] == ' ' || line[0] == '\t';  // below a setting like "s3 ="
    const std::size_t equals = trimmed.find('=');
    if (profile == nullptr || is_nested || equals == std::string_view::npos) continue;
    profile->emplace(std::string(Trim(trimmed.substr(0, equals))),
                     std::string(WithoutComment(Trim(trimmed.substr(equals + 1)))));
  }
}

std::string PathOf(const CredentialContext& context, std::string_view variable, std::string_view below_home) {
  const std::string home = Variable(context, "HOME");
  std::string path = Variable(context, variable);
  if (path.empty()) return home.empty() ? "" : home + std::string(below_home);
  if (path.starts_with("~/")) path.replace(0, 1, home);
  return path;
}

}  // namespace

const Profile* Profiles::Find(std::string_view name) const {
  const auto at = by_name.find(name);
  return at == by_name.end() ? nullptr : &at->second;
}

std::string Profiles::Setting(std::string_view name) const {
  const Profile* profile = Find(selected);
  if (profile == nullptr) return {};
  const auto at = profile->find(name);
  return at == profile->end() ? std::string() : at->second;
}

Profiles LoadProfiles(const CredentialContext& context) {
  Profiles profiles;
  profiles.selected = Variable(context, "AWS_PROFILE");
  profiles.named = !profiles.selected.empty();
  if (!profiles.named) profiles.selected = "default";

  const std::string credentials = PathOf(context, "AWS_SHARED_CREDENTIALS_FILE", "/.aws/credentials");
  const std::string config = PathOf(context, "AWS_CONFIG_FILE", "/.aws/config");
  for (const auto& [path, kind] :
       {std::pair(credentials, FileKind::kCredentials), std::pair(config, FileKind::kConfig)}) {
    if (path.empty()) continue;
    profiles.files += (profiles.files.empty() ? "" : " and ") + path;
    if (const Result<std::string> text = context.read_file(path)) Parse(*text, kind, profiles);
  }
  if (profiles.files.empty()) profiles.files = "the AWS profile files (HOME is not set)";
  return profiles;
}

std::string FindRegion(const CredentialContext& context) {
  for (const std::string_view name : {"AWS_REGION", "AWS_DEFAULT_REGION"}) {
    if (std::string region = Variable(context, name); !region.empty()) return region;
  }
  const std::string region = LoadProfiles(context).Setting("region");
  return region.empty() ? "us-east-1" : region;
}

}  // namespace firn::store
