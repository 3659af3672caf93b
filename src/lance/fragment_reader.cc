#include "lance/fragment_reader.h"

#include <algorithm>
#include <iterator>
#include <new>
#include <set>
#include <stdexcept>

#include "lance/column_tree.h"
#include "lance/encoding/page_reader.h"
#include "lance/file_cache.h"
#include "lance/file_metadata.h"
#include "lance/read_round.h"

namespace firn::lance {
namespace {

constexpr std::uint64_t kTailBytes = 64ULL << 10;
constexpr std::uint64_t kSparingTailBytes = 256;           // the footer, and the tables of a file of a few columns
constexpr std::uint64_t kSmallFileBytes = 256ULL << 10;    // read whole at once
constexpr std::uint64_t kMaxMetadataBytes = 256ULL << 20;  // column metadata of one file

/// One page of one leaf, on its way from the store to an array.
struct PageTask {
  const std::string* file;
  const Leaf* leaf;
  std::size_t page;
  bool had_index;
  std::unique_ptr<PageReader> reader;
  std::vector<arrow::Array> rows;
};

struct LeafTask {
  Leaf leaf;
  std::string file;  // its key in the store
  FooterPtr footer;
  ColumnPtr column;
  Buffer message;  // the column's metadata, until it is parsed
  std::vector<std::unique_ptr<PageTask>> pages;
  std::vector<arrow::Array> pieces;  // what its pages decoded to
  std::size_t current_piece = 0;     // of the batch that is put together
  std::int64_t current_row = 0;      // where it begins, among the selected rows
};

struct ColumnTask {
  arrow::Field field;
  std::vector<LeafTask> leaves;
};

struct FragmentTask {
  const FragmentRead* read;
  std::vector<ColumnTask> columns;
};

std::string FileKey(const ReadContext& context, const std::string& path) {
  return (context.root.empty() ? "" : context.root + "/") + std::string(context.folder) + path;
}

std::string Place(const LeafTask& task) {
  return "data file " + task.file + ", column \"" + task.leaf.path.name + "\"";
}

class FragmentsReader {
 public:
  FragmentsReader(const ReadContext& context, std::span<const FragmentRead> reads, std::span<const std::string> columns,
                  const Deadline& deadline, const MetadataRead& metadata = {})
      : context_(context),
        cache_(context.cache.entries()),
        reads_(reads),
        columns_(columns),
        deadline_(deadline),
        metadata_(metadata) {}

  Result<std::vector<std::vector<arrow::RecordBatch>>> Run() {
    FIRN_CHECK(FindLeaves());
    FIRN_CHECK(ReadFooters());
    FIRN_CHECK(ReadColumns());
    FIRN_CHECK(OpenPages());
    ReadRound indexes(context_.store, ends_);
    FIRN_CHECK(FetchIndexes(indexes));
    FIRN_CHECK(FetchValues());
    FIRN_CHECK(DecodePages());
    return Assemble();
  }

  /// Goes as far as it can without values. `wishes` (may be null) are the caller's, and are read with the indexes.
  Status RunMetadata(ReadRound* wishes) {
    FIRN_CHECK(FindLeaves());
    FIRN_CHECK(ReadFooters());
    FIRN_CHECK(ReadColumns());
    if (!metadata_.page_indexes) return {};
    FIRN_CHECK(OpenAllPages());
    ReadRound own(context_.store, ends_);
    FIRN_CHECK(FetchIndexes(wishes != nullptr ? *wishes : own));
    for (const PageTask* task : page_tasks_) FIRN_CHECK(RememberIndex(*task));
    return {};
  }

