#include "store/folder/folder_store.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "store/folder/file.h"
#include "store/folder/staged_file.h"
#include "store/scratch_folder_testing.h"

namespace firn::store {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class FolderStore : public testing::Test {
 protected:
  Status Put(std::string_view key, std::string_view text, PutCondition condition = PutCondition::kNone) {
    return store_->Put(key, AsBytes(text), condition, Deadline::Never());
  }
  Result<ReadResult> Whole(std::string key) {
    return Read(*store_, ReadRequest::Whole(std::move(key)), Deadline::Never());
  }
  std::vector<std::string> Keys(const ListRequest& request = {}) {
    const Result<ListPage> page = store_->List(request, Deadline::Never());
    EXPECT_TRUE(page) << page.error().ToString();
    std::vector<std::string> keys;
    if (!page) return keys;
    for (const ObjectInfo& object : page->objects) keys.push_back(object.key);
    return keys;
  }
  static void WriteFile(const fs::path& path, std::string_view text) {
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
  }

  ScratchFolder scratch_;
  const fs::path root_ = scratch_ / "not/there/yet";
  Random random_{1};
  std::unique_ptr<ObjectStore> store_ = OpenFolder(root_.string(), {}, random_);
};

TEST_F(FolderStore, AnAbsentRootListsAsEmptyAndTheFirstWriteMakesIt) {
  EXPECT_THAT(Keys(), ElementsAre());
  EXPECT_EQ(Whole("a").error().kind, ErrorKind::kNotFound);
  EXPECT_TRUE(store_->Delete("a/b", Deadline::Never()));
  EXPECT_FALSE(fs::exists(root_));
  ASSERT_TRUE(Put("a/b/c", "x"));
  EXPECT_THAT(Keys(), ElementsAre("a/b/c"));
  EXPECT_TRUE(fs::is_regular_file(root_ / "a/b/c"));
}

TEST_F(FolderStore, WritesLeaveNoTemporaryFiles) {
  ASSERT_TRUE(Put("a", "1"));
  ASSERT_TRUE(Put("a", "2"));
  ASSERT_TRUE(Put("b", "1", PutCondition::kIfAbsent));
  ASSERT_FALSE(Put("b", "2", PutCondition::kIfAbsent));
  {
    ASSERT_TRUE(store_->StartUpload("c", Deadline::Never()));
  }
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(root_)) names.push_back(entry.path().filename());
  std::ranges::sort(names);
  EXPECT_THAT(names, ElementsAre("a", "b"));
}

TEST_F(FolderStore, TemporaryFilesAreNeitherListedNorReachable) {
  ASSERT_TRUE(Put("t/a", "x"));
  WriteFile(root_ / "t/.firn-tmp-0123456789abcdef", "garbage");
  WriteFile(root_ / "only/.firn-tmp-0123456789abcdef", "garbage");
  EXPECT_THAT(Keys(), ElementsAre("t/a"));
  const Result<ListPage> page = store_->List({.by_folder = true}, Deadline::Never());
  ASSERT_TRUE(page);
  EXPECT_THAT(page->folders, ElementsAre("t/"));
  EXPECT_EQ(Whole("t/.firn-tmp-0123456789abcdef").error().kind, ErrorKind::kInvalidArgument);
  EXPECT_EQ(Put("t/.firn-tmp-x", "x").error().kind, ErrorKind::kInvalidArgument);
}

TEST_F(FolderStore, BigPartsAreMappedAndOutliveTheStore) {
  std::string bytes(3 * kMapBytes + 777, '\0');
  for (std::size_t i = 0; i < bytes.size(); i++) bytes[i] = static_cast<char>(i * 31 + i / 4096);
  ASSERT_TRUE(Put("big", bytes));
  const Result<ReadResult> odd = Read(*store_, ReadRequest::Range("big", 4097, 2 * kMapBytes), Deadline::Never());
  ASSERT_TRUE(odd) << odd.error().ToString();
  const Result<ReadResult> whole = Whole("big");
  ASSERT_TRUE(whole);
  std::string maps;
  {
    std::ifstream file("/proc/self/maps");
    maps.assign(std::istreambuf_iterator<char>(file), {});
  }
  EXPECT_THAT(maps, HasSubstr((root_ / "big").string()));
  store_.reset();
  fs::remove(root_ / "big");
  EXPECT_TRUE(odd->bytes.chars() == std::string_view(bytes).substr(4097, 2 * kMapBytes));
  EXPECT_TRUE(whole->bytes.chars() == bytes);
}

