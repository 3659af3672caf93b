#include "filter/names.h"

#include <algorithm>
#include <numeric>

namespace firn::filter {
namespace {

char Small(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool SameButCase(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return Small(x) == Small(y); });
}

/// Changes, additions, removals and swaps of neighbours that make one of the other (optimal string alignment), letter
/// case aside.
std::size_t Distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1);  // two rows up
  std::vector<std::size_t> above(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(above.begin(), above.end(), 0);
  const auto same = [&](std::size_t i, std::size_t j) { return Small(a[i - 1]) == Small(b[j - 1]); };
  for (std::size_t i = 1; i <= a.size(); i++) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); j++) {
      row[j] = std::min({above[j - 1] + (same(i, j) ? 0 : 1), above[j] + 1, row[j - 1] + 1});
      if (i > 1 && j > 1 && same(i, j - 1) && same(i - 1, j)) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, above);
    std::swap(above, row);
  }
  return above.back();
}

}  // namespace

std::optional<std::size_t> FindField(std::span<const arrow::Field> fields, std::string_view name) {
  std::optional<std::size_t> found;
  bool several = false;
  for (std::size_t i = 0; i < fields.size(); i++) {
    if (fields[i].name == name) return i;
    if (!SameButCase(fields[i].name, name)) continue;
    several = found.has_value();
    found = i;
  }
  return several ? std::nullopt : found;
}

std::string NearestNames(std::string_view name, std::span<const std::string_view> known) {
  constexpr std::size_t kMostNames = 2000;
  constexpr std::size_t kLongestName = 100;
  std::vector<std::pair<std::size_t, std::size_t>> near;  // distance, position in known
  for (std::size_t i = 0; i < std::min(known.size(), kMostNames); i++) {
    if (name.size() > kLongestName || known[i].size() > kLongestName) continue;
    const std::size_t distance = Distance(name, known[i]);
    if (distance <= std::max<std::size_t>(1, std::max(name.size(), known[i].size()) / 3))
      near.emplace_back(distance, i);
  }
  std::ranges::sort(near);
  std::string out;
  if (!near.empty()) {
    out = "did you mean ";
    for (std::size_t i = 0; i < std::min<std::size_t>(near.size(), 3); i++) {
      out += (i > 0 ? " or `" : "`") + std::string(known[near[i].second]) + "`";
    }
    return out + "?";
  }
  if (known.empty()) return {};
  constexpr std::size_t kShown = 12;
  out = "there are ";
  for (std::size_t i = 0; i < std::min(known.size(), kShown); i++) out += (i > 0 ? ", " : "") + std::string(known[i]);
  return known.size() > kShown ? out + ", ..." : out;
}

}  // namespace firn::filter
