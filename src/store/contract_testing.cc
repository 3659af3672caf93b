#include "store/contract_testing.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <set>
#include <thread>

#include "base/random.h"

namespace firn::store {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const Deadline kNoDeadline = Deadline::Never();

Status PutText(ObjectStore& store, std::string_view key, std::string_view text,
               PutCondition condition = PutCondition::kNone) {
  return store.Put(key, AsBytes(text), condition, kNoDeadline);
}

#define ASSERT_OK(...)                                                        \
  do {                                                                        \
    const auto& firn_outcome = (__VA_ARGS__);                                 \
    ASSERT_TRUE(firn_outcome.has_value()) << firn_outcome.error().ToString(); \
  } while (false)

#define EXPECT_ERROR(expected_kind, ...)                                            \
  do {                                                                              \
    const auto& firn_outcome = (__VA_ARGS__);                                       \
    if (firn_outcome.has_value()) {                                                 \
      ADD_FAILURE() << "wanted " << InfoOf(expected_kind).name << ", got no error"; \
    } else {                                                                        \
      EXPECT_EQ(InfoOf(firn_outcome.error().kind).name, InfoOf(expected_kind).name) \
          << firn_outcome.error().ToString();                                       \
      EXPECT_FALSE(firn_outcome.error().message.empty());                           \
    }                                                                               \
  } while (false)

std::string ReadText(ObjectStore& store, const ReadRequest& request) {
  const Result<ReadResult> read = Read(store, request, kNoDeadline);
  return read ? std::string(read->bytes.chars()) : "error: " + read.error().ToString();
}

std::string RandomBytes(std::size_t size, std::uint64_t seed) {
  Random random(seed);
  std::string bytes;
  bytes.reserve(size + 8);
  while (bytes.size() < size) AppendLe(bytes, random.Next());
  bytes.resize(size);
  return bytes;
}

std::vector<std::string> KeysOf(const ListPage& page) {
  std::vector<std::string> keys;
  for (const ObjectInfo& object : page.objects) keys.push_back(object.key);
  return keys;
}

Deadline ExpiredDeadline() {
  static const ManualClock clock;
  return Deadline::After(clock, Duration::zero());
}

/// Puts one-byte objects from several threads, for stores that are far away.
void PutAll(ObjectStore& store, const std::vector<std::string>& keys) {
  std::atomic<std::size_t> next{0};
  std::vector<std::jthread> threads;
  for (int i = 0; i < 8; i++) {
    threads.emplace_back([&] {
      for (std::size_t at = next++; at < keys.size(); at = next++) {
        const Status status = PutText(store, keys[at], "x");
        EXPECT_TRUE(status) << keys[at] << ": " << status.error().ToString();
      }
    });
  }
}

std::string NumberedKey(std::string_view prefix, int number) {
  std::string digits = std::to_string(number);
  return std::string(prefix) + std::string(5 - digits.size(), '0') + digits;
}

constexpr std::array<std::string_view, 14> kBadKeys = {"",
                                                       "/",
                                                       "/a",
                                                       "a/",
                                                       "a//b",
                                                       ".",
                                                       "..",
                                                       "a/./b",
                                                       "a/../b",
                                                       "../a",
                                                       "../../etc/passwd",
                                                       "a/..",
                                                       "a\nb",
                                                       std::string_view("a\0b", 3)};

}  // namespace

void StoreContract::SetUp() {
  store_ = GetParam().make();
  if (!store_) GTEST_SKIP() << "no " << GetParam().name << " here";
}

TEST_P(StoreContract, WholeRangeAndTailReadsGiveTheirBytesAndTheObjectsSize) {
  ASSERT_OK(PutText(*store_, "a/letters", "abcdefghij"));
  for (const auto& [request, expected] :
       {std::pair(ReadRequest::Whole("a/letters"), "abcdefghij"),
        std::pair(ReadRequest::Range("a/letters", 0, 10), "abcdefghij"),
        std::pair(ReadRequest::Range("a/letters", 0, 1), "a"), std::pair(ReadRequest::Range("a/letters", 3, 4), "defg"),
        std::pair(ReadRequest::Range("a/letters", 9, 1), "j"), std::pair(ReadRequest::Range("a/letters", 4, 0), ""),
        std::pair(ReadRequest::Range("a/letters", 10, 0), ""), std::pair(ReadRequest::Tail("a/letters", 3), "hij"),
        std::pair(ReadRequest::Tail("a/letters", 10), "abcdefghij"),
        std::pair(ReadRequest::Tail("a/letters", 1000), "abcdefghij"),
        std::pair(ReadRequest::Tail("a/letters", 0), "")}) {
    const Result<ReadResult> read = Read(*store_, request, kNoDeadline);
    ASSERT_OK(read);
    EXPECT_EQ(read->bytes.chars(), expected) << request.offset << '+' << request.length;
    EXPECT_EQ(read->object_size_bytes, 10U) << request.offset << '+' << request.length;
  }
}

