#include "server/service.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>

#include "server/error_reply.h"
#include "server/nearest_name.h"

namespace firn::server {
namespace {

constexpr std::string_view kNoRoute = "(none)";
constexpr std::string_view kMalformed = "(malformed)";
constexpr std::size_t kMaxRequestIdBytes = 128;

/// The key that the client shows; "" when none.
std::string_view PresentedKey(const RequestHead& head) {
  std::string_view authorization = head.HeaderOf("authorization");
  static constexpr std::string_view kBearer = "Bearer ";
  if (authorization.size() > kBearer.size() && EqualsIgnoringCase(authorization.substr(0, kBearer.size()), kBearer)) {
    authorization.remove_prefix(kBearer.size());
    while (authorization.starts_with(' ')) authorization.remove_prefix(1);
    return authorization;
  }
  return head.HeaderOf("x-api-key");
}

/// x-request-timeout-ms lowers `most`.
Result<Duration> TimeoutOf(const RequestHead& head, Duration most) {
  const std::string_view text = head.HeaderOf("x-request-timeout-ms");
  if (text.empty()) return most;
  std::uint32_t millis = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), millis);
  if (error != std::errc() || end != text.data() + text.size() || millis == 0) {
    return InvalidArgument("the header x-request-timeout-ms is " + Quoted(text) + ", not a number of milliseconds");
  }
  return std::min(most, Duration(std::chrono::milliseconds(millis)));
}

}  // namespace

class Service::RequestExchange final : public Exchange {
 public:
  RequestExchange(Service& service, RequestHead head)
      : service_(service), head_(std::move(head)), began_(service.backend_.clock.Now()) {}

  void Begin() {
    request_id_ = service_.RequestId(head_);
    if (head_.target == "*" && head_.method == "OPTIONS") return Refuse(Options("DELETE, GET, HEAD, OPTIONS, POST"));
    auto target = ParseTarget(head_.target);
    if (!target) return Refuse(Fail(target.error(), 0));
    RouteMatch match = FindRoute(head_.method, target->segments);
    if (!match.path.empty()) endpoint_ = match.path;
    if (match.allow.empty()) {
      return Refuse(Fail(NotFound("there is nothing at " + Quoted(head_.target.substr(0, head_.target.find('?'))),
                                  "api/openapi.yaml lists every route"),
                         0));
    }
    if (head_.method == "OPTIONS") return Refuse(Options(match.allow));
    if (match.route == nullptr) {
      Response response =
          Fail(Unsupported("the method " + Quoted(head_.method) + " is not allowed here", "Allowed are " + match.allow),
               405);
      response.headers.push_back({"Allow", match.allow});
      return Refuse(std::move(response));
    }
    route_ = match.route;
    parameters_ = std::move(match.parameters);
    query_ = Query(std::move(target->query));
    Admission admission = service_.Admit(*route_, head_);
    if (admission.key != nullptr) key_id_ = admission.key->id;
    if (admission.error) {
      Response response = Fail(*admission.error, admission.status);
      for (Header& header : admission.headers) response.headers.push_back(std::move(header));
      return Refuse(std::move(response));
    }
    const ServerConfig& config = service_.config_;
    auto timeout = TimeoutOf(head_, route_->pace == Pace::kStreams ? config.stream_timeout : config.request_timeout);
    if (!timeout) return Refuse(Fail(timeout.error(), 0));
    timeout_ = *timeout;
  }
  void BeginMalformed() {
    request_id_ = service_.random_.Uuid();
    endpoint_ = kMalformed;
  }

  std::optional<Response> Refusal() override { return std::move(refusal_); }
  std::uint64_t MaxBodyBytes() const override { return service_.config_.max_body_bytes; }
  bool Quick() const override { return route_ != nullptr && route_->pace == Pace::kQuick; }

  void Accept(std::string body, std::shared_ptr<const std::atomic<bool>> hung_up) override {
    body_ = std::move(body);
    deadline_ = Deadline::After(service_.backend_.clock, timeout_).WithCancel(std::move(hung_up));
  }

  Response Run() override {
    Call call{service_.backend_, head_,     std::move(parameters_),         std::move(query_),
              std::move(body_),  deadline_, service_.config_.max_body_bytes};
    auto result = route_->handler(call);
    if (!result) return Fail(result.error(), call.error_status);
    AddHeaders(*result);
    return *std::move(result);
  }

  Response Fail(const Error& error, int status) override {
    error_ = error;
    Response response = ErrorReply(error, request_id_, status);
    AddHeaders(response);
    return response;
  }

  void Finished(const Outcome& outcome) override {
    const double seconds = std::chrono::duration<double>(service_.backend_.clock.Now() - began_).count();
    Metrics& metrics = service_.backend_.metrics;
    metrics.CountRequest(
        {head_.method, endpoint_, outcome.status, seconds, outcome.bytes_received, outcome.bytes_sent});
    if (error_) metrics.CountError(endpoint_, error_->kind);
    LogLine(outcome, seconds);
  }

