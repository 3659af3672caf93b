#include "query/explain.h"

#include <cstdio>

#include "base/json_string.h"

namespace firn::query {

Reads& Reads::operator+=(const Reads& other) {
  rounds += other.rounds;
  requests += other.requests;
  bytes += other.bytes;
  return *this;
}

std::string ExplainJson(const Explain& explain) {
  std::string out = "{\"plan\":";
  AppendJsonString(out, explain.plan);
  const auto text = [&](std::string_view name, std::string_view value) {
    out.append(",\"").append(name).append("\":").append(value);
  };
  const auto number = [&](std::string_view name, double value, const char* format) {
    char digits[40];
    std::snprintf(digits, sizeof digits, format, value);
    text(name, digits);
  };
  const auto count = [&](std::string_view name, std::uint64_t value) { text(name, std::to_string(value)); };
  text("way", "\"" + std::string(explain.way) + "\"");
  count("version", explain.version);
  count("fragments", explain.fragments);
  count("lists", explain.lists);
  count("graphs", explain.graphs);
  count("rows_estimated", explain.rows_estimated);
  count("rows_refined", explain.rows_refined);
  count("candidates", explain.candidates);
  count("rows_scanned", explain.rows_scanned);
  count("rows_matching", explain.rows_matching);
  const Reads planned = Reads(explain.opened) += explain.planned;
  count("planned_rounds", planned.rounds);
  count("planned_requests", planned.requests);
  count("planned_bytes", planned.bytes);
  count("rounds", explain.rounds);
  count("requests", explain.requests);
  count("bytes_read", explain.bytes_read);
  number("price_usd", explain.price_usd, "%.3g");
  number("open_ms", explain.open_ms, "%.3f");
  number("search_ms", explain.search_ms, "%.3f");
  number("fetch_ms", explain.fetch_ms, "%.3f");
  number("total_ms", explain.total_ms, "%.3f");
  return out + "}";
}

}  // namespace firn::query
