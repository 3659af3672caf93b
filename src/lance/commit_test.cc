#include "lance/commit.h"

#include <algorithm>

#include "lance/manifest_message.h"
#include "lance/manifest_testing.h"
#include "lance/transaction.h"
#include "lance/versions.h"
#include "store/counting.h"
#include "store/faulty.h"
#include "store/memory/memory_store.h"

namespace firn::lance {
namespace {

using store::Fault;
using store::FaultDecision;
using store::OperationInfo;
using store::StoreOperation;

const std::string kRoot = "docs.lance";

/// A memory store that a test may make fail, a clock that only sleeping moves, and a table in it.
class CommitTest : public testing::Test {
 protected:
  CommitTest() : inner_(store::OpenMemory("test", clock_)) {
    store_ = std::make_unique<store::FaultyStore>(
        store::Borrow(*inner_), [this](const OperationInfo& info) { return plan_ ? plan_(info) : FaultDecision{}; },
        clock_);
  }

  CommitContext Context(std::uint32_t max_attempts = 100) { return {*store_, clock_, random_, kRoot, max_attempts}; }
  Manifest Create(std::vector<Fragment> fragments = {}) {
    return Must(Commit(Context(), nullptr, SmallTable(std::move(fragments)), Deadline::Never()));
  }
  Result<Manifest> Append(const Manifest& base, const std::string& file) {
    return Commit(Context(), &base, AppendFragments{{SmallFragment(file)}}, Deadline::Never());
  }
  Manifest Latest() { return Must(ReadLatestManifest(*inner_, kRoot, Deadline::Never())); }

  /// Puts a version as another writer would: `message` changed, with a transaction whose only content is its kind.
  void OthersCommit(std::uint32_t operation_field, const std::function<void(pb::Manifest&)>& change = {}) {
    const Manifest base = Latest();
    ParsedManifest parsed = Must(ParseManifestObject(base.object.bytes(), "base"));
    parsed.message.set_version(base.version + 1);
    if (change) change(parsed.message);
    std::string transaction;
    const std::uint32_t key = operation_field << 3 | 2;  // an empty message
    transaction.push_back(static_cast<char>((key & 127) | 128));
    transaction.push_back(static_cast<char>(key >> 7));
    transaction.push_back('\0');
    pb::Transaction uuid;
    uuid.set_uuid("theirs");
    const std::string object =
        AssembleManifestObject(parsed.message, std::nullopt, transaction + uuid.SerializeAsString());
    ASSERT_TRUE(inner_->Put(VersionKey(kRoot, {base.version + 1, base.naming}), AsBytes(object),
                            store::PutCondition::kIfAbsent, Deadline::Never()));
  }

  /// The next put of a manifest meets `fault`.
  void NextPutMeets(Fault fault, ErrorKind kind = ErrorKind::kUnavailable) {
    plan_ = [this, fault, kind](const OperationInfo& info) {
      if (info.operation != StoreOperation::kPut) return FaultDecision{};
      plan_ = nullptr;
      return FaultDecision{fault, kind, {}};
    };
  }

  ManualClock clock_;
  Random random_{7};
  store::FaultPlan plan_;
  std::unique_ptr<store::ObjectStore> inner_;
  std::unique_ptr<store::ObjectStore> store_;
};

TEST_F(CommitTest, ATableBeginsAtVersionOne) {
  const Manifest created = Create({SmallFragment("a.lance")});
  EXPECT_EQ(created.version, 1U);
  const Manifest read = Latest();
  EXPECT_EQ(read.version, 1U);
  EXPECT_EQ(FileNames(read), std::vector<std::string>{"a.lance"});
}

TEST_F(CommitTest, ATableIsCreatedOnce) {
  Create();
  const auto again = Commit(Context(), nullptr, SmallTable(), Deadline::Never());
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind, ErrorKind::kAlreadyExists);
}

TEST_F(CommitTest, ATableWhoseFirstVersionsWereCleanedUpIsNotCreatedAgain) {
  Must(Append(Create(), "a.lance"));
  ASSERT_TRUE(inner_->Delete(VersionKey(kRoot, {1}), Deadline::Never()));
  const auto again = Commit(Context(), nullptr, SmallTable(), Deadline::Never());
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind, ErrorKind::kAlreadyExists);
}

