#pragma once
// One dependent round of reads: many small wishes become few requests. Ranges of an object that touch or nearly do are
// read together; a huge one is read in parts that are under way at the same time.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "lance/file_metadata.h"
#include "store/object_store.h"

namespace firn::lance {

/// Ends of objects that are here already: a wish inside one costs no request.
struct KnownEnd {
  std::uint64_t offset = 0;  // in the object
  Buffer bytes;
};
using KnownEnds = std::map<std::string, KnownEnd, std::less<>>;

/// Not thread-safe.
class ReadRound {
 public:
  ReadRound(store::ObjectStore& store, const KnownEnds& known) : store_(store), known_(known) {}

  /// `*to` gets the bytes: at once when they are known, else with Run. It must stay where it is until then.
  void Add(const std::string& key, ByteRange range, Buffer* to);
  bool empty() const { return wishes_.empty(); }
  /// One ReadMany, or none when nothing is missing. Fails with the first error.
  Status Run(const Deadline& deadline);

  static constexpr std::uint64_t kMaxGapBytes = 64ULL << 10;
  static constexpr std::uint64_t kPartBytes = 8ULL << 20;

 private:
  struct Wish {
    const std::string* key;
    ByteRange range;
    Buffer* to;
  };
  store::ObjectStore& store_;
  const KnownEnds& known_;
  std::vector<Wish> wishes_;
};

/// The round as a page sees it: its file's bytes by offset.
class PageFetch {
 public:
  PageFetch(ReadRound& round, const std::string& key) : round_(round), key_(key) {}
  void Add(ByteRange range, Buffer* to) { round_.Add(key_, range, to); }

 private:
  ReadRound& round_;
  const std::string& key_;
};

}  // namespace firn::lance
