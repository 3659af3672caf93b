#include "store/recording.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/memory/memory_store.h"
#include "store/primed.h"

namespace firn::store {
namespace {

using testing::ElementsAre;

const Deadline kNever = Deadline::Never();

class Recording : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* key : {"a", "b"}) PutDirectly(key, "abcdefghijklmnopqrstuvwxyz");
  }
  void PutDirectly(std::string_view key, std::string_view text) {
    ASSERT_TRUE(memory_->Put(key, AsBytes(text), PutCondition::kNone, kNever));
  }
  void ReadAll(const std::vector<ReadRequest>& requests) { (void)store_.ReadMany(requests, kNever); }
  /// "key@offset:bytes"
  static std::vector<std::string> Texts(const std::vector<BundleEntry>& entries) {
    std::vector<std::string> texts;
    for (const BundleEntry& entry : entries) {
      texts.push_back(entry.key + "@" + std::to_string(entry.offset) + ":" + std::string(entry.bytes.chars()));
    }
    return texts;
  }

  ManualClock clock_;
  std::unique_ptr<ObjectStore> memory_ = OpenMemory("", clock_);
  RecordingStore store_{Borrow(*memory_), {.total_bytes = 40, .read_bytes = 26}};
};

TEST_F(Recording, CollectsWhatWasReadOnceWithItsObjectsSize) {
  ReadAll({ReadRequest::Tail("b", 3), ReadRequest::Range("a", 2, 3), ReadRequest::Whole("missing"),
           ReadRequest::Range("a", 3, 1), ReadRequest::Range("a", 30, 1)});
  ReadAll({ReadRequest::Range("a", 2, 3)});
  const std::vector<BundleEntry> entries = store_.TakeEntries();
  EXPECT_THAT(Texts(entries), ElementsAre("a@2:cde", "b@23:xyz"));
  for (const BundleEntry& entry : entries) EXPECT_EQ(entry.object_size_bytes, 26U);
  EXPECT_TRUE(store_.TakeEntries().empty());
}

TEST_F(Recording, JoinsWhatOverlapsOrTouches) {
  ReadAll({ReadRequest::Range("a", 4, 3), ReadRequest::Range("a", 0, 2), ReadRequest::Range("a", 6, 4),
           ReadRequest::Range("a", 2, 1), ReadRequest::Range("a", 5, 2), ReadRequest::Range("a", 11, 1)});
  EXPECT_THAT(Texts(store_.TakeEntries()), ElementsAre("a@0:abc", "a@4:efghij", "a@11:l"));
}

TEST_F(Recording, CollectsATailThatIsShorterThanAskedForBecauseThatIsEnough) {
  PrimedStore primed(Borrow(*memory_), 1000);
  primed.Add({{"a", 22, 26, {}, Buffer::Of(std::string("wxyz"))}});
  RecordingStore store(Borrow(primed), {});
  ReadRequest request = ReadRequest::Tail("a", 20);
  request.enough_bytes = 4;
  ASSERT_TRUE(Read(store, request, kNever));
  EXPECT_THAT(Texts(store.TakeEntries()), ElementsAre("a@22:wxyz"));
}

TEST_F(Recording, PassesOnWhatIsBeyondItsLimitsWithoutCollectingIt) {
  PutDirectly("large", std::string(27, 'l'));
  EXPECT_EQ(Read(store_, ReadRequest::Whole("large"), kNever)->bytes.size(), 27U);
  ReadAll({ReadRequest::Whole("a"), ReadRequest::Whole("b"), ReadRequest::Whole("a"), ReadRequest::Tail("b", 14),
           ReadRequest::Range("b", 0, 1)});
  EXPECT_THAT(Texts(store_.TakeEntries()), ElementsAre("a@0:abcdefghijklmnopqrstuvwxyz", "b@12:mnopqrstuvwxyz"));
  ReadAll({ReadRequest::Whole("b")});
  EXPECT_EQ(store_.TakeEntries().size(), 1U) << "what was taken does not count";
}

TEST_F(Recording, KnowsTheTimesOfObjectsThatItSawListed) {
  const ReadAndListResult both =
      store_.ReadManyAndList(std::vector{ReadRequest::Tail("a", 1)}, {.prefix = "a"}, kNever);
  ASSERT_TRUE(both.list);
  ReadAll({ReadRequest::Tail("b", 1)});
  const std::vector<BundleEntry> entries = store_.TakeEntries();
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[0].modified, both.list->objects.at(0).modified);
  EXPECT_EQ(entries[1].modified, WallTime{});
}

TEST_F(Recording, ForgetsWhatIsWrittenAfterItWasRead) {
  ReadAll({ReadRequest::Tail("a", 1), ReadRequest::Tail("b", 1)});
  ASSERT_TRUE(store_.Put("a", AsBytes("new"), PutCondition::kNone, kNever));
  ASSERT_TRUE(store_.Delete("b", kNever));
  EXPECT_TRUE(store_.TakeEntries().empty());
  ReadAll({ReadRequest::Range("a", 0, 1)});
  PutDirectly("a", "of another size");
  ReadAll({ReadRequest::Range("a", 0, 2)});
  EXPECT_THAT(Texts(store_.TakeEntries()), ElementsAre("a@0:of"));
}

TEST_F(Recording, APrimedStoreServesWhatWasRecordedThroughABundle) {
  const std::vector<ReadRequest> requests = {ReadRequest::Whole("a"), ReadRequest::Tail("b", 5),
                                             ReadRequest::Range("b", 3, 4)};
  ReadAll(requests);
  const auto entries = DecodeBundle(Buffer::Of(EncodeBundle(store_.TakeEntries())), "head");
  ASSERT_TRUE(entries);
  PrimedStore primed(OpenMemory("", clock_), 1000);
  primed.Add(*entries);
  const auto answers = primed.ReadMany(requests, kNever);
  EXPECT_EQ(answers[0]->bytes.chars(), "abcdefghijklmnopqrstuvwxyz");
  EXPECT_EQ(answers[1]->bytes.chars(), "vwxyz");
  EXPECT_EQ(answers[2]->bytes.chars(), "defg");
  EXPECT_EQ(answers[2]->object_size_bytes, 26U);
}

}  // namespace
}  // namespace firn::store
