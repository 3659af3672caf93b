#pragma once
// The golden data files of testdata/: written by real Lance, beside the rows that they must give back.

#include <memory>
#include <string>
#include <vector>

#include "arrow/array.h"
#include "base/bytes.h"
#include "lance/fragment_reader.h"
#include "lance/manifest.h"
#include "store/counting.h"
#include "store/object_store.h"

namespace firn::lance {

/// One data file and its table's manifest.
struct Golden {
  std::string name;  // "lance-14-2.2/strings"
  Manifest manifest;
  Buffer file;
  arrow::RecordBatch expected;

  const Fragment& fragment() const { return manifest.fragments.at(0); }
  std::vector<std::string> Columns() const;
};

/// Names of all golden files.
std::vector<std::string> GoldenNames();
/// Fails the test when it cannot be loaded.
Golden LoadGolden(const std::string& name);

/// A store with the golden file where its manifest says, below "t.lance", and all that reading it needs.
class GoldenTable {
 public:
  explicit GoldenTable(const Golden& golden) : GoldenTable(golden, golden.file) {}
  /// With other bytes in place of the file's.
  GoldenTable(const Golden& golden, const Buffer& file);

  Result<std::vector<arrow::RecordBatch>> Read(const RowSelection& rows, const std::vector<std::string>& columns);
  /// All batches of the read in one.
  Result<arrow::RecordBatch> ReadWhole(const RowSelection& rows, const std::vector<std::string>& columns);
  Status ReadMetadata(const std::vector<std::string>& columns);
  store::StoreCounts Counts() const { return counter_.Counts(); }

  Fragment fragment;  // may be changed before a read
  Schema schema;
  std::unique_ptr<FileMetadataCache> cache = std::make_unique<FileMetadataCache>();

 private:
  store::StoreCounter counter_;
  std::unique_ptr<store::ObjectStore> store_;
};

}  // namespace firn::lance
