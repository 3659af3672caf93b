#include "arrow/text_window.h"

#include <algorithm>
#include <cstring>

namespace firn::arrow {
namespace {

constexpr std::size_t kReadSize = 1 << 20;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

}  // namespace

Result<bool> TextWindow::Grow() {
  FIRN_TRY(Buffer read, first_ ? ReadExactly(*source_, kReadSize) : source_->Read(kReadSize));
  if (read.empty()) return false;
  if (first_ && read.chars().starts_with(kByteOrderMark)) read = read.Slice(kByteOrderMark.size());
  first_ = false;
  MakeRoom(read.size());
  CopyBytes(block_.get() + filled_, read.bytes());
  filled_ += read.size();
  std::memset(block_.get() + filled_, 0, kPadding);
  return true;
}

void TextWindow::MakeRoom(std::size_t size) {
  const std::size_t kept = filled_ - front_;
  const ByteSpan text = AsBytes(From(start_));
  if (block_ && filled_ + size + kPadding <= capacity_) return;
  if (block_ && kept + size + kPadding <= capacity_ && front_ >= kept) {
    CopyBytes(block_.get(), text);
  } else {
    capacity_ = std::max(2 * (kept + size), 2 * kReadSize) + kPadding;
    auto larger = std::make_unique_for_overwrite<char[]>(capacity_);
    CopyBytes(larger.get(), text);
    block_ = std::move(larger);
  }
  front_ = 0;
  filled_ = kept;
}

}  // namespace firn::arrow
