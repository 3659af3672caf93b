#include "arrow/ipc.h"

#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <iterator>
#include <random>

#include "arrow/builder.h"
#include "arrow/flatbuffer_reader.h"
#include "arrow/flatbuffer_writer.h"
#include "arrow/ipc_format.h"

namespace firn::arrow {
namespace {

using enum TypeId;

Buffer Golden(const std::string& name) {
  std::ifstream file(std::string(FIRN_SOURCE_DIR) + "/src/arrow/testdata/ipc/" + name, std::ios::binary);
  EXPECT_TRUE(file) << name;
  return Buffer::Of(std::string(std::istreambuf_iterator<char>(file), {}));
}

/// Four rows of every type, the second null, as pyarrow wrote them into the all_types files.
class AllTypes {
 public:
  AllTypes() {
    Add("null", Simple(kNull), [](Builder& b, int) { b.AppendNull(); });
    Add("bool", Simple(kBool), [](Builder& b, int i) { b.AppendBool(i != 2); });
    for (const auto& [name, id] : {std::pair{"i8", kInt8},
                                   {"i16", kInt16},
                                   {"i32", kInt32},
                                   {"i64", kInt64},
                                   {"u8", kUInt8},
                                   {"u16", kUInt16},
                                   {"u32", kUInt32},
                                   {"u64", kUInt64}}) {
      Add(name, Simple(id), [](Builder& b, int i) { b.AppendInteger(i == 0 ? -1 : i + 1); });
    }
    for (const auto& [name, id] : {std::pair{"f16", kFloat16}, {"f32", kFloat32}, {"f64", kFloat64}}) {
      Add(name, Simple(id), [](Builder& b, int i) { b.AppendFloating(i == 0 ? 1.5 : i == 2 ? -2 : 0); });
    }
    Add("decimal", Decimal128(10, 2), [](Builder& b, int i) {
      const std::int64_t low = i == 0 ? -125 : i == 2 ? 350 : 9999999999;
      const std::int64_t words[2] = {low, low < 0 ? -1 : 0};
      b.AppendFixed({reinterpret_cast<const std::uint8_t*>(words), 16});
    });
    Add("date32", Simple(kDate32), Integers(0, -1, 20000));
    Add("date64", Simple(kDate64), Integers(0, -86400000, 864000000));
    Add("time_s", Time32(TimeUnit::kSecond), Integers(0, 3, 4));
    Add("time_ns", Time64(TimeUnit::kNano), Integers(0, 3, 4));
    Add("at", Timestamp(TimeUnit::kMicro, "Europe/Berlin"), Integers(0, -3, 4));
    Add("at_ns", Timestamp(TimeUnit::kNano), Integers(0, -3, 4));
    Add("took", DurationType(TimeUnit::kMilli), Integers(0, -3, 4));
    for (const auto& [name, id] : {std::pair{"text", kUtf8}, {"large_text", kLargeUtf8}})
      Add(name, Simple(id), Texts("déjà vu"));
    for (const auto& [name, id] : {std::pair{"bytes", kBinary}, {"large_bytes", kLargeBinary}}) {
      Add(name, Simple(id), Texts(std::string_view("\xFF\0", 2)));
    }
    Add("fixed", FixedSizeBinary(3), [](Builder& b, int i) {
      b.AppendFixed(AsBytes(i == 0 ? "abc" : i == 2 ? std::string_view("\xFF\0\x01", 3) : "xyz"));
    });
    Add("text_view", Simple(kUtf8), Texts("déjà vu"));
    Add("bytes_view", Simple(kBinary), Texts(std::string_view("\xFF\0", 2)));
    Add("list", List(Simple(kInt32)), [](Builder& b, int i) {
      if (i != 2) b.child(0).AppendInteger(i + 1);
      if (i == 0) b.child(0).AppendNull();
      b.CloseList();
    });
    Add("large_list", LargeList(Simple(kUtf8)), [](Builder& b, int i) {
      if (i != 2) b.child(0).AppendBytes(i == 0 ? "a" : "d");
      if (i == 0) b.child(0).AppendNull();
      b.CloseList();
    });
    Add("vector", FixedSizeList(Simple(kFloat32), 2), [](Builder& b, int i) {
      b.child(0).AppendFloating(2 * i + 1);
      b.child(0).AppendFloating(2 * i + 2);
      b.CloseList();
    });
    Add("struct", Struct({{"a", Simple(kInt64), true, {}}, {"b", List(Simple(kUtf8)), true, {}}}),
        [](Builder& b, int i) {
          i == 2 ? b.child(0).AppendNull() : b.child(0).AppendInteger(i + 1);
          if (i == 0) b.child(1).child(0).AppendBytes("x");
          i == 3 ? b.child(1).AppendNull() : b.child(1).CloseList();
          b.CloseStruct();
        });
    Add("word", Simple(kUtf8), [](Builder& b, int i) { b.AppendBytes(i == 2 ? "blue" : "red"); });
    Add("words", List(Simple(kUtf8)), [](Builder& b, int i) {
      if (i != 2) b.child(0).AppendBytes("red");
      if (i == 0) b.child(0).AppendBytes("blue");
      b.CloseList();
    });
    schema_.fields[2].metadata = {{"unit", "m"}};
    schema_.metadata = {{"made by", "pyarrow"}};
    Builder id(Simple(kInt64));
    for (std::int64_t i = 10; i < 14; i++) id.Append(i);
    schema_.fields.push_back({"id", Simple(kInt64), false, {}});
    columns_.push_back(id.Finish());
  }

