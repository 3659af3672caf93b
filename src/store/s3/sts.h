#pragma once
// AWS's Security Token Service: short-lived keys of a role, for those who may assume it.

#include <string>

#include "store/s3/credentials.h"

namespace firn::store {

struct RoleRequest {
  std::string arn;
  std::string session_name;      // "" = "firn"
  std::string external_id;       // "" = none
  std::string duration_seconds;  // "" = the role's default
};

Result<Credentials> AssumeRole(const CredentialContext& context, const RoleRequest& role, const Credentials& source,
                               const Deadline& deadline);

/// With the token in a file, which its owner renews.
Result<Credentials> AssumeRoleWithWebIdentity(const CredentialContext& context, const RoleRequest& role,
                                              const std::string& token_file, const Deadline& deadline);

}  // namespace firn::store
