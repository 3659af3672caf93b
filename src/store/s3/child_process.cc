#include "store/s3/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <thread>

extern char** environ;

namespace firn::store {
namespace {

constexpr std::size_t kMaxOutputBytes = 64u << 10;
constexpr int kPollMs = 10;  // a cancel flag cannot wake poll

Error Failed(std::string_view why) {
  return PermissionDenied("the credential_process of the AWS profile " + std::string(why),
                          "Run it by hand to see what it says");
}

/// A child and the end of the pipe that it writes to. Kills and reaps it unless Wait has.
class Child {
 public:
  Child(pid_t pid, int output) : pid_(pid), output_(output) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    ::close(output_);
    if (pid_ < 0) return;
    ::kill(-pid_, SIGKILL);
    int status;
    ::waitpid(pid_, &status, 0);
  }

  Result<std::string> ReadAll(const Deadline& deadline) {
    std::string printed;
    std::array<char, 4096> bytes;
    while (true) {
      FIRN_CHECK(deadline.Check("the credential_process of the AWS profile"));
      pollfd readable{output_, POLLIN, 0};
      if (::poll(&readable, 1, kPollMs) <= 0) continue;
      const auto n = ::read(output_, bytes.data(), bytes.size());
      if (n == 0) return printed;
      if (n < 0) return Failed("cannot be read");
      printed.append(bytes.data(), static_cast<std::size_t>(n));
      if (printed.size() > kMaxOutputBytes) return Failed("prints more than 64 KiB");
    }
  }

  Status Wait(const Deadline& deadline) {
    int status = 0;
    while (::waitpid(pid_, &status, WNOHANG) == 0) {
      FIRN_CHECK(deadline.Check("the credential_process of the AWS profile"));
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    pid_ = -1;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return Failed("failed");
    return {};
  }

 private:
  pid_t pid_;
  const int output_;
};

}  // namespace

Result<std::string> RunCommand(const std::string& command, const Deadline& deadline) {
  std::array<int, 2> pipe_ends;
  if (::pipe2(pipe_ends.data(), O_CLOEXEC) != 0) return Failed("cannot be started");

  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, pipe_ends[1], STDOUT_FILENO);
  ::posix_spawnattr_init(&attributes);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);  // a group of its own, to be killed as one
  ::posix_spawnattr_setpgroup(&attributes, 0);

  std::string shell = "/bin/sh";
  std::string flag = "-c";
  std::string text = command;
  std::array<char*, 4> arguments = {shell.data(), flag.data(), text.data(), nullptr};
  pid_t pid = -1;
  const int failed = ::posix_spawn(&pid, shell.c_str(), &actions, &attributes, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  ::close(pipe_ends[1]);
  if (failed != 0) {
    ::close(pipe_ends[0]);
    return Failed("cannot be started");
  }

  Child child(pid, pipe_ends[0]);
  FIRN_TRY(std::string printed, child.ReadAll(deadline));
  FIRN_CHECK(child.Wait(deadline));
  return printed;
}

}  // namespace firn::store
