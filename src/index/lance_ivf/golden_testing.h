#pragma once
// The golden indexes of testdata/: LanceDB's own, beside what LanceDB answers from them.

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "index/lance_ivf/lance_index.h"
#include "lance/manifest.h"
#include "store/counting.h"
#include "store/object_store.h"

namespace firn::index {

struct GoldenSearch {
  std::vector<float> query;
  std::size_t nprobes = 0;
  bool even_rows = false;       // only rows at even offsets
  std::vector<simd::Hit> hits;  // nearest first
};

struct GoldenIndex {
  std::string name;
  lance::Manifest manifest;
  LanceIndexInfo info;  // of the only index
  std::string index;    // bytes of index.idx
  std::string codes;    // of auxiliary.idx
  std::set<lance::RowAddress> deleted;
  std::vector<GoldenSearch> searches;
};

/// Those that can be searched, and those that cannot.
std::vector<std::string> SearchableNames();
std::vector<std::string> UnsupportedNames();
/// Fails the test when it cannot be loaded. Files that a case does not have are empty.
GoldenIndex LoadGolden(const std::string& name);

/// A store that holds the golden files at their place below "t.lance", or other bytes instead.
class GoldenStore {
 public:
  explicit GoldenStore(const GoldenIndex& golden) : GoldenStore(golden, golden.index, golden.codes) {}
  GoldenStore(const GoldenIndex& golden, const std::string& index, const std::string& codes);

  Result<std::shared_ptr<const LanceIndex>> Open(const LanceIndexInfo& info, const lance::Manifest& manifest) {
    return LanceIndex::Open(*store_, "t.lance", info, manifest, Deadline::Never());
  }
  store::StoreCounts Counts() const { return counter_.Counts(); }
  store::ObjectStore& store() { return *store_; }

 private:
  store::StoreCounter counter_;
  std::unique_ptr<store::ObjectStore> store_;
};

}  // namespace firn::index