  RecordBatch Batch() const { return {std::make_shared<const Schema>(schema_), columns_, 4}; }

 private:
  using Append = std::function<void(Builder&, int)>;
  void Add(std::string name, const TypePtr& type, const Append& append) {
    Builder builder(type);
    for (int i = 0; i < 4; i++) i == 1 ? builder.AppendNull() : append(builder, i);
    schema_.fields.push_back({std::move(name), type, true, {}});
    columns_.push_back(builder.Finish());
  }
  static Append Integers(std::int64_t a, std::int64_t c, std::int64_t d) {
    return [=](Builder& b, int i) { b.AppendInteger(i == 0 ? a : i == 2 ? c : d); };
  }
  static Append Texts(std::string_view c) {
    return [=](Builder& b, int i) {
      b.AppendBytes(i == 0 ? "" : i == 2 ? c : std::string_view("xxxxxxxxxxxxxxxxxxxx"));
    };
  }

  Schema schema_;
  std::vector<Array> columns_;
};

/// "" when the batches are rows 0, none, and 1 to 4 of AllTypes; else what differs.
std::string DifferenceToAllTypes(const IpcContents& contents) {
  const RecordBatch want = AllTypes().Batch();
  if (!Equal(*contents.schema, *want.schema)) return "schema:\n" + contents.schema->ToString();
  if (contents.schema->metadata != want.schema->metadata) return "metadata";
  if (contents.schema->fields[2].metadata != want.schema->fields[2].metadata) return "field metadata";
  std::size_t at = 0;
  for (const auto& [begin, length] : {std::pair{0, 1}, {1, 0}, {1, 3}}) {
    if (at == contents.batches.size()) return "too few batches";
    const RecordBatch& batch = contents.batches[at++];
    if (batch.rows != length) return "batch " + std::to_string(at) + " has " + std::to_string(batch.rows) + " rows";
    for (std::size_t i = 0; i < want.columns.size(); i++) {
      if (!Equal(batch.columns[i], want.columns[i].Slice(begin, length))) return want.schema->fields[i].name;
    }
  }
  return at == contents.batches.size() ? "" : "too many batches";
}

/// A source of pieces of `size` bytes.
NextBytes InPieces(Buffer bytes, std::size_t size) {
  return [rest = std::move(bytes), size]() mutable -> Result<Buffer> {
    const std::size_t taken = std::min(size, rest.size());
    Buffer piece = rest.Slice(0, taken);
    rest = rest.Slice(taken);
    return piece;
  };
}

Result<IpcContents> ReadAll(Result<std::unique_ptr<BatchSource>> source) {
  if (!source) return source.error();
  IpcContents contents{(*source)->schema(), {}};
  for (;;) {
    FIRN_TRY(auto batch, (*source)->Next());
    if (!batch) return contents;
    contents.batches.push_back(*std::move(batch));
  }
}

class IpcGolden : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Files, IpcGolden,
                         testing::Values("all_types.arrows", "all_types.arrow", "all_types_lz4.arrows",
                                         "all_types_zstd.arrow"));

TEST_P(IpcGolden, ReadsEveryTypeAsPyarrowWroteIt) {
  const auto contents = ReadIpc(Golden(GetParam()));
  ASSERT_TRUE(contents) << contents.error().ToString();
  EXPECT_EQ(DifferenceToAllTypes(*contents), "");
}

TEST_P(IpcGolden, ReadsFromPiecesOfAnySize) {
  for (const std::size_t size : {1, 7, 1000}) {
    const auto contents = ReadAll(OpenIpcStream(InPieces(Golden(GetParam()), size)));
    ASSERT_TRUE(contents) << contents.error().ToString();
    EXPECT_EQ(DifferenceToAllTypes(*contents), "");
  }
}

TEST_P(IpcGolden, ReadsAtAnyAddress) {
  std::string shifted = "123";
  shifted += Golden(GetParam()).chars();
  const auto contents = ReadIpc(Buffer::Of(std::move(shifted)).Slice(3));
  ASSERT_TRUE(contents) << contents.error().ToString();
  EXPECT_EQ(DifferenceToAllTypes(*contents), "");
  for (const RecordBatch& batch : contents->batches) {
    for (const Array& column : batch.columns) {
      const auto width = static_cast<std::uintptr_t>(std::max<std::int64_t>(BitWidth(column.type()) / 8, 1));
      if (column.type().id != kFixedSizeBinary) {
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(column.data().data.data()) % width, 0U);
      }
    }
  }
}

