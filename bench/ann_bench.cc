// Searches of one table, in this process and on this thread: queries a second, latencies, and the rows that were found.
// One JSON object a line for each setting; ann.py runs it beside its peers.

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>
#include <map>

#include "engine/engine.h"
#include "query/hot_graph.h"

namespace firn {
namespace {

using Steady = std::chrono::steady_clock;

struct Options {
  std::string db, table, column = "vector", queries, filter, ids, engine = "segment";
  std::size_t k = 10;
  std::size_t batch = 1, threads = 1;
  int repeats = 3;
  std::vector<float> recalls = {0.9F, 0.95F, 0.98F, 0.99F};
  std::vector<std::uint32_t> nprobes;
  std::vector<simd::InstructionSet> instructions;  // empty: the widest
};

struct Setting {
  std::string name;
  query::SearchRequest request;
  simd::InstructionSet instructions = simd::InstructionSet::kAvx512;
};

/// What was measured of a setting so far.
struct Measured {
  std::vector<double> rates, times;
  std::vector<std::int32_t> ids;
};

struct Queries {
  std::vector<float> values;
  std::size_t count = 0, dim = 0;
};

[[noreturn]] void Fail(const std::string& message) {
  std::fprintf(stderr, "ann_bench: %s\n", message.c_str());
  std::exit(1);
}

template <class T>
T Must(Result<T> result) {
  if (!result) Fail(result.error().ToString());
  return *std::move(result);
}

template <class T>
std::vector<T> ParseList(const std::string& text) {
  std::vector<T> values;
  for (const char* at = text.c_str(); *at != '\0';) {
    char* end = nullptr;
    values.push_back(static_cast<T>(std::strtod(at, &end)));
    if (end == at) Fail("not a list of numbers: " + text);
    at = *end == ',' ? end + 1 : end;
  }
  return values;
}

std::vector<simd::InstructionSet> ParseInstructionSets(std::string_view text) {
  std::vector<simd::InstructionSet> sets;
  for (;;) {
    const std::size_t end = text.find(',');
    sets.push_back(Must(simd::ParseInstructionSet(text.substr(0, end))));
    if (end == std::string_view::npos) return sets;
    text.remove_prefix(end + 1);
  }
}

Options Parse(int argc, char** argv) {
  Options options;
  std::map<std::string, std::string> flags;
  for (int i = 1; i + 1 < argc; i += 2) flags[argv[i]] = argv[i + 1];
  const auto take = [&](const char* name, std::string& into) {
    if (const auto found = flags.extract(name)) into = found.mapped();
  };
  std::string k, repeats, recalls, nprobes, batch, threads, instructions;
  take("--db", options.db);
  take("--table", options.table);
  take("--column", options.column);
  take("--queries", options.queries);
  take("--filter", options.filter);
  take("--ids", options.ids);
  take("--engine", options.engine);
  take("--k", k);
  take("--repeats", repeats);
  take("--recall", recalls);
  take("--nprobes", nprobes);
  take("--batch", batch);
  take("--threads", threads);
  take("--instructions", instructions);
  if (!flags.empty() || argc % 2 == 0 || options.db.empty() || options.table.empty() || options.queries.empty()) {
    Fail(
        "usage: ann_bench --db FOLDER --table NAME --queries Q.f32.npy [--column C] [--k 10] [--engine segment|graph] "
        "[--recall LIST] "
        "[--nprobes LIST] [--filter SQL] [--repeats 3] [--batch 1] [--threads 1] [--instructions LIST] "
        "[--ids OUT.npy]");
  }
  if (!batch.empty()) options.batch = std::max<std::size_t>(std::stoul(batch), 1);
  if (!threads.empty()) options.threads = std::max<std::size_t>(std::stoul(threads), 1);
  if (!instructions.empty()) options.instructions = ParseInstructionSets(instructions);
  if (!k.empty()) options.k = std::stoul(k);
  if (!repeats.empty()) options.repeats = std::stoi(repeats);
  if (!recalls.empty()) options.recalls = ParseList<float>(recalls);
  if (!nprobes.empty()) {
    options.nprobes = ParseList<std::uint32_t>(nprobes);
    if (recalls.empty()) options.recalls.clear();
  }
  return options;
}

/// Rows of a two-dimensional .npy file of f32.
Queries ReadQueries(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) Fail("cannot read " + path);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  if (bytes.size() < 10 || !bytes.starts_with("\x93NUMPY")) Fail(path + " is not a .npy file");
  const std::size_t header = 10 + static_cast<std::uint8_t>(bytes[8]) + 256U * static_cast<std::uint8_t>(bytes[9]);
  const std::string text = bytes.substr(10, header - 10);
  if (!text.contains("<f4")) Fail(path + " does not hold f32");
  Queries queries;
  if (std::sscanf(text.c_str() + text.find("'shape': (") + 10, "%zu, %zu", &queries.count, &queries.dim) != 2)
    Fail(path + " is not two-dimensional");
  queries.values.resize(queries.count * queries.dim);
  if (bytes.size() - header < queries.values.size() * 4) Fail(path + " is truncated");
  std::memcpy(queries.values.data(), bytes.data() + header, queries.values.size() * 4);
  return queries;
}

void WriteIds(const std::string& path, const std::vector<std::int32_t>& ids, std::size_t rows, std::size_t columns) {
  std::string header = "{'descr': '<i4', 'fortran_order': False, 'shape': (" + std::to_string(rows) + ", " +
                       std::to_string(columns) + "), }";
  header.append(63 - (header.size() + 10) % 64, ' ');
  header += '\n';
  std::ofstream file(path, std::ios::binary);
  file << "\x93NUMPY" << '\x01' << '\x00' << static_cast<char>(header.size() % 256)
       << static_cast<char>(header.size() / 256) << header;
  file.write(reinterpret_cast<const char*>(ids.data()), static_cast<std::streamsize>(ids.size() * 4));
}

double ResidentMb() {
  std::ifstream file("/proc/self/statm");
  std::size_t pages = 0, resident = 0, shared = 0;
  file >> pages >> resident >> shared;
  return static_cast<double>(resident - shared) * static_cast<double>(sysconf(_SC_PAGESIZE)) / 1e6;
}

class Bench {
 public:
  Bench(const Options& options, query::OpenTable& table, engine::IndexDescription index)
      : options_(options), table_(table), index_(std::move(index)), queries_(ReadQueries(options.queries)) {
    std::uint64_t row = 0;
    for (const lance::Fragment& fragment : table.snapshot().manifest().fragments) {
      first_row_[fragment.id] = row;
      row += fragment.physical_rows;
    }
  }

