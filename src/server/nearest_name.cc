#include "server/nearest_name.h"

#include <algorithm>
#include <cctype>
#include <numeric>
#include <vector>

namespace firn::server {
namespace {

constexpr std::size_t kLongestCompared = 64;
constexpr std::size_t kLongestQuoted = 80;

/// Levenshtein distance, without regard to case; '-' equals '_'.
std::size_t EditDistance(std::string_view a, std::string_view b) {
  const auto plain = [](unsigned char c) { return c == '-' ? '_' : static_cast<char>(std::tolower(c)); };
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 1; i <= a.size(); i++) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); j++) {
      const std::size_t above = row[j];
      const std::size_t replaced = diagonal + (plain(a[i - 1]) == plain(b[j - 1]) ? 0 : 1);
      row[j] = std::min({replaced, above + 1, row[j - 1] + 1});
      diagonal = above;
    }
  }
  return row.back();
}

}  // namespace

std::string_view NearestName(std::string_view name, std::span<const std::string_view> known) {
  if (name.size() > kLongestCompared) return {};
  std::string_view nearest;
  std::size_t least = std::max<std::size_t>(2, name.size() / 2) + 1;
  for (const std::string_view candidate : known) {
    // "vector" is meant for "query_vector", however long the rest.
    const bool part = name.size() > 2 && candidate.ends_with(name);
    const std::size_t distance = part ? 1 : EditDistance(name, candidate);
    if (distance < least) {
      least = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

std::string HintForUnknown(std::string_view name, std::span<const std::string_view> known) {
  if (const std::string_view nearest = NearestName(name, known); !nearest.empty())
    return "Did you mean '" + std::string(nearest) + "'?";
  std::string hint;
  for (const std::string_view candidate : known) hint.append(hint.empty() ? "Known are " : ", ").append(candidate);
  return hint.empty() ? "None is known here" : hint;
}

std::string Quoted(std::string_view text) {
  if (text.size() <= kLongestQuoted) return "'" + std::string(text) + "'";
  return "'" + std::string(text.substr(0, kLongestQuoted)) + "...'";
}

}  // namespace firn::server
