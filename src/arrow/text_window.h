#pragma once
// A moving window over a text that is too long to hold: the part that is being read, in one piece.

#include <cstdint>
#include <memory>
#include <string_view>

#include "arrow/byte_stream.h"
#include "base/result.h"

namespace firn::arrow {

/// Positions are offsets from the beginning of the source (after a byte order mark, which is skipped). Not thread-safe.
class TextWindow {
 public:
  /// Behind the text there are always this many bytes that may be read.
  static constexpr std::size_t kPadding = 64;

  explicit TextWindow(std::unique_ptr<ByteStream> source) : source_(std::move(source)) {}

  std::uint64_t end() const { return start_ + (filled_ - front_); }
  /// From `position` to what is filled; valid until the next Grow. DropBefore was not called with more than `position`.
  std::string_view From(std::uint64_t position) const {
    const std::size_t skip = static_cast<std::size_t>(position - start_);
    return {block_.get() + front_ + skip, filled_ - front_ - skip};
  }
  /// Reads on. False at the end of the source.
  Result<bool> Grow();
  /// Says that nothing before `position` is wanted any more.
  void DropBefore(std::uint64_t position) {
    front_ += static_cast<std::size_t>(position - start_);
    start_ = position;
  }
  const ByteStream& source() const { return *source_; }

 private:
  void MakeRoom(std::size_t size);

  std::unique_ptr<ByteStream> source_;
  std::unique_ptr<char[]> block_;
  std::size_t capacity_ = 0;
  std::size_t front_ = 0;    // of the text in the block
  std::size_t filled_ = 0;   // its end
  std::uint64_t start_ = 0;  // the position of `front_`
  bool first_ = true;
};

}  // namespace firn::arrow
