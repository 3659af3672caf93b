#include "filter/case_file_testing.h"

#include <fstream>

#include "filter/filter.h"

namespace firn::filter {

std::vector<FilterCase> ReadCases(const std::string& path) {
  std::vector<FilterCase> cases;
  std::ifstream file(path);
  std::string line;
  for (int number = 1; std::getline(file, line); number++) {
    if (line.empty() || line[0] == '#') continue;
    const std::size_t arrow = line.rfind("  =>");
    if (arrow == std::string::npos) {
      cases.push_back({number, line, "a line without =>"});
      continue;
    }
    std::string expected = line.substr(arrow + 4);
    expected = expected.substr(0, expected.find('#'));
    while (!expected.empty() && expected.back() == ' ') expected.pop_back();
    while (!expected.empty() && expected.front() == ' ') expected.erase(0, 1);
    cases.push_back({number, line.substr(0, arrow), expected});
  }
  return cases;
}

std::string Answer(std::string_view expression, const arrow::RecordBatch& table, std::string* error) {
  const auto predicate = ParseFilter(expression, *table.schema);
  const auto rows = predicate ? predicate->Select(table) : Result<std::vector<std::int64_t>>(predicate.error());
  if (!rows) {
    if (error != nullptr) *error = rows.error().ToString();
    return "error";
  }
  std::string out;
  for (const std::int64_t row : *rows) out += (out.empty() ? "" : " ") + std::to_string(row);
  return out;
}

}  // namespace firn::filter
