#include "lance/golden_testing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "arrow/ipc.h"
#include "lance/encoding/compression.h"
#include "store/memory/memory_store.h"

namespace firn::lance {
namespace {

const std::filesystem::path kFolder = std::filesystem::path(FIRN_SOURCE_DIR) / "src/lance/testdata";

Buffer LoadFile(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in.good()) << path;
  return Buffer::Of(std::string(std::istreambuf_iterator<char>(in), {}));
}

Buffer LoadCompressed(const std::filesystem::path& path) {
  ByteBlock raw;
  const Status status = Decompress(Compression::kZstd, LoadFile(path).bytes(), 1 << 24, raw);
  EXPECT_TRUE(status) << path << ": " << status.error().ToString();
  return raw.Finish();
}

}  // namespace

std::vector<std::string> Golden::Columns() const {
  std::vector<std::string> names;
  for (const arrow::Field& field : expected.schema->fields) names.push_back(field.name);
  return names;
}

std::vector<std::string> GoldenNames() {
  std::vector<std::string> names;
  for (const auto& folder : std::filesystem::directory_iterator(kFolder)) {
    if (!folder.is_directory()) continue;
    for (const auto& file : std::filesystem::directory_iterator(folder)) {
      const std::string name = file.path().filename();
      if (name.ends_with(".lance.zst"))
        names.push_back(folder.path().filename().string() + "/" + name.substr(0, name.size() - 10));
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

Golden LoadGolden(const std::string& name) {
  Golden golden;
  golden.name = name;
  golden.file = LoadCompressed(kFolder / (name + ".lance.zst"));
  Result<Manifest> manifest = DecodeManifest(LoadCompressed(kFolder / (name + ".manifest.zst")), name);
  EXPECT_TRUE(manifest) << manifest.error().ToString();
  if (manifest) golden.manifest = *std::move(manifest);
  const std::string group = name.substr(name.find('/') + 1);
  Result<arrow::IpcContents> contents = arrow::ReadIpc(LoadFile(kFolder / "expected" / (group + ".arrow")));
  EXPECT_TRUE(contents) << contents.error().ToString();
  if (contents) {
    Result<arrow::RecordBatch> whole = arrow::Concat(contents->schema, contents->batches);
    EXPECT_TRUE(whole);
    if (whole) golden.expected = *std::move(whole);
  }
  return golden;
}

GoldenTable::GoldenTable(const Golden& golden, const Buffer& file)
    : fragment(golden.fragment()), schema(golden.manifest.schema) {
  auto memory = store::OpenMemory("golden", SystemClock());
  const std::string key = "t.lance/data/" + fragment.files.at(0).path;
  EXPECT_TRUE(memory->Put(key, file.bytes(), store::PutCondition::kNone, Deadline::Never()));
  fragment.files[0].size_bytes = file.size();
  store_ = std::make_unique<store::CountingStore>(std::move(memory), counter_);
}

Result<std::vector<arrow::RecordBatch>> GoldenTable::Read(const RowSelection& rows,
                                                          const std::vector<std::string>& columns) {
  const ReadContext context{*store_, "t.lance", schema, *cache};
  const FragmentRead read{&fragment, rows};
  FIRN_TRY(auto batches, ReadFragments(context, {&read, 1}, columns, Deadline::Never()));
  return std::move(batches.at(0));
}

Status GoldenTable::ReadMetadata(const std::vector<std::string>& columns) {
  const ReadContext context{*store_, "t.lance", schema, *cache};
  const Fragment* const only = &fragment;
  return lance::ReadMetadata(context, {&only, 1}, columns, Deadline::Never());
}

Result<arrow::RecordBatch> GoldenTable::ReadWhole(const RowSelection& rows, const std::vector<std::string>& columns) {
  FIRN_TRY(const auto batches, Read(rows, columns));
  if (batches.empty()) return arrow::RecordBatch{};
  return arrow::Concat(batches[0].schema, batches);
}

}  // namespace firn::lance
