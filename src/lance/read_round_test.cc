#include "lance/read_round.h"

#include <gtest/gtest.h>

#include "store/counting.h"
#include "store/memory/memory_store.h"

namespace firn::lance {
namespace {

class ReadRoundTest : public testing::Test {
 protected:
  ReadRoundTest() {
    auto memory = store::OpenMemory("rounds", SystemClock());
    for (std::size_t i = 0; i < 20 << 20; i++) bytes_.push_back(static_cast<char>(i * 7 + (i >> 8)));
    EXPECT_TRUE(memory->Put(a_, AsBytes(bytes_), store::PutCondition::kNone, Deadline::Never()));
    EXPECT_TRUE(memory->Put(b_, AsBytes(bytes_), store::PutCondition::kNone, Deadline::Never()));
    store_ = std::make_unique<store::CountingStore>(std::move(memory), counter_);
  }
  std::string_view Wanted(std::size_t offset, std::size_t length) const {
    return std::string_view(bytes_).substr(offset, length);
  }

  const std::string a_ = "a";
  const std::string b_ = "b";
  std::string bytes_;
  store::StoreCounter counter_;
  std::unique_ptr<store::ObjectStore> store_;
  KnownEnds known_;
};

TEST_F(ReadRoundTest, NeighboursAreReadTogetherAndStrangersApart) {
  ReadRound round(*store_, known_);
  Buffer one, two, three, far, other;
  round.Add(a_, {5000, 10}, &two);
  round.Add(a_, {100, 50}, &one);
  round.Add(a_, {120, 4000}, &three);  // overlaps
  round.Add(a_, {1000000, 10}, &far);
  round.Add(b_, {100, 10}, &other);
  ASSERT_TRUE(round.Run(Deadline::Never()));
  EXPECT_EQ(one.chars(), Wanted(100, 50));
  EXPECT_EQ(two.chars(), Wanted(5000, 10));
  EXPECT_EQ(three.chars(), Wanted(120, 4000));
  EXPECT_EQ(far.chars(), Wanted(1000000, 10));
  EXPECT_EQ(other.chars(), Wanted(100, 10));
  EXPECT_EQ(counter_.Counts().rounds(), 1U);
  EXPECT_EQ(counter_.Counts().requests(), 3U);
}

TEST_F(ReadRoundTest, AHugeRangeIsReadInParts) {
  ReadRound round(*store_, known_);
  Buffer all;
  round.Add(a_, {1, (20 << 20) - 1}, &all);
  ASSERT_TRUE(round.Run(Deadline::Never()));
  EXPECT_EQ(all.chars(), Wanted(1, (20 << 20) - 1));
  EXPECT_EQ(counter_.Counts().rounds(), 1U);
  EXPECT_EQ(counter_.Counts().requests(), 3U);
}

TEST_F(ReadRoundTest, WhatIsKnownCostsNothing) {
  known_.emplace(a_, KnownEnd{100, Buffer::Copy(AsBytes(bytes_).subspan(100, 900))});
  ReadRound round(*store_, known_);
  Buffer inside, nothing;
  round.Add(a_, {150, 850}, &inside);
  round.Add(b_, {0, 0}, &nothing);
  EXPECT_TRUE(round.empty());
  ASSERT_TRUE(round.Run(Deadline::Never()));
  EXPECT_EQ(inside.chars(), Wanted(150, 850));
  EXPECT_EQ(counter_.Counts().rounds(), 0U);
}

TEST_F(ReadRoundTest, AnErrorOfTheStoreIsHandedOn) {
  ReadRound round(*store_, known_);
  const std::string gone = "gone";
  Buffer bytes;
  round.Add(gone, {0, 10}, &bytes);
  const Status status = round.Run(Deadline::Never());
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::kNotFound);
}

}  // namespace
}  // namespace firn::lance