 private:
  // ---- what to read ----
  Status FindLeaves() {
    schema_ = std::make_shared<arrow::Schema>();
    std::vector<const Field*> fields;
    for (const std::string& name : columns_) {
      const Field* field = context_.schema.FindTopLevel(name);
      if (field == nullptr) return NotFound("there is no column \"" + name + "\"");
      fields.push_back(field);
      FIRN_TRY(arrow::Field type, ToArrow(context_.schema, *field));
      schema_->fields.push_back(std::move(type));
    }
    for (const FragmentRead& read : reads_) {
      FIRN_CHECK(CheckRows(read));
      FragmentTask task{&read, {}};
      for (std::size_t i = 0; i < fields.size(); i++) {
        ColumnTask column{schema_->fields[i], {}};
        FIRN_TRY(std::vector<Leaf> leaves, LeavesIn(*read.fragment, context_.schema, *fields[i], column.field.type));
        for (Leaf& leaf : leaves) {
          if (leaf.file->base_id) {
            return Unsupported("column \"" + leaf.path.name + "\" of fragment " + std::to_string(read.fragment->id) +
                               " is stored in another base path");
          }
          LeafTask leaf_task;
          leaf_task.file = FileKey(context_, leaf.file->path);
          leaf_task.leaf = std::move(leaf);
          if (!read.rows.ranges.empty()) column.leaves.push_back(std::move(leaf_task));
        }
        task.columns.push_back(std::move(column));
      }
      fragments_.push_back(std::move(task));
    }
    return {};
  }

  static Status CheckRows(const FragmentRead& read) {
    std::uint64_t last = 0;
    for (const RowSelection::Range& range : read.rows.ranges) {
      if (range.begin >= range.end || range.begin < last || range.end > read.fragment->physical_rows) {
        return InvalidArgument("rows " + std::to_string(range.begin) + " to " + std::to_string(range.end) +
                               " are not rows of fragment " + std::to_string(read.fragment->id) + ", which has " +
                               std::to_string(read.fragment->physical_rows));
      }
      last = range.end;
    }
    return {};
  }

  template <class Body>
  Status ForEachLeaf(const Body& body) {
    for (FragmentTask& fragment : fragments_) {
      for (ColumnTask& column : fragment.columns) {
        for (LeafTask& leaf : column.leaves) FIRN_CHECK(body(fragment, leaf));
      }
    }
    return {};
  }

  // ---- round 1: footers and column metadata ----
  Status ReadFooters() {
    std::map<std::string, std::uint64_t> missing;  // key -> size that the manifest gives
    FIRN_CHECK(ForEachLeaf([&](FragmentTask&, LeafTask& leaf) -> Status {
      leaf.footer = cache_.Footer(leaf.file);
      leaf.column = cache_.Column(leaf.file, leaf.leaf.column_index);
      if (!leaf.footer) missing.emplace(leaf.file, leaf.leaf.file->size_bytes);
      return {};
    }));
    if (missing.empty()) return {};
    std::vector<store::ReadRequest> requests;
    for (const auto& [key, size] : missing) {
      const bool whole = size != 0 && size <= kSmallFileBytes && !metadata_.sparing;
      requests.push_back(whole ? store::ReadRequest::Whole(key)
                               : store::ReadRequest::Tail(key, metadata_.sparing ? kSparingTailBytes : kTailBytes));
      requests.back().enough_bytes = kFooterBytes;
    }
    std::vector<Result<store::ReadResult>> answers = context_.store.ReadMany(requests, deadline_);
    if (answers.size() != requests.size()) return Internal("a store gave another number of answers than requests");
    for (std::size_t i = 0; i < answers.size(); i++) {
      const std::string& key = requests[i].key;
      if (!answers[i]) return std::move(answers[i]).error();
      FIRN_CHECK(TakeTail(key, missing[key], *answers[i]));
    }
    return ForEachLeaf([&](FragmentTask&, LeafTask& leaf) -> Status {
      if (!leaf.footer) leaf.footer = footers_[leaf.file];
      return {};
    });
  }

  Status TakeTail(const std::string& key, std::uint64_t expected_size, const store::ReadResult& tail) {
    const std::uint64_t size = tail.object_size_bytes;
    if (tail.bytes.size() > size) return Internal("a store gave more bytes of " + key + " than there are");
    if (expected_size != 0 && size != expected_size) {
      return DataCorruption("data file " + key + " has " + std::to_string(size) + " bytes where the manifest says " +
                            std::to_string(expected_size));
    }
    Result<FileFooter> footer = ParseFooter(tail.bytes.bytes(), size);
    if (!footer) return std::move(footer).error().In("data file " + key);
    ends_.emplace(key, KnownEnd{size - tail.bytes.size(), tail.bytes});
    auto shared = std::make_shared<const FileFooter>(*footer);
    cache_.PutFooter(key, shared);
    footers_.emplace(key, std::move(shared));
    return {};
  }

