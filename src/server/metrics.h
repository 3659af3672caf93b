#pragma once
// Metrics in Prometheus' text format (version 0.0.4). Names that start with lancedb_ are those of the service that Firn
// replaces.

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "base/result.h"
#include "query/search.h"
#include "server/http/listener.h"
#include "store/counting.h"

namespace firn::server {

/// What stands elsewhere and is read when metrics are asked for.
struct MetricsSnapshot {
  ListenerCounts listener;
  store::StoreCounts store;
  double start_time_seconds = 0;  // since 1970
  std::string_view version;
  std::uint64_t index_builds = 0;  // that run
};

/// Thread-safe. Labels are bounded: `endpoint` is a route's template, never a path.
class Metrics {
 public:
  struct Request {
    std::string_view method;
    std::string_view endpoint;
    int status = 0;
    double seconds = 0;
    std::uint64_t bytes_received = 0;
    std::uint64_t bytes_sent = 0;
  };
  void CountRequest(const Request& request);
  void CountError(std::string_view endpoint, ErrorKind kind);
  void CountSearch(const query::Explain* explain);
  /// `outcome`: one of a few words.
  void CountBuild(std::string_view outcome, double seconds);
  void CountRows(std::uint64_t written) { rows_written_ += written; }

  void SetTables(std::uint64_t tables) { tables_ = static_cast<std::int64_t>(tables); }

  std::string Render(const MetricsSnapshot& snapshot) const;

 private:
  static constexpr std::array kBucketSeconds = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                                0.25,   0.5,   1.0,    2.5,   5.0,  10.0,  30.0, 60.0};
  struct Histogram {
    std::array<std::uint64_t, kBucketSeconds.size() + 1> counts{};  // the last: above every bound
    double sum_seconds = 0;
  };
  using Labels = std::string;  // method="GET",endpoint="/health"

  void RenderHistograms(std::string& out) const;
  void RenderBuilds(std::string& out) const;

  mutable std::mutex mutex_;
  std::map<Labels, std::uint64_t, std::less<>> requests_;
  std::map<Labels, Histogram, std::less<>> durations_;
  std::map<Labels, std::uint64_t, std::less<>> errors_;
  std::map<Labels, std::uint64_t, std::less<>> search_ways_;
  std::map<Labels, std::uint64_t, std::less<>> builds_;
  double build_seconds_ = 0;
  std::atomic<std::uint64_t> searches_found_{0}, searches_failed_{0}, searches_warned_{0}, lists_scanned_{0};
  std::atomic<std::uint64_t> bytes_received_{0}, bytes_sent_{0}, rows_written_{0};
  std::atomic<std::int64_t> tables_{0};
};

}  // namespace firn::server
