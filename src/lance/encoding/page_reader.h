#pragma once
// Reading some rows of one page of one leaf: at most two rounds, then decoding.

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "arrow/array.h"
#include "lance/encoding/levels.h"
#include "lance/file_metadata.h"
#include "lance/fragment_reader.h"
#include "lance/read_round.h"

namespace firn::lance {

/// What was learnt of a page that later reads of it need not fetch or parse again. Immutable.
class PageIndex {
 public:
  virtual ~PageIndex() = default;
  virtual std::size_t SizeBytes() const = 0;
};
using PageIndexPtr = std::shared_ptr<const PageIndex>;

/// Used from one thread at a time, in the order of its functions.
class PageReader {
 public:
  virtual ~PageReader() = default;
  /// Asks for what must be known before the values can be found; nothing when that is known already, or not needed.
  virtual void RequestIndex(PageFetch& fetch) = 0;
  virtual Status RequestValues(PageFetch& fetch) = 0;
  /// The chosen rows in order, nested as the path says. Usually one array; a run of vectors that was read in parts
  /// stays in parts, so that nothing is copied.
  virtual Result<std::vector<arrow::Array>> Decode() = 0;
  /// What to remember, or null: after the round that RequestIndex took part in, or after Decode.
  virtual Result<PageIndexPtr> LearntIndex() { return PageIndexPtr(); }
};

/// A page is read whole rather than looked up when it is at most this large: bytes are cheaper than a round.
inline constexpr std::uint64_t kReadWholeBytes = 256ULL << 10;

/// What every reader starts from. All must outlive the reader.
struct PageRead {
  const ColumnPage& page;
  const LeafPath& path;
  std::vector<RowSelection::Range> rows;  // of the page; ascending, inside it; none = only the page's index is wanted
  PageIndexPtr index;                     // learnt before, or null
  std::uint64_t read_whole_bytes = kReadWholeBytes;

  bool WholePage() const { return rows.size() == 1 && rows[0].begin == 0 && rows[0].end == page.rows; }
};

/// DataCorruption when the page's buffers do not suit its layout; Unsupported names what is.
Result<std::unique_ptr<PageReader>> OpenPage(PageRead read);

Result<std::unique_ptr<PageReader>> OpenMiniBlockPage(PageRead read, const MiniBlockLayout& layout);
Result<std::unique_ptr<PageReader>> OpenFullZipPage(PageRead read, const FullZipLayout& layout);
Result<std::unique_ptr<PageReader>> OpenConstantPage(PageRead read, const ConstantLayout& layout);

/// Rows of `array`, where row r of `ranges` stands at position(r): one slice when they are side by side, else gathered.
arrow::Array GatherRows(const arrow::Array& array, std::span<const RowSelection::Range> positions);

}  // namespace firn::lance