TEST_F(FolderStore, AFileAndAFolderOfOneNameAreRefusedWithTheReason) {
  ASSERT_TRUE(Put("a", "x"));
  ASSERT_TRUE(Put("d/e", "x"));
  const Status below = Put("a/b", "x");
  ASSERT_FALSE(below);
  EXPECT_EQ(below.error().kind, ErrorKind::kInvalidArgument);
  EXPECT_THAT(below.error().message, HasSubstr((root_ / "a").string()));
  EXPECT_EQ(Put("d", "x").error().kind, ErrorKind::kInvalidArgument);
  EXPECT_EQ(Put(std::string(300, 'n'), "x").error().kind, ErrorKind::kInvalidArgument);
  EXPECT_EQ(Whole("a/b").error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(Whole("d").error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(Whole(std::string(300, 'n')).error().kind, ErrorKind::kNotFound);
  EXPECT_TRUE(store_->Delete("a/b", Deadline::Never()));
  EXPECT_THAT(Keys(), ElementsAre("a", "d/e"));
}

TEST_F(FolderStore, DeleteRemovesTheFoldersThatItEmpties) {
  ASSERT_TRUE(Put("t/a/b/c", "x"));
  ASSERT_TRUE(Put("t/d", "x"));
  ASSERT_TRUE(store_->Delete("t/a/b/c", Deadline::Never()));
  EXPECT_FALSE(fs::exists(root_ / "t/a"));
  EXPECT_TRUE(fs::exists(root_ / "t/d"));
  ASSERT_TRUE(store_->Delete("t/d", Deadline::Never()));
  EXPECT_FALSE(fs::exists(root_ / "t"));
  EXPECT_TRUE(fs::exists(root_));
  ASSERT_TRUE(Put("t/a/b/c", "again"));
}

TEST_F(FolderStore, WritesSurviveDeletesThatRemoveTheirFolder) {
  const std::unique_ptr<ObjectStore> other = OpenFolder(root_.string(), {.sync = false}, random_);
  std::atomic<bool> stop{false};
  std::jthread deleter([&] {
    while (!stop) EXPECT_TRUE(other->Delete("x/y/z", Deadline::Never()));
  });
  const std::unique_ptr<ObjectStore> writer = OpenFolder(root_.string(), {.sync = false}, random_);
  for (int i = 0; i < 500; i++) {
    const Status status = writer->Put("x/y/z", AsBytes("x"), PutCondition::kNone, Deadline::Never());
    EXPECT_TRUE(status) << status.error().ToString();
  }
  stop = true;
}

TEST_F(FolderStore, SymbolicLinksInsideAreFollowedButNeverInACircle) {
  ASSERT_TRUE(Put("real/object", "x"));
  fs::create_directory_symlink(root_ / "real", root_ / "link");
  fs::create_directory_symlink(root_, root_ / "real/circle");
  fs::create_symlink(root_ / "nowhere", root_ / "dangling");
  EXPECT_THAT(Keys(), ElementsAre("link/object", "real/object"));
  EXPECT_EQ(Whole("link/object")->bytes.chars(), "x");
}

TEST_F(FolderStore, WhatIsNoFileIsNoObject) {
  ASSERT_TRUE(Put("object", "x"));
  ASSERT_EQ(mkfifo((root_ / "pipe").c_str(), 0600), 0);
  WriteFile(root_ / "new\nline", "x");
  EXPECT_THAT(Keys(), ElementsAre("object"));
  EXPECT_EQ(Whole("pipe").error().kind, ErrorKind::kNotFound);
}

TEST_F(FolderStore, ListsAFolderOfManyFilesInOrder) {
  fs::create_directories(root_ / "many");
  for (int i = 0; i < 20'000; i++) {
    // A scrambled order of creation.
    close(creat((root_ / "many" / std::to_string(100'000 + (i * 7919) % 20'000)).c_str(), 0600));
  }
  const Result<ListPage> all = ListAll(*store_, {.prefix = "many/"}, 20'000, Deadline::Never());
  ASSERT_TRUE(all) << all.error().ToString();
  ASSERT_EQ(all->objects.size(), 20'000U);
  for (std::size_t i = 0; i < all->objects.size(); i++) {
    ASSERT_EQ(all->objects[i].key, "many/" + std::to_string(100'000 + i));
  }
}

TEST_F(FolderStore, ListingSkipsEmptyFoldersHoweverMany) {
  for (int i = 0; i < 2'000; i++) fs::create_directories(root_ / "a" / std::to_string(i));
  ASSERT_TRUE(Put("b", "x"));
  EXPECT_THAT(Keys({.limit = 1}), ElementsAre("b"));
  const Result<ListPage> page = store_->List({.by_folder = true, .limit = 5}, Deadline::Never());
  ASSERT_TRUE(page);
  EXPECT_TRUE(page->folders.empty());
  ASSERT_TRUE(Put("a/77/deep/object", "x"));
  EXPECT_THAT(Keys(), ElementsAre("a/77/deep/object", "b"));
}

TEST_F(FolderStore, ARootThatIsAFileIsAnErrorThatSaysSo) {
  WriteFile(root_, "I am a file");
  const Status put = Put("a", "x");
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().kind, ErrorKind::kInvalidArgument) << put.error().ToString();
  const Result<ListPage> page = store_->List({}, Deadline::Never());
  ASSERT_FALSE(page);
  EXPECT_EQ(page.error().kind, ErrorKind::kInvalidArgument);
}

TEST(FileErrors, SayWhatAndWhereAndWhatToDo) {
  const Error full = FileError(ENOSPC, "write", "/data/t/1");
  EXPECT_EQ(full.kind, ErrorKind::kResourceExhausted);
  EXPECT_THAT(full.message, HasSubstr("/data/t/1"));
  EXPECT_THAT(full.hint, HasSubstr("disk is full"));
  EXPECT_EQ(FileError(EACCES, "write", "x").kind, ErrorKind::kPermissionDenied);
  EXPECT_EQ(FileError(EROFS, "write", "x").kind, ErrorKind::kPermissionDenied);
  EXPECT_EQ(FileError(EIO, "write", "x").kind, ErrorKind::kUnavailable);
  EXPECT_EQ(FileError(ENOENT, "read", "x").kind, ErrorKind::kNotFound);
}

}  // namespace
}  // namespace firn::store
