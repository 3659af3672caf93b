#include "arrow/flatbuffer_reader.h"

namespace firn::arrow {
namespace {

Error Outside() { return DataCorruption("Arrow metadata has an offset that points outside of it"); }

}  // namespace

Result<FlatTable> FlatTable::Root(ByteSpan buffer) {
  if (buffer.size() < 4) return Outside();
  return Open(buffer, LoadLe<std::uint32_t>(buffer.data()));
}

Result<FlatTable> FlatTable::Open(ByteSpan buffer, std::size_t at) {
  FlatTable table(buffer, at);
  if (!InBounds(at, 4, buffer.size())) return Outside();
  const std::int64_t vtable = static_cast<std::int64_t>(at) - LoadLe<std::int32_t>(buffer.data() + at);
  if (vtable < 0 || !InBounds(static_cast<std::uint64_t>(vtable), 4, buffer.size())) return Outside();
  table.vtable_ = static_cast<std::size_t>(vtable);
  table.vtable_size_ = LoadLe<std::uint16_t>(buffer.data() + table.vtable_);
  if (table.vtable_size_ < 4 || !InBounds(table.vtable_, table.vtable_size_, buffer.size())) return Outside();
  return table;
}

Result<std::size_t> FlatTable::Find(int field, std::size_t size) const {
  const std::size_t slot = 4 + 2 * static_cast<std::size_t>(field);
  if (slot + 2 > vtable_size_) return std::size_t{0};
  const std::size_t offset = LoadLe<std::uint16_t>(buffer_.data() + vtable_ + slot);
  if (offset == 0) return std::size_t{0};
  if (!InBounds(at_ + offset, size, buffer_.size())) return Outside();
  return at_ + offset;
}

Result<std::size_t> FlatTable::Follow(std::size_t at) const {
  const std::size_t target = at + LoadLe<std::uint32_t>(buffer_.data() + at);
  if (!InBounds(target, 4, buffer_.size())) return Outside();
  return target;
}

Result<std::string_view> FlatTable::String(int field) const {
  FIRN_TRY(const FlatVector characters, Vector(field, 1));
  return AsChars(characters.bytes);
}

Result<std::optional<FlatTable>> FlatTable::Table(int field) const {
  FIRN_TRY(const std::size_t at, Find(field, 4));
  if (at == 0) return std::optional<FlatTable>();
  FIRN_TRY(const std::size_t target, Follow(at));
  FIRN_TRY(const FlatTable table, Open(buffer_, target));
  return std::optional(table);
}

Result<FlatTable> FlatTable::RequiredTable(int field, std::string_view name) const {
  FIRN_TRY(const std::optional<FlatTable> table, Table(field));
  if (!table) return DataCorruption("Arrow metadata lacks " + std::string(name));
  return *table;
}

Result<FlatVector> FlatTable::Vector(int field, std::size_t element_size) const {
  FIRN_TRY(const std::size_t at, Find(field, 4));
  if (at == 0) return FlatVector();
  FIRN_TRY(const std::size_t target, Follow(at));
  const std::uint64_t count = LoadLe<std::uint32_t>(buffer_.data() + target);
  if (!InBounds(target + 4, count * element_size, buffer_.size())) return Outside();
  return FlatVector{target + 4, count, buffer_.subspan(target + 4, count * element_size)};
}

Result<FlatTable> FlatTable::TableAt(const FlatVector& vector, std::size_t i) const {
  FIRN_TRY(const std::size_t target, Follow(vector.at + 4 * i));
  return Open(buffer_, target);
}

}  // namespace firn::arrow