TEST_F(CommitTest, AppendRebasesOverAConcurrentAppend) {
  const Manifest base = Create();
  Must(Append(base, "a.lance"));
  const Manifest second = Must(Append(base, "b.lance"));
  EXPECT_EQ(second.version, 3U);
  EXPECT_EQ(FileNames(second), (std::vector<std::string>{"a.lance", "b.lance"}));
  EXPECT_EQ(second.fragments[1].id, 1U);
}

TEST_F(CommitTest, AppendRebasesOverWhatLeavesTheSchemaAlone) {
  for (const std::uint32_t kind : {100U, 101U, 103U, 104U, 105U, 107U, 108U, 109U, 110U, 111U, 114U}) {
    SetUp();
    inner_ = store::OpenMemory("test", clock_);
    store_ = store::Borrow(*inner_);
    const Manifest base = Create();
    OthersCommit(kind, [](pb::Manifest& message) { message.set_max_fragment_id(9); });
    const auto appended = Append(base, "a.lance");
    ASSERT_TRUE(appended) << kind << ": " << appended.error().ToString();
    EXPECT_EQ(appended->version, 3U);
    EXPECT_EQ(appended->fragments.back().id, 10U);
  }
}

TEST_F(CommitTest, AppendGivesWayToWhatReplacesTheTable) {
  for (const std::uint32_t kind : {102U, 106U, 112U, 113U, 99U, 150U}) {
    inner_ = store::OpenMemory("test", clock_);
    store_ = store::Borrow(*inner_);
    const Manifest base = Create();
    OthersCommit(kind);
    const auto appended = Append(base, "a.lance");
    ASSERT_FALSE(appended) << kind;
    EXPECT_EQ(appended.error().kind, ErrorKind::kConflict);
    EXPECT_EQ(Latest().version, 2U);
  }
}

TEST_F(CommitTest, AppendGivesWayToColumnsThatChanged) {
  const std::vector<std::function<void(pb::Manifest&)>> changes = {
      [](pb::Manifest& m) { m.mutable_fields()->RemoveLast(); },
      [](pb::Manifest& m) { m.mutable_fields(1)->set_id(5); },
      [](pb::Manifest& m) { m.mutable_fields(1)->set_logical_type("large_string"); },
      [](pb::Manifest& m) { m.mutable_fields(1)->set_nullable(false); },
      [](pb::Manifest& m) { *m.add_fields() = MessageOf(Field{2, -1, "new", "int8", true, {}}); }};
  for (const auto& change : changes) {
    inner_ = store::OpenMemory("test", clock_);
    store_ = store::Borrow(*inner_);
    const Manifest base = Create();
    OthersCommit(105, change);
    const auto appended = Append(base, "a.lance");
    ASSERT_FALSE(appended);
    EXPECT_EQ(appended.error().kind, ErrorKind::kConflict);
  }
}

TEST_F(CommitTest, ReplaceGoesOverAppendsButNotOverAnotherReplace) {
  const Manifest base = Create();
  Must(Append(base, "a.lance"));
  const ReplaceTable replace{SmallSchema(), {SmallFragment("r.lance")}};
  const Manifest replaced = Must(Commit(Context(), &base, replace, Deadline::Never()));
  EXPECT_EQ(replaced.version, 3U);
  EXPECT_EQ(FileNames(replaced), std::vector<std::string>{"r.lance"});
  EXPECT_EQ(replaced.fragments[0].id, 1U);
  const auto again = Commit(Context(), &base, replace, Deadline::Never());
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind, ErrorKind::kConflict);
}

TEST_F(CommitTest, AFlagThatCameMeanwhileStopsTheCommit) {
  const Manifest base = Create();
  OthersCommit(104, [](pb::Manifest& message) { message.set_writer_feature_flags(64); });
  const auto appended = Append(base, "a.lance");
  ASSERT_FALSE(appended);
  EXPECT_EQ(appended.error().kind, ErrorKind::kUnsupported);
}

TEST_F(CommitTest, ALostAnswerIsNoSecondCommit) {
  const Manifest base = Create();
  for (const ErrorKind kind : {ErrorKind::kUnavailable, ErrorKind::kDeadlineExceeded, ErrorKind::kAlreadyExists}) {
    const Manifest before = Latest();
    NextPutMeets(Fault::kLoseAnswer, kind);  // AlreadyExists: a store that retried by itself met its own first put
    const Manifest after = Must(Append(before, "x" + std::to_string(static_cast<int>(kind))));
    EXPECT_EQ(after.version, before.version + 1);
    EXPECT_EQ(Latest().version, before.version + 1);
  }
  EXPECT_EQ(Latest().fragments.size(), 3U);
}