  /// Usually all of it came with the tails; a file with very many columns or pages costs one or two rounds more.
  Status ReadColumns() {
    ReadRound table_round(context_.store, ends_);
    std::map<LeafTask*, Buffer> entries;
    FIRN_CHECK(ForEachLeaf([&](FragmentTask&, LeafTask& leaf) -> Status {
      if (leaf.column) return {};
      if (leaf.leaf.column_index >= leaf.footer->column_count) {
        return DataCorruption(Place(leaf) + ": the manifest says column " + std::to_string(leaf.leaf.column_index) +
                              " of " + std::to_string(leaf.footer->column_count));
      }
      table_round.Add(leaf.file, leaf.footer->TableEntry(leaf.leaf.column_index), &entries[&leaf]);
      return {};
    }));
    FIRN_CHECK(table_round.Run(deadline_));

    ReadRound message_round(context_.store, ends_);
    std::map<std::string_view, std::uint64_t> metadata_bytes;
    for (auto& [leaf, entry] : entries) {
      const Result<ByteRange> range = ParseTableEntry(entry.bytes(), *leaf->footer);
      if (!range) return Error(range.error()).In(Place(*leaf));
      if ((metadata_bytes[leaf->file] += range->length) > kMaxMetadataBytes)
        return ResourceExhausted(Place(*leaf) + ": the column metadata is too large");
      message_round.Add(leaf->file, *range, &leaf->message);
    }
    FIRN_CHECK(message_round.Run(deadline_));
    return ForEachLeaf([&](FragmentTask& fragment, LeafTask& leaf) -> Status {
      if (!leaf.column) {
        Result<ColumnPages> column = ParseColumn(leaf.message.bytes(), *leaf.footer);
        if (!column) return std::move(column).error().In(Place(leaf));
        auto shared = std::make_shared<const ColumnPages>(*std::move(column));
        cache_.PutColumn(leaf.file, leaf.leaf.column_index, shared, ColumnBytes(*shared));
        leaf.column = std::move(shared);
        leaf.message = {};
      }
      if (leaf.column->rows != fragment.read->fragment->physical_rows) {
        return DataCorruption(Place(leaf) + ": it has " + std::to_string(leaf.column->rows) +
                              " rows where the manifest says " +
                              std::to_string(fragment.read->fragment->physical_rows));
      }
      return {};
    });
  }

  static std::size_t ColumnBytes(const ColumnPages& column) {
    // FSST tables are the bulk of a page's metadata.
    constexpr std::size_t kPageBytes = sizeof(ColumnPage) + 4 * sizeof(Encoding) + sizeof(FsstTable);
    return sizeof column + column.pages.size() * kPageBytes;
  }

  // ---- rounds 2 and 3: indexes of pages, then values ----
  Status OpenPages() {
    return ForEachLeaf([&](FragmentTask& fragment, LeafTask& leaf) -> Status {
      const std::vector<RowSelection::Range>& rows = fragment.read->rows.ranges;
      auto next = rows.begin();
      for (std::size_t i = 0; i < leaf.column->pages.size() && next != rows.end(); i++) {
        const ColumnPage& page = leaf.column->pages[i];
        if (page.rows == 0) continue;
        const std::uint64_t end = page.first_row + page.rows;
        std::vector<RowSelection::Range> inside;
        for (auto range = next; range != rows.end() && range->begin < end; ++range) {
          inside.push_back(
              {std::max(range->begin, page.first_row) - page.first_row, std::min(range->end, end) - page.first_row});
        }
        while (next != rows.end() && next->end <= end) ++next;
        if (!inside.empty()) FIRN_CHECK(OpenPageOf(leaf, i, std::move(inside)));
      }
      return {};
    });
  }

  /// Without rows: for their indexes.
  Status OpenAllPages() {
    return ForEachLeaf([&](FragmentTask&, LeafTask& leaf) -> Status {
      for (std::size_t i = 0; i < leaf.column->pages.size(); i++) {
        if (leaf.column->pages[i].rows != 0) FIRN_CHECK(OpenPageOf(leaf, i, {}));
      }
      return {};
    });
  }