  /// Settings take turns, so that what else the machine does is felt by all of them.
  void Run(const std::vector<Setting>& settings) {
    std::vector<Measured> measured(settings.size());
    for (int repeat = 0; repeat < options_.repeats + 1; repeat++) {  // the first warms up
      for (std::size_t i = 0; i < settings.size(); i++) Measure(settings[i], repeat > 0, measured[i]);
    }
    for (std::size_t i = 0; i < settings.size(); i++) Print(settings[i], i, measured[i]);
  }

 private:
  /// The rows nearest to `some` queries from the `first` on, in one request.
  void SearchFor(std::size_t first, std::size_t some, query::SearchRequest& request, std::vector<std::int32_t>& ids) {
    const auto at = [&](std::size_t q) {
      return queries_.values.begin() + static_cast<std::ptrdiff_t>(q * queries_.dim);
    };
    if (options_.batch == 1) {
      request.vector.assign(at(first), at(first + 1));
      Keep(first, Must(query::FindNearest(table_, request, Deadline::Never())).hits, ids);
      return;
    }
    std::vector<std::vector<float>> vectors;
    for (std::size_t q = first; q < first + some; q++) vectors.emplace_back(at(q), at(q + 1));
    const query::NearestOfMany nearest = Must(query::FindNearestOfMany(table_, request, vectors, Deadline::Never()));
    for (std::size_t i = 0; i < some; i++) Keep(first + i, nearest.hits[i], ids);
  }

