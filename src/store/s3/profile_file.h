#pragma once
// The files ~/.aws/credentials and ~/.aws/config.

#include <map>
#include <string>
#include <string_view>

#include "store/s3/credentials.h"

namespace firn::store {

using Profile = std::map<std::string, std::string, std::less<>>;

struct Profiles {
  std::map<std::string, Profile, std::less<>> by_name;
  std::string selected;  // AWS_PROFILE, else "default"
  bool named = false;    // by AWS_PROFILE
  std::string files;     // "~/.aws/credentials and ~/.aws/config", for messages

  const Profile* Find(std::string_view name) const;
  /// A setting of the selected profile, "" when there is none.
  std::string Setting(std::string_view name) const;
};

/// Both files, the credentials' settings before the config's. Files that do not exist are empty; lines that make no
/// sense are skipped, as AWS's own tools do.
Profiles LoadProfiles(const CredentialContext& context);

/// The region that the settings name: AWS_REGION, AWS_DEFAULT_REGION, the profile's, else us-east-1.
std::string FindRegion(const CredentialContext& context);

}  // namespace firn::store
