#include "store/http/http_client.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "store/http/scripted_server_testing.h"

namespace firn::store {
namespace {

using testing::Reply;
using testing::ScriptedServer;
using testing::SeenRequest;

HttpRequest Get(const ScriptedServer& server, std::string target = "/") {
  HttpRequest request;
  request.endpoint = server.endpoint();
  request.target = std::move(target);
  return request;
}

/// Lets a manual clock run, a second at a time, from the first request to the end of the test.
class TimePasses {
 public:
  TimePasses(ManualClock& clock, const ScriptedServer& server)
      : thread_([this, &clock, &server] {
          server.AwaitRequests(1);
          while (!over_) {
            clock.Advance(std::chrono::seconds(1));
            std::this_thread::yield();
          }
        }) {}
  ~TimePasses() {
    over_ = true;
    thread_.join();
  }

 private:
  std::atomic<bool> over_ = false;
  std::thread thread_;
};

HttpClientOptions Connections(std::uint32_t limit) {
  HttpClientOptions options;
  options.max_connections = limit;
  return options;
}

TEST(HttpClient, SendsTheRequestAsGivenAndReturnsTheAnswer) {
  ScriptedServer server([](const SeenRequest&) { return Reply::Of(201, "hello", "X-Word: a b\r\n"); });
  HttpClient client({}, SystemClock());
  HttpRequest request = Get(server, "/a%20b?c=d");
  request.method = "PUT";
  request.headers = {{"X-Mine", "1"}};
  request.body = Buffer::Of(std::string(1 << 20, 'x'));
  const auto response = client.Send(request, Deadline::Never());
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->status, 201);
  EXPECT_EQ(response->body.chars(), "hello");
  EXPECT_EQ(response->Header("x-word"), "a b");
  const SeenRequest seen = server.seen().at(0);
  EXPECT_EQ(seen.method, "PUT");
  EXPECT_EQ(seen.target, "/a%20b?c=d");
  EXPECT_EQ(seen.Header("Host"), server.endpoint().Authority());
  EXPECT_EQ(seen.Header("x-mine"), "1");
  EXPECT_EQ(seen.body.size(), 1u << 20);
}

TEST(HttpClient, KeepsItsConnection) {
  ScriptedServer server([](const SeenRequest&) { return Reply::Of(200, "ok"); });
  HttpClient client({}, SystemClock());
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(client.Send(Get(server), Deadline::Never()));
  EXPECT_EQ(server.connections(), 1);
}

TEST(HttpClient, DropsAConnectionThatWasIdleTooLong) {
  ScriptedServer server([](const SeenRequest&) { return Reply::Of(200, "ok"); });
  ManualClock clock;
  HttpClient client({}, clock);
  ASSERT_TRUE(client.Send(Get(server), Deadline::Never()));
  clock.Advance(std::chrono::minutes(1));
  ASSERT_TRUE(client.Send(Get(server), Deadline::Never()));
  EXPECT_EQ(server.connections(), 2);
}

TEST(HttpClient, SendsAllAtOnceWithinItsConnectionLimitAndAnswersInOrder) {
  std::atomic<int> inside = 0;
  std::atomic<int> most = 0;
  ScriptedServer server([&](const SeenRequest& request) {
    const int now = ++inside;
    for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
    }
    std::this_thread::yield();
    --inside;
    return Reply::Of(200, request.target);
  });
  HttpClient client(Connections(4), SystemClock());
  std::vector<HttpRequest> requests;
  for (int i = 0; i < 50; ++i) requests.push_back(Get(server, "/" + std::to_string(i)));
  const auto responses = client.SendAll(std::move(requests), Deadline::Never());
  ASSERT_EQ(responses.size(), 50u);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(responses[i]->body.chars(), "/" + std::to_string(i));
  EXPECT_EQ(server.connections(), 4);
  EXPECT_LE(most, 4);
}