TEST_P(StoreContract, ARangePastTheEndIsInvalid) {
  ASSERT_OK(PutText(*store_, "ten", "abcdefghij"));
  for (const auto& [offset, length] : std::vector<std::pair<std::uint64_t, std::uint64_t>>{
           {0, 11}, {9, 2}, {10, 1}, {11, 1}, {1000, 5}, {5, UINT64_MAX}, {UINT64_MAX, 1}, {UINT64_MAX - 3, 10}}) {
    SCOPED_TRACE(std::to_string(offset) + "+" + std::to_string(length));
    EXPECT_ERROR(ErrorKind::kInvalidArgument, Read(*store_, ReadRequest::Range("ten", offset, length), kNoDeadline));
  }
  EXPECT_EQ(ReadText(*store_, ReadRequest::Whole("ten")), "abcdefghij");
}

TEST_P(StoreContract, AnEmptyObjectReadsAsEmpty) {
  ASSERT_OK(PutText(*store_, "empty", ""));
  for (const ReadRequest& request :
       {ReadRequest::Whole("empty"), ReadRequest::Tail("empty", 100), ReadRequest::Range("empty", 0, 0)}) {
    const Result<ReadResult> read = Read(*store_, request, kNoDeadline);
    ASSERT_OK(read);
    EXPECT_EQ(read->bytes.size(), 0U);
    EXPECT_EQ(read->object_size_bytes, 0U);
  }
  EXPECT_ERROR(ErrorKind::kInvalidArgument, Read(*store_, ReadRequest::Range("empty", 0, 1), kNoDeadline));
  const Result<ListPage> page = store_->List({}, kNoDeadline);
  ASSERT_OK(page);
  EXPECT_THAT(KeysOf(*page), ElementsAre("empty"));
  EXPECT_EQ(page->objects.at(0).size_bytes, 0U);
}

TEST_P(StoreContract, ABatchAnswersInOrderAndAFailureFailsOnlyItself) {
  ASSERT_OK(PutText(*store_, "one", "11"));
  ASSERT_OK(PutText(*store_, "two", "2222"));
  const std::vector<ReadRequest> requests = {ReadRequest::Tail("two", 1),      ReadRequest::Whole("missing"),
                                             ReadRequest::Whole("one"),        ReadRequest::Range("one", 1, 5),
                                             ReadRequest::Whole("../outside"), ReadRequest::Range("two", 0, 3),
                                             ReadRequest::Whole("one")};
  const std::vector<Result<ReadResult>> answers = store_->ReadMany(requests, kNoDeadline);
  ASSERT_EQ(answers.size(), requests.size());
  for (const std::size_t good : {0, 2, 5, 6}) ASSERT_OK(answers[good]);
  EXPECT_EQ(answers[0]->bytes.chars(), "2");
  EXPECT_ERROR(ErrorKind::kNotFound, answers[1]);
  EXPECT_EQ(answers[2]->bytes.chars(), "11");
  EXPECT_ERROR(ErrorKind::kInvalidArgument, answers[3]);
  EXPECT_ERROR(ErrorKind::kInvalidArgument, answers[4]);
  EXPECT_EQ(answers[5]->bytes.chars(), "222");
  EXPECT_EQ(answers[6]->bytes.chars(), "11");
  EXPECT_TRUE(store_->ReadMany({}, kNoDeadline).empty());
}

