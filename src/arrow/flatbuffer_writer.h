#pragma once
// Writing flatbuffers front to back: a table first, then what its fields refer to, which the format allows (references
// only ever point forward).

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace firn::arrow {

/// A field of a table to write: a scalar of 1, 2, 4 or 8 bytes, or a reference to be set by a later call.
struct FlatField {
  int number;
  std::size_t size;
  std::uint64_t value;
};
template <class T>
FlatField FlatScalar(int number, T value) {
  return {number, sizeof(T), static_cast<std::uint64_t>(value)};
}
inline FlatField FlatReference(int number) { return {number, 4, 0}; }

/// Each Add...(slot, ...) writes something and makes the reference at `slot` point to it. kRoot is the first slot;
/// SlotOf gives those of tables, and a vector of references is 4-byte slots in a row. Not thread-safe.
class FlatWriter {
 public:
  static constexpr std::size_t kRoot = 0;

  FlatWriter() : out_(4, '\0') {}

  /// Returns the table, for SlotOf.
  std::size_t AddTable(std::size_t slot, std::span<const FlatField> fields);
  std::size_t AddTable(std::size_t slot, std::initializer_list<FlatField> fields) {
    return AddTable(slot, std::span(fields.begin(), fields.size()));
  }
  std::size_t SlotOf(std::size_t table, int field) const;
  /// One more reference to a table that has been written; `slot` stands before it.
  void LinkAlso(std::size_t slot, std::size_t table) { Link(slot, table); }
  void AddString(std::size_t slot, std::string_view value);
  /// A vector of `count` references; returns the slot of the first.
  std::size_t AddReferences(std::size_t slot, std::size_t count);
  /// A vector of `count` structs with 8-byte members, or of 8-byte scalars: `elements` is all of them.
  void AddVector(std::size_t slot, std::size_t count, std::string_view elements);

  /// The finished buffer.
  std::string Finish() && { return std::move(out_); }

 private:
  void Align(std::size_t alignment, std::size_t ahead = 0);
  void Link(std::size_t slot, std::size_t target);

  std::string out_;
};

}  // namespace firn::arrow