TEST(HttpClient, AllRequestsOfARoundAreUnderWayTogether) {
  std::atomic<int> arrived = 0;
  ScriptedServer server([&](const SeenRequest&) {
    ++arrived;
    while (arrived < 8) std::this_thread::yield();  // answers nobody until all have come
    return Reply::Of(200, "ok");
  });
  HttpClient client(Connections(8), SystemClock());
  std::vector<HttpRequest> requests(8, Get(server));
  for (const auto& response : client.SendAll(std::move(requests), Deadline::Never())) EXPECT_TRUE(response);
}

TEST(HttpClient, ReplacesAKeptConnectionThatTheServerClosed) {
  ScriptedServer server([](const SeenRequest& request) {
    // On each connection the second request is met with a closed door.
    static thread_local int served = 0;
    if (++served == 2) return Reply::Raw("", Reply::Then::kClose);
    return Reply::Of(200, std::to_string(request.connection));
  });
  HttpClient client({}, SystemClock());
  EXPECT_EQ(client.Send(Get(server), Deadline::Never())->body.chars(), "0");
  EXPECT_EQ(client.Send(Get(server), Deadline::Never())->body.chars(), "1");
  EXPECT_EQ(server.seen().size(), 3u);
}

TEST(HttpClient, DoesNotRepeatWhatIsNotIdempotent) {
  ScriptedServer server([](const SeenRequest&) {
    static thread_local int served = 0;
    return ++served == 2 ? Reply::Raw("", Reply::Then::kClose) : Reply::Of(200);
  });
  HttpClient client({}, SystemClock());
  ASSERT_TRUE(client.Send(Get(server), Deadline::Never()));
  HttpRequest request = Get(server);
  request.idempotent = false;
  const auto response = client.Send(request, Deadline::Never());
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().kind, ErrorKind::kUnavailable);
  EXPECT_EQ(server.seen().size(), 2u);
}

TEST(HttpClient, NoticesAClosedConnectionBeforeItSendsWhatIsNotIdempotent) {
  ScriptedServer server([](const SeenRequest&) { return Reply::Raw(Reply::Of(200, "ok").bytes, Reply::Then::kClose); });
  HttpClient client({}, SystemClock());
  for (int i = 1; i <= 3; ++i) {
    HttpRequest request = Get(server);
    request.idempotent = false;
    const auto response = client.Send(request, Deadline::Never());
    ASSERT_TRUE(response) << response.error().message;
    server.AwaitClosed(i);
  }
  EXPECT_EQ(server.connections(), 3);
}

TEST(HttpClient, LooksUpANameOnceForManyRequests) {
  ScriptedServer server([](const SeenRequest& request) { return Reply::Of(200, request.target); });
  HttpClient client(Connections(8), SystemClock());
  std::vector<HttpRequest> requests(20, Get(server, "/found"));
  for (HttpRequest& request : requests) request.endpoint.host = "127.1";  // only the resolver reads this old form
  for (const auto& response : client.SendAll(std::move(requests), Deadline::Never())) {
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_EQ(response->body.chars(), "/found");
  }
}

TEST(HttpClient, ANameWithoutAnAddressIsUnavailable) {
  HttpClient client({}, SystemClock());
  std::vector<HttpRequest> requests(3);
  for (HttpRequest& request : requests) request.endpoint.host = "a..b";  // refused before any server is asked
  for (const auto& response : client.SendAll(std::move(requests), Deadline::Never())) {
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().kind, ErrorKind::kUnavailable);
    EXPECT_NE(response.error().message.find("a..b"), std::string::npos) << response.error().message;
  }
}

TEST(HttpClient, DoesNotRepeatOnAFreshConnection) {
  ScriptedServer server([](const SeenRequest&) { return Reply::Raw("", Reply::Then::kClose); });
  HttpClient client({}, SystemClock());
  const auto response = client.Send(Get(server), Deadline::Never());
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().kind, ErrorKind::kUnavailable);
  EXPECT_EQ(server.seen().size(), 1u);
}

