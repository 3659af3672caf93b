#include "store/caching.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <latch>
#include <thread>
#include <vector>

#include "store/counting.h"
#include "store/memory/memory_store.h"
#include "store/scratch_folder_testing.h"

namespace firn::store {
namespace {

namespace fs = std::filesystem;
const Deadline kNever = Deadline::Never();

/// A store whose reads a test can hold up and count.
class Gate final : public ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;

  std::vector<Result<ReadResult>> ReadMany(std::span<const ReadRequest> requests, const Deadline& deadline) override {
    std::vector<Result<ReadResult>> answers = ForwardingStore::ReadMany(requests, deadline);
    const bool first = arrived++ == 0;
    arrived.notify_all();
    closed.wait(true);
    if (first && fail_first_with) answers.assign(requests.size(), *fail_first_with);
    return answers;
  }
  void AwaitArrivals(int count) {
    for (int seen = arrived; seen < count; seen = arrived) arrived.wait(seen);
  }
  void Open() {
    closed = false;
    closed.notify_all();
  }

  std::atomic<int> arrived{0};
  std::atomic<bool> closed{false};
  std::optional<Error> fail_first_with;  // set before any read
};

/// caching -> counting -> gate -> memory.
class Caching : public testing::Test {
 protected:
  void SetUp() override {
    for (char c = 'a'; c <= 'z'; c++) bytes_ += c;
    PutDirectly("k", bytes_);
  }
  CachingStore& Open(CacheOptions options = {}) {
    auto gate = std::make_unique<Gate>(Borrow(*memory_));
    gate_ = gate.get();
    store_ = std::make_unique<CachingStore>(std::make_unique<CountingStore>(std::move(gate), counter_), options,
                                            random_, log_);
    return *store_;
  }
  void PutDirectly(std::string_view key, std::string_view text) {
    ASSERT_TRUE(memory_->Put(key, AsBytes(text), PutCondition::kNone, kNever));
  }
  std::string Get(const ReadRequest& request) {
    const Result<ReadResult> read = Read(*store_, request, kNever);
    if (!read) return std::string(InfoOf(read.error().kind).name);
    EXPECT_GE(read->object_size_bytes, read->bytes.size());
    return std::string(read->bytes.chars());
  }
  /// Requests that reached the inner store since the last call.
  std::uint64_t Asked() {
    const std::uint64_t now = counter_.Counts().reads.requests;
    return now - std::exchange(asked_, now);
  }
  std::size_t CacheFiles() const {
    std::size_t files = 0;
    for (const auto& entry : fs::recursive_directory_iterator(scratch_.path()))
      files += entry.is_regular_file() ? 1 : 0;
    return files;
  }
  CacheOptions OnDiskOnly(std::uint64_t disk_bytes = 1 << 20) const {
    return {.memory_bytes = 0, .disk_folder = scratch_ / "cache", .disk_bytes = disk_bytes, .identity = "s3://here"};
  }

