#pragma once
// Which column type fits what was seen: one TypeGuess per column, told of every value in turn, then asked.
//
//   seen                                                  type
//   integers                                              int64; uint64 when one is above int64 and none is negative
//   integers and floats                                   float64
//   booleans                                              bool
//   text, every value an ISO 8601 date                    date32
//   text, every value a date-time (or date)               timestamp[us]; with a zone in every value: timestamp[us, UTC]
//   other text, also zoned and zoneless date-times mixed  utf8
//   lists of numbers, all equally long, 2 or more         fixed_size_list<float>: a vector
//   other lists                                           list of the items' type
//   objects                                               struct of all members seen anywhere
//   nulls only                                            utf8, which holds them and is what later rows most often need
//   values of two of these groups                         InvalidArgument that names the column and both rows
//
// Lists of numbers of several lengths are a vector with wrong rows, not a list, when the column's name contains
// "vector" or "embedding", or when nine rows in ten agree on a length of 16 or more: InvalidArgument that names the odd
// row. Equally long integers that a float cannot hold exactly (beyond 2^24) stay a list of int64.

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "arrow/type.h"
#include "base/result.h"

namespace firn::arrow {

/// What happens to a column of unlike values.
enum class OnConflict : std::uint8_t {
  kError,  // JSON: values carry their kind
  kUtf8,   // CSV: everything was text to begin with
};

/// Not thread-safe. Rows are 0-based and only used in errors.
class TypeGuess {
 public:
  explicit TypeGuess(OnConflict on_conflict = OnConflict::kError) : on_conflict_(on_conflict) {}

  void SeeNull() {}
  void SeeBool(std::int64_t row) { See(Kind::kBool, row); }
  void SeeInteger(std::int64_t value, std::int64_t row);
  /// An integer that may be above int64.
  void SeeUnsigned(std::uint64_t value, std::int64_t row);
  void SeeFloating(std::int64_t row);
  void SeeText(std::string_view text, std::int64_t row);
  /// A list of `items` items; each is then told to the returned guess.
  TypeGuess& SeeList(std::size_t items, std::int64_t row);
  /// An object; each member is then told to Member(name).
  void SeeObject(std::int64_t row) { See(Kind::kObject, row); }
  TypeGuess& Member(std::string_view name);

  /// Distinct names told to Member() so far: what a limit on columns counts.
  std::size_t MemberCount() const { return member_names_.size(); }

  /// `path` names the column in errors.
  Result<TypePtr> Type(const std::string& path) const;
  /// The fields of what was seen as objects: a table's columns.
  Result<std::vector<Field>> Members(const std::string& path) const;

 private:
  enum class Kind : std::uint8_t { kBool, kNumber, kText, kList, kObject };
  static constexpr std::size_t kKinds = 5;
  struct Lengths {
    std::int64_t lists = 0;
    std::int64_t first_row = 0;
  };

  void See(Kind kind, std::int64_t row);
  Result<TypePtr> NumberType(const std::string& path) const;
  TypePtr TextType() const;
  Result<TypePtr> ListType(const std::string& path) const;
  Error Ragged(const std::string& path, std::size_t usual) const;

  OnConflict on_conflict_;
  std::array<std::int64_t, kKinds> first_row_{-1, -1, -1, -1, -1};
  // Numbers.
  bool floating_ = false;
  bool above_int64_ = false;
  bool beyond_float_ = false;
  std::int64_t negative_row_ = -1;
  std::int64_t above_row_ = -1;
  // Text: which readings every value so far allows.
  bool all_dates_ = true;
  bool all_instants_ = true;  // dates count
  bool some_zoned_ = false;
  bool some_zoneless_ = false;
  // Lists, by length; beyond a few lengths they are plainly not vectors.
  std::map<std::size_t, Lengths> lengths_;
  std::int64_t lists_ = 0;
  std::unique_ptr<TypeGuess> item_;
  // Objects, members in the order they were met.
  std::vector<std::string> member_names_;
  std::vector<std::unique_ptr<TypeGuess>> members_;
  std::unordered_map<std::string, std::size_t> member_index_;
  std::size_t next_member_ = 0;
};

}  // namespace firn::arrow