/// Reads, and looks at each value; only that it ends, and how, counts.
void ReadAsIs(Buffer bytes) {
  const auto contents = ReadIpc(std::move(bytes), {.max_batch_bytes = 1 << 20});
  if (contents) {
    for (const RecordBatch& batch : contents->batches) EXPECT_TRUE(Equal(batch, batch));
    return;
  }
  EXPECT_TRUE(contents.error().kind == ErrorKind::kDataCorruption || contents.error().kind == ErrorKind::kUnsupported ||
              contents.error().kind == ErrorKind::kResourceExhausted)
      << contents.error().ToString();
}

TEST_P(IpcGolden, EveryTruncationIsAnErrorOrFewerBatches) {
  const Buffer whole = Golden(GetParam());
  for (std::size_t size = 0; size < whole.size(); size += 13) ReadAsIs(whole.Slice(0, size));
}

TEST_P(IpcGolden, DamageNeverDoesMoreThanFail) {
  const Buffer whole = Golden(GetParam());
  std::mt19937_64 random(1);
  for (int i = 0; i < 500; i++) {
    std::vector<std::uint8_t> bytes(whole.bytes().begin(), whole.bytes().end());
    for (std::uint64_t flips = 1 + random() % 4; flips > 0; flips--)
      bytes[random() % bytes.size()] = static_cast<std::uint8_t>(random());
    ReadAsIs(Buffer::Of(std::move(bytes)));
  }
}

TEST(IpcWriter, WhatItWritesReadsBackInEveryFormAndCompression) {
  const RecordBatch all = AllTypes().Batch();
  const RecordBatch batches[] = {all.Slice(0, 1), all.Slice(1, 0), all.Slice(1, 3)};
  for (const IpcForm form : {IpcForm::kStream, IpcForm::kFile}) {
    for (const IpcCompression compression : {IpcCompression::kNone, IpcCompression::kLz4, IpcCompression::kZstd}) {
      const auto bytes = WriteIpc(all.schema, batches, {form, compression});
      ASSERT_TRUE(bytes) << bytes.error().ToString();
      const auto contents = ReadIpc(*bytes);
      ASSERT_TRUE(contents) << contents.error().ToString();
      EXPECT_EQ(DifferenceToAllTypes(*contents), "");
      const auto streamed = ReadAll(OpenIpcStream(InPieces(*bytes, 100)));
      ASSERT_TRUE(streamed) << streamed.error().ToString();
      EXPECT_EQ(DifferenceToAllTypes(*streamed), "");
    }
  }
}

TEST(IpcWriter, ASliceIsWrittenWithoutTheRestOfItsColumn) {
  Builder builder(List(Simple(kUtf8)));
  for (int i = 0; i < 1000; i++) {
    builder.child(0).AppendBytes(std::string(100, 'x'));
    builder.CloseList();
  }
  const auto schema = std::make_shared<const Schema>(Schema{{{"a", List(Simple(kUtf8)), true, {}}}, {}});
  const RecordBatch slice = RecordBatch{schema, {builder.Finish()}, 1000}.Slice(500, 2);
  const auto bytes = WriteIpc(schema, {&slice, 1});
  ASSERT_TRUE(bytes);
  EXPECT_LT(bytes->size(), 2000U);
  const auto contents = ReadIpc(*bytes);
  ASSERT_TRUE(contents) << contents.error().ToString();
  EXPECT_TRUE(Equal(contents->batches[0], slice));
}

TEST(IpcWriter, RefusesABatchOfAnotherSchema) {
  const auto schema = std::make_shared<const Schema>(Schema{{{"a", Simple(kInt32), true, {}}}, {}});
  const RecordBatch batch{schema, {Nulls(Simple(kInt64), 1)}, 1};
  EXPECT_EQ(WriteIpc(schema, {&batch, 1}).error().kind, ErrorKind::kInvalidArgument);
}

