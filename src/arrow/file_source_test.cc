#include "arrow/file_source.h"

#include <gtest/gtest.h>
#include <unistd.h>
#define ZLIB_CONST
#include <zlib.h>

#include <filesystem>
#include <fstream>

#include "arrow/byte_stream.h"
#include "arrow/ipc.h"
#include "arrow/json_writer.h"

namespace firn::arrow {
namespace {

std::string Compressed(const std::string& text) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, text.size()) + 32, '\0');
  stream.next_in = reinterpret_cast<const Bytef*>(text.data());
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

/// Two vectors of two.
std::string NpyFile(int rows) {
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + std::to_string(rows) + ", 2), }";
  header.append(117 - header.size(), ' ').append("\n");
  std::string file("\x93NUMPY\x01\0v\0", 10);
  file += header;
  for (int i = 0; i < 2 * rows; i++) AppendLe(file, static_cast<float>(i));
  return file;
}

class FileSourceTest : public testing::Test {
 protected:
  FileSourceTest()
      : folder_(std::filesystem::temp_directory_path() /
                ("firn_file_source_" + std::to_string(::getpid()) + "_" +
                 testing::UnitTest::GetInstance()->current_test_info()->name())) {
    std::filesystem::create_directories(folder_);
  }
  ~FileSourceTest() override { std::filesystem::remove_all(folder_); }

  std::string Write(const std::string& name, const std::string& bytes) {
    const std::string path = folder_ / name;
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }

  static std::string Rows(const std::string& path, FileOptions options = {}) {
    const auto source = OpenFile(path, std::move(options));
    if (!source) return std::string(InfoOf(source.error().kind).name) + ": " + source.error().message;
    std::string out;
    while (true) {
      const auto batch = (*source)->Next();
      if (!batch) return std::string(InfoOf(batch.error().kind).name) + ": " + batch.error().message;
      if (!*batch) return out;
      JsonRowWriter((**batch).schema ? *(**batch).schema : Schema()).AppendLines(out, **batch);
    }
  }

  std::filesystem::path folder_;
};

TEST_F(FileSourceTest, TellsTheFormatByTheName) {
  const std::string expected = "{\"id\":1,\"s\":\"a\"}\n{\"id\":2,\"s\":null}\n";
  EXPECT_EQ(Rows(Write("a.json", "[{\"id\":1,\"s\":\"a\"},{\"id\":2}]")), expected);
  EXPECT_EQ(Rows(Write("a.jsonl", expected)), expected);
  EXPECT_EQ(Rows(Write("a.NDJSON.gz", Compressed(expected))), expected);
  EXPECT_EQ(Rows(Write("a.csv", "id,s\n1,a\n2,\n")), expected);
  EXPECT_EQ(Rows(Write("a.tsv.gz", Compressed("id\ts\n1\ta\n2\t\n"))), expected);
  EXPECT_EQ(Rows(Write("v.npy", NpyFile(2))), "{\"vector\":[0,1]}\n{\"vector\":[2,3]}\n");
  FileOptions options;
  options.format = *ParseFileFormat("jsonl");
  EXPECT_EQ(Rows(Write("rows.txt", expected), options), expected);
}

TEST_F(FileSourceTest, ReadsArrowStreamsAndFiles) {
  const auto rows = OpenFile(Write("a.jsonl", "{\"id\":1}\n{\"id\":2}\n"));
  ASSERT_TRUE(rows);
  const std::vector<RecordBatch> batches = {**(*rows)->Next()};
  for (const IpcForm form : {IpcForm::kStream, IpcForm::kFile}) {
    const auto bytes = WriteIpc(batches[0].schema, batches, {form, IpcCompression::kZstd});
    ASSERT_TRUE(bytes);
    EXPECT_EQ(Rows(Write("a.arrow", std::string(bytes->chars()))), "{\"id\":1}\n{\"id\":2}\n");
  }
}

TEST_F(FileSourceTest, JoinsColumnsOfSeveralFiles) {
  const std::string rows = Write("rows.jsonl.gz", Compressed("{\"id\":1}\n{\"id\":2}\n{\"id\":3}\n"));
  FileOptions options;
  options.batch_rows = 2;
  options.columns = {{"embedding", Write("v.npy", NpyFile(3))}, {"name", Write("n.csv", "x\na\nb\nc\n")}};
  EXPECT_EQ(Rows(rows, options),
            "{\"id\":1,\"embedding\":[0,1],\"name\":\"a\"}\n{\"id\":2,\"embedding\":[2,3],\"name\":\"b\"}\n"
            "{\"id\":3,\"embedding\":[4,5],\"name\":\"c\"}\n");
  const auto source = OpenFile(rows, options);
  ASSERT_TRUE(source);
  EXPECT_EQ((*source)->schema()->fields.size(), 3U);
}

