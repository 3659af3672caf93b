#include "store/s3/versitygw_testing.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <thread>
#include <vector>

#include "store/s3/child_process.h"
#include "store/s3/s3_bucket.h"

namespace firn::store::testing {
namespace {

namespace fs = std::filesystem;

constexpr auto kStartTime = std::chrono::seconds(30);
constexpr int kMaxLaunches = 5;

std::string Get(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

Result<std::string> FindProgram() {
  std::vector<std::string> candidates = {Get("FIRN_VERSITYGW")};
  const std::string path = Get("PATH");
  for (std::size_t at = 0; at < path.size();) {
    const std::size_t end = std::min(path.find(':', at), path.size());
    candidates.push_back(path.substr(at, end - at) + "/versitygw");
    at = end + 1;
  }
  if (auto go = RunCommand("go env GOPATH", Deadline::After(SystemClock(), kStartTime))) {
    while (go->ends_with('\n')) go->pop_back();
    candidates.push_back(*go + "/bin/versitygw");
  }
  candidates.push_back(Get("HOME") + "/go/bin/versitygw");
  for (const std::string& candidate : candidates) {
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return NotFound("versitygw, the S3 server that these tests run against, is not installed",
                  "Run `./dev deps test` and name build/tools/versitygw in FIRN_VERSITYGW, or just run `./dev test`");
}

std::uint16_t FreePort() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ::bind(socket, reinterpret_cast<sockaddr*>(&address), size);
  ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(socket);
  return ntohs(address.sin_port);
}

}  // namespace

Environment NoEnvironment() {
  return [](std::string_view) { return std::optional<std::string>(); };
}

StoreContext TestContext(Environment environment) {
  static Random random(1);
  static Log log(LogLevel::kOff);
  return StoreContext{SystemClock(), random, log, std::move(environment)};
}

Result<std::unique_ptr<VersityGateway>> VersityGateway::Start(const TlsFiles& tls) {
  FIRN_TRY(const std::string program, FindProgram());
  std::unique_ptr<VersityGateway> gateway(new VersityGateway);
  Status healthy;
  // Somebody else may take the free port first.
  for (int launch = 0; launch < kMaxLaunches; ++launch) {
    FIRN_CHECK(gateway->Launch(program, tls));
    healthy = gateway->AwaitHealth();
    if (healthy) return gateway;
  }
  return std::move(healthy).error();
}

VersityGateway* VersityGateway::Shared() {
  static const Result<std::unique_ptr<VersityGateway>> shared = Start();
  if (shared) return shared->get();
  [] { FAIL() << shared.error().ToString(); }();  // fatal: the test's body must not run without its server
  return nullptr;
}

VersityGateway::~VersityGateway() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  std::error_code ignored;
  if (!folder_.empty()) fs::remove_all(folder_, ignored);
}

Status VersityGateway::Launch(const std::string& program, const TlsFiles& tls) {
  if (folder_.empty()) {
    std::string name = (fs::temp_directory_path() / "firn-versitygw-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) return Unavailable("no temporary folder for versitygw");
    folder_ = name;
    fs::create_directory(folder_ + "/objects");
  }
  tls_ = !tls.certificate.empty();
  port_ = FreePort();
  std::vector<std::string> arguments = {program,      "--access", "testkey",  "--secret",
                                        "testsecret", "--region", "us-east-1"};
  arguments.insert(arguments.end(),
                   {"--port", "127.0.0.1:" + std::to_string(port_), "--health", "/_health", "--keep-alive", "--quiet",
                    "--virtual-domain", "localhost:" + std::to_string(port_)});
  if (tls_) arguments.insert(arguments.end(), {"--cert", tls.certificate, "--key", tls.key});
  arguments.insert(arguments.end(), {"posix", folder_ + "/objects"});
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const std::string log = folder_ + "/log";

  pid_ = ::fork();
  if (pid_ < 0) return Unavailable("versitygw cannot be started");
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a crashed test leaves no server behind
    const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::dup2(out, STDOUT_FILENO);
    ::dup2(out, STDERR_FILENO);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  return {};
}

Status VersityGateway::AwaitHealth() const {
  HttpClientOptions options;
  options.tls_roots.file = tls_ ? folder_ + "/none" : "";
  HttpClient client(options, SystemClock());
  const Deadline deadline = Deadline::After(SystemClock(), kStartTime);
  HttpRequest request;
  request.endpoint = {false, "127.0.0.1", port_};
  request.target = "/_health";
  while (!deadline.Expired()) {
    const Result<HttpResponse> answer = client.Send(request, deadline);
    // Behind TLS, any answer to a plain request shows that somebody is there.
    if (answer && (tls_ || answer->status == 200)) return {};
    if (tls_ && answer.error().message.find("cannot connect") == std::string::npos) return {};
    if (::waitpid(pid_, nullptr, WNOHANG) != 0) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return Unavailable("versitygw does not answer; its log is in " + folder_);
}

StoreOptions VersityGateway::Options(const std::string& host) const {
  StoreOptions options;
  options.endpoint = (tls_ ? "https://" : "http://") + host + ":" + std::to_string(port_);
  options.region = "us-east-1";
  options.access_key_id = "testkey";
  options.secret_access_key = "testsecret";
  return options;
}

Status VersityGateway::MakeBucket(const std::string& bucket, const StoreContext& context) const {
  FIRN_TRY(const auto to, S3Bucket::Open(bucket, Options(), context));
  S3Call call;
  call.method = "PUT";
  FIRN_TRY(const HttpResponse answer, to->Send(std::move(call), Deadline::Never()));
  if (answer.status != 200) return to->ToError(answer, "make the bucket");
  return {};
}

Result<std::string> VersityGateway::MakeFreshBucket() {
  const std::string bucket = "bucket-" + std::to_string(buckets_++);
  FIRN_CHECK(MakeBucket(bucket));
  return bucket;
}

}  // namespace firn::store::testing
