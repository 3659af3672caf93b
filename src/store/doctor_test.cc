#include "store/doctor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/faulty.h"
#include "store/folder/folder_store.h"
#include "store/memory/memory_store.h"
#include "store/scratch_folder_testing.h"
#include "store/throttled.h"

namespace firn::store {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::StartsWith;

class Doctor : public testing::Test {
 protected:
  /// The findings on a memory store in which `plan` decides.
  DoctorReport ExamineFaulty(FaultPlan plan) {
    FaultyStore faulty(Borrow(*memory_), std::move(plan), clock_);
    Result<DoctorReport> report = Examine(faulty, clock_, random_, Deadline::Never());
    EXPECT_TRUE(report) << report.error().ToString();
    return report ? *report : DoctorReport{};
  }
  static const Finding& Find(const DoctorReport& report, std::string_view name) {
    for (const Finding& finding : report.findings) {
      if (finding.name == name) return finding;
    }
    ADD_FAILURE() << "no finding " << name;
    static const Finding kNone;
    return kNone;
  }
  std::vector<std::string> Failed(const DoctorReport& report) {
    std::vector<std::string> names;
    for (const Finding& finding : report.findings) {
      if (finding.verdict == Verdict::kFail) names.push_back(finding.name);
    }
    return names;
  }
  std::size_t ObjectsLeft() { return memory_->List({}, Deadline::Never())->objects.size(); }

  ManualClock clock_;
  Random random_{5};
  std::unique_ptr<ObjectStore> memory_ = OpenMemory("sick", clock_);
};

TEST_F(Doctor, FindsNothingWrongWithAHealthyStoreAndLeavesNothingBehind) {
  const ScratchFolder scratch;
  const std::unique_ptr<ObjectStore> folder = OpenFolder(scratch / "db", {.sync = false}, random_);
  for (ObjectStore* store : {memory_.get(), folder.get()}) {
    const Result<DoctorReport> report = Examine(*store, clock_, random_, Deadline::Never());
    ASSERT_TRUE(report) << report.error().ToString();
    EXPECT_EQ(report->store, store->Describe());
    EXPECT_EQ(report->Overall(), Verdict::kOk);
    EXPECT_EQ(report->findings.size(), 10U);
    EXPECT_THAT(report->findings, Each(Field(&Finding::advice, "")));
    EXPECT_TRUE(store->List({}, Deadline::Never())->objects.empty());
  }
}

TEST_F(Doctor, SaysThatAServerIgnoresConditions) {
  const DoctorReport report = ExamineFaulty([](const OperationInfo& info) {
    return FaultDecision{info.operation == StoreOperation::kPut ? Fault::kIgnoreCondition : Fault::kNone, {}, {}};
  });
  EXPECT_EQ(report.Overall(), Verdict::kFail);
  EXPECT_THAT(Failed(report), ElementsAre("conditional put"));
  EXPECT_THAT(Find(report, "conditional put").message, HasSubstr("ignores If-None-Match"));
  EXPECT_THAT(Find(report, "conditional put").advice, HasSubstr("overwrite each other's commits"));
  EXPECT_EQ(ObjectsLeft(), 0U);
}

TEST_F(Doctor, SaysThatARaceHadSeveralWinners) {
  const DoctorReport report = ExamineFaulty([](const OperationInfo& info) {
    return FaultDecision{info.key.ends_with("/race") ? Fault::kIgnoreCondition : Fault::kNone, {}, {}};
  });
  EXPECT_THAT(Failed(report), ElementsAre("racing puts"));
  EXPECT_THAT(Find(report, "racing puts").message, StartsWith("8 of 8"));
}

TEST_F(Doctor, SaysThatConditionsAreUnsupported) {
  const DoctorReport report = ExamineFaulty([](const OperationInfo& info) {
    const bool refuse = info.operation == StoreOperation::kPut && info.key.ends_with("/conditional");
    return FaultDecision{refuse ? Fault::kFailBefore : Fault::kNone, ErrorKind::kUnsupported, {}};
  });
  EXPECT_THAT(Find(report, "conditional put").message, HasSubstr("has no conditional writes"));
  EXPECT_THAT(Find(report, "conditional put").advice, HasSubstr("overwrite each other's commits"));
}

TEST_F(Doctor, NamesTheMissingPermissionWhenWritingIsDenied) {
  const DoctorReport report = ExamineFaulty([](const OperationInfo& info) {
    return FaultDecision{
        info.operation == StoreOperation::kPut ? Fault::kFailBefore : Fault::kNone, ErrorKind::kPermissionDenied, {}};
  });
  EXPECT_THAT(Failed(report), ElementsAre("write"));
  EXPECT_THAT(Find(report, "write").advice, HasSubstr("s3:PutObject"));
}

TEST_F(Doctor, SeesCorruptAndTruncatedReads) {
  for (const Fault fault : {Fault::kCorrupt, Fault::kTruncate}) {
    const DoctorReport report = ExamineFaulty([fault](const OperationInfo& info) {
      return FaultDecision{
          info.operation == StoreOperation::kRead && info.key.ends_with("/object") ? fault : Fault::kNone, {}, {}};
    });
    EXPECT_EQ(Find(report, "read").verdict, Verdict::kFail);
    EXPECT_EQ(ObjectsLeft(), 0U);
  }
}

TEST_F(Doctor, SaysWhatItCouldNotCleanUp) {
  const DoctorReport report = ExamineFaulty([](const OperationInfo& info) {
    return FaultDecision{info.operation == StoreOperation::kDelete ? Fault::kFailBefore : Fault::kNone,
                         ErrorKind::kPermissionDenied,
                         {}};
  });
  EXPECT_EQ(Find(report, "delete").verdict, Verdict::kFail);
  EXPECT_EQ(Find(report, "clean up").verdict, Verdict::kWarn);
  EXPECT_THAT(Find(report, "clean up").advice, HasSubstr("_firn/doctor/"));
}

TEST_F(Doctor, MeasuresEachStepThroughTheClockAndWarnsOfASlowListing) {
  ThrottledStore slow(Borrow(*memory_), {.round_latency = std::chrono::milliseconds(700)}, clock_);
  const Result<DoctorReport> report = Examine(slow, clock_, random_, Deadline::Never());
  ASSERT_TRUE(report);
  EXPECT_EQ(Find(*report, "read").took, std::chrono::milliseconds(700));
  EXPECT_EQ(Find(*report, "list").verdict, Verdict::kWarn);
  EXPECT_EQ(report->Overall(), Verdict::kWarn);
}

TEST_F(Doctor, CleansUpEvenWhenItsTimeRunsOut) {
  ThrottledStore slow(Borrow(*memory_), {.round_latency = std::chrono::seconds(1)}, clock_);
  const Result<DoctorReport> report =
      Examine(slow, clock_, random_, Deadline::After(clock_, std::chrono::milliseconds(3500)));
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().kind, ErrorKind::kDeadlineExceeded);
  EXPECT_EQ(ObjectsLeft(), 0U);
}

}  // namespace
}  // namespace firn::store