TEST_F(FileSourceTest, FilesSideBySideMustHaveEquallyManyRows) {
  const std::string rows = Write("rows.jsonl", "{\"id\":1}\n{\"id\":2}\n{\"id\":3}\n");
  FileOptions options;
  options.columns = {{"v", Write("v.npy", NpyFile(2))}};
  EXPECT_EQ(Rows(rows, options),
            "InvalidArgument: " + (folder_ / "v.npy").string() + " has 2 rows and " + rows + " has more");
  options.columns = {{"v", Write("v.npy", NpyFile(4))}};
  EXPECT_EQ(Rows(rows, options),
            "InvalidArgument: " + rows + " has 3 rows and " + (folder_ / "v.npy").string() + " has more");
}

TEST_F(FileSourceTest, RefusesAColumnThatIsThereAlreadyAndAFileOfSeveral) {
  const std::string rows = Write("rows.jsonl", "{\"id\":1,\"s\":2}\n");
  FileOptions options;
  options.columns = {{"id", Write("v.npy", NpyFile(1))}};
  EXPECT_NE(Rows(rows, options).find("column \"id\" of"), std::string::npos);
  options.columns = {{"other", rows}};
  EXPECT_NE(Rows(rows, options).find("has 2 columns where one, \"other\", is wanted"), std::string::npos);
}

TEST_F(FileSourceTest, AGivenSchemaLeavesOutTheColumnsOfOtherFiles) {
  FileOptions options;
  options.schema = std::make_shared<const Schema>(
      Schema{{{"id", Simple(TypeId::kInt8)}, {"v", FixedSizeList(Simple(TypeId::kFloat32), 2)}}});
  options.columns = {{"v", Write("v.npy", NpyFile(1))}};
  const auto source = OpenFile(Write("rows.jsonl", "{\"id\":1}\n"), options);
  ASSERT_TRUE(source) << source.error().ToString();
  EXPECT_EQ((*source)->schema()->fields[0].type->id, TypeId::kInt8);
}

TEST_F(FileSourceTest, CountsBytesOfTheFilesOnDisk) {
  const std::string text = Compressed("{\"id\":1}\n");
  const auto source = OpenFile(Write("rows.jsonl.gz", text));
  ASSERT_TRUE(source);
  while (*(*source)->Next()) {
  }
  EXPECT_EQ((*source)->progress().bytes_total, text.size());
  EXPECT_EQ((*source)->progress().bytes_read, text.size());
}

TEST_F(FileSourceTest, ErrorsNameTheFile) {
  EXPECT_EQ(Rows((folder_ / "absent.csv").string()), "NotFound: there is no file " + (folder_ / "absent.csv").string());
  EXPECT_EQ(Rows(Write("rows.parquet", "")).substr(0, 15), "InvalidArgument");
  EXPECT_EQ(Rows(Write("noname", "")).substr(0, 15), "InvalidArgument");
  std::filesystem::create_directory(folder_ / "d.csv");
  EXPECT_EQ(Rows(folder_ / "d.csv"), "InvalidArgument: " + (folder_ / "d.csv").string() + " is a folder");
  const std::string broken = Write("b.jsonl", "{\"id\":1}\n{\"id\":\n");
  EXPECT_EQ(Rows(broken),
            "InvalidArgument: " + broken + ": row 1 (line 2), byte 6: the text ends early: a value is missing");
  EXPECT_FALSE(ParseFileFormat("parquet"));
}

TEST_F(FileSourceTest, ABrokenGzipStreamIsDataCorruption) {
  std::string text;
  for (int i = 0; i < 1000; i++) text += "{\"id\":" + std::to_string(i * 7919) + "}\n";
  const std::string gz = Compressed(text);
  EXPECT_EQ(Rows(Write("cut.jsonl.gz", gz.substr(0, gz.size() / 2))).substr(0, 14), "DataCorruption");
  EXPECT_EQ(Rows(Write("cut2.jsonl.gz", gz.substr(0, gz.size() - 1))).substr(0, 14), "DataCorruption");
  EXPECT_EQ(Rows(Write("junk.jsonl.gz", gz + "junk")).substr(0, 14), "DataCorruption");
  EXPECT_EQ(Rows(Write("text.jsonl.gz", text)).substr(0, 14), "DataCorruption");
  std::string flipped = gz;
  flipped[gz.size() / 2] = static_cast<char>(flipped[gz.size() / 2] ^ 0x10);
  EXPECT_NE(Rows(Write("flip.jsonl.gz", flipped)), text);
  EXPECT_EQ(Rows(Write("two.jsonl.gz", gz + gz)), text + text) << "members follow each other, as gzip allows";
}

}  // namespace
}  // namespace firn::arrow
