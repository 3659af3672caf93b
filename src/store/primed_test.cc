#include "store/primed.h"

#include <gtest/gtest.h>

#include "store/counting.h"
#include "store/memory/memory_store.h"

namespace firn::store {
namespace {

const Deadline kNever = Deadline::Never();

/// primed -> counting -> memory, which holds other bytes than the entries: an answer tells where it is from.
class Primed : public testing::Test {
 protected:
  void SetUp() override { PutDirectly("k", std::string(26, '.')); }

  void PutDirectly(std::string_view key, std::string_view text) {
    ASSERT_TRUE(memory_->Put(key, AsBytes(text), PutCondition::kNone, kNever));
  }
  /// Letters [from, to) of an alphabet under key `k`.
  static BundleEntry Letters(char from, char to, std::string key = "k", std::uint64_t size = 26) {
    std::string text;
    for (char c = from; c < to; c++) text += c;
    return {std::move(key), static_cast<std::uint64_t>(from - 'a'), size, {}, Buffer::Of(std::move(text))};
  }
  std::string Get(const ReadRequest& request) {
    const Result<ReadResult> read = Read(store_, request, kNever);
    if (!read) return std::string(InfoOf(read.error().kind).name);
    EXPECT_EQ(read->object_size_bytes, 26U);
    return std::string(read->bytes.chars());
  }