TEST(IpcReader, UncompressedColumnsShareTheInput) {
  const Buffer bytes = Golden("all_types.arrows");
  const auto contents = ReadIpc(bytes);
  ASSERT_TRUE(contents);
  const std::uint8_t* at = contents->batches[2].Column("f64")->data().data.data();
  EXPECT_TRUE(at >= bytes.data() && at < bytes.data() + bytes.size());
}

TEST(IpcReader, DictionariesGrowAndAreReplaced) {
  const auto contents = ReadIpc(Golden("growing_dictionary.arrows"));
  ASSERT_TRUE(contents) << contents.error().ToString();
  std::vector<std::string> words;
  for (const RecordBatch& batch : contents->batches) {
    for (std::int64_t i = 0; i < batch.rows; i++) {
      words.emplace_back(batch.columns[0].IsNull(i) ? "null" : batch.columns[0].BytesAt(i));
    }
  }
  EXPECT_EQ(words, (std::vector<std::string>{"a", "b", "c", "a", "z", "null"}));
}

/// The messages of a stream, one after the other.
std::vector<std::string> Messages(std::string_view stream) {
  std::vector<std::string> messages;
  for (;;) {
    const auto metadata = LoadLe<std::uint32_t>(stream.data() + 4);
    if (metadata == 0) return messages;
    const auto root = FlatTable::Root(AsBytes(stream.substr(8, metadata)));
    const auto body =
        root ? root->Scalar<std::int64_t>(ipc::message::kBodyLength, 0) : Result<std::int64_t>(root.error());
    EXPECT_TRUE(body);
    const std::size_t size = 8 + metadata + static_cast<std::size_t>(body.value_or(0));
    messages.emplace_back(stream.substr(0, size));
    stream.remove_prefix(size);
  }
}

TEST(IpcReader, ReplacedDictionariesDoNotCountAgainstTheLimit) {
  const std::vector<std::string> messages = Messages(Golden("growing_dictionary.arrows").chars());
  ASSERT_EQ(messages.size(), 7U);
  std::string stream = messages[0];
  for (int i = 0; i < 1000; i++) stream += messages[1];
  const auto contents = ReadIpc(Buffer::Of(stream + messages[2]), {.max_batch_bytes = 2000});
  ASSERT_TRUE(contents) << contents.error().ToString();
  EXPECT_EQ(contents->batches[0].columns[0].BytesAt(1), "b");
  stream = messages[0] + messages[1];
  for (int i = 0; i < 1000; i++) stream += messages[3];  // a delta
  EXPECT_EQ(ReadIpc(Buffer::Of(stream + messages[4]), {.max_batch_bytes = 2000}).error().kind,
            ErrorKind::kResourceExhausted);
}

TEST(IpcReader, NamesTheColumnWhoseTypeItDoesNotRead) {
  for (const auto& [file, column] :
       {std::pair{"map.arrows", "\"tags\""}, {"union.arrows", "\"either\""}, {"run_ends.arrows", "\"runs\""}}) {
    const auto contents = ReadIpc(Golden(file));
    ASSERT_FALSE(contents);
    EXPECT_EQ(contents.error().kind, ErrorKind::kUnsupported);
    EXPECT_NE(contents.error().message.find(column), std::string::npos) << contents.error().message;
  }
}

TEST(IpcReader, RefusesWhatIsNotArrow) {
  for (const std::string text :
       {"", "ARROW1", "ARROW1\0\0", "id,name\n1,hello\n", "{\"id\": 1, \"name\": \"hello\"}"}) {
    const auto contents = ReadIpc(Buffer::Of(text));
    ASSERT_FALSE(contents);
    EXPECT_EQ(contents.error().kind, ErrorKind::kDataCorruption) << contents.error().ToString();
  }
}

TEST(IpcReader, BoundsWhatABatchUnfoldsTo) {
  Builder builder(Simple(kInt64));
  for (std::int64_t i = 0; i < 100000; i++) builder.AppendInteger(0);
  const auto schema = std::make_shared<const Schema>(Schema{{{"a", Simple(kInt64), true, {}}}, {}});
  const RecordBatch batch{schema, {builder.Finish()}, 100000};
  const auto bytes = WriteIpc(schema, {&batch, 1}, {IpcForm::kStream, IpcCompression::kZstd});
  ASSERT_TRUE(bytes);
  EXPECT_LT(bytes->size(), 2000U);
  EXPECT_TRUE(ReadIpc(*bytes));
  EXPECT_EQ(ReadIpc(*bytes, {.max_batch_bytes = 500000}).error().kind, ErrorKind::kResourceExhausted);
}

