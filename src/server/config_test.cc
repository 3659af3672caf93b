#include "server/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firn::server {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

struct Sources {
  std::map<std::string, std::string, std::less<>> flags;
  std::map<std::string, std::string, std::less<>> env;
  std::string file;

  Result<ResolvedConfig> Resolve() const {
    return ResolveConfig({.flags = flags,
                          .environment = [this](std::string_view name) -> std::optional<std::string> {
                            const auto found = env.find(name);
                            return found == env.end() ? std::nullopt : std::optional(found->second);
                          },
                          .read_file = [this](const std::string&) -> Result<std::string> { return file; }});
  }
};

TEST(Config, AFlagWinsOverTheEnvironmentThatOverTheFileThatOverTheDefault) {
  Sources sources;
  EXPECT_EQ(sources.Resolve()->config.server.listener.port, 8080);
  sources.file = "[server]\nport = 7001\nhost = \"0.0.0.0\"\n";
  sources.env["FIRN_CONFIG"] = "firn.toml";
  EXPECT_EQ(sources.Resolve()->config.server.listener.port, 7001);
  EXPECT_EQ(sources.Resolve()->origins["port"], "file firn.toml");
  sources.env["PORT"] = "7002";
  EXPECT_EQ(sources.Resolve()->config.server.listener.port, 7002);
  EXPECT_EQ(sources.Resolve()->origins["port"], "env PORT");
  sources.flags["port"] = "7003";
  EXPECT_EQ(sources.Resolve()->config.server.listener.port, 7003);
  EXPECT_EQ(sources.Resolve()->config.server.listener.host, "0.0.0.0");
}

TEST(Config, TheVariablesOfTheReplacedServiceWork) {
  Sources sources;
  sources.env = {{"AWS_ENDPOINT", "http://127.0.0.1:9000"},
                 {"AWS_DEFAULT_REGION", "eu-central-1"},
                 {"AWS_ACCESS_KEY_ID", "id"},
                 {"AWS_SECRET_ACCESS_KEY", "very secret"},
                 {"LANCEDB_BUCKET", "vectors"},
                 {"LOG_LEVEL", "WARN"},
                 {"PORT", "9999"}};
  const auto resolved = sources.Resolve();
  ASSERT_TRUE(resolved) << resolved.error().ToString();
  EXPECT_EQ(resolved->config.engine.database, "s3://vectors");
  EXPECT_EQ(resolved->config.engine.store.endpoint, "http://127.0.0.1:9000");
  EXPECT_EQ(resolved->config.engine.store.region, "eu-central-1");
  EXPECT_EQ(resolved->config.engine.store.access_key_id, "id");
  EXPECT_EQ(resolved->config.engine.store.secret_access_key, "very secret");
  EXPECT_EQ(resolved->config.log_level, LogLevel::kWarn);
  EXPECT_EQ(resolved->config.server.listener.port, 9999);
}

TEST(Config, TheDatabaseIsTheFlagThenFirnDbThenTheBucket) {
  Sources sources;
  EXPECT_EQ(sources.Resolve()->config.engine.database, "./firn-data");
  sources.env["LANCEDB_BUCKET"] = "vectors";
  sources.env["FIRN_DB"] = "/data";
  EXPECT_EQ(sources.Resolve()->config.engine.database, "/data");
  sources.flags["db"] = "s3://other/place";
  EXPECT_EQ(sources.Resolve()->config.engine.database, "s3://other/place");
}

TEST(Config, PrintedConfigShowsWhereValuesComeFromAndNoSecret) {
  Sources sources;
  sources.env = {{"AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"}, {"AWS_SECRET_ACCESS_KEY", "very secret"}, {"PORT", "9999"}};
  const std::string printed = PrintConfig(*sources.Resolve());
  EXPECT_THAT(printed, HasSubstr("port = 9999  # env PORT"));
  EXPECT_THAT(printed, HasSubstr("secret_access_key = \"***\""));
  EXPECT_THAT(printed, Not(HasSubstr("very secret")));
  EXPECT_THAT(printed, Not(HasSubstr("AKIAEXAMPLE")));
}

TEST(Config, PrintedConfigIsAConfigFileThatGivesTheSame) {
  Sources sources;
  sources.env = {{"PORT", "9999"}, {"FIRN_MAX_BODY_BYTES", "3MiB"}, {"FIRN_FSYNC", "false"}, {"FIRN_HOST", "0.0.0.0"}};
  const auto first = sources.Resolve();
  Sources again;
  again.file = PrintConfig(*first);
  again.flags["config"] = "printed.toml";
  const auto second = again.Resolve();
  ASSERT_TRUE(second) << second.error().ToString() << "\n" << again.file;
  for (const Setting& setting : Settings())
    EXPECT_EQ(setting.show(first->config), setting.show(second->config)) << setting.flag;
}

TEST(Config, AMistakeNamesTheSettingAndItsSource) {
  Sources sources;
  sources.env["PORT"] = "eighty";
  EXPECT_THAT(sources.Resolve().error().ToString(), HasSubstr("port (from env PORT): 'eighty'"));
  sources.env.clear();
  sources.flags["prot"] = "80";
  EXPECT_THAT(sources.Resolve().error().ToString(), HasSubstr("Did you mean 'port'?"));
  sources.flags = {{"config", "firn.toml"}};
  sources.file = "[server]\nprot = 1\n";
  EXPECT_THAT(sources.Resolve().error().ToString(), HasSubstr("Did you mean 'server.port'?"));
  sources.file = "[server\n";
  EXPECT_THAT(sources.Resolve().error().ToString(), HasSubstr("firn.toml line 1"));
  sources.file = "[server]\nport = [1]\n";
  EXPECT_EQ(sources.Resolve().error().kind, ErrorKind::kInvalidArgument);
}

TEST(Config, SecretsAreNotTakenAsFlagsAndComeInPairs) {
  Sources sources;
  sources.flags["secret-access-key"] = "very secret";
  EXPECT_THAT(sources.Resolve().error().ToString(), Not(HasSubstr("very secret")));
  sources.flags.clear();
  sources.env["AWS_ACCESS_KEY_ID"] = "id";
  EXPECT_EQ(sources.Resolve().error().kind, ErrorKind::kInvalidArgument);
}

TEST(Config, EverySettingHasItsOwnNamesAndShowsWhatItAccepts) {
  Config config;
  std::set<std::string_view> flags, keys;
  for (const Setting& setting : Settings()) {
    EXPECT_TRUE(flags.insert(setting.flag).second) << setting.flag;
    EXPECT_TRUE(keys.insert(setting.toml).second) << setting.toml;
    EXPECT_FALSE(setting.help.empty());
    EXPECT_TRUE(setting.set(config, setting.show(config))) << setting.flag;
  }
}

}  // namespace
}  // namespace firn::server
