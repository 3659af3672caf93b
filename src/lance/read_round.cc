#include "lance/read_round.h"

#include <algorithm>
#include <memory>

namespace firn::lance {
namespace {

std::uint64_t End(const ByteRange& range) { return range.offset + range.length; }

/// True when `next`, which begins no earlier, is read together with `run`.
bool Joins(const ByteRange& run, const ByteRange& next) {
  if (End(next) <= End(run)) return true;
  return next.offset <= End(run) + ReadRound::kMaxGapBytes && End(next) - run.offset <= ReadRound::kPartBytes;
}

/// Parts of one read that lie side by side in memory (a mapped file) are one view; others are copied together.
Buffer Join(std::vector<Buffer> parts) {
  if (parts.size() == 1) return std::move(parts[0]);
  std::size_t size = parts[0].size();
  bool adjacent = true;
  for (std::size_t i = 1; i < parts.size(); i++) {
    adjacent &= parts[i].data() == parts[i - 1].data() + parts[i - 1].size();
    size += parts[i].size();
  }
  if (adjacent) {
    const ByteSpan view{parts[0].data(), size};
    return {std::make_shared<const std::vector<Buffer>>(std::move(parts)), view};
  }
  std::vector<std::uint8_t> joined;
  joined.reserve(size);
  for (const Buffer& part : parts) joined.insert(joined.end(), part.bytes().begin(), part.bytes().end());
  return Buffer::Of(std::move(joined));
}

}  // namespace

void ReadRound::Add(const std::string& key, ByteRange range, Buffer* to) {
  if (range.length == 0) {
    *to = {};
    return;
  }
  if (const auto known = known_.find(key); known != known_.end() && range.offset >= known->second.offset) {
    const std::uint64_t from = range.offset - known->second.offset;
    if (InBounds(from, range.length, known->second.bytes.size())) {
      *to = known->second.bytes.Slice(from, range.length);
      return;
    }
  }
  wishes_.push_back({&key, range, to});
}

Status ReadRound::Run(const Deadline& deadline) {
  if (wishes_.empty()) return {};
  std::sort(wishes_.begin(), wishes_.end(), [](const Wish& a, const Wish& b) {
    if (const int order = a.key->compare(*b.key); order != 0) return order < 0;
    return a.range.offset < b.range.offset;
  });

  // Runs of wishes that are read as one range, each in one or more requests.
  struct Run {
    std::size_t first_wish;
    std::size_t end_wish;
    ByteRange range;
    std::size_t first_request = 0;
    std::size_t end_request = 0;
  };
  std::vector<Run> runs;
  for (std::size_t i = 0; i < wishes_.size(); i++) {
    const Wish& wish = wishes_[i];
    if (!runs.empty() && *wishes_[runs.back().first_wish].key == *wish.key && Joins(runs.back().range, wish.range)) {
      Run& run = runs.back();
      run.range.length = std::max(End(run.range), End(wish.range)) - run.range.offset;
      run.end_wish = i + 1;
    } else {
      runs.push_back({i, i + 1, wish.range});
    }
  }
  std::vector<store::ReadRequest> requests;
  for (Run& run : runs) {
    const std::string& key = *wishes_[run.first_wish].key;
    run.first_request = requests.size();
    const std::uint64_t parts = (run.range.length + kPartBytes - 1) / kPartBytes;
    for (std::uint64_t part = 0; part < parts; part++) {
      const std::uint64_t from = part * kPartBytes;
      requests.push_back(
          store::ReadRequest::Range(key, run.range.offset + from, std::min(kPartBytes, run.range.length - from)));
    }
    run.end_request = requests.size();
  }

  std::vector<Result<store::ReadResult>> answers = store_.ReadMany(requests, deadline);
  if (answers.size() != requests.size()) return Internal("a store gave another number of answers than requests");
  for (std::size_t i = 0; i < answers.size(); i++) {
    if (!answers[i]) return std::move(answers[i]).error();
    if (answers[i]->bytes.size() != requests[i].length)
      return DataCorruption("the object " + requests[i].key + " ends early");
  }
  for (const Run& run : runs) {
    std::vector<Buffer> parts;
    for (std::size_t i = run.first_request; i < run.end_request; i++) parts.push_back(std::move(answers[i]->bytes));
    const Buffer whole = Join(std::move(parts));
    for (std::size_t i = run.first_wish; i < run.end_wish; i++) {
      *wishes_[i].to = whole.Slice(wishes_[i].range.offset - run.range.offset, wishes_[i].range.length);
    }
  }
  wishes_.clear();
  return {};
}

}  // namespace firn::lance