  Status OpenPageOf(LeafTask& leaf, std::size_t i, std::vector<RowSelection::Range> rows) {
    auto task = std::make_unique<PageTask>();
    task->file = &leaf.file;
    task->leaf = &leaf.leaf;
    task->page = i;
    PageIndexPtr index = cache_.Index(leaf.file, leaf.leaf.column_index, i);
    task->had_index = index != nullptr;
    Result<std::unique_ptr<PageReader>> reader =
        OpenPage({leaf.column->pages[i], leaf.leaf.path, std::move(rows), std::move(index), kReadWholeBytes});
    if (!reader) return std::move(reader).error().In(Place(leaf) + ", page " + std::to_string(i));
    task->reader = *std::move(reader);
    page_tasks_.push_back(task.get());
    leaf.pages.push_back(std::move(task));
    return {};
  }

  Status FetchIndexes(ReadRound& round) {
    for (PageTask* task : page_tasks_) {
      PageFetch fetch(round, *task->file);
      task->reader->RequestIndex(fetch);
    }
    return round.Run(deadline_);
  }

  Status FetchValues() {
    ReadRound value_round(context_.store, ends_);
    for (PageTask* task : page_tasks_) {
      PageFetch fetch(value_round, *task->file);
      if (Status status = task->reader->RequestValues(fetch); !status)
        return std::move(status).error().In(Place(*task));
    }
    return value_round.Run(deadline_);
  }

  static std::string Place(const PageTask& task) {
    return "data file " + *task.file + ", column \"" + task.leaf->path.name + "\", page " + std::to_string(task.page);
  }
  static std::string Place(const LeafTask& task) { return lance::Place(task); }

  // ---- decoding ----
  Status DecodePages() {
    const auto decode = [&](std::size_t i) -> Status {
      PageTask& task = *page_tasks_[i];
      FIRN_CHECK(deadline_.Check("decoding pages"));
      try {
        Result<std::vector<arrow::Array>> rows = task.reader->Decode();
        if (!rows) return std::move(rows).error().In(Place(task));
        task.rows = *std::move(rows);
      } catch (const std::bad_alloc&) {
        return ResourceExhausted(Place(task) + ": no memory for its values", "read fewer rows at once");
      } catch (const std::length_error&) {
        return ResourceExhausted(Place(task) + ": no memory for its values", "read fewer rows at once");
      }
      FIRN_CHECK(RememberIndex(task));
      task.reader.reset();
      return {};
    };
    if (context_.pool != nullptr) return context_.pool->ParallelFor(page_tasks_.size(), decode);
    for (std::size_t i = 0; i < page_tasks_.size(); i++) FIRN_CHECK(decode(i));
    return {};
  }

  Status RememberIndex(const PageTask& task) {
    if (task.had_index) return {};
    Result<PageIndexPtr> index = task.reader->LearntIndex();
    if (!index) return std::move(index).error().In(Place(task));
    if (*index) cache_.PutIndex(*task.file, task.leaf->column_index, task.page, *std::move(index));
    return {};
  }

  // ---- batches ----
  Result<std::vector<std::vector<arrow::RecordBatch>>> Assemble() {
    std::vector<std::vector<arrow::RecordBatch>> all;
    for (FragmentTask& fragment : fragments_) {
      FIRN_TRY(std::vector<arrow::RecordBatch> batches, AssembleFragment(fragment));
      all.push_back(std::move(batches));
    }
    return all;
  }

  /// Batches end where any leaf's page, or part of one, ends.
  Result<std::vector<arrow::RecordBatch>> AssembleFragment(FragmentTask& fragment) {
    const auto rows = static_cast<std::int64_t>(fragment.read->rows.Count());
    std::set<std::int64_t> ends;
    if (rows > 0) ends.insert(rows);
    for (ColumnTask& column : fragment.columns) {
      for (LeafTask& leaf : column.leaves) {
        for (const auto& page : leaf.pages)
          std::move(page->rows.begin(), page->rows.end(), std::back_inserter(leaf.pieces));
        std::int64_t end = 0;
        for (const arrow::Array& piece : leaf.pieces) ends.insert(end += piece.length());
        if (end != rows)
          return DataCorruption(Place(leaf) + ": its pages have " + std::to_string(end) + " of " +
                                std::to_string(rows) + " rows");
      }
    }
    std::vector<arrow::RecordBatch> batches;
    std::int64_t begin = 0;
    for (const std::int64_t end : ends) {
      if (end == begin) continue;
      arrow::RecordBatch batch{schema_, {}, end - begin};
      for (ColumnTask& column : fragment.columns) {
        FIRN_TRY(arrow::Array array, AssembleColumn(column, begin, end));
        batch.columns.push_back(std::move(array));
      }
      batches.push_back(std::move(batch));
      begin = end;
    }
    return batches;
  }