TEST_F(CommitTest, APutThatNeverArrivedIsMadeAgain) {
  const Manifest base = Create();
  NextPutMeets(Fault::kFailBefore);
  EXPECT_EQ(Must(Append(base, "a.lance")).version, 2U);
}

TEST_F(CommitTest, ALostAnswerAfterWhichOthersCommittedIsStillOurs) {
  const Manifest base = Create();
  plan_ = [this](const OperationInfo& info) {
    if (info.operation == StoreOperation::kPut) {
      return FaultDecision{Fault::kLoseAnswer, ErrorKind::kUnavailable, {}};
    }
    if (info.operation == StoreOperation::kList && Latest().version == 2) {
      OthersCommit(100, [](pb::Manifest& message) {
        *message.add_fragments() = MessageOf(SmallFragment("theirs.lance"));
        message.mutable_fragments()->rbegin()->set_id(1);
        message.set_max_fragment_id(1);
      });
    }
    return FaultDecision{};
  };
  const Manifest ours = Must(Append(base, "a.lance"));
  EXPECT_EQ(ours.version, 2U);
  EXPECT_EQ(FileNames(Latest()), (std::vector<std::string>{"a.lance", "theirs.lance"}));
}

TEST_F(CommitTest, WhenNothingCanBeSeenTheCallerIsToldSo) {
  const Manifest base = Create();
  plan_ = [](const OperationInfo&) { return FaultDecision{Fault::kFailBefore, ErrorKind::kUnavailable, {}}; };
  const auto appended = Append(base, "a.lance");
  ASSERT_FALSE(appended);
  EXPECT_EQ(appended.error().kind, ErrorKind::kUnavailable);
}

TEST_F(CommitTest, AStaleBaseLooksBeforeItPuts) {
  const Manifest base = Create();
  Must(Append(base, "a.lance"));
  Must(Append(Latest(), "b.lance"));
  // Version 2 is cleaned up: its key is free, and a put there would succeed and be read by nobody.
  ASSERT_TRUE(inner_->Delete(VersionKey(kRoot, {2}), Deadline::Never()));
  clock_.Advance(std::chrono::hours(25));
  const auto appended = Append(base, "late.lance");
  ASSERT_FALSE(appended);
  EXPECT_EQ(Latest().version, 3U);
  EXPECT_EQ(Must(Append(Latest(), "fresh.lance")).version, 4U);
}

TEST_F(CommitTest, LosingForEverIsAConflict) {
  const Manifest base = Create();
  plan_ = [this](const OperationInfo& info) {
    if (info.operation == StoreOperation::kPut) OthersCommit(110);
    return FaultDecision{};
  };
  const auto appended = Commit(Context(5), &base, AppendFragments{{SmallFragment("a.lance")}}, Deadline::Never());
  ASSERT_FALSE(appended);
  EXPECT_EQ(appended.error().kind, ErrorKind::kConflict);
  EXPECT_EQ(Latest().version, 6U);
}

TEST_F(CommitTest, StopsAtItsDeadline) {
  const Manifest base = Create();
  plan_ = [this](const OperationInfo& info) {
    if (info.operation == StoreOperation::kPut) OthersCommit(110);
    return FaultDecision{};
  };
  const auto appended = Commit(Context(1'000'000), &base, AppendFragments{{SmallFragment("a.lance")}},
                               Deadline::After(clock_, std::chrono::seconds(2)));
  ASSERT_FALSE(appended);
  EXPECT_EQ(appended.error().kind, ErrorKind::kDeadlineExceeded);
}

TEST_F(CommitTest, WrongFilesAreRefusedBeforeAnythingIsPut) {
  const Manifest base = Create();
  Fragment wrong_version = SmallFragment("a.lance", 1, {2, 2});
  Fragment wrong_field = SmallFragment("a.lance");
  wrong_field.files[0].field_ids[1] = 9;
  Fragment no_file = SmallFragment("a.lance");
  no_file.files.clear();
  for (const Fragment& fragment : {wrong_version, wrong_field, no_file}) {
    const auto appended = Commit(Context(), &base, AppendFragments{{fragment}}, Deadline::Never());
    ASSERT_FALSE(appended);
    EXPECT_EQ(appended.error().kind, ErrorKind::kInvalidArgument);
  }
  EXPECT_EQ(Latest().version, 1U);
}