TEST_P(StoreContract, ReadsAndAListingOfOneRoundAnswerEachForItself) {
  for (const char* key : {"t/_firn/head", "t/_versions/1", "t/_versions/2"}) ASSERT_OK(PutText(*store_, key, key));
  const std::vector<ReadRequest> requests = {ReadRequest::Tail("t/_firn/head", 4), ReadRequest::Whole("missing"),
                                             ReadRequest::Range("t/_versions/1", 2, 3)};
  const ReadAndListResult both = store_->ReadManyAndList(requests, {.prefix = "t/_versions/", .limit = 1}, kNoDeadline);
  ASSERT_EQ(both.reads.size(), 3U);
  ASSERT_OK(both.reads[0]);
  EXPECT_EQ(both.reads[0]->bytes.chars(), "head");
  EXPECT_EQ(both.reads[0]->object_size_bytes, 12U);
  EXPECT_ERROR(ErrorKind::kNotFound, both.reads[1]);
  ASSERT_OK(both.reads[2]);
  EXPECT_EQ(both.reads[2]->bytes.chars(), "_ve");
  ASSERT_OK(both.list);
  EXPECT_THAT(KeysOf(*both.list), ElementsAre("t/_versions/1"));
  EXPECT_EQ(both.list->next_start_after, "t/_versions/1");

  const ReadAndListResult bad_list = store_->ReadManyAndList(requests, {.limit = 0}, kNoDeadline);
  ASSERT_EQ(bad_list.reads.size(), 3U);
  ASSERT_OK(bad_list.reads[0]);
  EXPECT_ERROR(ErrorKind::kInvalidArgument, bad_list.list);

  const ReadAndListResult no_reads = store_->ReadManyAndList({}, {.prefix = "t/_firn/"}, kNoDeadline);
  EXPECT_TRUE(no_reads.reads.empty());
  ASSERT_OK(no_reads.list);
  EXPECT_THAT(KeysOf(*no_reads.list), ElementsAre("t/_firn/head"));
}

