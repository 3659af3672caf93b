#include "arrow/npy.h"

#include <gtest/gtest.h>

#include <cmath>

namespace firn::arrow {
namespace {

/// A .npy file with this header dict; its data begins at a multiple of 64, as NumPy has it.
std::string File(const std::string& dict, std::string_view data, int version = 1) {
  std::string header = dict;
  const std::size_t prefix = version == 1 ? 10 : 12;
  while ((prefix + header.size() + 1) % 64 != 0) header += ' ';
  header += '\n';
  std::string file = "\x93NUMPY";
  file += static_cast<char>(version);
  file += '\0';
  if (version == 1) {
    AppendLe(file, static_cast<std::uint16_t>(header.size()));
  } else {
    AppendLe(file, static_cast<std::uint32_t>(header.size()));
  }
  return file.append(header).append(data);
}

std::string Dict(const std::string& descr, const std::string& shape, const std::string& fortran = "False") {
  return "{'descr': '" + descr + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }";
}

template <class T>
std::string Raw(std::vector<T> values) {
  return std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

Result<RecordBatch> ReadAll(const Buffer& file, NpyOptions options = {}) {
  FIRN_TRY(const auto source, OpenNpy(FromBuffer(file), std::move(options)));
  std::vector<RecordBatch> batches;
  while (true) {
    FIRN_TRY(auto batch, source->Next());
    if (!batch && batches.size() == 1) return batches[0];
    if (!batch) return Concat(source->schema(), batches);
    batches.push_back(*std::move(batch));
  }
}

std::string Message(const std::string& file) {
  const auto batch = ReadAll(Buffer::Of(file));
  return batch ? "no error" : std::string(InfoOf(batch.error().kind).name) + ": " + batch.error().message;
}

TEST(Npy, TwoDimensionsAreVectorsThatShareTheFilesMemory) {
  for (const int version : {1, 2, 3}) {
    const Buffer file = Buffer::Of(File(Dict("<f4", "(2, 3)"), Raw<float>({1, 2, 3, 4, 5, 6}), version));
    const auto batch = ReadAll(file);
    ASSERT_TRUE(batch) << batch.error().ToString();
    EXPECT_EQ(batch->schema->ToString(), Schema({{{"vector", FixedSizeList(Simple(TypeId::kFloat32), 3)}}}).ToString());
    EXPECT_EQ(batch->rows, 2);
    EXPECT_TRUE(Validate(batch->columns[0], "vector"));
    const auto values = batch->columns[0].child(0).Values<float>();
    EXPECT_EQ(values[5], 6.0F);
    EXPECT_GE(reinterpret_cast<const std::uint8_t*>(values.data()), file.data());
    EXPECT_LT(reinterpret_cast<const std::uint8_t*>(values.data()), file.data() + file.size());
  }
}

TEST(Npy, OneDimensionIsAColumnOfNumbers) {
  NpyOptions options;
  options.column = "n";
  const auto numbers = ReadAll(Buffer::Of(File(Dict("<i8", "(3,)"), Raw<std::int64_t>({-1, 0, 7}))), options);
  ASSERT_TRUE(numbers) << numbers.error().ToString();
  EXPECT_EQ(numbers->schema->fields[0].name, "n");
  EXPECT_EQ(numbers->columns[0].Values<std::int64_t>()[2], 7);
  const auto flags = ReadAll(Buffer::Of(File(Dict("|b1", "(3,)"), std::string("\1\0\1", 3))));
  ASSERT_TRUE(flags) << flags.error().ToString();
  EXPECT_TRUE(flags->columns[0].BoolAt(2));
  EXPECT_FALSE(flags->columns[0].BoolAt(1));
}

TEST(Npy, ReadsEveryNumberType) {
  const std::pair<const char*, TypeId> types[] = {
      {"<f2", TypeId::kFloat16}, {"<f8", TypeId::kFloat64}, {"|i1", TypeId::kInt8},
      {"<i2", TypeId::kInt16},   {"<i4", TypeId::kInt32},   {"|u1", TypeId::kUInt8},
      {"<u2", TypeId::kUInt16},  {"<u4", TypeId::kUInt32},  {"<u8", TypeId::kUInt64}};
  for (const auto& [descr, id] : types) {
    const auto width = static_cast<std::size_t>(BitWidth(*Simple(id)) / 8);
    const auto batch = ReadAll(Buffer::Of(File(Dict(descr, "(2, 2)"), std::string(4 * width, '\1'))));
    ASSERT_TRUE(batch) << descr << batch.error().ToString();
    EXPECT_EQ(batch->columns[0].child(0).type().id, id);
  }
}

TEST(Npy, CopiesWhatIsNotAligned) {
  const std::string header = "{'descr': '<f8', 'fortran_order': False, 'shape': (1,)}\n";
  std::string file = "\x93NUMPY\x01";
  file += '\0';
  AppendLe(file, static_cast<std::uint16_t>(header.size() + file.size() % 2));
  file += header + Raw<double>({2.5});
  file[8] = static_cast<char>(header.size());
  const auto batch = ReadAll(Buffer::Of(file));
  ASSERT_TRUE(batch) << batch.error().ToString();
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(batch->columns[0].data().data.data()) % 8, 0U);
  EXPECT_EQ(batch->columns[0].Values<double>()[0], 2.5);
}

TEST(Npy, GivesBatchesNoLargerThanAsked) {
  NpyOptions options;
  options.batch_rows = 2;
  const auto source = OpenNpy(FromBuffer(Buffer::Of(File(Dict("|u1", "(5, 2)"), "abcdefghij"))), options);
  ASSERT_TRUE(source);
  for (const std::int64_t rows : {2, 2, 1}) EXPECT_EQ((**(*source)->Next()).rows, rows);
  EXPECT_FALSE((*source)->Next()->has_value());
}

TEST(Npy, AnEmptyArrayHasNoBatches) {
  const auto batch = ReadAll(Buffer::Of(File(Dict("<f4", "(0, 4)"), "")));
  ASSERT_TRUE(batch);
  EXPECT_EQ(batch->rows, 0);
}

TEST(Npy, SaysWhatItCannotRead) {
  const std::string numbers = Raw<float>({1, 2, 3, 4});
  EXPECT_EQ(Message(File(Dict("<f4", "(2, 2)", "True"), numbers)), "Unsupported: the .npy file is in Fortran order");
  EXPECT_EQ(Message(File(Dict(">f4", "(2, 2)"), numbers)), "Unsupported: the .npy file is big-endian (\">f4\")");
  EXPECT_EQ(Message(File(Dict("<c8", "(2,)"), numbers)), "Unsupported: the .npy file holds numbers of type \"<c8\"");
  EXPECT_EQ(Message(File(Dict("|O", "(2,)"), numbers)), "Unsupported: the .npy file holds numbers of type \"|O\"");
  EXPECT_EQ(Message(File(Dict("<f4", "()"), numbers)), "Unsupported: the .npy file has 0 dimensions");
  EXPECT_EQ(Message(File(Dict("<f4", "(2, 2, 1)"), numbers)), "Unsupported: the .npy file has 3 dimensions");
  EXPECT_EQ(Message(File(Dict("<f4", "(2, 0)"), "")), "Unsupported: the .npy file has vectors of 0 numbers");
  EXPECT_EQ(Message(File(Dict("<f4", "(1, 4)", "True"), numbers)), "no error") << "one row is the same in both orders";
  EXPECT_EQ(Message(File("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", numbers)),
            "Unsupported: the .npy file holds records, not numbers");
}

TEST(Npy, DamageIsDataCorruption) {
  const std::string numbers = Raw<float>({1, 2, 3, 4});
  const std::string good = File(Dict("<f4", "(2, 2)"), numbers);
  EXPECT_EQ(Message(good.substr(0, good.size() - 3)), "DataCorruption: the .npy file is cut off: 3 bytes are missing");
  for (std::size_t size = 0; size < good.size(); size++) {
    const auto batch = ReadAll(Buffer::Of(good.substr(0, size)));
    ASSERT_FALSE(batch) << size;
    EXPECT_EQ(batch.error().kind, ErrorKind::kDataCorruption) << size;
  }
  for (const std::string& bad :
       {good + "x", File(Dict("<f4", "(18446744073709551615, 9)"), ""),
        File(Dict("<f4", "(99999999999999999999, 2)"), ""), File(Dict("<f4", "(4611686018427387904, 1)"), numbers),
        File(Dict("<f4", "(-1, 2)"), numbers), File("{'descr': '<f4', 'shape': (2, 2)}", numbers),
        File("{'descr': '<f4'", numbers), File("{}", numbers),
        File("{'descr': '<f4', 'fortran_order': 0, 'shape': (2, 2)}", numbers), File("", numbers)}) {
    EXPECT_TRUE(Message(bad).starts_with("DataCorruption: ")) << Message(bad);
  }
}

TEST(Npy, AShapeThatLiesTakesNoMemory) {
  EXPECT_TRUE(
      Message(File(Dict("<f8", "(1, 2147483647)"), "few")).starts_with("DataCorruption: the .npy file is cut off"));
}

TEST(Npy, NamesTheRowOfAVectorThatIsNotFinite) {
  const std::string inf16 = Raw<std::uint16_t>({0x3C00, 0x3C00, 0x3C00, 0xFC00});
  EXPECT_EQ(Message(File(Dict("<f4", "(2, 2)"), Raw<float>({1, 2, NAN, 4}))),
            "InvalidArgument: row 1, column \"vector[0]\": NaN or infinity in a vector");
  EXPECT_EQ(Message(File(Dict("<f2", "(2, 2)"), inf16)),
            "InvalidArgument: row 1, column \"vector[1]\": NaN or infinity in a vector");
  EXPECT_EQ(Message(File(Dict("<f4", "(2,)"), Raw<float>({1, NAN}))), "no error") << "a number may be NaN";
}

}  // namespace
}  // namespace firn::arrow
