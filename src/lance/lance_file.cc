#include "lance/lance_file.h"

#include "encodings.pb.h"
#include "lance/file_cache.h"
#include "lance/manifest_message.h"

namespace firn::lance {
namespace {

constexpr std::uint64_t kTailBytes = 64ULL << 10;
constexpr std::uint32_t kMaxColumns = 1024;
constexpr std::uint32_t kMaxGlobals = 1U << 16;
constexpr std::uint64_t kMaxMetadataBytes = 256ULL << 20;  // of one file

struct Descriptor {
  Schema schema;
  std::uint64_t rows = 0;
};

Result<Descriptor> DescriptorFrom(ByteSpan bytes) {
  pb::FileDescriptor message;
  pb::Schema schema;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) ||
      !schema.ParseFromString(message.schema())) {
    return DataCorruption("its schema is not a valid message");
  }
  Descriptor descriptor;
  descriptor.rows = message.length();
  if (descriptor.rows > (1ULL << 40)) return DataCorruption("it says that it has too many rows");
  FIRN_TRY(descriptor.schema, SchemaFromMessages(schema.fields(), schema.metadata()));
  return descriptor;
}

}  // namespace

/// A file on its way: what is fetched stays where it is until it is parsed.
struct LanceFile::Opening {
  LanceFile file;
  Buffer column_table;
  Buffer global_table;
  Buffer descriptor;
  std::vector<Buffer> columns;

  Status TakeTail(const LanceFilePlace& place, const store::ReadResult& tail, KnownEnds& ends) {
    const std::uint64_t size = tail.object_size_bytes;
    if (tail.bytes.size() > size) return Internal("a store gave more bytes than there are");
    if (place.size_bytes != 0 && size != place.size_bytes) {
      return DataCorruption("it has " + std::to_string(size) + " bytes where the manifest says " +
                            std::to_string(place.size_bytes));
    }
    FIRN_TRY(file.footer_, ParseFooter(tail.bytes.bytes(), size));
    if (file.footer_.column_count > kMaxColumns || file.footer_.global_count > kMaxGlobals)
      return DataCorruption("it has too many columns or global buffers");
    if (file.footer_.global_count == 0) return DataCorruption("it has no schema");
    ends.emplace(file.key_, KnownEnd{size - tail.bytes.size(), tail.bytes});
    return {};
  }

  Status AddTables(ReadRound& round) {
    FIRN_TRY(const ByteRange globals, file.footer_.GlobalTable());
    round.Add(file.key_, globals, &global_table);
    round.Add(file.key_, {file.footer_.column_table_start, 16ULL * file.footer_.column_count}, &column_table);
    return {};
  }

  Status AddMessages(ReadRound& round) {
    for (std::uint32_t i = 0; i < file.footer_.global_count; i++) {
      FIRN_TRY(const ByteRange range, ParseTableEntry(global_table.bytes().subspan(16ULL * i, 16), file.footer_));
      file.globals_.push_back(range);
    }
    FIRN_CHECK(file.AddGlobalBuffer(0, kMaxMetadataBytes, round, &descriptor));
    columns.resize(file.footer_.column_count);
    std::uint64_t bytes = 0;
    for (std::uint32_t i = 0; i < columns.size(); i++) {
      FIRN_TRY(const ByteRange range, ParseTableEntry(column_table.bytes().subspan(16ULL * i, 16), file.footer_));
      if ((bytes += range.length) > kMaxMetadataBytes)
        return ResourceExhausted("its column metadata is larger than 256 MiB");
      round.Add(file.key_, range, &columns[i]);
    }
    return {};
  }

  Status Parse(const std::string& name) {
    FIRN_TRY(Descriptor parsed, DescriptorFrom(descriptor.bytes()));
    file.schema_ = std::move(parsed.schema);
    file.fragment_.physical_rows = parsed.rows;
    DataFile data;
    data.path = name;
    data.version = file.footer_.version;
    data.size_bytes = file.footer_.object_size;
    std::int32_t index = 0;
    for (const Field& field : file.schema_.fields) {
      if (field.parent_id != -1) continue;
      for (const Field* leaf : LeavesOf(file.schema_, field)) {
        data.field_ids.push_back(leaf->id);
        data.column_indices.push_back(index++);
      }
    }
    file.fragment_.files.push_back(std::move(data));
    return Remember();
  }