 private:
  void Refuse(Response response) { refusal_ = std::move(response); }

  Response Options(std::string allow) {
    Response response;
    response.status = 204;
    response.headers.push_back({"Allow", std::move(allow)});
    AddHeaders(response);
    return response;
  }

  void AddHeaders(Response& response) const {
    response.headers.push_back({"X-Request-Id", request_id_});
    response.headers.push_back({"X-Content-Type-Options", "nosniff"});
  }

  /// Never the target (it may hold a filter), a body or a key.
  void LogLine(const Outcome& outcome, double seconds) {
    const LogLevel level = outcome.status >= 500 ? LogLevel::kError : Quick() ? LogLevel::kDebug : LogLevel::kInfo;
    if (!service_.log_.Enabled(level)) return;
    const std::string_view kind = error_ ? InfoOf(error_->kind).name : std::string_view();
    // What went wrong inside the server belongs in its log; what the client did wrong it has been told.
    const std::string_view message =
        error_ && outcome.status >= 500 ? std::string_view(error_->message) : std::string_view();
    service_.log_.Write(level, "request",
                        {{"method", head_.method},
                         {"route", endpoint_},
                         {"status", outcome.status},
                         {"ms", seconds * 1000},
                         {"bytes_in", outcome.bytes_received},
                         {"bytes_out", outcome.bytes_sent},
                         {"request_id", request_id_},
                         {"key", key_id_},
                         {"client", head_.peer},
                         {"client_gone", outcome.client_gone},
                         {"error", kind},
                         {"detail", message}});
  }

  Service& service_;
  const RequestHead head_;
  const SteadyTime began_;
  std::string request_id_;
  std::string key_id_;
  std::string_view endpoint_ = kNoRoute;
  const Route* route_ = nullptr;
  std::vector<std::string> parameters_;
  Query query_;
  std::string body_;
  Duration timeout_{};
  Deadline deadline_;
  std::optional<Response> refusal_;
  std::optional<Error> error_;
};

Service::Service(const ServerConfig& config, KeyRing keys, Backend& backend, Random& random, Log& log)
    : config_(config),
      keys_(std::move(keys)),
      backend_(backend),
      random_(random),
      log_(log),
      rate_limits_(backend.clock) {}

std::unique_ptr<Exchange> Service::Begin(RequestHead head) {
  auto exchange = std::make_unique<RequestExchange>(*this, std::move(head));
  exchange->Begin();
  return exchange;
}

std::unique_ptr<Exchange> Service::BeginMalformed(std::string peer) {
  auto exchange = std::make_unique<RequestExchange>(
      *this, RequestHead{.method = "", .target = "", .headers = {}, .peer = std::move(peer)});
  exchange->BeginMalformed();
  return exchange;
}

Service::Admission Service::Admit(const Route& route, const RequestHead& head) {
  Admission admission;
  if (keys_.empty() || !NeedsKey(route)) return admission;
  const std::string_view presented = PresentedKey(head);
  admission.key = keys_.Find(presented);
  if (admission.key == nullptr) {
    admission.error =
        PermissionDenied(presented.empty() ? "the request shows no API key" : "the API key is not known here",
                         "Send a valid key as 'Authorization: Bearer KEY' or 'x-api-key: KEY'");
    admission.status = 401;
    admission.headers.push_back({"WWW-Authenticate", "Bearer realm=\"firn\""});
    return admission;
  }
  if (const Duration wait = rate_limits_.Take(*admission.key); wait > Duration::zero()) {
    const auto seconds = static_cast<std::int64_t>(std::ceil(std::chrono::duration<double>(wait).count()));
    admission.error = ResourceExhausted("the API key '" + admission.key->id + "' is over its rate of requests",
                                        "Try again in " + std::to_string(seconds) + " s");
    admission.status = 429;
    admission.headers.push_back({"Retry-After", std::to_string(seconds)});
    return admission;
  }
  const Scope needed = route.scope.value_or(Scope::kRead);
  if (!admission.key->Allows(needed)) {
    const std::string name(NameOf(needed));
    admission.error = PermissionDenied("the API key '" + admission.key->id + "' lacks the scope '" + name + "'",
                                       "Use a key that has it");
    admission.status = 403;
  }
  return admission;
}

bool Service::NeedsKey(const Route& route) const {
  if (route.scope) return true;
  if (route.path == "/metrics") return !config_.open_metrics;
  return !config_.open_health;
}

std::string Service::RequestId(const RequestHead& head) {
  const std::string_view given = head.HeaderOf("x-request-id");
  const auto sane = [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.' || c == ':';
  };
  if (!given.empty() && given.size() <= kMaxRequestIdBytes && std::ranges::all_of(given, sane))
    return std::string(given);
  return random_.Uuid();
}

}  // namespace firn::server
