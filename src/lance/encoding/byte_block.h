#pragma once
// Bytes that grow, without the zeroing of std::vector: decoders write every byte that they ask for.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

#include "base/bytes.h"

namespace firn::lance {

/// Not thread-safe. Aligned as malloc does it (16 bytes).
class ByteBlock {
 public:
  ByteBlock() = default;

  /// Room for `count` more bytes, counted as written: the caller fills them. Earlier pointers are invalid after it.
  std::uint8_t* Extend(std::size_t count) {
    if (count > capacity_ - size_) Grow(count);
    std::uint8_t* at = data_.get() + size_;
    size_ += count;
    return at;
  }
  void Append(ByteSpan bytes) { CopyBytes(Extend(bytes.size()), bytes); }
  void AppendZeros(std::size_t count) { std::fill_n(Extend(count), count, std::uint8_t{0}); }
  void Reserve(std::size_t count) {
    if (count > capacity_ - size_) Grow(count);
  }
  /// Gives back the end; `size` is at most size().
  void Truncate(std::size_t size) { size_ = size; }

  std::uint8_t* data() { return data_.get(); }
  const std::uint8_t* data() const { return data_.get(); }
  std::size_t size() const { return size_; }
  ByteSpan bytes() const { return {data_.get(), size_}; }

  /// The bytes as an immutable buffer; the block is empty again.
  Buffer Finish() {
    const std::size_t size = size_;
    size_ = capacity_ = 0;
    std::shared_ptr<std::uint8_t> owner = std::move(data_);
    const ByteSpan view{owner.get(), size};
    return {std::move(owner), view};
  }

 private:
  struct Free {
    void operator()(std::uint8_t* memory) const { std::free(memory); }
  };

  void Grow(std::size_t count) {
    const std::size_t wanted = std::max(size_ + count, capacity_ + capacity_ / 2);
    void* grown = std::realloc(data_.get(), std::max<std::size_t>(wanted, 64));
    if (grown == nullptr) throw std::bad_alloc();
    data_.release();
    data_.reset(static_cast<std::uint8_t*>(grown));
    capacity_ = std::max<std::size_t>(wanted, 64);
  }

  std::unique_ptr<std::uint8_t, Free> data_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace firn::lance