TEST_F(CommitTest, AnUncontestedAppendIsOnePut) {
  const Manifest base = Create();
  store::StoreCounter counter;
  store::CountingStore counting(store::Borrow(*inner_), counter);
  Must(Commit({counting, clock_, random_, kRoot}, &base, AppendFragments{{SmallFragment("a.lance")}},
              Deadline::Never()));
  EXPECT_EQ(counter.Counts().requests(), 1U);
}

// ---- Versions -------------------------------------------------------------------------------------------------------

TEST_F(CommitTest, VersionsAreListedAndReadByNumber) {
  Must(Append(Must(Append(Create(), "a.lance")), "b.lance"));
  EXPECT_EQ(Must(ListVersions(*store_, kRoot, Deadline::Never())), (std::vector<std::uint64_t>{1, 2, 3}));
  EXPECT_EQ(FileNames(Must(ReadManifest(*store_, kRoot, 2, Deadline::Never()))), std::vector<std::string>{"a.lance"});
  const auto none = ReadManifest(*store_, kRoot, 7, Deadline::Never());
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().kind, ErrorKind::kNotFound);
  EXPECT_NE(none.error().message.find("1, 2, 3"), std::string::npos);
}

TEST_F(CommitTest, NoTableIsNotFound) {
  for (const auto& kind : {ReadLatestManifest(*store_, "none.lance", Deadline::Never()).error().kind,
                           ReadManifest(*store_, "none.lance", 1, Deadline::Never()).error().kind,
                           ListVersions(*store_, "none.lance", Deadline::Never()).error().kind}) {
    EXPECT_EQ(kind, ErrorKind::kNotFound);
  }
}

TEST_F(CommitTest, PlainNamesAreReadAndKept) {
  const Manifest created = Create();
  for (std::uint64_t version = 1; version <= 11; version++) {
    ParsedManifest parsed = Must(ParseManifestObject(created.object.bytes(), "created"));
    parsed.message.set_version(version);
    const std::string object = AssembleManifestObject(parsed.message, std::nullopt, "");
    ASSERT_TRUE(inner_->Put("old.lance/_versions/" + std::to_string(version) + ".manifest", AsBytes(object),
                            store::PutCondition::kNone, Deadline::Never()));
  }
  const Manifest latest = Must(ReadLatestManifest(*store_, "old.lance", Deadline::Never()));
  EXPECT_EQ(latest.version, 11U);
  const CommitContext context{*store_, clock_, random_, "old.lance"};
  Must(Commit(context, &latest, AppendFragments{{SmallFragment("a.lance")}}, Deadline::Never()));
  EXPECT_TRUE(store::Read(*inner_, store::ReadRequest::Whole("old.lance/_versions/12.manifest"), Deadline::Never()));
  EXPECT_EQ(Must(ReadManifest(*store_, "old.lance", 12, Deadline::Never())).naming, ManifestNaming::kPlain);
}

TEST_F(CommitTest, TheNewestVersionIsReadFromAListingThatTheCallerMade) {
  Must(Append(Must(Append(Create(), "a.lance")), "b.lance"));
  store::StoreCounter counter;
  store::CountingStore counting(store::Borrow(*inner_), counter);
  const std::vector<store::ReadRequest> hint = {store::ReadRequest::Whole(kRoot + "/_firn/head")};
  store::ReadAndListResult both = counting.ReadManyAndList(hint, LatestVersionListing(kRoot), Deadline::Never());
  EXPECT_EQ(both.reads.at(0).error().kind, ErrorKind::kNotFound);
  const store::ListPage listed = Must(std::move(both.list));
  EXPECT_EQ(Must(ReadLatestManifest(counting, kRoot, listed, Deadline::Never())).version, 3U);
  EXPECT_EQ(counter.Counts().rounds(), 2U);

  // Meanwhile the table moved on, and was cleaned up.
  Must(Append(Latest(), "c.lance"));
  ASSERT_TRUE(inner_->Delete(VersionKey(kRoot, {3}), Deadline::Never()));
  EXPECT_EQ(Must(ReadLatestManifest(counting, kRoot, listed, Deadline::Never())).version, 4U);
  EXPECT_EQ(ReadLatestManifest(counting, "none.lance", {}, Deadline::Never()).error().kind, ErrorKind::kNotFound);
}