TEST(HttpClient, AServerThatNeverAnswersIsUnavailableAfterTheProgressTimeout) {
  ScriptedServer server([](const SeenRequest&) { return Reply::Silence(); });
  ManualClock clock;
  HttpClient client({}, clock);
  const TimePasses time(clock, server);
  const auto response = client.Send(Get(server), Deadline::Never());
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().kind, ErrorKind::kUnavailable);
  EXPECT_NE(response.error().message.find("30000 ms"), std::string::npos) << response.error().message;
}

TEST(HttpClient, AServerThatDribblesIsStoppedByTheDeadline) {
  ScriptedServer server([](const SeenRequest&) {
    return Reply::Raw("HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n", Reply::Then::kDribble);
  });
  ManualClock clock;
  HttpClient client({}, clock);
  const TimePasses time(clock, server);
  const auto response = client.Send(Get(server), Deadline::After(clock, std::chrono::seconds(2)));
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().kind, ErrorKind::kDeadlineExceeded);
}

TEST(HttpClient, ACallerWhoGoesAwayEndsTheRequest) {
  ScriptedServer server([](const SeenRequest&) { return Reply::Silence(); });
  HttpClient client({}, SystemClock());
  auto gone = std::make_shared<std::atomic<bool>>(false);
  std::thread caller([&] {
    server.AwaitRequests(1);
    gone->store(true);
  });
  const auto response = client.Send(Get(server), Deadline::Never().WithCancel(gone));
  caller.join();
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().kind, ErrorKind::kDeadlineExceeded);
  EXPECT_NE(response.error().message.find("cancelled"), std::string::npos) << response.error().message;
}

TEST(HttpClient, ARequestThatWaitsItsTurnEndsWithItsDeadlineToo) {
  ScriptedServer server([](const SeenRequest&) { return Reply::Silence(); });
  ManualClock clock;
  HttpClient client(Connections(1), clock);
  const TimePasses time(clock, server);
  std::vector<HttpRequest> requests(3, Get(server));
  for (const auto& response : client.SendAll(std::move(requests), Deadline::After(clock, std::chrono::seconds(2)))) {
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().kind, ErrorKind::kDeadlineExceeded);
  }
}

TEST(HttpClient, AnAnswerThatBreaksOffIsUnavailable) {
  ScriptedServer server([](const SeenRequest&) {
    return Reply::Raw("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort", Reply::Then::kClose);
  });
  HttpClient client({}, SystemClock());
  const auto response = client.Send(Get(server), Deadline::Never());
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().kind, ErrorKind::kUnavailable);
  EXPECT_NE(response.error().message.find("before its answer was complete"), std::string::npos);
}

TEST(HttpClient, AnAnswerLongerThanAllowedIsResourceExhausted) {
  ScriptedServer server([](const SeenRequest& request) {
    if (request.target == "/honest") return Reply::Of(200, std::string(101, 'x'));
    return Reply::Raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string("65\r\n") +
                          std::string(101, 'x') + "\r\n0\r\n\r\n",
                      {});
  });
  HttpClient client({}, SystemClock());
  for (const char* target : {"/honest", "/chunked"}) {
    HttpRequest request = Get(server, target);
    request.max_response_bytes = 100;
    const auto response = client.Send(request, Deadline::Never());
    ASSERT_FALSE(response) << target;
    EXPECT_EQ(response.error().kind, ErrorKind::kResourceExhausted) << response.error().message;
  }
}

TEST(HttpClient, AClaimedLengthBeyondAllMemoryIsAnErrorAndNoCrash) {
  ScriptedServer server([](const SeenRequest&) {
    return Reply::Raw("HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\nx", Reply::Then::kClose);
  });
  HttpClient client({}, SystemClock());
  HttpRequest request = Get(server);
  request.max_response_bytes = ~0ULL >> 1;
  EXPECT_FALSE(client.Send(request, Deadline::Never()));
}

