// Arbitrary bytes as the two files of a LanceDB vector index over 4 dimensions.
// Input: [u32 bytes of index.idx][index.idx][auxiliary.idx]. Whatever they hold: an error, or rows that the table has.

#include <cstdint>
#include <cstdlib>
#include <string>

#include "index/lance_ivf/lance_index.h"
#include "lance/manifest.h"
#include "store/memory/memory_store.h"

namespace firn {
namespace {

lance::Manifest Table() {
  lance::Manifest manifest;
  lance::Field field;
  field.name = "vector";
  field.logical_type = "fixed_size_list:float:4";
  manifest.schema.fields.push_back(field);
  lance::Fragment fragment;
  fragment.physical_rows = 300;
  manifest.fragments.push_back(fragment);
  return manifest;
}

void SearchFiles(ByteSpan index, ByteSpan codes) {
  const lance::Manifest manifest = Table();
  index::LanceIndexInfo info;
  info.name = "vector_idx";
  info.uuid = "u";
  info.field_ids = {0};
  info.fragments = {0};
  const auto store = store::OpenMemory("fuzz", SystemClock());
  const Deadline never = Deadline::Never();
  if (!store->Put("_indices/u/index.idx", index, store::PutCondition::kNone, never)) std::abort();
  if (!store->Put("_indices/u/auxiliary.idx", codes, store::PutCondition::kNone, never)) std::abort();
  const auto opened = index::LanceIndex::Open(*store, "", info, manifest, never);
  if (!opened) return;
  const std::vector<float> query = {0.5F, -1, 2, 0.25F};
  const auto hits = (*opened)->Search(query, 3, 10, nullptr, never);
  if (!hits) return;
  if (hits->size() > 10) std::abort();
  for (const simd::Hit& hit : *hits) {
    if (hit.row >= manifest.fragments[0].physical_rows) std::abort();
  }
}

}  // namespace
}  // namespace firn

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 4) return 0;
  const auto index_bytes = firn::LoadLe<std::uint32_t>(data);
  const firn::ByteSpan files{data + 4, size - 4};
  if (index_bytes > files.size()) return 0;
  firn::SearchFiles(files.first(index_bytes), files.subspan(index_bytes));
  return 0;
}