  StoreCounter counter_;
  std::unique_ptr<ObjectStore> memory_ = OpenMemory("", SystemClock());
  PrimedStore store_{std::make_unique<CountingStore>(Borrow(*memory_), counter_), 1000};
};

TEST_F(Primed, ServesWhatLiesInsideAnEntryAndNothingElse) {
  store_.Add({Letters('d', 'h'), Letters('w', 'z' + 1)});
  EXPECT_EQ(Get(ReadRequest::Range("k", 3, 4)), "defg");
  EXPECT_EQ(Get(ReadRequest::Range("k", 4, 2)), "ef");
  EXPECT_EQ(Get(ReadRequest::Range("k", 7, 0)), "");
  EXPECT_EQ(Get(ReadRequest::Tail("k", 3)), "xyz");
  EXPECT_EQ(Get(ReadRequest::Tail("k", 4)), "wxyz");
  EXPECT_EQ(counter_.Counts().requests(), 0U);
  store_.Add({Letters('a', 'z' + 1, "uncached")});
  EXPECT_EQ(Get(ReadRequest::WholeUncached("uncached")), "NotFound");
  EXPECT_EQ(Get(ReadRequest::Range("k", 2, 2)), "..");
  EXPECT_EQ(Get(ReadRequest::Range("k", 6, 2)), "..");
  EXPECT_EQ(Get(ReadRequest::Tail("k", 5)), ".....") << "an answer is never shorter than the store's";
  EXPECT_EQ(Get(ReadRequest::Whole("k")), std::string(26, '.'));
  EXPECT_EQ(Get(ReadRequest::Range("k", 20, 10)), "InvalidArgument");
  EXPECT_EQ(Get(ReadRequest::Whole("missing")), "NotFound");
  EXPECT_EQ(counter_.Counts().requests(), 7U);
}

TEST_F(Primed, ABundleOfWhichAllIsForgottenGivesItsMemoryBack) {
  store_.Add({Letters('a', 'd', "b/x")});
  const std::uint64_t of_one = store_.size_bytes();
  store_.Add({Letters('a', 'e', "a/x"), Letters('a', 'c', "a/y")});
  const std::uint64_t of_both = store_.size_bytes();
  store_.Forget("a/x");
  EXPECT_EQ(store_.size_bytes(), of_both) << "the rest of the bundle holds its memory";
  store_.Forget("a/");
  EXPECT_EQ(store_.size_bytes(), of_one);
}

TEST_F(Primed, ServesAWholeObjectInEveryWay) {
  store_.Add({Letters('a', 'z' + 1)});
  const std::string all = Get(ReadRequest::Whole("k"));
  EXPECT_EQ(all, "abcdefghijklmnopqrstuvwxyz");
  EXPECT_EQ(Get(ReadRequest::Tail("k", 64 << 10)), all) << "the object is smaller than the tail";
  EXPECT_EQ(Get(ReadRequest::Tail("k", 0)), "");
  EXPECT_EQ(Get(ReadRequest::Range("k", 0, 26)), all);
  EXPECT_EQ(counter_.Counts().requests(), 0U);
}

TEST_F(Primed, ATailIsShorterOnlyWhereThatIsEnough) {
  store_.Add({Letters('d', 'h'), Letters('w', 'z' + 1)});
  for (ReadRequest request : {ReadRequest::Tail("k", 10), ReadRequest::Whole("k")}) {
    request.enough_bytes = 4;
    EXPECT_EQ(Get(request), "wxyz");
    request.enough_bytes = 5;
    EXPECT_EQ(Get(request), std::string(request.part == ReadRequest::Part::kWhole ? 26 : 10, '.'));
  }
  ReadRequest range = ReadRequest::Range("k", 20, 6);
  range.enough_bytes = 4;
  EXPECT_EQ(Get(range), "......");
  EXPECT_EQ(counter_.Counts().requests(), 3U);
  store_.Add({Letters('a', 'd', "other", 3)});
  ReadRequest small = ReadRequest::Tail("other", 100);
  small.enough_bytes = 40;
  const Result<ReadResult> whole = Read(store_, small, kNever);
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->bytes.chars(), "abc") << "there is no more of it";
}

TEST_F(Primed, WhatIsLeftGoesOnAsOneRoundAndNothingAsNone) {
  store_.Add({Letters('d', 'h')});
  const std::vector<ReadRequest> inside = {ReadRequest::Range("k", 3, 2), ReadRequest::Range("k", 5, 2)};
  for (const Result<ReadResult>& answer : store_.ReadMany(inside, kNever)) EXPECT_TRUE(answer);
  EXPECT_EQ(counter_.Counts().rounds(), 0U);
  const std::vector<ReadRequest> mixed = {ReadRequest::Range("k", 0, 2), ReadRequest::Range("k", 3, 2),
                                          ReadRequest::Whole("missing"), ReadRequest::Range("k", 9, 1)};
  const auto answers = store_.ReadMany(mixed, kNever);
  EXPECT_EQ(answers[0]->bytes.chars(), "..");
  EXPECT_EQ(answers[1]->bytes.chars(), "de");
  EXPECT_EQ(answers[2].error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(answers[3]->bytes.chars(), ".");
  EXPECT_EQ(counter_.Counts().reads.rounds, 1U);
  EXPECT_EQ(counter_.Counts().reads.requests, 3U);

  const StoreCounts before = counter_.Counts();
  const ReadAndListResult both = store_.ReadManyAndList(mixed, {}, kNever);
  EXPECT_EQ(both.reads[1]->bytes.chars(), "de");
  EXPECT_EQ(both.reads[3]->bytes.chars(), ".");
  EXPECT_EQ(both.list->objects.size(), 1U);
  EXPECT_EQ((counter_.Counts() - before).rounds(), 1U);
  EXPECT_EQ((counter_.Counts() - before).reads.requests, 3U);
}

TEST_F(Primed, WritesUploadsAndDeletesForgetTheirKey) {
  store_.Add({Letters('a', 'z' + 1), Letters('a', 'd', "other", 3)});
  ASSERT_TRUE(store_.Put("k", AsBytes(std::string(26, '1')), PutCondition::kNone, kNever));
  EXPECT_EQ(Get(ReadRequest::Tail("k", 2)), "11");
  store_.Add({Letters('a', 'z' + 1)});
  auto upload = store_.StartUpload("k", kNever);
  ASSERT_TRUE(upload && (*upload)->Append(AsBytes(std::string(26, '2')), kNever));
  EXPECT_EQ(Get(ReadRequest::Tail("k", 2)), "yz");
  ASSERT_TRUE((*upload)->Finish(kNever));
  EXPECT_EQ(Get(ReadRequest::Tail("k", 2)), "22");
  store_.Add({Letters('a', 'z' + 1)});
  ASSERT_TRUE(store_.Delete("k", kNever));
  EXPECT_EQ(Get(ReadRequest::Tail("k", 2)), "NotFound");
  EXPECT_EQ(Read(store_, ReadRequest::Whole("other"), kNever)->bytes.chars(), "abc") << "no other key's";
}

TEST_F(Primed, ForgetsByPrefix) {
  store_.Add({Letters('a', 'c', "t.lance/a", 2), Letters('a', 'c', "t.lancer", 2)});
  store_.Add({Letters('a', 'c', "t.lance/b", 2)});
  store_.Forget("t.lance/");
  EXPECT_EQ(Get(ReadRequest::Whole("t.lance/a")), "NotFound");
  EXPECT_EQ(Get(ReadRequest::Whole("t.lance/b")), "NotFound");
  EXPECT_EQ(Read(store_, ReadRequest::Whole("t.lancer"), kNever)->bytes.chars(), "ab");
}

TEST_F(Primed, DropsTheOldestBundleBeyondItsCapacity) {
  const auto big = [](const std::string& key) {
    return std::vector<BundleEntry>{{key, 0, 400, {}, Buffer::Of(std::string(400, 'x'))}};
  };
  const auto has = [&](const std::string& key) { return Read(store_, ReadRequest::Whole(key), kNever).has_value(); };
  store_.Add(big("one"));
  store_.Add(big("two"));
  EXPECT_TRUE(has("one") && has("two"));
  store_.Add(big("three"));
  EXPECT_TRUE(!has("one") && has("two") && has("three"));
  EXPECT_LE(store_.size_bytes(), 1000U);
  store_.Add({{"huge", 0, 2000, {}, Buffer::Of(std::string(2000, 'x'))}});
  EXPECT_TRUE(!has("huge") && has("two") && has("three"));
  for (int i = 0; i < 100; i++) store_.Add({Letters('a', 'c', "small" + std::to_string(i), 2)});
  EXPECT_TRUE(has("small99") && has("small90") && !has("small0") && !has("three"));
}

TEST_F(Primed, ANewerBundleAddsToAnOlderOneUnlessTheObjectIsAnother) {
  store_.Add({Letters('a', 'e')});
  store_.Add({Letters('e', 'h')});
  EXPECT_EQ(Get(ReadRequest::Range("k", 0, 4)), "abcd");
  EXPECT_EQ(Get(ReadRequest::Range("k", 4, 3)), "efg");
  BundleEntry made_again = Letters('x', 'z');
  made_again.modified = WallTime(Duration(1));
  store_.Add({made_again});
  EXPECT_EQ(Get(ReadRequest::Range("k", 0, 4)), "....");
  EXPECT_EQ(Get(ReadRequest::Range("k", 23, 2)), "xy");
}

TEST_F(Primed, AListedObjectIsServedOnlyAsItWasListed) {
  const WallTime listed = memory_->List({}, kNever)->objects.at(0).modified;
  BundleEntry current = Letters('a', 'e');
  current.modified = listed;
  for (const bool list_first : {false, true}) {
    for (const bool is_current : {false, true}) {
      PrimedStore store(Borrow(*memory_), 1000);
      if (list_first) {
        ASSERT_TRUE(store.List({}, kNever));
      }
      store.Add({is_current ? current : Letters('a', 'e')});
      if (!list_first) {
        EXPECT_EQ(Read(store, ReadRequest::Range("k", 0, 4), kNever)->bytes.chars(), "abcd") << "nobody has listed it";
        ASSERT_TRUE(store.ReadManyAndList({}, {}, kNever).list);
      }
      EXPECT_EQ(Read(store, ReadRequest::Range("k", 0, 4), kNever)->bytes.chars(), is_current ? "abcd" : "....");
    }
  }
  BundleEntry smaller = Letters('a', 'e', "k", 20);
  smaller.modified = listed;
  ASSERT_TRUE(store_.List({}, kNever));
  store_.Add({smaller});
  EXPECT_EQ(Get(ReadRequest::Range("k", 0, 4)), "....");
}

TEST_F(Primed, OverlappingEntriesOfOneBundleAllServe) {
  store_.Add({Letters('c', 'h'), Letters('a', 'd'), Letters('d', 'e'), Letters('b', 'k'), Letters('f', 'm')});
  for (const auto& [from, to] : {std::pair('a', 'd'), {'c', 'h'}, {'b', 'k'}, {'f', 'm'}, {'k', 'm'}, {'d', 'e'}}) {
    const auto length = static_cast<std::uint64_t>(to - from);
    EXPECT_EQ(Get(ReadRequest::Range("k", static_cast<std::uint64_t>(from - 'a'), length)),
              Letters(from, to).bytes.chars());
  }
  EXPECT_EQ(counter_.Counts().requests(), 0U);
}

}  // namespace
}  // namespace firn::store
