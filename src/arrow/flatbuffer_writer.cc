#include "arrow/flatbuffer_writer.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <vector>

#include "base/bytes.h"

namespace firn::arrow {

std::size_t FlatWriter::AddTable(std::size_t slot, std::span<const FlatField> fields) {
  // Widest first, each at a multiple of its size: little padding.
  std::vector<FlatField> sorted(fields.begin(), fields.end());
  std::ranges::sort(sorted, std::greater(), &FlatField::size);
  int slots = 0;
  std::size_t end = 4;  // the offset to the vtable
  for (const FlatField& field : sorted) {
    slots = std::max(slots, field.number + 1);
    end = (end + field.size - 1) / field.size * field.size + field.size;
  }
  const std::size_t vtable_size = 4 + 2 * static_cast<std::size_t>(slots);
  Align(8, vtable_size);
  const std::size_t vtable = out_.size();
  AppendLe(out_, static_cast<std::uint16_t>(vtable_size));
  AppendLe(out_, static_cast<std::uint16_t>(end));
  out_.resize(vtable + vtable_size, '\0');

  Link(slot, out_.size());
  const std::size_t table = out_.size();
  AppendLe(out_, static_cast<std::int32_t>(table - vtable));
  out_.resize(table + end, '\0');
  std::size_t at = 4;
  for (const FlatField& field : sorted) {
    at = (at + field.size - 1) / field.size * field.size;
    const auto offset = static_cast<std::uint16_t>(at);
    std::memcpy(&out_[vtable + 4 + 2 * static_cast<std::size_t>(field.number)], &offset, 2);
    std::memcpy(&out_[table + at], &field.value, field.size);
    at += field.size;
  }
  return table;
}

std::size_t FlatWriter::SlotOf(std::size_t table, int field) const {
  const std::size_t vtable = table - static_cast<std::size_t>(LoadLe<std::int32_t>(&out_[table]));
  const auto offset = LoadLe<std::uint16_t>(&out_[vtable + 4 + 2 * static_cast<std::size_t>(field)]);
  assert(offset != 0);
  return table + offset;
}

void FlatWriter::AddString(std::size_t slot, std::string_view value) {
  Align(4);
  Link(slot, out_.size());
  AppendLe(out_, static_cast<std::uint32_t>(value.size()));
  out_.append(value).push_back('\0');
}

std::size_t FlatWriter::AddReferences(std::size_t slot, std::size_t count) {
  Align(4);
  Link(slot, out_.size());
  AppendLe(out_, static_cast<std::uint32_t>(count));
  const std::size_t first = out_.size();
  out_.resize(first + 4 * count, '\0');
  return first;
}

void FlatWriter::AddVector(std::size_t slot, std::size_t count, std::string_view elements) {
  Align(8, 4);
  Link(slot, out_.size());
  AppendLe(out_, static_cast<std::uint32_t>(count));
  out_.append(elements);
}

/// Pads so that what follows `ahead` more bytes is aligned.
void FlatWriter::Align(std::size_t alignment, std::size_t ahead) {
  while ((out_.size() + ahead) % alignment != 0) out_.push_back('\0');
}

void FlatWriter::Link(std::size_t slot, std::size_t target) {
  const auto offset = static_cast<std::uint32_t>(target - slot);
  std::memcpy(&out_[slot], &offset, 4);
}

}  // namespace firn::arrow