  /// Rows [begin, end) of a column; they lie in one piece of each leaf, and after those of the batch before.
  static Result<arrow::Array> AssembleColumn(ColumnTask& column, std::int64_t begin, std::int64_t end) {
    std::vector<const Leaf*> leaves;
    std::vector<arrow::Array> arrays;
    for (LeafTask& leaf : column.leaves) {
      while (begin >= leaf.current_row + leaf.pieces[leaf.current_piece].length()) {
        leaf.current_row += leaf.pieces[leaf.current_piece++].length();
      }
      const arrow::Array& rows = leaf.pieces[leaf.current_piece];
      const std::int64_t from = begin - leaf.current_row;
      arrays.push_back(from == 0 && end - begin == rows.length() ? rows : rows.Slice(from, end - begin));
      leaves.push_back(&leaf.leaf);
    }
    Result<arrow::Array> joined = JoinLeaves(column.field.type, leaves, arrays, end - begin);
    if (!joined) return std::move(joined).error().In(lance::Place(column.leaves[0]));
    return joined;
  }

  const ReadContext& context_;
  FileMetadataCache::Entries& cache_;
  const std::span<const FragmentRead> reads_;
  const std::span<const std::string> columns_;
  const Deadline& deadline_;
  const MetadataRead metadata_;
  std::shared_ptr<arrow::Schema> schema_;
  std::vector<FragmentTask> fragments_;
  std::map<std::string, FooterPtr> footers_;
  KnownEnds ends_;
  std::vector<PageTask*> page_tasks_;
};

template <class Read>
auto WithinMemory(const ReadContext& context, const Read& read) -> decltype(read()) {
  try {
    return read();
  } catch (const std::bad_alloc&) {
    return ResourceExhausted("no memory for the rows of " + context.root, "read fewer rows at once");
  } catch (const std::length_error&) {
    return ResourceExhausted("no memory for the rows of " + context.root, "read fewer rows at once");
  }
}

}  // namespace

FileMetadataCache::FileMetadataCache(std::size_t capacity_bytes)
    : entries_(std::make_unique<Entries>(capacity_bytes)) {}
FileMetadataCache::~FileMetadataCache() = default;

RowSelection RowSelection::Offsets(std::span<const std::uint32_t> sorted_offsets) {
  RowSelection selection;
  for (const std::uint32_t offset : sorted_offsets) {
    if (!selection.ranges.empty() && selection.ranges.back().end == offset) {
      selection.ranges.back().end++;
    } else {
      selection.ranges.push_back({offset, offset + 1ULL});
    }
  }
  return selection;
}

std::uint64_t RowSelection::Count() const {
  std::uint64_t count = 0;
  for (const Range& range : ranges) count += range.end - range.begin;
  return count;
}

Result<std::vector<std::vector<arrow::RecordBatch>>> ReadFragments(const ReadContext& context,
                                                                   std::span<const FragmentRead> reads,
                                                                   std::span<const std::string> columns,
                                                                   const Deadline& deadline) {
  return WithinMemory(context, [&] { return FragmentsReader(context, reads, columns, deadline).Run(); });
}

Status ReadMetadata(const ReadContext& context, std::span<const Fragment* const> fragments,
                    std::span<const std::string> columns, const Deadline& deadline, const MetadataRead& what) {
  std::vector<FragmentRead> reads;
  for (const Fragment* fragment : fragments) {
    if (fragment->physical_rows != 0) reads.push_back({fragment, RowSelection::Rows(0, fragment->physical_rows)});
  }
  return WithinMemory(context,
                      [&] { return FragmentsReader(context, reads, columns, deadline, what).RunMetadata(nullptr); });
}

Status LearnPages(const ReadContext& context, const Fragment& fragment, std::span<const std::string> columns,
                  ReadRound& round, const Deadline& deadline) {
  if (fragment.physical_rows == 0) return round.Run(deadline);
  const FragmentRead all{&fragment, RowSelection::Rows(0, fragment.physical_rows)};
  return WithinMemory(context,
                      [&] { return FragmentsReader(context, {&all, 1}, columns, deadline).RunMetadata(&round); });
}

}  // namespace firn::lance