/// A stream's schema message around what `write` adds at the slot of its header.
Buffer SchemaMessage(const std::function<void(FlatWriter&, std::size_t)>& write) {
  FlatWriter writer;
  const std::size_t table = writer.AddTable(FlatWriter::kRoot, {FlatScalar(ipc::message::kVersion, ipc::kMetadataV5),
                                                                FlatScalar(ipc::message::kHeaderType, std::uint8_t{1}),
                                                                FlatReference(ipc::message::kHeader)});
  write(writer, writer.SlotOf(table, ipc::message::kHeader));
  const std::string metadata = std::move(writer).Finish();
  std::string bytes;
  AppendLe(bytes, ipc::kContinuation);
  AppendLe(bytes, static_cast<std::uint32_t>(metadata.size()));
  return Buffer::Of(bytes + metadata);
}

TEST(IpcReader, ASchemaThatNamesTheSameFieldsOverAndOverEndsEarly) {
  // Forty structs, each holding the next one twice: 2^40 fields in a few kilobytes, were they unfolded.
  const Buffer bytes = SchemaMessage([](FlatWriter& writer, std::size_t slot) {
    const std::size_t schema = writer.AddTable(slot, {FlatReference(ipc::schema::kFields)});
    std::size_t children = writer.AddReferences(writer.SlotOf(schema, ipc::schema::kFields), 1);
    std::size_t twin = 0;
    for (int level = 0; level < 40; level++) {
      const std::vector<FlatField> members = {
          FlatScalar(ipc::field::kTypeType, static_cast<std::uint8_t>(ipc::WireType::kStruct)),
          FlatReference(ipc::field::kType), FlatReference(ipc::field::kChildren)};
      const std::size_t table = writer.AddTable(children, members);
      if (twin != 0) writer.LinkAlso(twin, table);
      writer.AddTable(writer.SlotOf(table, ipc::field::kType), {});
      children = writer.AddReferences(writer.SlotOf(table, ipc::field::kChildren), 2);
      twin = children + 4;
    }
  });
  const auto contents = ReadIpc(bytes);
  ASSERT_FALSE(contents);
  EXPECT_EQ(contents.error().kind, ErrorKind::kDataCorruption) << contents.error().ToString();
}

TEST(IpcReader, SaysThatBigEndianDataIsNotRead) {
  const auto contents = ReadIpc(SchemaMessage([](FlatWriter& writer, std::size_t slot) {
    writer.AddTable(slot, {FlatScalar(ipc::schema::kEndianness, std::int16_t{1})});
  }));
  ASSERT_FALSE(contents);
  EXPECT_EQ(contents.error().kind, ErrorKind::kUnsupported);
}

TEST(IpcReader, ClaimedSizesAllocateNothing) {
  std::string bytes;
  AppendLe(bytes, ipc::kContinuation);
  AppendLe(bytes, std::uint32_t{200} << 20);
  bytes += "few";
  EXPECT_EQ(ReadIpc(Buffer::Of(bytes)).error().kind, ErrorKind::kDataCorruption);
}

TEST(IpcReader, AFooterThatNamesABatchTwiceIsRefused) {
  const RecordBatch batch = AllTypes().Batch();
  const std::vector<RecordBatch> batches(2, batch);
  auto bytes = WriteIpc(batch.schema, batches, {IpcForm::kFile, IpcCompression::kNone});
  ASSERT_TRUE(bytes);
  // Make the second block the first, in a file that is cut down to little more than that batch.
  std::string one(WriteIpc(batch.schema, {&batch, 1}, {IpcForm::kFile, IpcCompression::kNone})->chars());
  const std::string_view two = bytes->chars();
  const auto footer_size = LoadLe<std::uint32_t>(two.data() + two.size() - 10);
  std::string footer(two.substr(two.size() - 10 - footer_size));
  const std::size_t blocks = footer_size - 2 * ipc::kBlockBytes;
  const auto first_offset = footer.substr(blocks, ipc::kBlockBytes);
  std::size_t at = footer.find(first_offset);
  ASSERT_NE(at, std::string::npos);
  footer.replace(at + ipc::kBlockBytes, ipc::kBlockBytes, first_offset);
  const auto one_footer = LoadLe<std::uint32_t>(one.data() + one.size() - 10);
  one.resize(one.size() - 10 - one_footer);
  const auto contents = ReadIpc(Buffer::Of(one + footer));
  ASSERT_FALSE(contents);
  EXPECT_NE(contents.error().message.find("twice"), std::string::npos) << contents.error().message;
}

}  // namespace
}  // namespace firn::arrow
