#pragma once
// What FileMetadataCache holds: footers, columns and page indexes of data files, least recently used last.

#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <variant>

#include "lance/encoding/page_reader.h"
#include "lance/file_metadata.h"
#include "lance/fragment_reader.h"

namespace firn::lance {

using FooterPtr = std::shared_ptr<const FileFooter>;
using ColumnPtr = std::shared_ptr<const ColumnPages>;

/// Thread-safe.
struct FileMetadataCache::Entries {
 public:
  explicit Entries(std::size_t capacity_bytes) : capacity_bytes_(capacity_bytes) {}

  /// Null when not there.
  FooterPtr Footer(const std::string& file) { return Find<FooterPtr>(FooterKey(file)); }
  ColumnPtr Column(const std::string& file, std::uint32_t column) { return Find<ColumnPtr>(ColumnKey(file, column)); }
  PageIndexPtr Index(const std::string& file, std::uint32_t column, std::size_t page) {
    return Find<PageIndexPtr>(IndexKey(file, column, page));
  }

  void PutFooter(const std::string& file, FooterPtr footer) {
    Put(FooterKey(file), std::move(footer), sizeof(FileFooter));
  }
  void PutColumn(const std::string& file, std::uint32_t column, ColumnPtr pages, std::size_t size_bytes) {
    Put(ColumnKey(file, column), std::move(pages), size_bytes);
  }
  void PutIndex(const std::string& file, std::uint32_t column, std::size_t page, PageIndexPtr index) {
    const std::size_t size_bytes = index->SizeBytes();
    Put(IndexKey(file, column, page), std::move(index), size_bytes);
  }

 private:
  using Value = std::variant<FooterPtr, ColumnPtr, PageIndexPtr>;
  struct Entry {
    std::string key;
    Value value;
    std::size_t size_bytes;
  };

  static std::string FooterKey(const std::string& file) { return file; }
  static std::string ColumnKey(const std::string& file, std::uint32_t column) {
    return file + '\n' + std::to_string(column);
  }
  static std::string IndexKey(const std::string& file, std::uint32_t column, std::size_t page) {
    return file + '\n' + std::to_string(column) + '\n' + std::to_string(page);
  }

  template <class Pointer>
  Pointer Find(const std::string& key) {
    const std::lock_guard lock(mutex_);
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) return nullptr;
    recent_.splice(recent_.begin(), recent_, found->second);
    const auto* value = std::get_if<Pointer>(&found->second->value);
    return value == nullptr ? nullptr : *value;
  }

  void Put(std::string key, Value value, std::size_t size_bytes) {
    size_bytes += 2 * key.size() + sizeof(Entry);
    const std::lock_guard lock(mutex_);
    if (by_key_.contains(key) || size_bytes > capacity_bytes_) return;
    recent_.push_front({key, std::move(value), size_bytes});
    by_key_.emplace(std::move(key), recent_.begin());
    used_bytes_ += size_bytes;
    while (used_bytes_ > capacity_bytes_) {
      used_bytes_ -= recent_.back().size_bytes;
      by_key_.erase(recent_.back().key);
      recent_.pop_back();
    }
  }

  const std::size_t capacity_bytes_;
  std::mutex mutex_;
  std::list<Entry> recent_;
  std::unordered_map<std::string, std::list<Entry>::iterator> by_key_;
  std::size_t used_bytes_ = 0;
};

}  // namespace firn::lance