  ScratchFolder scratch_;
  ManualClock clock_;
  Random random_{1};
  std::string lines_;
  Log log_{LogLevel::kInfo, clock_, [this](std::string_view line) { lines_ += line; }};
  StoreCounter counter_;
  std::unique_ptr<ObjectStore> memory_ = OpenMemory("", clock_);
  Gate* gate_ = nullptr;
  std::unique_ptr<CachingStore> store_;
  std::string bytes_;
  std::uint64_t asked_ = 0;
};

TEST_F(Caching, WhatWasReadIsNotReadAgain) {
  Open();
  EXPECT_EQ(Get(ReadRequest::Range("k", 3, 4)), "defg");
  EXPECT_EQ(Asked(), 1U);
  EXPECT_EQ(Get(ReadRequest::Range("k", 3, 4)), "defg");
  EXPECT_EQ(Get(ReadRequest::Range("k", 4, 2)), "ef");
  EXPECT_EQ(Asked(), 0U);
  EXPECT_EQ(Get(ReadRequest::Range("k", 4, 6)), "efghij");
  EXPECT_EQ(Asked(), 1U);
}

TEST_F(Caching, AnyReadTellsTheSizeSoThatTailsAndWholesCanHit) {
  Open();
  EXPECT_EQ(Get(ReadRequest::Tail("k", 10)), "qrstuvwxyz");
  EXPECT_EQ(Asked(), 1U);
  EXPECT_EQ(Get(ReadRequest::Tail("k", 3)), "xyz");
  EXPECT_EQ(Get(ReadRequest::Range("k", 18, 2)), "st");
  EXPECT_EQ(Get(ReadRequest::Range("k", 26, 0)), "");
  EXPECT_EQ(Asked(), 0U);
  EXPECT_EQ(Get(ReadRequest::Whole("k")), bytes_);
  EXPECT_EQ(Asked(), 1U);
  EXPECT_EQ(Get(ReadRequest::Tail("k", 1000)), bytes_);
  EXPECT_EQ(Get(ReadRequest::Range("k", 0, 26)), bytes_);
  EXPECT_EQ(Asked(), 0U);
}

TEST_F(Caching, ABatchAsksOnlyForWhatIsMissingAndInOneRound) {
  PutDirectly("other", "xyz");
  Open();
  EXPECT_EQ(Get(ReadRequest::Whole("k")), bytes_);
  const std::uint64_t rounds = counter_.Counts().reads.rounds;
  const std::vector<ReadRequest> requests = {ReadRequest::Range("k", 1, 2), ReadRequest::Whole("other"),
                                             ReadRequest::Whole("missing"), ReadRequest::Whole("other"),
                                             ReadRequest::Tail("k", 1)};
  const auto answers = store_->ReadMany(requests, kNever);
  EXPECT_EQ(answers[0]->bytes.chars(), "bc");
  EXPECT_EQ(answers[1]->bytes.chars(), "xyz");
  EXPECT_EQ(answers[2].error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(answers[3]->bytes.chars(), "xyz");
  EXPECT_EQ(answers[4]->bytes.chars(), "z");
  EXPECT_EQ(Asked(), 1U + 2U);
  EXPECT_EQ(counter_.Counts().reads.rounds, rounds + 1);
}

TEST_F(Caching, WhatAListingsRoundMissesGoesWithTheListing) {
  PutDirectly("other", "xyz");
  Open();
  ASSERT_TRUE(store_->List({}, kNever));
  EXPECT_EQ(Get(ReadRequest::Whole("k")), bytes_);
  const std::vector<ReadRequest> requests = {ReadRequest::Range("k", 1, 2), ReadRequest::Whole("other"),
                                             ReadRequest::Whole("other")};
  for (const std::uint64_t missing : {1U, 0U}) {
    const StoreCounts start = counter_.Counts();
    const ReadAndListResult both = store_->ReadManyAndList(requests, {}, kNever);
    EXPECT_EQ(both.reads[0]->bytes.chars(), "bc");
    EXPECT_EQ(both.reads[1]->bytes.chars(), "xyz");
    EXPECT_EQ(both.reads[2]->bytes.chars(), "xyz");
    EXPECT_EQ(both.list->objects.size(), 2U);
    const StoreCounts spent = counter_.Counts() - start;
    EXPECT_EQ(spent.rounds(), 1U);
    EXPECT_EQ(spent.reads.requests, missing);
    EXPECT_EQ(spent.lists.requests, 1U);
  }
}

TEST_F(Caching, AListingWithReadsDropsOldVersionsAsAnyListingDoes) {
  Open();
  ASSERT_TRUE(store_->List({}, kNever));
  EXPECT_EQ(Get(ReadRequest::Whole("k")), bytes_);
  clock_.Advance(std::chrono::seconds(1));
  PutDirectly("k", std::string(26, '!'));
  ASSERT_TRUE(store_->ReadManyAndList(std::vector{ReadRequest::Whole("missing")}, {}, kNever).list);
  EXPECT_EQ(Get(ReadRequest::Tail("k", 2)), "!!");
}

TEST_F(Caching, AListingDoesNotWaitForReadsThatOthersHaveUnderWay) {
  Open();
  gate_->closed = true;
  std::jthread reader([&] { EXPECT_EQ(Get(ReadRequest::Whole("k")), bytes_); });
  gate_->AwaitArrivals(1);
  std::jthread lister([&] {
    const ReadAndListResult both = store_->ReadManyAndList(std::vector{ReadRequest::Whole("k")}, {}, kNever);
    EXPECT_EQ(both.reads.at(0)->bytes.chars(), bytes_);
    EXPECT_TRUE(both.list);
  });
  while (counter_.Counts().lists.requests == 0) std::this_thread::yield();  // while the read is held up
  gate_->Open();
  lister.join();
  EXPECT_EQ(gate_->arrived, 1) << "and the read is not made twice";
}

TEST_F(Caching, AnUncachedReadIsAlwaysTheStoresAndNotKept) {
  for (const bool on_disk : {false, true}) {
    PutDirectly("k", "old");
    Open(on_disk ? OnDiskOnly() : CacheOptions{});
    EXPECT_EQ(Get(ReadRequest::Whole("k")), "old");
    PutDirectly("k", "new");
    EXPECT_EQ(Get(ReadRequest::WholeUncached("k")), "new");
    EXPECT_EQ(Get(ReadRequest::Whole("k")), "old") << "what is cached stays as it was";
    PutDirectly("head", "1");
    EXPECT_EQ(Get(ReadRequest::WholeUncached("head")), "1");
    PutDirectly("head", "2");
    EXPECT_EQ(Get(ReadRequest::Whole("head")), "2");
    ASSERT_TRUE(store_->Delete("k", kNever));
    ASSERT_TRUE(store_->Delete("head", kNever));
  }
}

TEST_F(Caching, ErrorsAreNotRemembered) {
  Open();
  EXPECT_EQ(Get(ReadRequest::Whole("later")), "NotFound");
  PutDirectly("later", "now");
  EXPECT_EQ(Get(ReadRequest::Whole("later")), "now");
  EXPECT_EQ(Get(ReadRequest::Range("k", 20, 10)), "InvalidArgument");
  EXPECT_EQ(Get(ReadRequest::Range("k", 20, 6)), "uvwxyz");
}

TEST_F(Caching, WritesAndDeletesThroughItDropTheirKey) {
  Open();
  EXPECT_EQ(Get(ReadRequest::Whole("k")), bytes_);
  ASSERT_TRUE(store_->Put("k", AsBytes("new"), PutCondition::kNone, kNever));
  EXPECT_EQ(Get(ReadRequest::Whole("k")), "new");
  auto upload = store_->StartUpload("k", kNever);
  ASSERT_TRUE(upload && (*upload)->Append(AsBytes("newer"), kNever) && (*upload)->Finish(kNever));
  EXPECT_EQ(Get(ReadRequest::Whole("k")), "newer");
  ASSERT_TRUE(store_->Delete("k", kNever));
  EXPECT_EQ(Get(ReadRequest::Whole("k")), "NotFound");
}

TEST_F(Caching, AListingThatShowsAnotherVersionDropsTheOldOne) {
  Open();
  ASSERT_TRUE(store_->List({}, kNever));
  EXPECT_EQ(Get(ReadRequest::Whole("k")), bytes_);
  // Another process drops the table and makes it again: same key, same size.
  clock_.Advance(std::chrono::seconds(1));
  PutDirectly("k", std::string(26, '!'));
  EXPECT_EQ(Get(ReadRequest::Tail("k", 2)), "yz") << "nobody has listed since";
  ASSERT_TRUE(store_->List({}, kNever));
  EXPECT_EQ(Get(ReadRequest::Tail("k", 2)), "!!");
  ASSERT_TRUE(store_->List({}, kNever));
  Asked();
  EXPECT_EQ(Get(ReadRequest::Tail("k", 2)), "!!");
  EXPECT_EQ(Asked(), 0U) << "a listing that shows nothing new drops nothing";
}

TEST_F(Caching, StaysWithinItsMemoryAndKeepsWhatIsUsed) {
  const std::string block(10'000, 'b');
  for (int i = 0; i < 30; i++) PutDirectly("block" + std::to_string(i), block);
  Open({.memory_bytes = 100'000});
  EXPECT_EQ(Get(ReadRequest::Whole("k")), bytes_);
  for (int i = 0; i < 30; i++) {
    EXPECT_EQ(Get(ReadRequest::Whole("block" + std::to_string(i))), block);
    EXPECT_EQ(Get(ReadRequest::Tail("k", 1)), "z");
  }
  EXPECT_EQ(Asked(), 31U);
  EXPECT_EQ(Get(ReadRequest::Whole("block29")), block);
  EXPECT_EQ(Asked(), 0U);
  EXPECT_EQ(Get(ReadRequest::Whole("block0")), block);
  EXPECT_EQ(Asked(), 1U);
}

TEST(RangeCache, NeverHoldsMoreThanItsCapacityAndAnswersAsTheObjectWould) {
  constexpr std::uint64_t kCapacity = 20'000;
  RangeCache cache(kCapacity);
  Random random(9);
  std::string object(4096, '\0');
  for (char& c : object) c = static_cast<char>(random.Next());
  std::size_t hits = 0;
  for (int i = 0; i < 20'000; i++) {
    const std::string key = "object" + std::to_string(random.Below(8));
    const std::uint64_t offset = random.Below(object.size() + 1);
    const std::uint64_t length = random.Below(std::min<std::uint64_t>(object.size() - offset, 700) + 1);
    if (const auto hit = cache.Find(ReadRequest::Range(key, offset, length), {})) {
      ASSERT_EQ(hit->bytes.chars(), object.substr(offset, length));
      ASSERT_EQ(hit->object_size_bytes, object.size());
      hits++;
    } else {
      cache.Insert(key, offset, {Buffer::Of(object.substr(offset, length)), object.size(), "etag"}, {});
    }
    if (random.Below(500) == 0) cache.Drop(key);
    ASSERT_LE(cache.size_bytes(), kCapacity);
  }
  EXPECT_GT(hits, 1000U);
  for (int i = 0; i < 8; i++) cache.Drop("object" + std::to_string(i));
  EXPECT_EQ(cache.size_bytes(), 0U);
}

TEST_F(Caching, EqualReadsUnderWayAreOneRead) {
  Open();
  gate_->closed = true;
  {
    std::vector<std::jthread> readers;
    std::latch started(16);
    for (int i = 0; i < 16; i++) {
      readers.emplace_back([&] {
        started.count_down();
        EXPECT_EQ(Get(ReadRequest::Tail("k", 5)), "vwxyz");
      });
    }
    gate_->AwaitArrivals(1);
    started.wait();
    gate_->Open();
  }
  EXPECT_EQ(gate_->arrived, 1);
}

TEST_F(Caching, AWaiterOutlivesALeaderWhoseTimeRanOut) {
  Open();
  gate_->closed = true;
  gate_->fail_first_with = DeadlineExceeded("the leader's time is up");
  std::jthread leader([&] { EXPECT_EQ(Get(ReadRequest::Whole("k")), "DeadlineExceeded"); });
  gate_->AwaitArrivals(1);
  // Whether it joins the leader's read or comes after it, it must get the bytes.
  std::jthread waiter([&] { EXPECT_EQ(Get(ReadRequest::Whole("k")), bytes_); });
  gate_->Open();
}

TEST_F(Caching, AWaiterWhoGoesAwayDoesNotWaitForTheLeader) {
  Open();
  gate_->closed = true;
  std::jthread leader([&] { EXPECT_EQ(Get(ReadRequest::Whole("k")), bytes_); });
  gate_->AwaitArrivals(1);
  auto gone = std::make_shared<std::atomic<bool>>(false);
  std::jthread waiter([&] {
    EXPECT_EQ(Read(*store_, ReadRequest::Whole("k"), kNever.WithCancel(gone)).error().kind,
              ErrorKind::kDeadlineExceeded);
  });
  *gone = true;
  waiter.join();
  gate_->Open();
}

TEST_F(Caching, AReadThatAWriteOvertakesIsNotKept) {
  for (const bool on_disk : {false, true}) {
    PutDirectly("k", "old");
    Open(on_disk ? OnDiskOnly() : CacheOptions{});
    gate_->closed = true;
    std::jthread reader([&] { EXPECT_EQ(Get(ReadRequest::Whole("k")), "old"); });
    gate_->AwaitArrivals(1);
    ASSERT_TRUE(store_->Put("k", AsBytes("new"), PutCondition::kNone, kNever));
    gate_->Open();
    EXPECT_EQ(Get(ReadRequest::Whole("k")), "new") << "not the read under way either";
    reader.join();
    EXPECT_EQ(Get(ReadRequest::Whole("k")), "new");
  }
}

TEST_F(Caching, TheDiskOutlivesTheStore) {
  Open(OnDiskOnly());
  EXPECT_EQ(Get(ReadRequest::Tail("k", 5)), "vwxyz");
  EXPECT_EQ(Get(ReadRequest::Whole("k")), bytes_);
  EXPECT_EQ(Asked(), 2U);
  Open(OnDiskOnly());
  EXPECT_EQ(Get(ReadRequest::Tail("k", 5)), "vwxyz");
  const Result<ReadResult> whole = Read(*store_, ReadRequest::Whole("k"), kNever);
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->bytes.chars(), bytes_);
  EXPECT_EQ(whole->object_size_bytes, 26U);
  EXPECT_FALSE(whole->etag.empty());
  EXPECT_EQ(Asked(), 0U);
  ASSERT_TRUE(store_->Delete("k", kNever));
  EXPECT_EQ(CacheFiles(), 0U);
  EXPECT_EQ(Get(ReadRequest::Tail("k", 5)), "NotFound");
}

TEST_F(Caching, TheDiskIsSharedByStoresButTheirAnswersAreNot) {
  Open(OnDiskOnly());
  EXPECT_EQ(Get(ReadRequest::Whole("k")), bytes_);
  CacheOptions elsewhere = OnDiskOnly();
  elsewhere.identity = "s3://there";
  PutDirectly("k", "of the other store");
  Open(elsewhere);
  EXPECT_EQ(Get(ReadRequest::Whole("k")), "of the other store");
}

TEST_F(Caching, ADamagedCacheFileIsAMiss) {
  for (const std::uintmax_t keep : {0U, 5U, 15U, 40U, 70U}) {
    Open(OnDiskOnly());
    EXPECT_EQ(Get(ReadRequest::Whole("k")), bytes_);
    for (const auto& entry : fs::recursive_directory_iterator(scratch_.path())) {
      if (entry.is_regular_file()) fs::resize_file(entry.path(), keep);
    }
    Asked();
    EXPECT_EQ(Get(ReadRequest::Whole("k")), bytes_);
    EXPECT_EQ(Asked(), 1U);
  }
  // A flipped bit in each byte of the file, one after the other.
  for (const auto& entry : fs::recursive_directory_iterator(scratch_.path())) {
    if (!entry.is_regular_file()) continue;
    const fs::path path = entry.path();
    std::ifstream in(path, std::ios::binary);
    const std::string whole(std::istreambuf_iterator<char>(in), {});
    for (std::size_t i = 0; i < whole.size(); i++) {
      std::string damaged = whole;
      damaged[i] = static_cast<char>(damaged[i] ^ 4);
      std::ofstream(path, std::ios::binary) << damaged;
      Asked();
      ASSERT_EQ(Get(ReadRequest::Whole("k")), bytes_) << i;
      ASSERT_EQ(Asked(), 1U) << i;
    }
    break;
  }
}

TEST_F(Caching, TheDiskStaysWithinItsBoundAndLeavesOthersFilesAlone) {
  fs::create_directories(scratch_ / "cache/mine");
  std::ofstream(scratch_ / "cache/mine/letter.txt") << std::string(200'000, 'x');
  const std::string block(10'000, 'b');
  Open(OnDiskOnly(100'000));
  for (int i = 0; i < 50; i++) {
    PutDirectly("block" + std::to_string(i), block);
    EXPECT_EQ(Get(ReadRequest::Whole("block" + std::to_string(i))), block);
  }
  EXPECT_TRUE(fs::exists(scratch_ / "cache/mine/letter.txt"));
  EXPECT_LE(CacheFiles(), 1U + 10U);
  EXPECT_GE(CacheFiles(), 1U + 7U);
  Asked();
  EXPECT_EQ(Get(ReadRequest::Whole("block49")), block);
  EXPECT_EQ(Asked(), 0U);
}

TEST_F(Caching, ADiskThatDoesNotWorkIsLoggedOnceAndOtherwiseNoMatter) {
  std::ofstream(scratch_ / "file") << "x";
  CacheOptions options = OnDiskOnly();
  options.disk_folder = scratch_ / "file/cache";
  Open(options);
  EXPECT_EQ(Get(ReadRequest::Whole("k")), bytes_);
  EXPECT_EQ(Get(ReadRequest::Tail("k", 1)), "z");
  EXPECT_EQ(std::count(lines_.begin(), lines_.end(), '\n'), 1) << lines_;
}

TEST_F(Caching, ManyThreadsReadWriteAndDeleteAtOnce) {
  Open({.memory_bytes = 5'000, .disk_folder = scratch_ / "cache", .disk_bytes = 50'000, .identity = ""});
  std::vector<std::jthread> threads;
  for (std::uint64_t me = 0; me < 8; me++) {
    threads.emplace_back([&, me] {
      Random random(me);
      for (int i = 0; i < 300; i++) {
        const std::string key = "key" + std::to_string(random.Below(5));
        const std::string value = key + std::string(random.Below(200), static_cast<char>('a' + me));
        switch (random.Below(6)) {
          case 0:
            EXPECT_TRUE(store_->Put(key, AsBytes(value), PutCondition::kNone, kNever));
            break;
          case 1:
            EXPECT_TRUE(store_->Delete(key, kNever));
            break;
          case 2:
            EXPECT_TRUE(store_->List({}, kNever));
            break;
          default: {
            const Result<ReadResult> read = Read(*store_, ReadRequest::Whole(key), kNever);
            EXPECT_TRUE(!read || read->bytes.chars().starts_with(key));
            break;
          }
        }
      }
    });
  }
  threads.clear();
  // When all is quiet, the cache and the store agree.
  for (int i = 0; i < 5; i++) {
    const std::string key = "key" + std::to_string(i);
    const Result<ReadResult> truth = Read(*memory_, ReadRequest::Whole(key), kNever);
    EXPECT_EQ(Get(ReadRequest::Whole(key)), truth ? std::string(truth->bytes.chars()) : "NotFound");
  }
}

}  // namespace
}  // namespace firn::store