  void Keep(std::size_t q, const std::vector<simd::Hit>& hits, std::vector<std::int32_t>& ids) const {
    for (std::size_t i = 0; i < hits.size(); i++) {
      ids[q * options_.k + i] =
          static_cast<std::int32_t>(first_row_.at(hits[i].row >> 32) + (hits[i].row & 0xFFFF'FFFF));
    }
  }

  /// All queries once.
  void Measure(const Setting& setting, bool counts, Measured& measured) {
    simd::AllowUpTo(setting.instructions);
    query::SearchRequest request = setting.request;
    measured.ids.assign(queries_.count * options_.k, -1);
    measured.times.clear();
    const auto begin = Steady::now();
    for (std::size_t q = 0; q < queries_.count; q += options_.batch) {
      const auto from = Steady::now();
      SearchFor(q, std::min(options_.batch, queries_.count - q), request, measured.ids);
      measured.times.push_back(std::chrono::duration<double, std::micro>(Steady::now() - from).count());
    }
    const double seconds = std::chrono::duration<double>(Steady::now() - begin).count();
    if (counts) measured.rates.push_back(static_cast<double>(queries_.count) / seconds);
  }

  void Print(const Setting& setting, std::size_t number, Measured& measured) const {
    auto& [rates, times, ids] = measured;
    std::ranges::sort(rates);
    std::ranges::sort(times);
    std::string ids_file = options_.ids;
    if (!ids_file.empty()) {
      ids_file += "." + std::to_string(number) + ".npy";
      WriteIds(ids_file, ids, queries_.count, options_.k);
    }
    std::printf(
        "{\"engine\":\"%s\",\"setting\":\"%s\",\"qps\":%.1f,\"p50_us\":%.2f,\"p99_us\":%.2f,\"build_s\":%.3f,\"bytes_"
        "per_vector\":%.1f,"
        "\"resident_mb\":%.1f,\"ids_file\":\"%s\"}\n",
        options_.engine.c_str(), setting.name.c_str(), rates[rates.size() / 2], times[times.size() / 2],
        times[times.size() * 99 / 100], index_.build_s,
        static_cast<double>(index_.bytes) / static_cast<double>(std::max<std::uint64_t>(index_.rows, 1)), ResidentMb(),
        ids_file.c_str());
    std::fflush(stdout);
  }

  const Options& options_;
  query::OpenTable& table_;
  const engine::IndexDescription index_;
  const Queries queries_;
  std::map<std::uint64_t, std::uint64_t> first_row_;
};

std::vector<Setting> SettingsOf(const Options& options) {
  std::vector<Setting> settings;
  query::SearchRequest request;
  request.vector_column = options.column;
  request.k = options.k;
  request.filter = options.filter;
  const auto add = [&](const std::string& name) {
    if (options.instructions.empty()) settings.push_back({name, request});
    for (const simd::InstructionSet set : options.instructions) {
      simd::AllowUpTo(set);
      settings.push_back({name + " " + std::string(simd::ActiveInstructionSet()), request, set});
    }
  };
  for (const float recall : options.recalls) {
    char name[32];
    std::snprintf(name, sizeof name, "recall=%.4g", static_cast<double>(recall));
    request.recall = recall;
    add(name);
  }
  for (const std::uint32_t nprobes : options.nprobes) {
    request.nprobes = nprobes;
    add("nprobes=" + std::to_string(nprobes));
  }
  return settings;
}

}  // namespace
}  // namespace firn

int main(int argc, char** argv) {
  using namespace firn;
  const Options options = Parse(argc, argv);
  Random random(1);
  Log log(LogLevel::kWarn);
  engine::Config config;
  config.database = options.db;
  config.threads = options.engine == "graph" ? 2 : options.threads;
  config.graph_after = std::numeric_limits<std::uint64_t>::max();  // when asked for, below
  const auto engine = Must(engine::Engine::Open(config, {SystemClock(), random, log, store::ProcessEnvironment()}));
  auto table = Must(engine->OpenTable(options.table, std::nullopt, Deadline::Never()));
  engine::IndexDescription index;
  for (engine::IndexDescription& each : Must(engine->Indexes(options.table, Deadline::Never()))) {
    if (each.column == options.column) index = std::move(each);
  }
  double graph_bytes = 0;
  if (options.engine == "graph") {
    const auto begin = Steady::now();
    if (const Status built = table->BuildGraphs(options.column, index.metric, Deadline::Never()); !built)
      Fail(built.error().ToString());
    index.build_s += std::chrono::duration<double>(Steady::now() - begin).count();
    const auto column = Must(table->IndexOf(options.column, index.metric, Deadline::Never()));
    for (const query::OpenSegment& segment : column->segments) {
      const auto graph = table->graphs()->Find(segment.segment->key());
      if (!graph) Fail("a segment has no graph");
      graph_bytes += static_cast<double>(graph->SizeBytes());
    }
    index.bytes = static_cast<std::uint64_t>(graph_bytes);  // what answers: lists are not read any more
  }
  Bench(options, *table, std::move(index)).Run(SettingsOf(options));
}
