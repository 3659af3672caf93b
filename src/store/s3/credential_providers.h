#pragma once
// The links of the chain, each a function of the world that it is given. See FindCredentials for their order.

#include <optional>
#include <string>
#include <string_view>

#include "store/s3/credentials.h"

namespace firn::store {

struct ProviderAnswer {
  std::optional<Credentials> credentials;
  std::string missing;  // where it looked, and what is not there; holds no secret
};

/// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN.
Result<ProviderAnswer> FromEnvironment(const CredentialContext& context, const Deadline& deadline);

/// AWS_PROFILE in the files of AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE: keys, a role to assume from other keys
/// (source_profile, credential_source) or from a web identity, or a credential_process.
Result<ProviderAnswer> FromProfile(const CredentialContext& context, const Deadline& deadline);

/// AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN, as Kubernetes service accounts have them.
Result<ProviderAnswer> FromWebIdentity(const CredentialContext& context, const Deadline& deadline);

/// AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI: ECS, EKS Pod Identity, Lambda's kin.
Result<ProviderAnswer> FromContainer(const CredentialContext& context, const Deadline& deadline);

/// The role of an EC2 instance, by IMDSv2.
Result<ProviderAnswer> FromInstanceMetadata(const CredentialContext& context, const Deadline& deadline);

/// {"AccessKeyId", "SecretAccessKey", "Token" or "SessionToken", "Expiration"}, as processes, containers and instances
/// print them. `what` names the source in an error.
Result<Credentials> ParseCredentialJson(std::string_view text, std::string_view what);

/// The value of an environment variable, "" when it is not set.
std::string Variable(const CredentialContext& context, std::string_view name);

}  // namespace firn::store
