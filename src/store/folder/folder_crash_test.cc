// What only a real process that really dies, or a really full disk, can show.

#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>  // NOLINT: kill
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <functional>
#include <thread>

#include "store/folder/folder_store.h"
#include "store/scratch_folder_testing.h"

namespace firn::store {
namespace {

constexpr std::size_t kObjectBytes = 20'000;

std::string NumberedObject(std::uint64_t number) {
  std::string bytes;
  while (bytes.size() < kObjectBytes) AppendLe(bytes, number);
  return bytes;
}

/// Puts objects 0, 1, 2 ... by all three ways of writing, and tells each number that is acknowledged to `acknowledged`.
[[noreturn]] void WriteUntilKilled(const std::string& root, std::uint64_t seed, int acknowledged) {
  Random random(seed);
  const std::unique_ptr<ObjectStore> store = OpenFolder(root, {}, random);
  const Deadline never = Deadline::Never();
  for (std::uint64_t number = 0;; number++) {
    const std::string bytes = NumberedObject(number);
    const std::string key =
        "run" + std::to_string(seed) + "/" + std::to_string(number % 3) + "/" + std::to_string(number);
    Status status;
    if (number % 3 == 2) {
      auto upload = store->StartUpload(key, never);
      if (!upload) _exit(1);
      for (std::size_t at = 0; at < bytes.size() && status; at += 4000) {
        status = (*upload)->Append(AsBytes(bytes).subspan(at, 4000), never);
      }
      if (status) status = (*upload)->Finish(never);
    } else {
      status = store->Put(key, AsBytes(bytes), number % 3 == 0 ? PutCondition::kIfAbsent : PutCondition::kNone, never);
    }
    if (!status || write(acknowledged, &number, sizeof number) != sizeof number) _exit(1);
  }
}

TEST(FolderCrash, AfterKillNineEveryObjectIsWholeAndEveryAcknowledgedOneIsThere) {
  const ScratchFolder scratch;
  const std::string root = scratch / "db";
  Random random(17);
  std::size_t whole = 0;
  for (std::uint64_t run = 0; run < 20; run++) {
    int pipe_ends[2];
    ASSERT_EQ(pipe(pipe_ends), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) WriteUntilKilled(root, run, pipe_ends[1]);
    close(pipe_ends[1]);
    // Let it acknowledge a few, then strike at a random moment of the next: the wait is the subject here.
    std::uint64_t last = 0;
    for (std::uint64_t seen = 0; seen < 4; seen++)
      ASSERT_EQ(read(pipe_ends[0], &last, sizeof last), ssize_t{sizeof last});
    std::this_thread::sleep_for(std::chrono::microseconds(random.Below(15'000)));
    kill(child, SIGKILL);
    int how = 0;
    waitpid(child, &how, 0);
    ASSERT_TRUE(WIFSIGNALED(how)) << "the writer failed by itself";
    while (read(pipe_ends[0], &last, sizeof last) == ssize_t{sizeof last}) {
    }
    close(pipe_ends[0]);

    const std::unique_ptr<ObjectStore> store = OpenFolder(root, {}, random);
    const std::string prefix = "run" + std::to_string(run) + "/";
    const Result<ListPage> page = ListAll(*store, {.prefix = prefix}, 100'000, Deadline::Never());
    ASSERT_TRUE(page) << page.error().ToString();
    EXPECT_GE(page->objects.size(), last + 1);
    EXPECT_LE(page->objects.size(), last + 2);
    for (const ObjectInfo& object : page->objects) {
      const std::string digits = object.key.substr(object.key.rfind('/') + 1);
      std::uint64_t number = 0;
      ASSERT_EQ(std::from_chars(digits.data(), digits.data() + digits.size(), number).ec, std::errc()) << object.key;
      const Result<ReadResult> read = Read(*store, ReadRequest::Whole(object.key), Deadline::Never());
      ASSERT_TRUE(read) << read.error().ToString();
      ASSERT_TRUE(read->bytes.chars() == NumberedObject(number)) << object.key;
      whole++;
    }
  }
  EXPECT_GE(whole, 20U * 4U);
}

/// Runs `body` in a process of its own; its exit status. 77 = cannot be tried here.
int InChild(const std::function<int()>& body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int how = 0;
  waitpid(child, &how, 0);
  return WIFEXITED(how) ? WEXITSTATUS(how) : -1;
}

TEST(FolderCrash, AFullDiskIsResourceExhaustedAndLeavesTheStoreAsItWas) {
  const ScratchFolder scratch;
  const int outcome = InChild([&] {
    if (unshare(CLONE_NEWNS) != 0 || mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("tmpfs", scratch.path().c_str(), "tmpfs", 0, "size=256k") != 0) {
      return 77;
    }
    Random random(1);
    const std::unique_ptr<ObjectStore> store = OpenFolder(scratch / "db", {}, random);
    const Deadline never = Deadline::Never();
    if (!store->Put("a/small", AsBytes("x"), PutCondition::kNone, never)) return 1;
    const Status put = store->Put("b/big", AsBytes(std::string(1 << 20, 'x')), PutCondition::kIfAbsent, never);
    if (put || put.error().kind != ErrorKind::kResourceExhausted) return 2;
    if (put.error().message.find(scratch.path().string()) == std::string::npos) return 3;
    const Result<ListPage> page = store->List({}, never);
    if (!page || page->objects.size() != 1) return 4;
    // The half-written file gave its room back.
    return store->Put("b/fits", AsBytes(std::string(100'000, 'x')), PutCondition::kIfAbsent, never) ? 0 : 5;
  });
  if (outcome == 77) GTEST_SKIP() << "may not mount here";
  EXPECT_EQ(outcome, 0);
}

TEST(FolderCrash, AFolderThatMayNotBeWrittenIsPermissionDenied) {
  const ScratchFolder scratch;
  std::filesystem::permissions(scratch.path(), std::filesystem::perms(0555));
  const int outcome = InChild([&] {
    if (geteuid() == 0 && setuid(65'534) != 0) return 77;
    Random random(1);
    const std::unique_ptr<ObjectStore> store = OpenFolder(scratch.path().string(), {}, random);
    const Status put = store->Put("a", AsBytes("x"), PutCondition::kNone, Deadline::Never());
    if (put || put.error().kind != ErrorKind::kPermissionDenied) return 1;
    return put.error().message.find(scratch.path().string()) == std::string::npos ? 2 : 0;
  });
  std::filesystem::permissions(scratch.path(), std::filesystem::perms(0755));
  if (outcome == 77) GTEST_SKIP() << "may not become another user here";
  EXPECT_EQ(outcome, 0);
}

}  // namespace
}  // namespace firn::store
