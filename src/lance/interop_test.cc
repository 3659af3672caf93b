// What LanceDB thinks of the tables written here: tests/compat/lance_module.py makes the data, runs this program, and
// looks. Without its environment variables these tests are skipped.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "arrow/ipc.h"
#include "lance/commit.h"
#include "lance/file_writer.h"
#include "store/open.h"

namespace firn::lance {
namespace {

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::vector<arrow::RecordBatch> BatchesOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(file), {}};
  auto contents = arrow::ReadIpc(Buffer::Of(std::move(bytes)));
  EXPECT_TRUE(contents) << contents.error().ToString();
  if (contents->batches.empty()) contents->batches.push_back({contents->schema, {}, 0});
  return contents->batches;
}

/// Writes `batches` into one data file and commits it.
class TableWriter {
 public:
  TableWriter(store::ObjectStore& store, std::string root, Random& random)
      : store_(store), root_(std::move(root)), random_(random) {}

  Result<Manifest> Create(const std::vector<arrow::RecordBatch>& batches, FileVersion version) {
    FIRN_TRY(const Schema schema, FromArrow(*batches[0].schema));
    FIRN_TRY(Fragment fragment, Write(schema, batches, version));
    return Commit(Context(), nullptr, CreateTable{schema, {std::move(fragment)}, version, {}}, Deadline::Never());
  }
  Result<Manifest> Append(const std::vector<arrow::RecordBatch>& batches) {
    FIRN_TRY(const Manifest base, ReadLatestManifest(store_, root_, Deadline::Never()));
    FIRN_TRY(Fragment fragment, Write(base.schema, batches, base.data_version));
    return Commit(Context(), &base, AppendFragments{{std::move(fragment)}}, Deadline::Never());
  }
  Result<Manifest> Replace(const std::vector<arrow::RecordBatch>& batches) {
    FIRN_TRY(const Manifest base, ReadLatestManifest(store_, root_, Deadline::Never()));
    FIRN_TRY(const Schema schema, FromArrow(*batches[0].schema));
    FIRN_TRY(Fragment fragment, Write(schema, batches, base.data_version));
    return Commit(Context(), &base, ReplaceTable{schema, {std::move(fragment)}}, Deadline::Never());
  }

 private:
  CommitContext Context() { return {store_, SystemClock(), random_, root_}; }

  Result<Fragment> Write(const Schema& schema, const std::vector<arrow::RecordBatch>& batches, FileVersion version) {
    const std::string name = NewDataFileName(random_);
    FIRN_TRY(FileWriter writer, FileWriter::Start(store_, root_ + "/data/" + name, name, schema,
                                                  {.page_bytes = PageBytes(), .version = version}, Deadline::Never()));
    for (const arrow::RecordBatch& batch : batches) {
      if (batch.rows > 0) FIRN_CHECK(writer.Append(batch, Deadline::Never()));
    }
    return writer.Finish(Deadline::Never());
  }

  static std::uint64_t PageBytes() {
    const std::string text = Variable("FIRN_INTEROP_PAGE_BYTES");
    return text.empty() ? WriterOptions().page_bytes : std::stoull(text);
  }

  store::ObjectStore& store_;
  const std::string root_;
  Random& random_;
};

TEST(Interop, WritesTheTableThatTheEnvironmentAsksFor) {
  const std::string folder = Variable("FIRN_INTEROP_DB");
  if (folder.empty()) GTEST_SKIP() << "only under tests/compat";
  Random random(Random::EntropySeed());
  Log log(LogLevel::kError);
  auto store = store::OpenStore(folder, {}, {SystemClock(), random, log, store::ProcessEnvironment()});
  ASSERT_TRUE(store) << store.error().ToString();
  TableWriter table(**store, Variable("FIRN_INTEROP_TABLE") + ".lance", random);
  const std::string mode = Variable("FIRN_INTEROP_MODE");
  const std::uint32_t minor = Variable("FIRN_INTEROP_VERSION") == "2.2" ? 2 : 1;
  const int repeats = Variable("FIRN_INTEROP_REPEATS").empty() ? 1 : std::stoi(Variable("FIRN_INTEROP_REPEATS"));
  const auto batches = BatchesOf(Variable("FIRN_INTEROP_INPUT"));
  for (int i = 0; i < repeats; i++) {
    const auto manifest = mode == "create"   ? table.Create(batches, {2, minor})
                          : mode == "append" ? table.Append(batches)
                                             : table.Replace(batches);
    ASSERT_TRUE(manifest) << manifest.error().ToString();
  }
}

}  // namespace
}  // namespace firn::lance
