// How a cold search grows: rounds, requests and bytes of searches over tables of 10^5 to 10^9 rows, and what an idle
// open table holds in memory. The store is made up: every data file is one template under another name, every list of
// the segment the same bytes with other row numbers. Manifest, catalog, hot part and hint are real, and so is all code
// that reads them. One JSON object a line for each number of rows; growth.py writes the report.

#include <malloc.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <new>

#include "arrow/builder.h"
#include "index/vector/segment_builder.h"
#include "lance/commit.h"
#include "lance/file_writer.h"
#include "query/search.h"
#include "store/counting.h"
#include "store/memory/memory_store.h"
#include "store/primed.h"
#include "table/head.h"
#include "table/index_catalog.h"

// ---- the heap, counted ----

namespace {

std::atomic<std::int64_t> live_bytes{0};

void* Allocate(std::size_t size, std::size_t alignment) {
  void* at = alignment == 0 ? std::malloc(size)
                            : std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (at == nullptr) throw std::bad_alloc();
  live_bytes += static_cast<std::int64_t>(malloc_usable_size(at));
  return at;
}

void Free(void* at) {
  if (at == nullptr) return;
  live_bytes -= static_cast<std::int64_t>(malloc_usable_size(at));
  std::free(at);
}

}  // namespace

void* operator new(std::size_t size) { return Allocate(size, 0); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return Allocate(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* at) noexcept { Free(at); }
void operator delete(void* at, std::size_t) noexcept { Free(at); }
void operator delete(void* at, std::align_val_t) noexcept { Free(at); }
void operator delete(void* at, std::size_t, std::align_val_t) noexcept { Free(at); }

namespace firn {
namespace {

constexpr std::string_view kTable = "growth", kRoot = "growth.lance";
constexpr std::uint64_t kRowsPerFile = 1'000'000;
constexpr std::uint32_t kOtherTables = 1'000'000;
constexpr std::size_t kRowsAtOnce = 10'000;
constexpr std::size_t kBlockRows = 32;

struct Options {
  std::size_t dim = 32;
  std::size_t text_bytes = 0;  // of a text column; 0 = none
  std::uint32_t nprobes = 20;
  int queries = 10;
  std::uint64_t most_rows = 1'000'000'000;
};

[[noreturn]] void Fail(const std::string& message) {
  std::fprintf(stderr, "growth: %s\n", message.c_str());
  std::exit(1);
}

template <class T>
T Must(Result<T> result) {
  if (!result) Fail(result.error().ToString());
  return *std::move(result);
}

void Must(const Status& status) {
  if (!status) Fail(status.error().ToString());
}

float Normal(Random& random) {
  double sum = -6;
  for (int i = 0; i < 12; i++) sum += random.Unit();
  return static_cast<float>(sum);
}

// ---- the store that is made up ----

/// A segment whose lists are all the same bytes.
struct TemplateSegment {
  std::string key;
  std::uint64_t lists = 0;
  std::string codes, supplement;  // of any list
  std::string hot_and_footer;

  std::uint64_t HotAt() const { return index::kSegmentHeaderBytes + lists * (codes.size() + supplement.size()); }
  std::uint64_t Size() const { return HotAt() + hot_and_footer.size(); }
  std::string_view Bytes(std::uint64_t offset, std::uint64_t length) const {
    if (offset >= HotAt()) return std::string_view(hot_and_footer).substr(offset - HotAt(), length);
    const std::uint64_t at = offset - index::kSegmentHeaderBytes, all_codes = lists * codes.size();
    const std::string& list = at < all_codes ? codes : supplement;
    if ((at < all_codes ? at : at - all_codes) % list.size() != 0 || length != list.size())
      Fail("a read of the segment that is not one of a list");
    return list;
  }
};

enum class Kind : std::uint8_t { kHint, kLists, kRows, kOther };
struct Spent {
  std::uint64_t requests = 0, bytes = 0;
};
using SpentByKind = std::array<Spent, 4>;

Kind KindOf(std::string_view key) {
  if (key == table::HeadKey(kRoot)) return Kind::kHint;
  if (key.ends_with(".vec")) return Kind::kLists;
  return key.contains("/data/") ? Kind::kRows : Kind::kOther;
}

/// Answers are bytes of their own, as those from a network are.
class TemplateStore final : public store::ForwardingStore {
 public:
  explicit TemplateStore(std::unique_ptr<store::ObjectStore> inner) : ForwardingStore(std::move(inner)) {}

  std::vector<Result<store::ReadResult>> ReadMany(std::span<const store::ReadRequest> requests,
                                                  const Deadline& deadline) override {
    std::vector<Result<store::ReadResult>> answers;
    for (const store::ReadRequest& request : requests) {
      answers.push_back(ReadOne(request, deadline));
      Spent& spent = spent_[static_cast<std::size_t>(KindOf(request.key))];
      spent.requests++;
      if (answers.back()) spent.bytes += answers.back()->bytes.size();
    }
    return answers;
  }
  store::ReadAndListResult ReadManyAndList(std::span<const store::ReadRequest> requests, const store::ListRequest& list,
                                           const Deadline& deadline) override {
    return {ReadMany(requests, deadline), List(list, deadline)};
  }
  Result<store::ListPage> List(const store::ListRequest& request, const Deadline& deadline) override {
    listed_.push_back(request.prefix);
    return inner().List(request, deadline);
  }

  void Use(std::string data_template, TemplateSegment segment) {
    data_template_ = std::move(data_template);
    segment_ = std::move(segment);
  }
  /// Since the last call.
  SpentByKind TakeSpent() { return std::exchange(spent_, {}); }
  std::vector<std::string> TakeListed() { return std::exchange(listed_, {}); }

 private:
  Result<store::ReadResult> ReadOne(store::ReadRequest request, const Deadline& deadline) {
    if (request.key == segment_.key) {
      FIRN_TRY(const store::ByteRange range, store::RangeOf(request, segment_.Size()));
      return store::ReadResult{Buffer::Of(std::string(segment_.Bytes(range.offset, range.length))), segment_.Size(),
                               ""};
    }
    if (KindOf(request.key) == Kind::kRows) request.key = data_template_;
    FIRN_TRY(store::ReadResult read, store::Read(inner(), request, deadline));
    read.bytes = Buffer::Of(std::string(read.bytes.chars()));
    return read;
  }

  std::string data_template_;
  TemplateSegment segment_;
  SpentByKind spent_{};
  std::vector<std::string> listed_;
};

// ---- templates ----

arrow::SchemaPtr TableSchema(const Options& options) {
  arrow::Schema schema{
      {{"id", arrow::Simple(arrow::TypeId::kInt64), true, {}},
       {"vector",
        arrow::FixedSizeList(arrow::Simple(arrow::TypeId::kFloat32), static_cast<std::int32_t>(options.dim)),
        true,
        {}}},
      {}};
  if (options.text_bytes != 0) schema.fields.push_back({"text", arrow::Simple(arrow::TypeId::kUtf8), true, {}});
  return std::make_shared<const arrow::Schema>(std::move(schema));
}

arrow::RecordBatch Rows(const Options& options, const arrow::SchemaPtr& schema, std::uint64_t first,
                        std::size_t count) {
  Random random(first + 1);
  std::vector<arrow::Builder> builders;
  for (const arrow::Field& field : schema->fields) builders.emplace_back(field.type);
  for (std::uint64_t id = first; id < first + count; id++) {
    builders[0].AppendInteger(static_cast<std::int64_t>(id));
    for (std::size_t i = 0; i < options.dim; i++) builders[1].child(0).Append(static_cast<float>(random.Unit()) - 0.5F);
    builders[1].CloseList();
    if (options.text_bytes == 0) continue;
    std::string text = "text of row " + std::to_string(id) + " ";
    while (text.size() < options.text_bytes) text += static_cast<char>('a' + random.Below(26));
    text.resize(options.text_bytes);
    builders[2].AppendBytes(text);
  }
  arrow::RecordBatch batch{schema, {}, static_cast<std::int64_t>(count)};
  for (arrow::Builder& builder : builders) batch.columns.push_back(builder.Finish());
  return batch;
}

lance::Fragment WriteTemplate(store::ObjectStore& store, const Options& options, const std::string& key,
                              std::uint64_t rows) {
  const arrow::SchemaPtr schema = TableSchema(options);
  auto writer =
      Must(lance::FileWriter::Start(store, key, "template", Must(lance::FromArrow(*schema)), {}, Deadline::Never()));
  for (std::uint64_t at = 0; at < rows; at += kRowsAtOnce) {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(kRowsAtOnce, rows - at));
    Must(writer.Append(Rows(options, schema, at, count), Deadline::Never()));
  }
  return Must(writer.Finish(Deadline::Never()));
}

/// `count` numbers 0, step, 2 step, ... of `bits` each, as a list has them.
std::string PackedNumbers(std::uint64_t count, std::uint64_t step, std::uint32_t bits) {
  std::string out((count * bits + 63) / 64 * 8 + 8, '\0');
  for (std::uint64_t i = 0; i < count; i++) {
    for (std::uint32_t bit = 0; bit < bits; bit++) {
      const std::uint64_t at = i * bits + bit;
      if ((i * step >> bit & 1) != 0) out[at / 8] = static_cast<char>(out[at / 8] | 1 << (at % 8));
    }
  }
  return out;
}

/// As the builder would have it: lists of about the square root of the rows. List i has the rows i, i + lists, ...:
/// rows that lie near each other stand anywhere in a table.
TemplateSegment MakeSegment(const Options& options, std::uint64_t rows, std::vector<index::SegmentFragment> fragments,
                            TaskPool& pool) {
  const auto per_list =
      std::clamp<std::uint64_t>(static_cast<std::uint64_t>(std::sqrt(static_cast<double>(rows))), 64, 65'536);
  const std::uint64_t lists = rows / per_list;
  Random random(7);
  std::vector<float> values(per_list * options.dim);
  for (float& value : values) value = 0.3F * Normal(random);
  std::vector<std::uint32_t> numbers(per_list);
  for (std::uint32_t i = 0; i < per_list; i++) numbers[i] = i;
  const index::Matrix matrix{values.data(), per_list, options.dim};
  auto builder = Must(index::SegmentBuilder::Train(
      matrix, per_list, simd::Metric::kL2, simd::Element::kF32, {{0, per_list, "template"}},
      {.rows_per_list = per_list, .clustering_rounds = 1}, pool, Deadline::Never()));
  Must(builder->Add(matrix, numbers));
  ManualClock clock;
  const auto memory = store::OpenMemory("segment", clock);
  Must(builder->Finish(*memory, "one", Deadline::Never()));
  const auto one = Must(index::VectorSegment::Open(*memory, "one", Deadline::Never()));

  index::SegmentHeader header = one->header();
  const index::ListEntry& list = header.lists.at(0);
  TemplateSegment segment;
  segment.key = std::string(kRoot) + "/_firn/segments/template.vec";
  segment.lists = lists;
  index::ListEntry entry{.rows = static_cast<std::uint32_t>(per_list),
                         .ref_bits = static_cast<std::uint32_t>(std::bit_width((per_list - 1) * lists)),
                         .radius = list.radius};
  const auto codes = Must(store::Read(*memory, one->CodesRequest(0), Deadline::Never()));
  const std::uint64_t blocks = (per_list + kBlockRows - 1) / kBlockRows * header.block_bytes();
  segment.codes = std::string(codes.bytes.chars().substr(0, blocks)) + PackedNumbers(per_list, lists, entry.ref_bits);
  segment.supplement = Must(store::Read(*memory, one->SupplementRequest(0), Deadline::Never())).bytes.chars();
  if (segment.codes.size() != header.CodesBytes(entry)) Fail("a list has another size than its entry says");
  entry.codes_crc = Crc32c(AsBytes(segment.codes));
  entry.supplement_crc = Crc32c(AsBytes(segment.supplement));

  header.rows = lists * per_list;
  header.centroid_low = -2;
  header.centroid_step = 4.0F / 255;
  header.lists.clear();
  std::string centroids;
  for (std::uint64_t i = 0; i < lists; i++) {
    entry.ref_low = static_cast<std::uint32_t>(i);
    entry.norm2 = 0;
    for (std::size_t d = 0; d < header.padded_dim; d++) {
      const auto byte = static_cast<std::uint8_t>(std::clamp(128 + 30 * Normal(random), 0.0F, 255.0F));
      const float value = header.centroid_low + header.centroid_step * static_cast<float>(byte);
      entry.norm2 += value * value;
      centroids += static_cast<char>(byte);
    }
    header.lists.push_back(entry);
  }
  header.centroids = Buffer::Of(std::move(centroids));
  header.fragments = std::move(fragments);
  const std::string hot = index::EncodeHotPart(header);
  segment.hot_and_footer = hot + index::EncodeSegmentFooter({segment.HotAt(), hot.size(), Crc32c(AsBytes(hot))});
  return segment;
}

// ---- one table ----

struct World {
  ManualClock clock;
  Random random{1};
  Log log{LogLevel::kOff, clock};
  TaskPool pool{2};
};

/// A process that has read nothing yet.
struct Process {
  Process(World& world, store::ObjectStore& far, store::StoreCounter& counter)
      : primed(std::make_unique<store::CountingStore>(store::Borrow(far), counter), 64ULL << 20),
        environment{primed, world.clock, world.random, world.log, world.pool, *cache, &primed},
        database(environment) {}

  std::shared_ptr<query::OpenTable> Open() {
    table::Database::Indexed opened = Must(database.OpenNewest(kTable, Deadline::Never()));
    return std::make_shared<query::OpenTable>(opened.snapshot, std::move(opened.catalog),
                                              query::Residency{.mapped = false, .bytes = 0}, query::Shared{},
                                              std::move(opened.warnings));
  }

  store::PrimedStore primed;
  std::unique_ptr<lance::FileMetadataCache> cache = std::make_unique<lance::FileMetadataCache>();
  table::Environment environment;
  table::Database database;
};

/// Commits the manifest, the catalog and the hint of a table of so many rows.
std::uint64_t MakeTable(World& world, TemplateStore& store, const Options& options, std::uint64_t rows) {
  const std::uint64_t per_file = std::min(rows, kRowsPerFile), files = rows / per_file;
  const std::string template_key = "template-" + std::to_string(rows);
  const lance::Fragment written = WriteTemplate(store, options, template_key, per_file);
  std::vector<lance::Fragment> fragments(files, written);
  for (lance::Fragment& fragment : fragments) fragment.files[0].path = lance::NewDataFileName(world.random);
  const lance::Manifest manifest = Must(
      lance::Commit({store, world.clock, world.random, std::string(kRoot)}, nullptr,
                    lance::CreateTable{Must(lance::FromArrow(*TableSchema(options))), std::move(fragments), {}, {}},
                    Deadline::Never()));
  std::vector<index::SegmentFragment> covered;
  for (const lance::Fragment& fragment : manifest.fragments)
    covered.push_back({fragment.id, fragment.physical_rows, fragment.files[0].path});

  TemplateSegment segment = MakeSegment(options, rows, covered, world.pool);
  index::SegmentEntry entry;
  entry.name = "vector_idx";
  entry.column = "vector";
  entry.field_id = manifest.schema.FindTopLevel("vector")->id;
  entry.dim = static_cast<std::uint32_t>(options.dim);
  entry.object = segment.key.substr(kRoot.size() + 1);
  entry.object_bytes = segment.Size();
  entry.footer = {segment.HotAt(), segment.hot_and_footer.size() - index::kSegmentFooterBytes,
                  Crc32c(AsBytes(std::string_view(segment.hot_and_footer)
                                     .substr(0, segment.hot_and_footer.size() - index::kSegmentFooterBytes)))};
  entry.rows = segment.lists * (rows / segment.lists);
  entry.lists = static_cast<std::uint32_t>(segment.lists);
  entry.fragments = std::move(covered);
  const std::uint64_t lists = segment.lists;
  store.Use(template_key, std::move(segment));
  Must(table::EditCatalog(
      store, kRoot,
      [&](index::Catalog& catalog) -> Status {
        catalog.segments = {entry};
        return {};
      },
      Deadline::Never()));
  store::StoreCounter counter;
  Process writer(world, store, counter);
  Must(table::WriteHead(writer.environment, kRoot, Deadline::Never()));
  return lists;
}

struct Measured {
  store::StoreCounts spent;
  SpentByKind by_kind{};
  std::uint64_t candidates = 0;
};

Measured ColdSearch(World& world, TemplateStore& store, const query::SearchRequest& request) {
  store::StoreCounter counter;
  Process process(world, store, counter);
  store.TakeSpent();
  store.TakeListed();
  const query::SearchResult result = Must(query::Search(*process.Open(), request, Deadline::Never()));
  if (result.explain.way != "lists" || !result.explain.warnings.empty() || result.rows.rows != 10)
    Fail("a search did not go as it should: " + result.explain.plan +
         (result.explain.warnings.empty() ? "" : ", " + result.explain.warnings[0]));
  for (const std::string& prefix : store.TakeListed()) {
    if (prefix != std::string(kRoot) + "/_versions/") Fail("a search listed \"" + prefix + "\"");
  }
  return {counter.Counts(), store.TakeSpent(), result.explain.candidates};
}

/// What stays on the heap for a table that was searched once and is kept open.
struct Idle {
  std::int64_t table = 0;     // snapshot, index, and the hint
  std::int64_t hint = 0;      // of that
  std::int64_t metadata = 0;  // of data files that the search came to, in the cache that all tables share
};

Idle MeasureIdle(World& world, TemplateStore& store, const query::SearchRequest& request) {
  store::StoreCounter counter;
  Process process(world, store, counter);
  const std::int64_t begin = live_bytes;
  const std::shared_ptr<query::OpenTable> table = process.Open();
  Must(query::Search(*table, request, Deadline::Never()));
  const std::int64_t end = live_bytes;
  process.cache = nullptr;  // the table is not used again
  Idle idle;
  idle.metadata = end - live_bytes;
  idle.table = live_bytes - begin;
  idle.hint = static_cast<std::int64_t>(process.primed.size_bytes());
  store.TakeSpent();
  store.TakeListed();
  return idle;
}

void Measure(World& world, TemplateStore& store, const Options& options, std::uint64_t rows) {
  const std::uint64_t lists = MakeTable(world, store, options, rows);
  query::SearchRequest request;
  request.vector_column = "vector";
  request.nprobes = options.nprobes;
  Random random(rows);
  Measured most;
  std::uint64_t rounds_least = UINT64_MAX;
  std::array<double, 4> bytes{}, requests{};
  double candidates = 0;
  for (int query = 0; query < options.queries; query++) {
    request.vector.clear();
    for (std::size_t i = 0; i < options.dim; i++) request.vector.push_back(0.5F * Normal(random));
    const Measured one = ColdSearch(world, store, request);
    rounds_least = std::min(rounds_least, one.spent.rounds());
    if (one.spent.rounds() > most.spent.rounds()) most = one;
    for (std::size_t kind = 0; kind < bytes.size(); kind++) {
      bytes[kind] += static_cast<double>(one.by_kind[kind].bytes) / options.queries;
      requests[kind] += static_cast<double>(one.by_kind[kind].requests) / options.queries;
    }
    candidates += static_cast<double>(one.candidates) / options.queries;
  }
  MeasureIdle(world, store, request);  // what only the first search of a program makes
  const Idle idle = MeasureIdle(world, store, request);
  std::printf(
      "{\"rows\": %llu, \"files\": %llu, \"lists\": %llu, \"rounds_least\": %llu, \"rounds_most\": %llu, "
      "\"candidates\": %.0f, \"requests\": {\"hint\": %.0f, \"list\": 1, \"lists\": %.0f, \"rows\": %.0f, \"other\": "
      "%.0f}, \"bytes\": {\"hint\": %.0f, \"lists\": %.0f, \"rows\": %.0f, \"other\": %.0f}, \"idle\": {\"table\": "
      "%lld, \"hint\": %lld, \"metadata\": %lld}}\n",
      static_cast<unsigned long long>(rows), static_cast<unsigned long long>((rows + kRowsPerFile - 1) / kRowsPerFile),
      static_cast<unsigned long long>(lists), static_cast<unsigned long long>(rounds_least),
      static_cast<unsigned long long>(most.spent.rounds()), candidates, requests[0], requests[1], requests[2],
      requests[3], bytes[0], bytes[1], bytes[2], bytes[3], static_cast<long long>(idle.table),
      static_cast<long long>(idle.hint), static_cast<long long>(idle.metadata));
  std::fflush(stdout);
}

Options Parse(int argc, char** argv) {
  Options options;
  std::map<std::string, std::uint64_t> flags;
  for (int i = 1; i + 1 < argc; i += 2) flags[argv[i]] = std::strtoull(argv[i + 1], nullptr, 10);
  const auto take = [&](const char* name, auto& into) {
    if (const auto found = flags.extract(name))
      into = static_cast<std::remove_reference_t<decltype(into)>>(found.mapped());
  };
  take("--dim", options.dim);
  take("--text", options.text_bytes);
  take("--nprobes", options.nprobes);
  take("--queries", options.queries);
  take("--rows", options.most_rows);
  if (!flags.empty() || argc % 2 == 0)
    Fail("usage: growth [--dim N] [--text BYTES] [--nprobes N] [--queries N] [--rows MOST]");
  return options;
}

void Run(const Options& options) {
  World world;
  for (std::uint64_t rows = 100'000; rows <= options.most_rows; rows *= 10) {
    auto memory = store::OpenMemory("growth", world.clock);
    // Beside it lie a million others: what opens one table must not look at them.
    if (rows == 100'000) {
      for (std::uint32_t i = 0; i < kOtherTables; i++)
        Must(memory->Put("t" + std::to_string(i) + ".lance/_versions/18446744073709551614.manifest", AsBytes("x"),
                         store::PutCondition::kNone, Deadline::Never()));
    }
    TemplateStore store(std::move(memory));
    Measure(world, store, options, rows);
  }
}

}  // namespace
}  // namespace firn

int main(int argc, char** argv) { firn::Run(firn::Parse(argc, argv)); }
