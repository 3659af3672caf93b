#include <algorithm>
#include <optional>
#include <string>

#include "arrow/buffers.h"
#include "arrow/ipc.h"
#include "arrow/ipc_batch_reader.h"
#include "arrow/ipc_format.h"
#include "arrow/ipc_schema.h"

namespace firn::arrow {
namespace {

constexpr std::uint64_t kMaxMetadataBytes = std::uint64_t{256} << 20;

Error EndsEarly() { return DataCorruption("Arrow data ends in the middle of a message", "Was the upload complete?"); }

/// Bytes by count out of pieces of any size. Memory grows with what has arrived, not with what a message claims.
class Input {
 public:
  explicit Input(NextBytes next) : next_(std::move(next)) {}

  /// Exactly `count` bytes, or none at the end, or an error in between.
  Result<Buffer> TakeOrEnd(std::uint64_t count) {
    std::vector<Buffer> pieces;
    std::uint64_t have = 0;
    while (have < count) {
      Buffer& from = returned_.empty() ? rest_ : returned_;
      if (from.empty()) {
        FIRN_TRY(from, next_());
        if (from.empty()) break;
      }
      const auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(count - have, from.size()));
      pieces.push_back(from.Slice(0, taken));
      from = from.Slice(taken);
      have += taken;
    }
    if (have == 0) return Buffer();
    if (have < count) return EndsEarly();
    if (pieces.size() == 1) return pieces[0];
    Block block(static_cast<std::size_t>(count));
    std::uint8_t* to = block.data();
    for (const Buffer& piece : pieces) {
      CopyBytes(to, piece.bytes());
      to += piece.size();
    }
    return std::move(block).Finish();
  }

  Result<Buffer> Take(std::uint64_t count) {
    FIRN_TRY(Buffer bytes, TakeOrEnd(count));
    if (bytes.size() < count) return EndsEarly();
    return bytes;
  }

  /// Puts back what was taken last.
  void Return(Buffer bytes) { returned_ = std::move(bytes); }

 private:
  NextBytes next_;
  Buffer rest_;
  Buffer returned_;  // stands before rest_
};

struct Message {
  ipc::MessageType type = ipc::MessageType::kNone;
  Buffer metadata;
  Buffer body;

  /// The Schema, RecordBatch or DictionaryBatch inside.
  Result<FlatTable> Header() const {
    FIRN_TRY(const FlatTable root, FlatTable::Root(metadata.bytes()));
    return root.RequiredTable(ipc::message::kHeader, "a message's header");
  }
};

/// The next message; empty at the end.
Result<std::optional<Message>> NextMessage(Input& input, std::uint64_t max_body_bytes) {
  FIRN_TRY(const Buffer prefix, input.TakeOrEnd(4));
  if (prefix.empty()) return std::optional<Message>();
  auto metadata_bytes = LoadLe<std::uint32_t>(prefix.data());
  if (metadata_bytes == ipc::kContinuation) {
    FIRN_TRY(const Buffer size, input.Take(4));
    metadata_bytes = LoadLe<std::uint32_t>(size.data());
  }  // else: the size itself, as before Arrow 0.15
  if (metadata_bytes == 0) return std::optional<Message>();
  if (metadata_bytes > kMaxMetadataBytes) {
    return DataCorruption("the input is not an Arrow IPC stream: a message claims " + std::to_string(metadata_bytes) +
                          " bytes of metadata");
  }
  Message message;
  FIRN_TRY(message.metadata, input.Take(metadata_bytes));
  FIRN_TRY(const FlatTable root, FlatTable::Root(message.metadata.bytes()));
  FIRN_TRY(const auto version, root.Scalar<std::int16_t>(ipc::message::kVersion, 0));
  if (version != ipc::kMetadataV4 && version != ipc::kMetadataV5) {
    return Unsupported("Arrow data has metadata version V" + std::to_string(version + 1), "Firn reads V4 and V5");
  }
  FIRN_TRY(const auto type, root.Scalar<std::uint8_t>(ipc::message::kHeaderType, 0));
  FIRN_TRY(const auto body_bytes, root.Scalar<std::int64_t>(ipc::message::kBodyLength, 0));
  if (body_bytes < 0) return DataCorruption("an Arrow message has a body of negative size");
  if (static_cast<std::uint64_t>(body_bytes) > max_body_bytes) {
    return ResourceExhausted("an Arrow message has a body of " + std::to_string(body_bytes) + " bytes, the limit is " +
                                 std::to_string(max_body_bytes),
                             "Send smaller batches");
  }
  message.type = static_cast<ipc::MessageType>(type);
  if (body_bytes > 0) {
    FIRN_TRY(message.body, input.Take(static_cast<std::uint64_t>(body_bytes)));
  }
  return std::optional(std::move(message));
}

/// What messages build up, in whatever order they are read: the schema, dictionaries, and batches out of them.
class Decoder {
 public:
  explicit Decoder(const IpcReadOptions& options) : options_(options), dictionaries_(options.max_batch_bytes) {}

