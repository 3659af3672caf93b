#include "server/metrics.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>

#include "server/process_stats.h"

namespace firn::server {
namespace {

void Describe(std::string& out, std::string_view name, std::string_view type, std::string_view help) {
  out.append("# HELP ")
      .append(name)
      .append(" ")
      .append(help)
      .append("\n# TYPE ")
      .append(name)
      .append(" ")
      .append(type)
      .append("\n");
}

void Sample(std::string& out, std::string_view name, std::string_view labels, double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.17g", value);
  out.append(name);
  if (!labels.empty()) out.append("{").append(labels).append("}");
  out.append(" ").append(text).append("\n");
}

void Single(std::string& out, std::string_view name, std::string_view type, std::string_view help, double value) {
  Describe(out, name, type, help);
  Sample(out, name, "", value);
}

template <class Values>
void Family(std::string& out, std::string_view name, std::string_view help, const Values& values) {
  Describe(out, name, "counter", help);
  for (const auto& [labels, value] : values) Sample(out, name, labels, static_cast<double>(value));
}

std::string_view KnownMethod(std::string_view method) {
  for (const std::string_view known : {"GET", "POST", "DELETE", "HEAD", "OPTIONS", "PUT", "PATCH"}) {
    if (method == known) return known;
  }
  return "OTHER";
}

std::string LabelsOf(std::string_view method, std::string_view endpoint) {
  std::string labels = "method=\"";
  labels.append(KnownMethod(method)).append("\",endpoint=\"").append(endpoint).append("\"");
  return labels;
}

void RenderStore(std::string& out, const store::StoreCounts& counts) {
  using Operation = store::StoreCounts::Operation;
  const std::array<std::pair<std::string_view, const Operation*>, 5> operations = {
      {{"operation=\"read\"", &counts.reads},
       {"operation=\"put\"", &counts.puts},
       {"operation=\"upload\"", &counts.uploads},
       {"operation=\"list\"", &counts.lists},
       {"operation=\"delete\"", &counts.deletes}}};
  const auto family = [&](std::string_view name, std::string_view help, std::uint64_t Operation::* member) {
    Describe(out, name, "counter", help);
    for (const auto& [labels, operation] : operations)
      Sample(out, name, labels, static_cast<double>(operation->*member));
  };
  family("firn_store_rounds_total", "Calls to the store that something waited for.", &Operation::rounds);
  family("firn_store_requests_total", "Requests to the store.", &Operation::requests);
  family("firn_store_failures_total", "Requests to the store that failed.", &Operation::failures);
  family("firn_store_read_bytes_total", "Bytes read from the store.", &Operation::bytes_read);
  family("firn_store_written_bytes_total", "Bytes written to the store.", &Operation::bytes_written);
}

}  // namespace

void Metrics::CountRequest(const Request& request) {
  bytes_received_ += request.bytes_received;
  bytes_sent_ += request.bytes_sent;
  std::string labels = LabelsOf(request.method, request.endpoint);
  const std::size_t bucket =
      static_cast<std::size_t>(std::ranges::lower_bound(kBucketSeconds, request.seconds) - kBucketSeconds.begin());
  const std::lock_guard lock(mutex_);
  Histogram& histogram = durations_[labels];
  histogram.counts[bucket]++;
  histogram.sum_seconds += request.seconds;
  labels.append(",status=\"").append(std::to_string(request.status)).append("\"");
  requests_[labels]++;
}

void Metrics::CountError(std::string_view endpoint, ErrorKind kind) {
  std::string labels = "endpoint=\"";
  labels.append(endpoint).append("\",kind=\"").append(InfoOf(kind).name).append("\"");
  const std::lock_guard lock(mutex_);
  errors_[labels]++;
}

void Metrics::CountSearch(const query::Explain* explain) {
  (explain != nullptr ? searches_found_ : searches_failed_)++;
  if (explain == nullptr) return;
  lists_scanned_ += explain->lists;
  if (!explain->warnings.empty()) searches_warned_++;
  const std::lock_guard lock(mutex_);
  search_ways_["way=\"" + std::string(explain->way) + "\""]++;
}

void Metrics::CountBuild(std::string_view outcome, double seconds) {
  const std::lock_guard lock(mutex_);
  builds_["outcome=\"" + std::string(outcome) + "\""]++;
  build_seconds_ += seconds;
}

std::string Metrics::Render(const MetricsSnapshot& snapshot) const {
  std::string out;
  const auto number = [](std::uint64_t value) { return static_cast<double>(value); };
  {
    const std::lock_guard lock(mutex_);
    Family(out, "lancedb_requests_total", "Requests answered.", requests_);
    RenderHistograms(out);
    Family(out, "lancedb_errors_total", "Requests that failed, by kind of error.", errors_);
    Family(out, "firn_search_index_total",
           "Searches by way: lists of an index, matches of a filter one by one, or exact over all rows.", search_ways_);
    RenderBuilds(out);
  }
  Single(out, "firn_index_builds_running", "gauge", "Index builds that run now.", number(snapshot.index_builds));
  Single(out, "firn_search_lists_total", "counter", "Lists of indexes that searches scanned.", number(lists_scanned_));
  Single(out, "firn_search_warnings_total", "counter", "Searches that an index should have helped, but did not.",
         number(searches_warned_));
  Single(out, "lancedb_tables_total", "gauge", "Tables in the database when last counted.",
         static_cast<double>(tables_.load()));
  Describe(out, "lancedb_search_operations_total", "counter", "Vector searches.");
  Sample(out, "lancedb_search_operations_total", "status=\"success\"", number(searches_found_));
  Sample(out, "lancedb_search_operations_total", "status=\"error\"", number(searches_failed_));

  Describe(out, "firn_build_info", "gauge", "Always 1; the version is a label.");
  Sample(out, "firn_build_info", "version=\"" + std::string(snapshot.version) + "\"", 1);
  Single(out, "firn_rows_written_total", "counter", "Rows that writes acknowledged.", number(rows_written_));
  Single(out, "firn_received_bytes_total", "counter", "Bytes of request bodies.", number(bytes_received_));
  Single(out, "firn_sent_bytes_total", "counter", "Bytes of response bodies.", number(bytes_sent_));
  Single(out, "firn_connections_accepted_total", "counter", "Connections accepted.",
         number(snapshot.listener.accepted));
  Single(out, "firn_connections_open", "gauge", "Connections open now.", number(snapshot.listener.open_connections));
  Single(out, "firn_requests_in_flight", "gauge", "Requests queued or running now.",
         number(snapshot.listener.running_requests));
  Single(out, "firn_buffered_bytes", "gauge", "Bytes of request bodies held in memory now.",
         number(snapshot.listener.buffered_bytes));
  RenderStore(out, snapshot.store);

  const ProcessStats process = ReadProcessStats();
  Single(out, "process_cpu_seconds_total", "counter", "User and system CPU time.", process.cpu_seconds);
  Single(out, "process_resident_memory_bytes", "gauge", "Resident memory.", number(process.resident_bytes));
  Single(out, "process_open_fds", "gauge", "Open file descriptors.", number(process.open_files));
  Single(out, "process_start_time_seconds", "gauge", "Start of the server since the epoch.",
         snapshot.start_time_seconds);
  return out;
}

void Metrics::RenderBuilds(std::string& out) const {
  Family(out, "firn_index_builds_total", "Index builds that are over.", builds_);
  static constexpr std::string_view kName = "firn_index_build_seconds";
  Describe(out, kName, "summary", "How long they took.");
  std::uint64_t count = 0;
  for (const auto& [labels, builds] : builds_) count += builds;
  Sample(out, std::string(kName) + "_sum", "", build_seconds_);
  Sample(out, std::string(kName) + "_count", "", static_cast<double>(count));
}

void Metrics::RenderHistograms(std::string& out) const {
  static constexpr std::string_view kName = "lancedb_request_duration_seconds";
  Describe(out, kName, "histogram", "From a request's head to its answer.");
  const std::string bucket_name = std::string(kName) + "_bucket";
  for (const auto& [labels, histogram] : durations_) {
    std::uint64_t below = 0;
    for (std::size_t i = 0; i < histogram.counts.size(); i++) {
      below += histogram.counts[i];
      char bound[32] = "+Inf";
      if (i < kBucketSeconds.size()) std::snprintf(bound, sizeof bound, "%g", kBucketSeconds[i]);
      Sample(out, bucket_name, labels + ",le=\"" + bound + "\"", static_cast<double>(below));
    }
    Sample(out, std::string(kName) + "_sum", labels, histogram.sum_seconds);
    Sample(out, std::string(kName) + "_count", labels, static_cast<double>(below));
  }
}

}  // namespace firn::server