TEST_P(StoreContract, ManySmallReadsOfOneObjectInOneBatch) {
  const std::string bytes = RandomBytes(100'000, 1);
  ASSERT_OK(PutText(*store_, "object", bytes));
  std::vector<ReadRequest> requests;
  for (std::uint64_t i = 0; i < 300; i++) requests.push_back(ReadRequest::Range("object", (i * 7919) % 99'000, 1 + i));
  const std::vector<Result<ReadResult>> answers = store_->ReadMany(requests, kNoDeadline);
  ASSERT_EQ(answers.size(), requests.size());
  for (std::size_t i = 0; i < answers.size(); i++) {
    ASSERT_OK(answers[i]);
    EXPECT_EQ(answers[i]->bytes.chars(), std::string_view(bytes).substr(requests[i].offset, requests[i].length));
  }
}

TEST_P(StoreContract, BytesReadOutliveOverwriteAndDelete) {
  const std::string bytes = RandomBytes(3 << 20, 2);
  ASSERT_OK(PutText(*store_, "object", bytes));
  const Result<ReadResult> read = Read(*store_, ReadRequest::Whole("object"), kNoDeadline);
  ASSERT_OK(read);
  ASSERT_OK(PutText(*store_, "object", "short"));
  ASSERT_OK(store_->Delete("object", kNoDeadline));
  EXPECT_TRUE(read->bytes.chars() == bytes);
}

TEST_P(StoreContract, PutOverwritesUnlessToldToPutIfAbsent) {
  ASSERT_OK(PutText(*store_, "k", "first"));
  ASSERT_OK(PutText(*store_, "k", "second, longer"));
  EXPECT_EQ(ReadText(*store_, ReadRequest::Whole("k")), "second, longer");
  ASSERT_OK(PutText(*store_, "k", "3"));
  EXPECT_EQ(ReadText(*store_, ReadRequest::Whole("k")), "3");
  EXPECT_ERROR(ErrorKind::kAlreadyExists, PutText(*store_, "k", "never", PutCondition::kIfAbsent));
  EXPECT_EQ(ReadText(*store_, ReadRequest::Whole("k")), "3");
  ASSERT_OK(PutText(*store_, "new", "made", PutCondition::kIfAbsent));
  EXPECT_EQ(ReadText(*store_, ReadRequest::Whole("new")), "made");
  ASSERT_OK(store_->Delete("new", kNoDeadline));
  ASSERT_OK(PutText(*store_, "new", "made again", PutCondition::kIfAbsent));
  EXPECT_EQ(ReadText(*store_, ReadRequest::Whole("new")), "made again");
}

TEST_P(StoreContract, PutIfAbsentHasExactlyOneWinnerAmongSixteenThreads) {
  constexpr int kRaces = 10;
  for (int race = 0; race < kRaces; race++) {
    const std::string key = NumberedKey("race/of/", race);
    std::atomic<int> winner{-1};
    std::atomic<int> winners{0};
    std::atomic<int> losers{0};
    std::atomic<bool> go{false};
    {
      std::vector<std::jthread> threads;
      for (int me = 0; me < 16; me++) {
        threads.emplace_back([&, me] {
          go.wait(false);
          const Status status = PutText(*store_, key, "writer " + std::to_string(me), PutCondition::kIfAbsent);
          if (status) {
            winner = me;
            winners++;
          } else if (status.error().kind == ErrorKind::kAlreadyExists) {
            losers++;
          } else {
            ADD_FAILURE() << status.error().ToString();
          }
        });
      }
      go = true;
      go.notify_all();
    }
    EXPECT_EQ(winners, 1);
    EXPECT_EQ(losers, 15);
    EXPECT_EQ(ReadText(*store_, ReadRequest::Whole(key)), "writer " + std::to_string(winner));
  }
}

TEST_P(StoreContract, DeleteRemovesAndDeletingNothingIsNoError) {
  ASSERT_OK(PutText(*store_, "deep/in/a/folder", "x"));
  ASSERT_OK(PutText(*store_, "deep/other", "x"));
  ASSERT_OK(store_->Delete("deep/in/a/folder", kNoDeadline));
  EXPECT_ERROR(ErrorKind::kNotFound, Read(*store_, ReadRequest::Whole("deep/in/a/folder"), kNoDeadline));
  ASSERT_OK(store_->Delete("deep/in/a/folder", kNoDeadline));
  ASSERT_OK(store_->Delete("never/was", kNoDeadline));
  ASSERT_OK(store_->Delete("deep", kNoDeadline));
  EXPECT_EQ(ReadText(*store_, ReadRequest::Whole("deep/other")), "x");
  ASSERT_OK(PutText(*store_, "deep/in/a/folder", "again"));
  EXPECT_EQ(ReadText(*store_, ReadRequest::Whole("deep/in/a/folder")), "again");
}

TEST_P(StoreContract, AFreshStoreIsEmpty) {
  const Result<ListPage> page = store_->List({}, kNoDeadline);
  ASSERT_OK(page);
  EXPECT_THAT(page->objects, IsEmpty());
  EXPECT_THAT(page->folders, IsEmpty());
  EXPECT_EQ(page->next_start_after, "");
  EXPECT_ERROR(ErrorKind::kNotFound, Read(*store_, ReadRequest::Whole("a"), kNoDeadline));
  EXPECT_ERROR(ErrorKind::kNotFound, Read(*store_, ReadRequest::Tail("a/b/c", 10), kNoDeadline));
  EXPECT_ERROR(ErrorKind::kNotFound, Read(*store_, ReadRequest::Range("a/b", 0, 1), kNoDeadline));
  EXPECT_FALSE(store_->Describe().empty());
}

TEST_P(StoreContract, ListsInByteOrderOfKeys) {
  // '-' < '/' < '0': a folder's keys stand between its neighbours, not where the folder's bare name would.
  const std::vector<std::string> in_order = {"a",
                                             "b-c",
                                             "b/a",
                                             "b/a.x/1",
                                             "b/a/1",
                                             "b/b",
                                             "b0",
                                             "b0/z",
                                             "bb",
                                             "c",
                                             "d/e/f/g",
                                             "\xC3\xA9",
                                             "\xF0\x9F\x8D\x82/leaf"};
  std::vector<std::string> keys = in_order;
  std::erase_if(keys, [](const std::string& key) { return key == "b/a" || key == "b0"; });  // a folder cannot hold both
  std::vector<std::string> shuffled(keys.rbegin(), keys.rend());
  for (const std::string& key : shuffled) ASSERT_OK(PutText(*store_, key, key));
  const Result<ListPage> page = store_->List({}, kNoDeadline);
  ASSERT_OK(page);
  EXPECT_EQ(KeysOf(*page), keys);
  for (const ObjectInfo& object : page->objects) EXPECT_EQ(object.size_bytes, object.key.size());
  const Result<ListPage> some = store_->List({.prefix = "b/a"}, kNoDeadline);
  ASSERT_OK(some);
  EXPECT_THAT(KeysOf(*some), ElementsAre("b/a.x/1", "b/a/1"));
  const Result<ListPage> none = store_->List({.prefix = "b/a/1/"}, kNoDeadline);
  ASSERT_OK(none);
  EXPECT_THAT(KeysOf(*none), IsEmpty());
}

TEST_P(StoreContract, ListsByFolder) {
  for (const char* key :
       {"t.lance/_versions/1", "t.lance/_versions/2", "t.lance/data/x", "u.lance/data/y", "readme", "a/b"}) {
    ASSERT_OK(PutText(*store_, key, "x"));
  }
  const Result<ListPage> top = store_->List({.by_folder = true}, kNoDeadline);
  ASSERT_OK(top);
  EXPECT_THAT(KeysOf(*top), ElementsAre("readme"));
  EXPECT_THAT(top->folders, ElementsAre("a/", "t.lance/", "u.lance/"));
  const Result<ListPage> inside = store_->List({.prefix = "t.lance/", .by_folder = true}, kNoDeadline);
  ASSERT_OK(inside);
  EXPECT_THAT(KeysOf(*inside), IsEmpty());
  EXPECT_THAT(inside->folders, ElementsAre("t.lance/_versions/", "t.lance/data/"));
  const Result<ListPage> half_a_name = store_->List({.prefix = "t.la", .by_folder = true}, kNoDeadline);
  ASSERT_OK(half_a_name);
  EXPECT_THAT(half_a_name->folders, ElementsAre("t.lance/"));
  const Result<ListPage> after_a_folder = store_->List({.start_after = "readme", .by_folder = true}, kNoDeadline);
  ASSERT_OK(after_a_folder);
  EXPECT_THAT(after_a_folder->folders, ElementsAre("t.lance/", "u.lance/"));
  // One entry a page: objects and folders come mixed, in order, each once.
  std::vector<std::string> paged;
  ListRequest request{.by_folder = true, .limit = 1};
  for (int pages = 0; pages < 10; pages++) {
    const Result<ListPage> page = store_->List(request, kNoDeadline);
    ASSERT_OK(page);
    ASSERT_LE(page->objects.size() + page->folders.size(), 1U);
    for (const ObjectInfo& object : page->objects) paged.push_back(object.key);
    for (const std::string& folder : page->folders) paged.push_back(folder);
    if (page->next_start_after.empty()) break;
    request.start_after = page->next_start_after;
  }
  EXPECT_THAT(paged, ElementsAre("a/", "readme", "t.lance/", "u.lance/"));
}

TEST_P(StoreContract, AFolderWithoutObjectsIsNotListed) {
  ASSERT_OK(PutText(*store_, "gone/deep/object", "x"));
  ASSERT_OK(PutText(*store_, "here/object", "x"));
  ASSERT_OK(store_->Delete("gone/deep/object", kNoDeadline));
  const Result<ListPage> page = store_->List({.by_folder = true}, kNoDeadline);
  ASSERT_OK(page);
  EXPECT_THAT(page->folders, ElementsAre("here/"));
}

TEST_P(StoreContract, ListsTwoAndAHalfThousandKeysInPages) {
  std::vector<std::string> keys;
  for (int i = 0; i < 2500; i++) keys.push_back(NumberedKey(i % 5 == 4 ? "many/x/" : "many/", i));
  PutAll(*store_, keys);
  std::ranges::sort(keys);

  const Result<ListPage> first = store_->List({.prefix = "many/"}, kNoDeadline);
  ASSERT_OK(first);
  EXPECT_EQ(first->objects.size(), 1000U);
  EXPECT_EQ(first->next_start_after, keys[999]);

  const Result<ListPage> all = ListAll(*store_, {.prefix = "many/"}, 2500, kNoDeadline);
  ASSERT_OK(all);
  EXPECT_EQ(KeysOf(*all), keys);
  EXPECT_ERROR(ErrorKind::kResourceExhausted, ListAll(*store_, {.prefix = "many/"}, 2499, kNoDeadline));

  const Result<ListPage> after =
      store_->List({.prefix = "many/", .start_after = keys[2397], .limit = 1000}, kNoDeadline);
  ASSERT_OK(after);
  EXPECT_EQ(KeysOf(*after), std::vector<std::string>(keys.begin() + 2398, keys.end()));
  EXPECT_EQ(after->next_start_after, "");
  const Result<ListPage> between =
      store_->List({.prefix = "many/", .start_after = keys[100] + "0", .limit = 3}, kNoDeadline);
  ASSERT_OK(between);
  EXPECT_THAT(KeysOf(*between), ElementsAre(keys[101], keys[102], keys[103]));
  for (const char* beyond : {"many/~", "many/x/~", "z", "many0"}) {
    const Result<ListPage> past = store_->List({.prefix = "many/x/", .start_after = beyond}, kNoDeadline);
    ASSERT_OK(past);
    EXPECT_THAT(KeysOf(*past), IsEmpty()) << beyond;
  }
  const Result<ListPage> before = store_->List({.prefix = "many/x/", .start_after = "a", .limit = 1}, kNoDeadline);
  ASSERT_OK(before);
  EXPECT_THAT(KeysOf(*before), ElementsAre("many/x/00004"));

  const Result<ListPage> by_folder = ListAll(*store_, {.prefix = "many/", .by_folder = true}, 5000, kNoDeadline);
  ASSERT_OK(by_folder);
  EXPECT_EQ(by_folder->objects.size(), 2000U);
  EXPECT_THAT(by_folder->folders, ElementsAre("many/x/"));
}

TEST_P(StoreContract, APageOfExactlyAllEntriesIsTheLast) {
  for (const char* key : {"p/1", "p/2", "p/3"}) ASSERT_OK(PutText(*store_, key, "x"));
  const Result<ListPage> page = store_->List({.prefix = "p/", .limit = 3}, kNoDeadline);
  ASSERT_OK(page);
  EXPECT_EQ(page->objects.size(), 3U);
  EXPECT_EQ(page->next_start_after, "");
  for (const std::uint32_t limit : {0U, 1001U}) {
    EXPECT_ERROR(ErrorKind::kInvalidArgument, store_->List({.limit = limit}, kNoDeadline));
  }
}

TEST_P(StoreContract, KeysMayHoldOddCharacters) {
  const std::vector<std::string> keys = {"with space",
                                         "a+b",
                                         "100%",
                                         "%41",
                                         "~tilde",
                                         "k=v/date=2024-01-01",
                                         "quote\"s'",
                                         "semi;colon",
                                         "amp&ersand",
                                         "<tag>",
                                         "ques?tion",
                                         "has#hash",
                                         "at@sign",
                                         "back\\slash",
                                         "(parens)[]{}",
                                         "star*",
                                         "...",
                                         "..a",
                                         "comma,",
                                         "dollar$",
                                         "e\xCC\x81",
                                         "\xE9\x9B\xAA/\xD1\x84\xD0\xB8\xD1\x80\xD0\xBD",
                                         "\xF0\x9F\x8F\x94",
                                         "_under-score",
                                         "colon:",
                                         "pipe|caret^`"};
  for (const std::string& key : keys) ASSERT_OK(PutText(*store_, "odd/" + key, key));
  for (const std::string& key : keys) EXPECT_EQ(ReadText(*store_, ReadRequest::Whole("odd/" + key)), key);
  std::vector<std::string> sorted;
  for (const std::string& key : keys) sorted.push_back("odd/" + key);
  std::ranges::sort(sorted);
  const Result<ListPage> page = store_->List({.prefix = "odd/"}, kNoDeadline);
  ASSERT_OK(page);
  EXPECT_EQ(KeysOf(*page), sorted);
  const Result<ListPage> some = store_->List({.prefix = "odd/k=v/", .start_after = "odd/a+b"}, kNoDeadline);
  ASSERT_OK(some);
  EXPECT_THAT(KeysOf(*some), ElementsAre("odd/k=v/date=2024-01-01"));
  for (const std::string& key : keys) ASSERT_OK(store_->Delete("odd/" + key, kNoDeadline));
  const Result<ListPage> none = store_->List({}, kNoDeadline);
  ASSERT_OK(none);
  EXPECT_THAT(KeysOf(*none), IsEmpty());
}

TEST_P(StoreContract, BadKeysAreRefusedByEveryCall) {
  std::vector<std::string> bad(kBadKeys.begin(), kBadKeys.end());
  bad.push_back(std::string(1025, 'k'));
  for (const std::string& key : bad) {
    SCOPED_TRACE(key.substr(0, 40));
    EXPECT_ERROR(ErrorKind::kInvalidArgument, Read(*store_, ReadRequest::Whole(key), kNoDeadline));
    EXPECT_ERROR(ErrorKind::kInvalidArgument, PutText(*store_, key, "x"));
    EXPECT_ERROR(ErrorKind::kInvalidArgument, PutText(*store_, key, "x", PutCondition::kIfAbsent));
    EXPECT_ERROR(ErrorKind::kInvalidArgument, store_->StartUpload(key, kNoDeadline));
    EXPECT_ERROR(ErrorKind::kInvalidArgument, store_->Delete(key, kNoDeadline));
  }
  for (const char* prefix : {"..", "../", "/", "a//", "./", "a/../../"}) {
    const Result<ListPage> page = store_->List({.prefix = prefix}, kNoDeadline);
    ASSERT_OK(page);
    EXPECT_THAT(page->objects, IsEmpty()) << prefix;
  }
}

TEST_P(StoreContract, AnExpiredDeadlineStopsEveryCallBeforeItDoesAnything) {
  ASSERT_OK(PutText(*store_, "old", "x"));
  Result<std::unique_ptr<Upload>> upload = store_->StartUpload("uploaded", kNoDeadline);
  ASSERT_OK(upload);
  ASSERT_OK((*upload)->Append(AsBytes("x"), kNoDeadline));
  const Deadline expired = ExpiredDeadline();
  const std::vector<ReadRequest> requests = {ReadRequest::Whole("old"), ReadRequest::Tail("old", 1)};
  for (const Result<ReadResult>& answer : store_->ReadMany(requests, expired)) {
    EXPECT_ERROR(ErrorKind::kDeadlineExceeded, answer);
  }
  EXPECT_ERROR(ErrorKind::kDeadlineExceeded, store_->Put("new", AsBytes("x"), PutCondition::kNone, expired));
  EXPECT_ERROR(ErrorKind::kDeadlineExceeded, store_->StartUpload("new", expired));
  EXPECT_ERROR(ErrorKind::kDeadlineExceeded, store_->List({}, expired));
  const ReadAndListResult both = store_->ReadManyAndList(requests, {}, expired);
  for (const Result<ReadResult>& answer : both.reads) EXPECT_ERROR(ErrorKind::kDeadlineExceeded, answer);
  EXPECT_EQ(both.reads.size(), 2U);
  EXPECT_ERROR(ErrorKind::kDeadlineExceeded, both.list);
  EXPECT_ERROR(ErrorKind::kDeadlineExceeded, store_->Delete("old", expired));
  EXPECT_ERROR(ErrorKind::kDeadlineExceeded, (*upload)->Finish(expired));
  upload->reset();
  const Result<ListPage> page = store_->List({}, kNoDeadline);
  ASSERT_OK(page);
  EXPECT_THAT(KeysOf(*page), ElementsAre("old"));
}

TEST_P(StoreContract, ACancelledCallStops) {
  ASSERT_OK(PutText(*store_, "k", "x"));
  const Deadline gone = kNoDeadline.WithCancel(std::make_shared<const std::atomic<bool>>(true));
  EXPECT_ERROR(ErrorKind::kDeadlineExceeded, Read(*store_, ReadRequest::Whole("k"), gone));
  EXPECT_ERROR(ErrorKind::kDeadlineExceeded, store_->Put("new", AsBytes("x"), PutCondition::kIfAbsent, gone));
}

TEST_P(StoreContract, UploadsOfAnySizeAppearWholeOnFinish) {
  const std::string big = RandomBytes(12 << 20, 3);
  for (const std::string_view bytes : {std::string_view(), std::string_view("1"), std::string_view(big)}) {
    SCOPED_TRACE(bytes.size());
    const std::string key = "uploads/" + std::to_string(bytes.size());
    Result<std::unique_ptr<Upload>> upload = store_->StartUpload(key, kNoDeadline);
    ASSERT_OK(upload);
    // Pieces of growing, uneven sizes: 1, 3, 9 ... bytes.
    for (std::size_t at = 0, piece = 1; at < bytes.size(); at += piece, piece *= 3) {
      ASSERT_OK((*upload)->Append(AsBytes(bytes.substr(at, piece)), kNoDeadline));
    }
    ASSERT_OK((*upload)->Append({}, kNoDeadline));
    EXPECT_ERROR(ErrorKind::kNotFound, Read(*store_, ReadRequest::Whole(key), kNoDeadline));
    ASSERT_OK((*upload)->Finish(kNoDeadline));
    const Result<ReadResult> read = Read(*store_, ReadRequest::Whole(key), kNoDeadline);
    ASSERT_OK(read);
    EXPECT_TRUE(read->bytes.chars() == bytes);
    EXPECT_EQ(read->object_size_bytes, bytes.size());
  }
}

TEST_P(StoreContract, AnUploadOverwrites) {
  ASSERT_OK(PutText(*store_, "k", "old"));
  Result<std::unique_ptr<Upload>> upload = store_->StartUpload("k", kNoDeadline);
  ASSERT_OK(upload);
  ASSERT_OK((*upload)->Append(AsBytes("new"), kNoDeadline));
  EXPECT_EQ(ReadText(*store_, ReadRequest::Whole("k")), "old");
  ASSERT_OK((*upload)->Finish(kNoDeadline));
  EXPECT_EQ(ReadText(*store_, ReadRequest::Whole("k")), "new");
}

TEST_P(StoreContract, AnAbortedUploadLeavesNothing) {
  const std::string big = RandomBytes(9 << 20, 4);
  {
    Result<std::unique_ptr<Upload>> upload = store_->StartUpload("aborted/upload", kNoDeadline);
    ASSERT_OK(upload);
    ASSERT_OK((*upload)->Append(AsBytes(big), kNoDeadline));
    const Result<ListPage> during = store_->List({}, kNoDeadline);
    ASSERT_OK(during);
    EXPECT_THAT(KeysOf(*during), IsEmpty());
  }
  EXPECT_ERROR(ErrorKind::kNotFound, Read(*store_, ReadRequest::Whole("aborted/upload"), kNoDeadline));
  const Result<ListPage> page = store_->List({.by_folder = true}, kNoDeadline);
  ASSERT_OK(page);
  EXPECT_THAT(page->objects, IsEmpty());
  EXPECT_THAT(page->folders, IsEmpty());
}

TEST_P(StoreContract, ATwentyMebibyteObjectComesBackWholeAndInParts) {
  const std::string big = RandomBytes(20 << 20, 5);
  ASSERT_OK(PutText(*store_, "big", big, PutCondition::kIfAbsent));
  const std::uint64_t odd = (3U << 20) + 12'345;
  const std::vector<ReadRequest> requests = {ReadRequest::Whole("big"), ReadRequest::Range("big", odd, 2 << 20),
                                             ReadRequest::Range("big", odd, 17), ReadRequest::Tail("big", odd),
                                             ReadRequest::Tail("big", 40)};
  const std::vector<Result<ReadResult>> answers = store_->ReadMany(requests, kNoDeadline);
  ASSERT_EQ(answers.size(), 5U);
  for (std::size_t i = 0; i < answers.size(); i++) {
    ASSERT_OK(answers[i]);
    const Result<ByteRange> range = RangeOf(requests[i], big.size());
    ASSERT_OK(range);
    EXPECT_TRUE(answers[i]->bytes.chars() == std::string_view(big).substr(range->offset, range->length)) << i;
    EXPECT_EQ(answers[i]->object_size_bytes, big.size());
  }
}

TEST_P(StoreContract, ReadersNeverSeeAHalfWrittenObject) {
  const std::string even(200'000, 'e');
  const std::string odd(150'000, 'o');
  ASSERT_OK(PutText(*store_, "k", even));
  std::atomic<bool> stop{false};
  std::jthread writer([&] {
    for (int i = 0; i < 40; i++) {
      const Status status = PutText(*store_, "k", i % 2 == 0 ? odd : even);
      EXPECT_TRUE(status) << status.error().ToString();
    }
    stop = true;
  });
  while (!stop) {
    const Result<ReadResult> read = Read(*store_, ReadRequest::Whole("k"), kNoDeadline);
    ASSERT_OK(read);
    ASSERT_TRUE(read->bytes.chars() == even || read->bytes.chars() == odd) << read->bytes.size();
  }
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(StoreContract);

}  // namespace firn::store