TEST(HttpClient, ReadsChunkedAnswersInterimAnswersAndAnswersThatEndWithTheConnection) {
  ScriptedServer server([](const SeenRequest& request) {
    if (request.target == "/chunked") {
      return Reply::Raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", {});
    }
    if (request.target == "/interim") {
      return Reply::Raw("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde", {});
    }
    return Reply::Raw("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabcde", Reply::Then::kClose);
  });
  HttpClient client({}, SystemClock());
  for (const char* target : {"/chunked", "/interim", "/until-close"}) {
    const auto response = client.Send(Get(server, target), Deadline::Never());
    ASSERT_TRUE(response) << target << ": " << response.error().message;
    EXPECT_EQ(response->body.chars(), "abcde") << target;
  }
}

TEST(HttpClient, AHeadHasNoBodyAndA204NeitherAndBothKeepTheConnection) {
  ScriptedServer server([](const SeenRequest& request) {
    if (request.method == "HEAD") return Reply::Raw("HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n", {});
    return Reply::Of(204);
  });
  HttpClient client({}, SystemClock());
  for (int i = 0; i < 2; ++i) {
    HttpRequest head = Get(server);
    head.method = "HEAD";
    const auto response = client.Send(head, Deadline::Never());
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_EQ(response->Header("Content-Length"), "12345");
    EXPECT_EQ(client.Send(Get(server), Deadline::Never())->status, 204);
  }
  EXPECT_EQ(server.connections(), 1);
}

TEST(HttpClient, WhatIsNotHttpIsUnavailable) {
  ScriptedServer server([](const SeenRequest&) { return Reply::Raw("SSH-2.0-OpenSSH_9.2\r\n\r\n", {}); });
  HttpClient client({}, SystemClock());
  const auto response = client.Send(Get(server), Deadline::Never());
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().kind, ErrorKind::kUnavailable);
  EXPECT_NE(response.error().message.find("does not speak HTTP"), std::string::npos) << response.error().message;
}

TEST(HttpClient, ARefusedConnectionNamesTheEndpoint) {
  HttpEndpoint nobody;
  {
    nobody = ScriptedServer([](const SeenRequest&) { return Reply(); }).endpoint();
  }
  HttpClient client({}, SystemClock());
  HttpRequest request;
  request.endpoint = nobody;
  const auto response = client.Send(request, Deadline::Never());
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().kind, ErrorKind::kUnavailable);
  EXPECT_NE(response.error().message.find(nobody.Authority()), std::string::npos);
}

TEST(HttpClient, ManyThreadsMayShareIt) {
  ScriptedServer server([](const SeenRequest& request) { return Reply::Of(200, request.target); });
  HttpClient client(Connections(8), SystemClock());
  std::vector<std::thread> threads;
  std::atomic<int> right = 0;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        const std::string target = "/" + std::to_string(t) + "/" + std::to_string(i);
        const auto response = client.Send(Get(server, target), Deadline::Never());
        if (response && response->body.chars() == target) ++right;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 400);
}

TEST(HttpClient, ClosingItEndsWhatIsUnderWay) {
  ScriptedServer server([](const SeenRequest&) { return Reply::Silence(); });
  std::atomic<bool> ended = false;
  {
    HttpClient client({}, SystemClock());
    client.Start(Get(server), Deadline::Never(), [&](const Result<HttpResponse>& response) { ended = !response; });
    server.AwaitRequests(1);
  }
  EXPECT_TRUE(ended);
}

TEST(HttpClient, AnExpiredDeadlineSendsNothing) {
  ScriptedServer server([](const SeenRequest&) { return Reply::Of(200); });
  HttpClient client({}, SystemClock());
  const auto response = client.Send(Get(server), Deadline::After(SystemClock(), Duration::zero()));
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().kind, ErrorKind::kDeadlineExceeded);
  EXPECT_EQ(server.connections(), 0);
}

TEST(HttpClient, RefusesARequestThatWouldSmuggleAHeader) {
  ScriptedServer server([](const SeenRequest&) { return Reply::Of(200); });
  HttpClient client({}, SystemClock());
  HttpRequest request = Get(server);
  request.headers = {{"X-Token", "a\r\nX-Other: b"}};
  const auto response = client.Send(request, Deadline::Never());
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().kind, ErrorKind::kInvalidArgument);
  EXPECT_EQ(server.connections(), 0);
}

}  // namespace
}  // namespace firn::store
