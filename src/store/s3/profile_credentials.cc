// Keys from the environment and from the profile files.
#include <utility>

#include "store/s3/credential_providers.h"
#include "store/s3/profile_file.h"
#include "store/s3/sts.h"

namespace firn::store {
namespace {

constexpr int kMaxRoleHops = 5;
constexpr Duration kProcessTime = std::chrono::seconds(60);

std::string Setting(const Profile& profile, std::string_view name) {
  const auto at = profile.find(name);
  return at == profile.end() ? std::string() : at->second;
}

class ProfileReader {
 public:
  ProfileReader(const CredentialContext& context, const Deadline& deadline, const Profiles& profiles)
      : context_(context), deadline_(deadline), profiles_(profiles) {}

  /// What the profile says, or nothing if it says nothing about keys.
  Result<std::optional<Credentials>> Read(const std::string& name, int hops = 0) const {
    const Profile* profile = profiles_.Find(name);
    if (profile == nullptr) {
      return PermissionDenied("there is no profile '" + name + "' in " + profiles_.files,
                              "Correct AWS_PROFILE, or add the profile with `aws configure`");
    }
    if (hops > kMaxRoleHops) return Bad(name, "leads in a circle of source profiles");
    if (!Setting(*profile, "role_arn").empty()) return AssumedRole(name, *profile, hops);
    if (!Setting(*profile, "aws_access_key_id").empty()) return Keys(name, *profile);
    if (const std::string command = Setting(*profile, "credential_process"); !command.empty()) {
      FIRN_TRY(const std::string printed,
               context_.run_command(command, deadline_.Within(*context_.clock, kProcessTime)));
      FIRN_TRY(Credentials credentials,
               ParseCredentialJson(printed, "the credential_process of profile '" + name + "'"));
      return std::optional(std::move(credentials));
    }
    if (!Setting(*profile, "sso_session").empty() || !Setting(*profile, "sso_start_url").empty()) {
      return Unsupported("profile '" + name + "' signs in by SSO, which Firn does not do by itself",
                         "Add to a profile: credential_process = aws configure export-credentials --profile " + name);
    }
    return std::optional<Credentials>();
  }

 private:
  Error Bad(const std::string& name, std::string_view why) const {
    return PermissionDenied("profile '" + name + "' of " + profiles_.files + " " + std::string(why),
                            "Correct it, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
  }

  Result<std::optional<Credentials>> Keys(const std::string& name, const Profile& profile) const {
    Credentials keys{Setting(profile, "aws_access_key_id"), Setting(profile, "aws_secret_access_key"),
                     Setting(profile, "aws_session_token"), std::nullopt};
    if (keys.secret_access_key.empty()) return Bad(name, "has aws_access_key_id but no aws_secret_access_key");
    return std::optional(std::move(keys));
  }

  Result<std::optional<Credentials>> AssumedRole(const std::string& name, const Profile& profile, int hops) const {
    if (!Setting(profile, "mfa_serial").empty()) return Bad(name, "asks for an MFA code, which nobody can type here");
    const RoleRequest role{Setting(profile, "role_arn"), Setting(profile, "role_session_name"),
                           Setting(profile, "external_id"), Setting(profile, "duration_seconds")};
    if (const std::string file = Setting(profile, "web_identity_token_file"); !file.empty()) {
      FIRN_TRY(Credentials credentials, AssumeRoleWithWebIdentity(context_, role, file, deadline_));
      return std::optional(std::move(credentials));
    }
    FIRN_TRY(const Credentials source, SourceCredentials(name, profile, hops));
    FIRN_TRY(Credentials credentials, AssumeRole(context_, role, source, deadline_));
    return std::optional(std::move(credentials));
  }

  Result<Credentials> SourceCredentials(const std::string& name, const Profile& profile, int hops) const {
    if (const std::string source = Setting(profile, "source_profile"); !source.empty()) {
      // A profile may name itself: its own keys assume the role.
      const bool itself = source == name && !Setting(profile, "aws_access_key_id").empty();
      FIRN_TRY(auto found, itself ? Keys(name, profile) : Read(source, hops + 1));
      if (found) return *std::move(found);
      return Bad(source, "is a source_profile without keys");
    }
    const std::string source = Setting(profile, "credential_source");
    Result<ProviderAnswer> (*provider)(const CredentialContext&, const Deadline&) = nullptr;
    if (source == "Environment") provider = FromEnvironment;
    if (source == "EcsContainer") provider = FromContainer;
    if (source == "Ec2InstanceMetadata") provider = FromInstanceMetadata;
    if (provider == nullptr) return Bad(name, "has role_arn but neither source_profile nor a known credential_source");
    FIRN_TRY(ProviderAnswer answer, provider(context_, deadline_));
    if (answer.credentials) return *std::move(answer.credentials);
    return Bad(name, "takes its keys from " + source + ", which has none: " + answer.missing);
  }

  const CredentialContext& context_;
  const Deadline& deadline_;
  const Profiles& profiles_;
};

}  // namespace

std::string Variable(const CredentialContext& context, std::string_view name) {
  return context.environment(name).value_or("");
}

Result<ProviderAnswer> FromEnvironment(const CredentialContext& context, const Deadline&) {
  Credentials keys{Variable(context, "AWS_ACCESS_KEY_ID"), Variable(context, "AWS_SECRET_ACCESS_KEY"),
                   Variable(context, "AWS_SESSION_TOKEN"), std::nullopt};
  if (keys.access_key_id.empty() && keys.secret_access_key.empty()) {
    return ProviderAnswer{std::nullopt, "AWS_ACCESS_KEY_ID is not set"};
  }
  if (keys.access_key_id.empty() || keys.secret_access_key.empty()) {
    return PermissionDenied("only one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY is set", "Set both, or neither");
  }
  return ProviderAnswer{std::move(keys), {}};
}

Result<ProviderAnswer> FromProfile(const CredentialContext& context, const Deadline& deadline) {
  const Profiles profiles = LoadProfiles(context);
  if (profiles.Find(profiles.selected) == nullptr && !profiles.named) {
    return ProviderAnswer{std::nullopt, "no profile 'default' in " + profiles.files};
  }
  FIRN_TRY(auto found, ProfileReader(context, deadline, profiles).Read(profiles.selected));
  if (found) return ProviderAnswer{std::move(found), {}};
  return ProviderAnswer{std::nullopt, "profile '" + profiles.selected + "' in " + profiles.files + " has no keys"};
}

}  // namespace firn::store
