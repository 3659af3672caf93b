#include "index/lance_ivf/golden_testing.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "store/memory/memory_store.h"

namespace firn::index {
namespace {

const std::filesystem::path kFolder = std::filesystem::path(FIRN_SOURCE_DIR) / "src/index/lance_ivf/testdata";

/// Empty when there is no such file.
std::string LoadFile(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void ReadExpected(const std::string& text, GoldenIndex& golden) {
  std::istringstream lines(text);
  std::vector<float> query;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string verb;
    words >> verb;
    if (verb == "deleted") {
      golden.deleted = {std::istream_iterator<std::uint64_t>(words), {}};
    } else if (verb == "query") {
      query = {std::istream_iterator<float>(words), {}};
    } else {
      ASSERT_EQ(verb, "search");
      GoldenSearch search;
      std::string rows;
      std::size_t count = 0;
      words >> search.nprobes >> rows >> count;
      search.query = query;
      search.even_rows = rows == "even";
      for (std::size_t i = 0; i < count; i++) {
        simd::Hit hit{};
        ASSERT_TRUE(std::getline(lines, line));
        std::istringstream(line) >> hit.row >> hit.distance;
        search.hits.push_back(hit);
      }
      golden.searches.push_back(std::move(search));
    }
  }
}

}  // namespace

std::vector<std::string> SearchableNames() {
  return {"flat_l2", "flat_cosine", "flat_dot",  "flat_wide", "sq_l2",  "sq_cosine",
          "sq_dot",  "pq_l2",       "pq_cosine", "pq_dot",    "pq_rows"};
}

std::vector<std::string> UnsupportedNames() { return {"hnsw_flat", "hnsw_sq", "hnsw_pq", "rq", "pq_4bit"}; }

GoldenIndex LoadGolden(const std::string& name) {
  GoldenIndex golden;
  golden.name = name;
  Result<lance::Manifest> manifest = lance::DecodeManifest(Buffer::Of(LoadFile(kFolder / name / "manifest")), name);
  EXPECT_TRUE(manifest) << manifest.error().ToString();
  if (manifest) golden.manifest = *std::move(manifest);
  const Result<std::vector<LanceIndexInfo>> infos = ListLanceIndexes(golden.manifest);
  EXPECT_TRUE(infos && infos->size() == 1) << name;
  if (infos && infos->size() == 1) golden.info = infos->front();
  golden.index = LoadFile(kFolder / name / "index.idx");
  golden.codes = LoadFile(kFolder / name / "auxiliary.idx");
  ReadExpected(LoadFile(kFolder / name / "expected.txt"), golden);
  return golden;
}

GoldenStore::GoldenStore(const GoldenIndex& golden, const std::string& index, const std::string& codes) {
  auto memory = store::OpenMemory("golden", SystemClock());
  const std::string folder = "t.lance/_indices/" + golden.info.uuid + "/";
  EXPECT_TRUE(memory->Put(folder + "index.idx", AsBytes(index), store::PutCondition::kNone, Deadline::Never()));
  EXPECT_TRUE(memory->Put(folder + "auxiliary.idx", AsBytes(codes), store::PutCondition::kNone, Deadline::Never()));
  store_ = std::make_unique<store::CountingStore>(std::move(memory), counter_);
}

}  // namespace firn::index