  const SchemaPtr& schema() const { return wire_.schema; }

  Status ReadSchema(const FlatTable& table, std::size_t metadata_bytes) {
    FIRN_TRY(wire_, ipc::ReadSchema(table, metadata_bytes));
    return {};
  }

  /// A batch, when the message is one.
  Result<std::optional<RecordBatch>> Read(const Message& message) {
    FIRN_TRY(const FlatTable header, message.Header());
    switch (message.type) {
      case ipc::MessageType::kDictionaryBatch:
        FIRN_CHECK(dictionaries_.Read(header, message.body, wire_));
        return std::optional<RecordBatch>();
      case ipc::MessageType::kRecordBatch: {
        ByteBudget budget(options_.max_batch_bytes);
        FIRN_TRY(ipc::Columns columns, ipc::ReadColumns(header, message.body, wire_.fields, dictionaries_, budget));
        return std::optional(RecordBatch{wire_.schema, std::move(columns.arrays), columns.rows});
      }
      case ipc::MessageType::kTensor:
      case ipc::MessageType::kSparseTensor:
        return Unsupported("Arrow data holds a tensor, not a table");
      default:
        return DataCorruption("an Arrow message is neither a record batch nor a dictionary");
    }
  }

 private:
  IpcReadOptions options_;
  ipc::WireSchema wire_;
  ipc::Dictionaries dictionaries_;
};

class StreamReader final : public BatchSource {
 public:
  StreamReader(NextBytes next, const IpcReadOptions& options)
      : max_body_bytes_(options.max_batch_bytes), input_(std::move(next)), decoder_(options) {}

  /// Reads the schema, after a file's magic where there is one.
  Status Start() {
    FIRN_TRY(Buffer first, input_.Take(8));
    if (!first.chars().starts_with(ipc::kMagic)) input_.Return(std::move(first));
    FIRN_TRY(const std::optional<Message> message, NextMessage(input_, max_body_bytes_));
    if (!message || message->type != ipc::MessageType::kSchema) {
      return DataCorruption("Arrow data does not begin with a schema");
    }
    FIRN_TRY(const FlatTable header, message->Header());
    return decoder_.ReadSchema(header, message->metadata.size());
  }

  SchemaPtr schema() const override { return decoder_.schema(); }

  Result<std::optional<RecordBatch>> Next() override {
    while (!ended_) {
      FIRN_TRY(const std::optional<Message> message, NextMessage(input_, max_body_bytes_));
      if (!message) break;
      FIRN_TRY(std::optional<RecordBatch> batch, decoder_.Read(*message));
      if (batch) return batch;
    }
    ended_ = true;
    return std::optional<RecordBatch>();
  }

 private:
  std::uint64_t max_body_bytes_;
  Input input_;
  Decoder decoder_;
  bool ended_ = false;
};

/// A file in memory, by its footer.
class FileReader final : public BatchSource {
 public:
  FileReader(Buffer file, const IpcReadOptions& options)
      : file_(std::move(file)), max_body_bytes_(options.max_batch_bytes), decoder_(options) {}

