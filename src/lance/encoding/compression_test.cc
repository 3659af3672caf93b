#include "lance/encoding/compression.h"

#include <gtest/gtest.h>
#include <lz4.h>
#include <zstd.h>

#include <string>

#include "lance/encoding/fsst.h"

namespace firn::lance {
namespace {

std::string Lz4(const std::string& raw) {
  std::string out;
  AppendLe<std::uint32_t>(out, static_cast<std::uint32_t>(raw.size()));
  std::string block(static_cast<std::size_t>(LZ4_compressBound(static_cast<int>(raw.size()))), '\0');
  block.resize(static_cast<std::size_t>(
      LZ4_compress_default(raw.data(), block.data(), static_cast<int>(raw.size()), static_cast<int>(block.size()))));
  return out + block;
}

std::string Zstd(const std::string& raw) {
  std::string frame(ZSTD_compressBound(raw.size()), '\0');
  frame.resize(ZSTD_compress(frame.data(), frame.size(), raw.data(), raw.size(), 3));
  return frame;
}

std::string WithSize(const std::string& frame, std::uint64_t size) {
  std::string out;
  AppendLe<std::uint64_t>(out, size);
  return out + frame;
}

TEST(Compression, BothSchemesComeBack) {
  for (const std::size_t size : {1U, 1000U, 3000000U}) {
    std::string raw;
    for (std::size_t i = 0; i < size; i++) raw.push_back(static_cast<char>(i * i >> 7));
    ByteBlock out;
    out.Append(AsBytes("before"));
    ASSERT_TRUE(Decompress(Compression::kLz4, AsBytes(Lz4(raw)), 1 << 30, out));
    ASSERT_TRUE(Decompress(Compression::kZstd, AsBytes(WithSize(Zstd(raw), size)), 1 << 30, out));
    ASSERT_TRUE(Decompress(Compression::kZstd, AsBytes(Zstd(raw)), 1 << 30, out));
    EXPECT_EQ(AsChars(out.bytes()), "before" + raw + raw + raw);
  }
}

TEST(Compression, ASizeThatIsNotTrueIsCorrupt) {
  const std::string raw(5000, 'x');
  ByteBlock out;
  std::string lz4 = Lz4(raw);
  lz4[0] = static_cast<char>(lz4[0] + 1);
  EXPECT_EQ(Decompress(Compression::kLz4, AsBytes(lz4), 1 << 20, out).error().kind, ErrorKind::kDataCorruption);
  EXPECT_EQ(Decompress(Compression::kZstd, AsBytes(WithSize(Zstd(raw), 4999)), 1 << 20, out).error().kind,
            ErrorKind::kDataCorruption);
  EXPECT_EQ(Decompress(Compression::kZstd, AsBytes(WithSize(Zstd(raw), 5001)), 1 << 20, out).error().kind,
            ErrorKind::kDataCorruption);
  const std::string frame = Zstd(raw);
  EXPECT_FALSE(Decompress(Compression::kZstd, AsBytes(frame).first(frame.size() - 1), 1 << 20, out));
  EXPECT_FALSE(Decompress(Compression::kLz4, AsBytes("abc"), 1 << 20, out));
  EXPECT_FALSE(Decompress(Compression::kZstd, AsBytes("abc"), 1 << 20, out));
}

TEST(Compression, AClaimOfHugeSizeAllocatesNothing) {
  ByteBlock out;
  const std::string frame = Zstd("small");
  EXPECT_EQ(Decompress(Compression::kZstd, AsBytes(WithSize(frame, 1ULL << 60)), 1ULL << 30, out).error().kind,
            ErrorKind::kResourceExhausted);
  EXPECT_EQ(Decompress(Compression::kZstd, AsBytes(WithSize(frame, 1ULL << 29)), 1ULL << 30, out).error().kind,
            ErrorKind::kDataCorruption);
  std::string lz4 = Lz4("small");
  lz4[3] = 0x40;
  EXPECT_EQ(Decompress(Compression::kLz4, AsBytes(lz4), 1ULL << 31, out).error().kind, ErrorKind::kDataCorruption);
  EXPECT_LT(out.size(), 100U);
}

TEST(Compression, ABombStopsAtTheLimit) {
  const std::string bomb = Zstd(std::string(10 << 20, '\0'));
  ByteBlock out;
  const Status status = Decompress(Compression::kZstd, AsBytes(bomb), 1 << 20, out);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::kResourceExhausted);
}

std::string FsstHeader(std::uint8_t symbols, bool compressed) {
  std::string table;
  AppendLe<std::uint64_t>(table, std::uint64_t{0x46535354} << 32 | (compressed ? 1ULL << 24 : 0) | symbols);
  return table;
}

TEST(Fsst, SymbolsAndEscapesDecode) {
  std::string table = FsstHeader(2, true);
  table += std::string("hello\0\0\0", 8) + std::string("!\0\0\0\0\0\0\0", 8);
  table += std::string("\x05\x01", 2);
  const Result<FsstTable> parsed = FsstTable::Parse(AsBytes(table));
  ASSERT_TRUE(parsed) << parsed.error().ToString();
  EXPECT_TRUE(parsed->compressed());
  const std::string coded = std::string("\x00\xff", 2) + "x" + "\x01\x01";
  std::string out(FsstTable::RoomFor(coded.size()), '\0');
  auto* begin = reinterpret_cast<std::uint8_t*>(out.data());
  const std::uint8_t* end = parsed->Decode(AsBytes(coded), begin);
  ASSERT_NE(end, nullptr);
  EXPECT_EQ(out.substr(0, static_cast<std::size_t>(end - begin)), "hellox!!");
  EXPECT_EQ(parsed->Decode(AsBytes("\xff"), begin), nullptr);
}

TEST(Fsst, BrokenTablesAreCorrupt) {
  EXPECT_FALSE(FsstTable::Parse({}));
  EXPECT_FALSE(FsstTable::Parse(AsBytes("not a table at all")));
  EXPECT_FALSE(FsstTable::Parse(AsBytes(FsstHeader(200, true))));
  std::string table = FsstHeader(1, true) + "12345678" + "\x09";
  EXPECT_FALSE(FsstTable::Parse(AsBytes(table)));
}

}  // namespace
}  // namespace firn::lance
