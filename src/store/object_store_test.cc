#include "store/object_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <stdexcept>

#include "store/forwarding.h"
#include "store/memory/memory_store.h"

namespace firn::store {
namespace {

using testing::HasSubstr;

TEST(Keys, MayHoldAnyTextButNothingThatAPathWouldInterpret) {
  for (const char* good : {"a", "a/b", "...", "a/..b/c", ".hidden", "with space", "é", "a=b/c%2F"})
    EXPECT_TRUE(CheckKey(good)) << good;
  EXPECT_TRUE(CheckKey(std::string(1024, 'k')));
  for (const char* bad : {"", "/", "a/", "/a", "a//b", ".", "..", "./a", "a/.", "a/../b", "a\tb", "\x7F"}) {
    EXPECT_FALSE(CheckKey(bad)) << bad;
  }
  EXPECT_FALSE(CheckKey(std::string(1025, 'k')));
}

TEST(Keys, ARefusalQuotesTheKeyShortAndPrintable) {
  const Status status = CheckKey("line\nbreak" + std::string(5000, 'x'));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message.find('\n'), std::string::npos);
  EXPECT_LT(status.error().message.size(), 200U);
  EXPECT_THAT(status.error().message, HasSubstr("line?break"));
}

TEST(Ranges, LieInsideTheObjectOrAreRefused) {
  const auto resolve = [](const ReadRequest& request) {
    const Result<ByteRange> range = RangeOf(request, 10);
    return range ? std::pair(range->offset, range->length) : std::pair(std::uint64_t{99}, std::uint64_t{99});
  };
  const auto pair = [](std::uint64_t offset, std::uint64_t length) { return std::pair(offset, length); };
  EXPECT_EQ(resolve(ReadRequest::Whole("k")), pair(0, 10));
  EXPECT_EQ(resolve(ReadRequest::Tail("k", 3)), pair(7, 3));
  EXPECT_EQ(resolve(ReadRequest::Tail("k", 30)), pair(0, 10));
  EXPECT_EQ(resolve(ReadRequest::Range("k", 10, 0)), pair(10, 0));
  EXPECT_EQ(resolve(ReadRequest::Range("k", 10, 1)), pair(99, 99));
  EXPECT_EQ(resolve(ReadRequest::Range("k", UINT64_MAX, UINT64_MAX)), pair(99, 99));
}

TEST(ListAll, RefusesAListingThatNeverMovesOn) {
  class Stuck final : public ForwardingStore {
   public:
    using ForwardingStore::ForwardingStore;
    Result<ListPage> List(const ListRequest&, const Deadline&) override {
      ListPage page;
      page.next_start_after = "same";
      return page;
    }
  };
  Stuck stuck(OpenMemory("", SystemClock()));
  const Result<ListPage> all = ListAll(stuck, {}, 100, Deadline::Never());
  ASSERT_FALSE(all);
  EXPECT_EQ(all.error().kind, ErrorKind::kInternal);
}

/// Its reads wait for a listing, and its listings for a read.
class Rendezvous final : public ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;

  std::vector<Result<ReadResult>> ReadMany(std::span<const ReadRequest> requests, const Deadline& deadline) override {
    Meet();
    return ForwardingStore::ReadMany(requests, deadline);
  }
  Result<ListPage> List(const ListRequest& request, const Deadline& deadline) override {
    Meet();
    if (list_throws) throw std::runtime_error("out of paper");
    return ForwardingStore::List(request, deadline);
  }
  ReadAndListResult ReadManyAndList(std::span<const ReadRequest> requests, const ListRequest& list,
                                    const Deadline& deadline) override {
    return ObjectStore::ReadManyAndList(requests, list, deadline);  // NOLINT: the default is what is tested
  }
  bool list_throws = false;

 private:
  void Meet() {
    std::unique_lock lock(mutex_);
    here_++;
    met_.notify_all();
    EXPECT_TRUE(met_.wait_for(lock, std::chrono::seconds(10), [&] { return here_ >= 2; })) << "the other never came";
  }
  std::mutex mutex_;
  std::condition_variable met_;
  int here_ = 0;
};

TEST(ReadManyAndList, HasTheReadsAndTheListingUnderWayTogether) {
  Rendezvous store(OpenMemory("", SystemClock()));
  ASSERT_TRUE(store.Put("k", AsBytes("v"), PutCondition::kNone, Deadline::Never()));
  const ReadAndListResult both =
      store.ReadManyAndList(std::vector{ReadRequest::Whole("k")}, {.prefix = "k"}, Deadline::Never());
  EXPECT_EQ(both.reads.at(0)->bytes.chars(), "v");
  EXPECT_EQ(both.list->objects.at(0).key, "k");
}

TEST(ReadManyAndList, AnExceptionOfTheListingBecomesItsError) {
  Rendezvous store(OpenMemory("", SystemClock()));
  ASSERT_TRUE(store.Put("k", AsBytes("v"), PutCondition::kNone, Deadline::Never()));
  store.list_throws = true;
  const ReadAndListResult both =
      store.ReadManyAndList(std::vector{ReadRequest::Whole("k")}, {.prefix = "k"}, Deadline::Never());
  EXPECT_EQ(both.reads.at(0)->bytes.chars(), "v");
  ASSERT_FALSE(both.list);
  EXPECT_EQ(both.list.error().kind, ErrorKind::kInternal);
  EXPECT_THAT(both.list.error().message, HasSubstr("out of paper"));
}

}  // namespace
}  // namespace firn::store
