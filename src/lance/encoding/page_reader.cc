#include "lance/encoding/page_reader.h"

namespace firn::lance {

Result<std::unique_ptr<PageReader>> OpenPage(PageRead read) {
  FIRN_CHECK(CheckLayers(read.path, read.page.layout.layers));
  const auto& body = read.page.layout.body;
  if (const auto* mini_block = std::get_if<MiniBlockLayout>(&body))
    return OpenMiniBlockPage(std::move(read), *mini_block);
  if (const auto* full_zip = std::get_if<FullZipLayout>(&body)) return OpenFullZipPage(std::move(read), *full_zip);
  if (const auto* constant = std::get_if<ConstantLayout>(&body)) return OpenConstantPage(std::move(read), *constant);
  return Unsupported("blob pages cannot be read", "store such values as large_binary without \"lance-encoding:blob\"");
}

arrow::Array GatherRows(const arrow::Array& array, std::span<const RowSelection::Range> positions) {
  bool adjacent = true;
  for (std::size_t i = 1; i < positions.size(); i++) adjacent &= positions[i].begin == positions[i - 1].end;
  if (adjacent) {
    const auto begin = static_cast<std::int64_t>(positions.front().begin);
    const auto end = static_cast<std::int64_t>(positions.back().end);
    if (begin == 0 && end == array.length()) return array;
    return array.Slice(begin, end - begin);
  }
  std::vector<std::int64_t> indices;
  for (const RowSelection::Range& range : positions) {
    for (std::uint64_t row = range.begin; row < range.end; row++) indices.push_back(static_cast<std::int64_t>(row));
  }
  return arrow::Take(array, indices);
}

}  // namespace firn::lance