TEST_F(CommitTest, PlainNamesNeedAWholeListing) {
  const Manifest created = Create();
  for (std::uint64_t version = 1; version <= 30; version++) {
    ParsedManifest parsed = Must(ParseManifestObject(created.object.bytes(), "created"));
    parsed.message.set_version(version);
    ASSERT_TRUE(inner_->Put("old.lance/_versions/" + std::to_string(version) + ".manifest",
                            AsBytes(AssembleManifestObject(parsed.message, std::nullopt, "")),
                            store::PutCondition::kNone, Deadline::Never()));
  }
  const store::ListPage first = Must(inner_->List(LatestVersionListing("old.lance"), Deadline::Never()));
  ASSERT_FALSE(first.next_start_after.empty());  // and names sort as text: "30" is not on it
  EXPECT_EQ(Must(ReadLatestManifest(*inner_, "old.lance", first, Deadline::Never())).version, 30U);
}

TEST_F(CommitTest, AVersionThatIsAnothersInvertedNumberIsNotFound) {
  Create();
  EXPECT_EQ(ReadManifest(*store_, "docs.lance", ~1ULL, Deadline::Never()).error().kind, ErrorKind::kNotFound);
}

TEST(Versions, NamesGoBothWays) {
  for (const VersionName name :
       {VersionName{1, ManifestNaming::kInverted}, VersionName{~0ULL, ManifestNaming::kInverted},
        VersionName{42, ManifestNaming::kPlain}}) {
    const std::string key = VersionKey("t", name);
    EXPECT_EQ(ParseVersionName(key.substr(12)), name) << key;
  }
  EXPECT_EQ(VersionKey("t", {1}), "t/_versions/18446744073709551614.manifest");
  for (const std::string_view other : {"d123.manifest", "latest_version_hint.json", ".manifest", "1.manifest.tmp",
                                       "-1.manifest", "99999999999999999999.manifest", "1x.manifest"}) {
    EXPECT_EQ(ParseVersionName(other), std::nullopt) << other;
  }
}

TEST_F(CommitTest, AManifestUnderAForeignNumberIsCorruption) {
  const Manifest created = Create();
  ASSERT_TRUE(
      inner_->Put(VersionKey(kRoot, {2}), created.object.bytes(), store::PutCondition::kNone, Deadline::Never()));
  const auto latest = ReadLatestManifest(*store_, kRoot, Deadline::Never());
  ASSERT_FALSE(latest);
  EXPECT_EQ(latest.error().kind, ErrorKind::kDataCorruption);
}

TEST_F(CommitTest, TransactionsInFilesOfTheirOwnAreRead) {
  const Manifest base = Create();
  ParsedManifest parsed = Must(ParseManifestObject(base.object.bytes(), "base"));
  parsed.message.set_version(2);
  parsed.message.set_transaction_file("1-abc.txn");
  std::string object = AssembleManifestObject(parsed.message, std::nullopt, "");
  // Without the inline one, as old releases wrote it.
  parsed.message.clear_transaction_section();
  object.clear();
  const std::string message = parsed.message.SerializeAsString();
  AppendLe(object, static_cast<std::uint32_t>(message.size()));
  object += message;
  object.append(8, '\0');
  AppendLe(object, std::uint16_t{0});
  AppendLe(object, std::uint16_t{2});
  object += "LANC";
  ASSERT_TRUE(inner_->Put(VersionKey(kRoot, {2}), AsBytes(object), store::PutCondition::kNone, Deadline::Never()));
  EXPECT_FALSE(Append(base, "a.lance"));  // nobody can tell what version 2 is
  const std::string transaction = EncodeTransaction("abc", 1, AppendFragments{{SmallFragment("t.lance")}});
  ASSERT_TRUE(inner_->Put(kRoot + "/_transactions/1-abc.txn", AsBytes(transaction), store::PutCondition::kNone,
                          Deadline::Never()));
  EXPECT_EQ(Must(Append(base, "a.lance")).version, 3U);
}

}  // namespace
}  // namespace firn::lance
