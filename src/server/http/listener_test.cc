// The HTTP layer over loopback, with an application of plain functions behind it.
#include "server/http/listener.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>

#include "server/error_reply.h"
#include "server/http/raw_client_testing.h"

namespace firn::server {
namespace {

using ::testing::HasSubstr;
using testing::RawClient;
using testing::RawResponse;
using namespace std::chrono_literals;

/// A latch that both sides can wait for.
class Gate {
 public:
  void Open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  bool Wait() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 20s, [&] { return open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

/// Answers by path; keeps what became of every request.
class FakeApplication final : public Application {
 public:
  using Work = std::function<Response(const RequestHead&, const std::string& body, const Deadline& deadline)>;
  std::map<std::string, Work> work;
  std::optional<Response> refusal;
  std::uint64_t max_body_bytes = 1 << 20;

  std::unique_ptr<Exchange> Begin(RequestHead head) override {
    return std::make_unique<FakeExchange>(*this, std::move(head));
  }
  std::unique_ptr<Exchange> BeginMalformed(std::string) override {
    return std::make_unique<FakeExchange>(*this, RequestHead());
  }

  Outcome WaitForOutcome() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, 20s, [&] { return !outcomes_.empty(); });
    if (outcomes_.empty()) return {};
    const Outcome first = outcomes_.front();
    outcomes_.erase(outcomes_.begin());
    return first;
  }

 private:
  class FakeExchange final : public Exchange {
   public:
    FakeExchange(FakeApplication& application, RequestHead head) : application_(application), head_(std::move(head)) {}
    std::optional<Response> Refusal() override { return application_.refusal; }
    std::uint64_t MaxBodyBytes() const override { return application_.max_body_bytes; }
    bool Quick() const override { return head_.target.starts_with("/quick"); }
    void Accept(std::string body, std::shared_ptr<const std::atomic<bool>> hung_up) override {
      body_ = std::move(body);
      deadline_ = Deadline::Never().WithCancel(std::move(hung_up));
    }
    Response Run() override {
      const auto found = application_.work.find(head_.target);
      if (found != application_.work.end()) return found->second(head_, body_, deadline_);
      Response response;
      response.body = head_.method + " " + head_.target + " " + body_;
      return response;
    }
    Response Fail(const Error& error, int status) override { return ErrorReply(error, "id", status); }
    void Finished(const Outcome& outcome) override {
      const std::lock_guard lock(application_.mutex_);
      application_.outcomes_.push_back(outcome);
      application_.changed_.notify_all();
    }

   private:
    FakeApplication& application_;
    RequestHead head_;
    std::string body_;
    Deadline deadline_;
  };

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Outcome> outcomes_;
};

class ListenerTest : public ::testing::Test {
 protected:
  void Start() {
    options.check_interval = 5ms;
    auto started = Listener::Start(options, application, clock);
    ASSERT_TRUE(started) << started.error().ToString();
    listener = *std::move(started);
  }
  RawClient Connect() { return RawClient(listener->port()); }
  RawResponse Ask(std::string_view request) { return Connect().Ask(request); }
  /// Moves the clock until `done` holds: the server sees it at its next look at the timeouts.
  template <class Done>
  void AdvanceUntil(Duration step, const Done& done) {
    for (int i = 0; i < 2000 && !done(); i++) {
      clock.Advance(step);
      std::this_thread::sleep_for(5ms);
    }
  }

