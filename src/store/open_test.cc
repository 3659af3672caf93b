#include "store/open.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/scratch_folder_testing.h"

namespace firn::store {
namespace {

using testing::HasSubstr;

const Deadline kNever = Deadline::Never();

class Open : public testing::Test {
 protected:
  Result<std::unique_ptr<ObjectStore>> OpenIt(std::string_view uri, const StoreOptions& options = {}) {
    return OpenStore(uri, options, {clock_, random_, log_, [](std::string_view) { return std::nullopt; }, &counter_});
  }

  ManualClock clock_;
  Random random_{1};
  Log log_{LogLevel::kOff, clock_};
  StoreCounter counter_;
};

TEST_F(Open, KnowsFoldersMemoryAndS3) {
  const ScratchFolder scratch;
  for (const std::string& uri : {scratch / "db", "file://" + (scratch / "db"), (scratch / "db") + "///"}) {
    const auto store = OpenIt(uri);
    ASSERT_TRUE(store) << store.error().ToString();
    EXPECT_EQ((*store)->Describe(), scratch / "db");
    EXPECT_FALSE(std::filesystem::exists(scratch / "db")) << "opening touches no disk";
  }
  EXPECT_EQ((*OpenIt("relative/path"))->Describe(), "relative/path");
  EXPECT_EQ((*OpenIt("memory://name"))->Describe(), "memory://name");
  StoreOptions options;
  options.region = "eu-central-1";
  options.access_key_id = "id";
  options.secret_access_key = "secret";
  const auto far = OpenIt("s3://bucket/some/prefix", options);
  ASSERT_TRUE(far) << far.error().ToString();
  EXPECT_EQ((*far)->Describe(), "s3://bucket/some/prefix");
}

TEST_F(Open, RefusesWhatItDoesNotKnow) {
  for (const std::string_view uri :
       {std::string_view(""), std::string_view("gs://bucket"), std::string_view("file://relative"),
        std::string_view("http://x/y"), std::string_view("a\0b", 3), std::string_view("s3://")}) {
    const auto store = OpenIt(uri);
    ASSERT_FALSE(store) << uri;
    EXPECT_EQ(store.error().kind, ErrorKind::kInvalidArgument) << uri;
  }
  EXPECT_THAT(OpenIt("gs://bucket").error().ToString(), HasSubstr("s3://bucket/prefix"));
}

TEST_F(Open, EveryMemoryStoreIsItsOwn) {
  const auto one = OpenIt("memory://name");
  const auto other = OpenIt("memory://name");
  ASSERT_TRUE((*one)->Put("k", AsBytes("v"), PutCondition::kNone, kNever));
  EXPECT_TRUE((*other)->List({}, kNever)->objects.empty());
}

TEST_F(Open, TheCounterSeesWhatReachesTheBackend) {
  const auto store = OpenIt("memory://name");
  ASSERT_TRUE((*store)->Put("k", AsBytes("value"), PutCondition::kNone, kNever));
  ASSERT_TRUE(Read(**store, ReadRequest::Whole("k"), kNever));
  EXPECT_EQ(counter_.Counts().rounds(), 2U);
  EXPECT_EQ(counter_.Counts().bytes_read(), 5U);
}

TEST(ProcessEnvironment, TellsUnsetFromEmpty) {
  const Environment environment = ProcessEnvironment();
  EXPECT_TRUE(environment("PATH").has_value());
  EXPECT_FALSE(environment("FIRN_SURELY_NOT_SET").has_value());
}

}  // namespace
}  // namespace firn::store