  Status Start() {
    // Behind the footer: its size and the magic.
    constexpr std::size_t kTail = 4 + 6;
    const std::size_t size = file_.size();
    if (size < 8 + kTail || !file_.chars().ends_with(ipc::kMagic)) {
      return DataCorruption("an Arrow file lacks its end mark", "Was the upload complete?");
    }
    const auto footer_bytes = LoadLe<std::uint32_t>(file_.data() + size - kTail);
    if (footer_bytes > size - 8 - kTail) return DataCorruption("an Arrow file has a footer larger than itself");
    footer_ = file_.Slice(size - kTail - footer_bytes, footer_bytes);
    FIRN_TRY(const FlatTable root, FlatTable::Root(footer_.bytes()));
    FIRN_TRY(const FlatTable schema, root.RequiredTable(ipc::footer::kSchema, "a footer's schema"));
    FIRN_CHECK(decoder_.ReadSchema(schema, footer_.size()));
    FIRN_TRY(const FlatVector dictionaries, root.Vector(ipc::footer::kDictionaries, ipc::kBlockBytes));
    for (std::size_t i = 0; i < dictionaries.count; i++) {
      FIRN_TRY(const auto batch, ReadBlock(dictionaries, i, ipc::MessageType::kDictionaryBatch));
    }
    FIRN_TRY(batches_, root.Vector(ipc::footer::kRecordBatches, ipc::kBlockBytes));
    return {};
  }

  SchemaPtr schema() const override { return decoder_.schema(); }

  Result<std::optional<RecordBatch>> Next() override {
    if (next_ == batches_.count) return std::optional<RecordBatch>();
    return ReadBlock(batches_, next_++, ipc::MessageType::kRecordBatch);
  }

 private:
  Result<std::optional<RecordBatch>> ReadBlock(const FlatVector& blocks, std::size_t i, ipc::MessageType type) {
    const auto offset = LoadLe<std::uint64_t>(blocks.bytes.data() + i * ipc::kBlockBytes);
    if (offset >= file_.size()) return DataCorruption("an Arrow file has a footer that points past its end");
    Buffer from_there = file_.Slice(static_cast<std::size_t>(offset));
    Input input([&from_there]() -> Result<Buffer> { return std::exchange(from_there, {}); });
    FIRN_TRY(const std::optional<Message> message, NextMessage(input, max_body_bytes_));
    if (!message || message->type != type) {
      return DataCorruption("an Arrow file has a footer that points to something other than it says");
    }
    // Else a small file could name one batch a million times.
    read_bytes_ += message->metadata.size() + message->body.size();
    if (read_bytes_ > file_.size()) return DataCorruption("an Arrow file has a footer that names a batch twice");
    return decoder_.Read(*message);
  }

  Buffer file_;
  Buffer footer_;
  std::uint64_t max_body_bytes_;
  Decoder decoder_;
  FlatVector batches_;  // inside footer_
  std::size_t next_ = 0;
  std::size_t read_bytes_ = 0;
};

}  // namespace

Result<std::unique_ptr<BatchSource>> OpenIpcStream(NextBytes next, const IpcReadOptions& options) {
  auto source = std::make_unique<StreamReader>(std::move(next), options);
  FIRN_CHECK(source->Start());
  return source;
}

Result<std::unique_ptr<BatchSource>> OpenIpc(Buffer bytes, const IpcReadOptions& options) {
  if (!bytes.chars().starts_with(ipc::kMagic)) {
    return OpenIpcStream([rest = std::move(bytes)]() mutable -> Result<Buffer> { return std::exchange(rest, {}); },
                         options);
  }
  auto source = std::make_unique<FileReader>(std::move(bytes), options);
  FIRN_CHECK(source->Start());
  return source;
}

Result<IpcContents> ReadIpc(Buffer bytes, const IpcReadOptions& options) {
  FIRN_TRY(const auto source, OpenIpc(std::move(bytes), options));
  IpcContents contents{source->schema(), {}};
  ByteBudget budget(options.max_batch_bytes);
  for (;;) {
    FIRN_TRY(std::optional<RecordBatch> batch, source->Next());
    if (!batch) return contents;
    for (const Array& column : batch->columns) FIRN_CHECK(budget.Charge(SizeBytes(column), "the Arrow data"));
    contents.batches.push_back(*std::move(batch));
  }
}

}  // namespace firn::arrow