  ManualClock clock;
  FakeApplication application;
  ListenerOptions options;
  std::unique_ptr<Listener> listener;
};

TEST_F(ListenerTest, AnswersManyRequestsOnOneConnection) {
  Start();
  RawClient client = Connect();
  for (const char* path : {"/quick", "/worker"}) {
    for (int i = 0; i < 3; i++) {
      const RawResponse response = client.Ask(std::string("GET ") + path + " HTTP/1.1\r\nHost: h\r\n\r\n");
      EXPECT_EQ(response.status, 200);
      EXPECT_EQ(response.body, std::string("GET ") + path + " ");
      EXPECT_FALSE(response.HeaderOf("Date").empty());
    }
  }
  EXPECT_EQ(listener->Counts().accepted, 1);
}

TEST_F(ListenerTest, AnswersPipelinedRequestsInOrder) {
  Start();
  RawClient client = Connect();
  std::string requests;
  for (int i = 0; i < 20; i++) {
    requests += "POST " + std::string(i % 3 == 0 ? "/quick" : "/slow") + std::to_string(i) +
                " HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab";
  }
  ASSERT_TRUE(client.Send(requests));
  for (int i = 0; i < 20; i++) {
    EXPECT_EQ(client.Receive().body,
              "POST " + std::string(i % 3 == 0 ? "/quick" : "/slow") + std::to_string(i) + " ab");
  }
}

TEST_F(ListenerTest, ReadsAChunkedBodyInPieces) {
  Start();
  RawClient client = Connect();
  ASSERT_TRUE(client.Send("POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"));
  ASSERT_TRUE(client.Send("4;extension=1\r\nde"));
  ASSERT_TRUE(client.Send("fg\r\n0\r\n\r\n"));
  EXPECT_EQ(client.Receive().body, "POST /x abcdefg");
}

TEST_F(ListenerTest, ReadsALargeBodyWhole) {
  application.max_body_bytes = 64 << 20;
  application.work["/size"] = [](const RequestHead&, const std::string& body, const Deadline&) {
    Response response;
    response.body = std::to_string(body.size()) + std::string(1, body[12'345'678]);
    return response;
  };
  Start();
  std::string body(20'000'000, 'a');
  body[12'345'678] = 'b';
  EXPECT_EQ(Ask("POST /size HTTP/1.1\r\nHost: h\r\nContent-Length: 20000000\r\n\r\n" + body).body, "20000000b");
}

TEST_F(ListenerTest, SaysContinueToAClientThatAsksFirst) {
  Start();
  RawClient client = Connect();
  ASSERT_TRUE(client.Send("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"));
  EXPECT_EQ(client.Receive().status, 100);
  EXPECT_EQ(client.Ask("abc").body, "POST /x abc");
}

TEST_F(ListenerTest, HeadGetsTheHeadOfGetAndNoBody) {
  Start();
  RawClient client = Connect();
  ASSERT_TRUE(client.Send("HEAD /x HTTP/1.1\r\nHost: h\r\n\r\n"));
  const RawResponse head = client.Receive(true);
  EXPECT_EQ(head.HeaderOf("Content-Length"), "8");
  EXPECT_EQ(client.Ask("GET /y HTTP/1.1\r\nHost: h\r\n\r\n").body, "GET /y ");
}

TEST_F(ListenerTest, Http10ClosesAfterTheAnswer) {
  Start();
  RawClient client = Connect();
  EXPECT_EQ(client.Ask("GET /x HTTP/1.0\r\n\r\n").HeaderOf("Connection"), "close");
  EXPECT_TRUE(client.IsClosed());
}

TEST_F(ListenerTest, BytesThatAreNoHttpGetA400InJson) {
  Start();
  for (const std::string& request : std::vector<std::string>{
           "nonsense\r\n\r\n", "GET / HTTP/9.9\r\nHost: h\r\n\r\n", "GET /\r\n\r\n", "GET / HTTP/1.1\r\nHost h\r\n\r\n",
           "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
    RawClient client = Connect();
    const RawResponse response = client.Ask(request);
    EXPECT_EQ(response.status, 400) << request;
    EXPECT_THAT(response.body, HasSubstr("\"kind\":\"InvalidArgument\"")) << request;
    EXPECT_TRUE(client.IsClosed()) << request;
  }
}

TEST_F(ListenerTest, ARequestThatTwoServersCouldReadDifferentlyIsRefused) {
  Start();
  for (const std::string& framing : std::vector<std::string>{
           "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
           "Content-Length: 3\r\nContent-Length: 4\r\n", "Transfer-Encoding: gzip, chunked\r\n",
           "Transfer-Encoding: identity\r\n", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
           "Content-Length: +3\r\n", "Content-Length: 3, 3\r\n"}) {
    EXPECT_EQ(Ask("POST / HTTP/1.1\r\nHost: h\r\n" + framing + "\r\n0\r\n\r\n").status, 400) << framing;
  }
}

TEST_F(ListenerTest, AnEndlessHeaderIsCutOffWith431) {
  Start();
  RawClient client = Connect();
  ASSERT_TRUE(client.Send("GET / HTTP/1.1\r\nHost: h\r\nX: "));
  for (int i = 0; i < 40; i++) {
    if (!client.Send(std::string(1024, 'x'))) break;
  }
  const RawResponse response = client.Receive();
  EXPECT_EQ(response.status, 431);
  EXPECT_THAT(response.body, HasSubstr("16384"));
}

TEST_F(ListenerTest, ABodyOverTheLimitGets413ThatNamesTheLimitBeforeItIsSent) {
  Start();
  RawClient client = Connect();
  const RawResponse response = client.Ask("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999\r\n\r\n");
  EXPECT_EQ(response.status, 413);
  EXPECT_THAT(response.body, HasSubstr("1048576 bytes"));
  EXPECT_THAT(response.body, HasSubstr("ResourceExhausted"));
}

TEST_F(ListenerTest, AnEndlessChunkedBodyGets413) {
  Start();
  RawClient client = Connect();
  ASSERT_TRUE(client.Send("POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"));
  const std::string chunk = "10000\r\n" + std::string(0x10000, 'x') + "\r\n";
  for (int i = 0; i < 40; i++) {
    if (!client.Send(chunk)) break;
  }
  EXPECT_EQ(client.Receive().status, 413);
  EXPECT_EQ(listener->Counts().buffered_bytes, 0);
}

TEST_F(ListenerTest, BodiesTogetherHaveALimit) {
  options.max_buffered_bytes = 256 << 10;
  Start();
  const RawResponse response =
      Ask("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 500000\r\n\r\n" + std::string(500'000, 'x'));
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(response.HeaderOf("Retry-After"), "1");
}

TEST_F(ListenerTest, ARefusedRequestWithASmallBodyKeepsItsConnection) {
  application.refusal = ErrorReply(PermissionDenied("no"), "id", 401);
  Start();
  RawClient client = Connect();
  EXPECT_EQ(client.Ask("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc").status, 401);
  EXPECT_EQ(client.Ask("GET /x HTTP/1.1\r\nHost: h\r\n\r\n").status, 401);
  const RawResponse large = client.Ask("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n");
  EXPECT_EQ(large.status, 401);
  EXPECT_EQ(large.HeaderOf("Connection"), "close");
}

TEST_F(ListenerTest, ASlowHeaderGets408AndAnIdleConnectionIsClosed) {
  Start();
  RawClient slow = Connect();
  RawClient idle = Connect();
  ASSERT_EQ(idle.Ask("GET /x HTTP/1.1\r\nHost: h\r\n\r\n").status, 200);
  ASSERT_TRUE(slow.Send("GET / HTTP/1.1\r\nHo"));
  auto answer = std::async(std::launch::async, [&] { return slow.Receive(); });
  AdvanceUntil(1s, [&] { return answer.wait_for(0s) == std::future_status::ready; });
  EXPECT_EQ(answer.get().status, 408);
  AdvanceUntil(10s, [&] { return listener->Counts().open_connections == 0; });
  EXPECT_TRUE(idle.IsClosed());
}

TEST_F(ListenerTest, ASlowBodyGets408) {
  Start();
  RawClient client = Connect();
  ASSERT_TRUE(client.Send("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc"));
  auto answer = std::async(std::launch::async, [&] { return client.Receive(); });
  AdvanceUntil(1s, [&] { return answer.wait_for(0s) == std::future_status::ready; });
  EXPECT_EQ(answer.get().status, 408);
}

TEST_F(ListenerTest, AClientThatHangsUpCancelsTheDeadline) {
  Gate running, cancelled;
  application.work["/long"] = [&](const RequestHead&, const std::string&, const Deadline& deadline) {
    running.Open();
    while (!deadline.Expired()) std::this_thread::yield();
    cancelled.Open();
    return Response();
  };
  Start();
  RawClient client = Connect();
  ASSERT_TRUE(client.Send("GET /long HTTP/1.1\r\nHost: h\r\n\r\n"));
  ASSERT_TRUE(running.Wait());
  client.Close();
  EXPECT_TRUE(cancelled.Wait());
  EXPECT_TRUE(application.WaitForOutcome().client_gone);
}

Response Streamed(std::function<Status(BodyWriter&)> stream) {
  Response response;
  response.content_type = "text/plain";
  response.stream = std::move(stream);
  return response;
}

TEST_F(ListenerTest, AStreamedAnswerComesWholeAndInOrder) {
  application.work["/stream"] = [](const RequestHead&, const std::string&, const Deadline&) {
    return Streamed([](BodyWriter& writer) -> Status {
      for (int i = 0; i < 100'000; i++) FIRN_CHECK(writer.Write(std::to_string(i) + "\n"));
      return {};
    });
  };
  std::string expected;
  for (int i = 0; i < 100'000; i++) expected += std::to_string(i) + "\n";
  Start();
  RawClient client = Connect();
  const RawResponse response = client.Ask("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(response.HeaderOf("Transfer-Encoding"), "chunked");
  EXPECT_TRUE(response.whole);
  EXPECT_TRUE(response.body == expected);  // too long to print
  EXPECT_EQ(client.Ask("GET /y HTTP/1.1\r\nHost: h\r\n\r\n").body, "GET /y ");
  EXPECT_TRUE(Ask("GET /stream HTTP/1.0\r\n\r\n").body == expected);
}

TEST_F(ListenerTest, AStreamThatFailsAtOnceIsAnErrorAndOneThatFailsLaterIsNotWhole) {
  application.work["/first"] = [](const RequestHead&, const std::string&, const Deadline&) {
    return Streamed([](BodyWriter& writer) -> Status {
      FIRN_CHECK(writer.Write("a little"));
      return DataCorruption("bits are flipped");
    });
  };
  application.work["/later"] = [](const RequestHead&, const std::string&, const Deadline&) {
    return Streamed([](BodyWriter& writer) -> Status {
      // More than is held back for a slow client, so that some of it has left.
      for (int i = 0; i < 100; i++) FIRN_CHECK(writer.Write(std::string(100'000, 'x')));
      return DataCorruption("bits are flipped");
    });
  };
  Start();
  RawClient client = Connect();
  EXPECT_EQ(client.Ask("GET /first HTTP/1.1\r\nHost: h\r\n\r\n").status, 500);
  const RawResponse later = client.Ask("GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(later.status, 200);
  EXPECT_FALSE(later.whole);
}

TEST_F(ListenerTest, AStreamWaitsForAClientThatDoesNotReadAndGivesUpWithIt) {
  std::atomic<std::uint64_t> written{0};
  Gate ended;
  application.work["/endless"] = [&](const RequestHead&, const std::string&, const Deadline&) {
    return Streamed([&](BodyWriter& writer) -> Status {
      const std::string piece(100'000, 'x');
      while (true) {
        if (auto status = writer.Write(piece); !status) {
          ended.Open();
          return status;
        }
        written += piece.size();
      }
    });
  };
  Start();
  RawClient client = Connect();
  ASSERT_TRUE(client.Send("GET /endless HTTP/1.1\r\nHost: h\r\n\r\n"));
  // It stops when the sockets' buffers and the pipe are full: the same count at two looks.
  std::uint64_t before = 1;
  while (before != written || before == 0) {
    before = written;
    std::this_thread::sleep_for(100ms);
  }
  EXPECT_LT(written, 64U << 20);
  auto gave_up = std::async(std::launch::async, [&] { return ended.Wait(); });
  AdvanceUntil(1s, [&] { return gave_up.wait_for(0s) == std::future_status::ready; });
  EXPECT_TRUE(gave_up.get());
}

TEST_F(ListenerTest, AHandlerThatThrowsIsAnInternalErrorAndTheServerLives) {
  application.work["/throw"] = [](const RequestHead&, const std::string&, const Deadline&) -> Response {
    throw std::runtime_error("boom");
  };
  Start();
  RawClient client = Connect();
  EXPECT_EQ(client.Ask("GET /throw HTTP/1.1\r\nHost: h\r\n\r\n").status, 500);
  EXPECT_EQ(client.Ask("GET /x HTTP/1.1\r\nHost: h\r\n\r\n").status, 200);
}

TEST_F(ListenerTest, ConnectionsOverTheLimitWaitForTheirTurn) {
  options.max_connections = 1;
  Start();
  auto first = std::make_unique<RawClient>(listener->port());
  ASSERT_EQ(first->Ask("GET /x HTTP/1.1\r\nHost: h\r\n\r\n").status, 200);
  RawClient second = Connect();
  ASSERT_TRUE(second.Send("GET /y HTTP/1.1\r\nHost: h\r\n\r\n"));
  EXPECT_EQ(listener->Counts().open_connections, 1);
  first.reset();
  EXPECT_EQ(second.Receive().body, "GET /y ");
}

TEST_F(ListenerTest, AFullQueueAnswers503) {
  options.worker_threads = 1;
  options.max_queued_requests = 0;
  Gate running, go_on;
  application.work["/long"] = [&](const RequestHead&, const std::string&, const Deadline&) {
    running.Open();
    go_on.Wait();
    return Response();
  };
  Start();
  RawClient first = Connect();
  ASSERT_TRUE(first.Send("GET /long HTTP/1.1\r\nHost: h\r\n\r\n"));
  ASSERT_TRUE(running.Wait());
  EXPECT_EQ(Ask("GET /x HTTP/1.1\r\nHost: h\r\n\r\n").status, 503);
  EXPECT_EQ(Ask("GET /quick HTTP/1.1\r\nHost: h\r\n\r\n").status, 200);
  go_on.Open();
  EXPECT_EQ(first.Receive().status, 200);
}

TEST_F(ListenerTest, DrainFinishesWhatRunsClosesWhatIsIdleAndTakesNothingNew) {
  Gate running, go_on;
  application.work["/long"] = [&](const RequestHead&, const std::string&, const Deadline&) {
    running.Open();
    go_on.Wait();
    Response response;
    response.body = "done";
    return response;
  };
  Start();
  RawClient idle = Connect();
  ASSERT_EQ(idle.Ask("GET /x HTTP/1.1\r\nHost: h\r\n\r\n").status, 200);
  RawClient busy = Connect();
  ASSERT_TRUE(busy.Send("GET /long HTTP/1.1\r\nHost: h\r\n\r\n"));
  ASSERT_TRUE(running.Wait());
  auto drained = std::async(std::launch::async, [&] { return listener->Drain(20s); });
  EXPECT_TRUE(idle.IsClosed());
  RawClient late = Connect();
  EXPECT_FALSE(late.connected());
  go_on.Open();
  const RawResponse answer = busy.Receive();
  EXPECT_EQ(answer.body, "done");
  EXPECT_EQ(answer.HeaderOf("Connection"), "close");
  EXPECT_TRUE(drained.get());
}

TEST_F(ListenerTest, DrainGivesUpAtItsLimitAndStopCancelsTheRest) {
  Gate running;
  application.work["/long"] = [&](const RequestHead&, const std::string&, const Deadline& deadline) {
    running.Open();
    while (!deadline.Expired()) std::this_thread::yield();
    return Response();
  };
  Start();
  RawClient busy = Connect();
  ASSERT_TRUE(busy.Send("GET /long HTTP/1.1\r\nHost: h\r\n\r\n"));
  ASSERT_TRUE(running.Wait());
  EXPECT_FALSE(listener->Drain(10ms));
  listener->Stop();
  EXPECT_TRUE(busy.IsClosed());
}

TEST_F(ListenerTest, APortThatIsTakenIsUnavailableAndAHostThatIsNoneIsAnError) {
  Start();
  ListenerOptions same = options;
  same.port = listener->port();
  EXPECT_EQ(Listener::Start(same, application, clock).error().kind, ErrorKind::kUnavailable);
  same.host = "no.such.address";
  EXPECT_EQ(Listener::Start(same, application, clock).error().kind, ErrorKind::kInvalidArgument);
}

}  // namespace
}  // namespace firn::server
