#pragma once
// Numbers of the Arrow IPC format, as its flatbuffer schemas (Schema.fbs, Message.fbs, File.fbs) give them.
//
// A message:   | 0xFFFFFFFF | metadata size i32 | Message flatbuffer, padded to 8 | body |
// A stream:    schema, then dictionary and record batches, then a message of metadata size 0 (or just the end)
// A file:      | "ARROW1" 0 0 | a stream | Footer flatbuffer | its size i32 | "ARROW1" |

#include <cstdint>
#include <string_view>

namespace firn::arrow::ipc {

inline constexpr std::string_view kMagic = "ARROW1";
inline constexpr std::uint32_t kContinuation = 0xFFFFFFFF;
inline constexpr std::int16_t kMetadataV4 = 3;
inline constexpr std::int16_t kMetadataV5 = 4;
inline constexpr std::size_t kBlockBytes = 24;  // struct Block: offset i64, metadata size i32, padding, body size i64

enum class MessageType : std::uint8_t { kNone, kSchema, kDictionaryBatch, kRecordBatch, kTensor, kSparseTensor };
enum class Codec : std::int8_t { kLz4Frame, kZstd };

enum class WireType : std::uint8_t {
  kNone,
  kNull,
  kInt,
  kFloatingPoint,
  kBinary,
  kUtf8,
  kBool,
  kDecimal,
  kDate,
  kTime,
  kTimestamp,
  kInterval,
  kList,
  kStruct,
  kUnion,
  kFixedSizeBinary,
  kFixedSizeList,
  kMap,
  kDuration,
  kLargeBinary,
  kLargeUtf8,
  kLargeList,
  kRunEndEncoded,
  kBinaryView,
  kUtf8View,
  kListView,
  kLargeListView,
};

// Field numbers, by table.
namespace message {
enum : int { kVersion, kHeaderType, kHeader, kBodyLength };
}
namespace footer {
enum : int { kVersion, kSchema, kDictionaries, kRecordBatches };
}
namespace schema {
enum : int { kEndianness, kFields, kMetadata };
}
namespace field {
enum : int { kName, kNullable, kTypeType, kType, kDictionary, kChildren, kMetadata };
}
namespace dictionary_encoding {
enum : int { kId, kIndexType };
}
namespace key_value {
enum : int { kKey, kValue };
}
namespace record_batch {
enum : int { kLength, kNodes, kBuffers, kCompression, kVariadicCounts };
}
namespace dictionary_batch {
enum : int { kId, kData, kIsDelta };
}
namespace body_compression {
enum : int { kCodec, kMethod };
}

}  // namespace firn::arrow::ipc