  /// So that reads of rows begin with the rows.
  Status Remember() {
    FileMetadataCache::Entries& entries = file.cache_->entries();
    entries.PutFooter(file.key_, std::make_shared<const FileFooter>(file.footer_));
    for (std::uint32_t i = 0; i < columns.size(); i++) {
      FIRN_TRY(ColumnPages pages, ParseColumn(columns[i].bytes(), file.footer_));
      if (pages.rows != file.rows()) {
        return DataCorruption("column " + std::to_string(i) + " has " + std::to_string(pages.rows) +
                              " rows instead of " + std::to_string(file.rows()));
      }
      entries.PutColumn(file.key_, i, std::make_shared<const ColumnPages>(std::move(pages)), 4 * columns[i].size());
    }
    return {};
  }
};

Result<LanceFile::Opened> LanceFile::Open(store::ObjectStore& store, std::string_view folder,
                                          std::span<const LanceFilePlace> places, std::uint64_t whole_bytes,
                                          const Deadline& deadline) {
  std::vector<Opening> openings(places.size());
  std::vector<store::ReadRequest> requests;
  for (std::size_t i = 0; i < places.size(); i++) {
    LanceFile& file = openings[i].file;
    file.store_ = &store;
    file.folder_ = folder;
    file.key_ = file.folder_ + "/" + places[i].name;
    file.cache_ = std::make_shared<FileMetadataCache>();
    const bool whole = places[i].size_bytes != 0 && places[i].size_bytes <= whole_bytes;
    requests.push_back(whole ? store::ReadRequest::Whole(file.key_) : store::ReadRequest::Tail(file.key_, kTailBytes));
  }
  std::vector<Result<store::ReadResult>> answers = store.ReadMany(requests, deadline);
  if (answers.size() != requests.size()) return Internal("a store gave another number of answers than requests");
  for (Result<store::ReadResult>& answer : answers) {
    if (!answer) return std::move(answer).error();
  }

  Opened opened;
  const auto each = [&](const auto& step) -> Status {
    for (std::size_t i = 0; i < openings.size(); i++) {
      if (Status status = step(i); !status) return std::move(status).error().In(openings[i].file.Describe());
    }
    return {};
  };
  FIRN_CHECK(each([&](std::size_t i) { return openings[i].TakeTail(places[i], *answers[i], opened.ends); }));
  ReadRound tables(store, opened.ends);
  FIRN_CHECK(each([&](std::size_t i) { return openings[i].AddTables(tables); }));
  FIRN_CHECK(tables.Run(deadline));
  ReadRound messages(store, opened.ends);
  FIRN_CHECK(each([&](std::size_t i) { return openings[i].AddMessages(messages); }));
  FIRN_CHECK(messages.Run(deadline));
  FIRN_CHECK(each([&](std::size_t i) { return openings[i].Parse(places[i].name); }));
  for (Opening& opening : openings) opened.files.push_back(std::move(opening.file));
  return opened;
}

Status LanceFile::AddGlobalBuffer(std::uint32_t index, std::uint64_t max_bytes, ReadRound& round, Buffer* to) const {
  if (index >= globals_.size()) return DataCorruption(Describe() + " has no global buffer " + std::to_string(index));
  if (globals_[index].length > max_bytes) {
    return ResourceExhausted(Describe() + ": global buffer " + std::to_string(index) + " has " +
                             std::to_string(globals_[index].length) + " bytes");
  }
  round.Add(key_, globals_[index], to);
  return {};
}

Status LanceFile::Learn(std::span<const std::string> columns, ReadRound& round, const Deadline& deadline) const {
  return LearnPages(Context(nullptr), fragment_, columns, round, deadline);
}

Result<std::vector<arrow::RecordBatch>> LanceFile::Read(std::span<const RowSelection::Range> parts,
                                                        std::span<const std::string> columns, TaskPool* pool,
                                                        const Deadline& deadline) const {
  std::vector<FragmentRead> reads;
  for (const RowSelection::Range& part : parts) {
    reads.push_back({&fragment_, {}});
    if (part.begin != part.end) reads.back().rows.ranges.push_back(part);
  }
  FIRN_TRY(auto answers, ReadFragments(Context(pool), reads, columns, deadline));
  std::vector<arrow::RecordBatch> batches;
  for (std::vector<arrow::RecordBatch>& answer : answers) {
    if (answer.size() == 1) {
      batches.push_back(std::move(answer.front()));
    } else if (answer.empty()) {
      batches.emplace_back();
    } else {
      FIRN_TRY(arrow::RecordBatch joined, arrow::Concat(answer.front().schema, answer));
      batches.push_back(std::move(joined));
    }
  }
  return batches;
}

}  // namespace firn::lance
