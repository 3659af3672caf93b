#include <simdjson.h>

#include <string>

#include "arrow/array.h"
#include "arrow/buffers.h"

namespace firn::arrow {
namespace {

/// Checks one array and its children against their types. Sizes are compared as uint64 so that nothing overflows.
class Validator {
 public:
  Validator(std::string_view what, bool check_utf8) : what_(what), check_utf8_(check_utf8) {}

  Status Check(const Array& array) const {
    const ArrayData& data = array.data();
    if (data.length < 0 || data.length >= INT64_MAX / 8) return Wrong("its length is " + std::to_string(data.length));
    FIRN_CHECK(CheckValidity(data));
    if (data.children.size() != data.type->children.size()) {
      return Wrong("it has " + std::to_string(data.children.size()) + " children, its type asks for " +
                   std::to_string(data.type->children.size()));
    }
    for (std::size_t i = 0; i < data.children.size(); i++) {
      if (!Equal(array.child(i).type(), *data.type->children[i].type)) {
        return Wrong("a child is " + array.child(i).type().ToString() + ", its type asks for " +
                     data.type->children[i].type->ToString());
      }
      FIRN_CHECK(Check(array.child(i)));
    }
    return CheckValues(array);
  }

 private:
  Status CheckValidity(const ArrayData& data) const {
    if (data.type->id == TypeId::kNull) return {};
    if (data.validity.empty()) {
      if (data.null_count != 0) return Wrong("it has nulls but no validity bitmap");
      return {};
    }
    if (data.validity.size() < BytesForBits(data.length)) return Wrong("its validity bitmap is too short");
    const std::int64_t nulls = data.length - CountOnes(data.validity.data(), 0, data.length);
    if (nulls != data.null_count || nulls == 0) {
      return Wrong("its null count is " + std::to_string(data.null_count) + ", its bitmap has " +
                   std::to_string(nulls));
    }
    return {};
  }

  Status CheckValues(const Array& array) const {
    const ArrayData& data = array.data();
    const Type& type = *data.type;
    const auto length = static_cast<std::uint64_t>(data.length);
    if (type.id == TypeId::kBool) {
      if (data.data.size() < BytesForBits(data.length)) return Wrong("its values are too short");
    } else if (type.id == TypeId::kFixedSizeBinary || BitWidth(type) > 0) {
      if (type.list_size < 0) return Wrong("its type has a negative size");
      const auto width = static_cast<std::uint64_t>(BitWidth(type) / 8);
      if (width > 0 && data.data.size() / width < length) return Wrong("its values are too short");
    } else if (IsVarBytes(type.id)) {
      FIRN_CHECK(CheckOffsets(data, data.bytes.size()));
      if (check_utf8_ && IsText(type.id)) return CheckUtf8(array);
    } else if (type.id == TypeId::kList || type.id == TypeId::kLargeList) {
      return CheckOffsets(data, static_cast<std::uint64_t>(array.child(0).length()));
    } else if (type.id == TypeId::kFixedSizeList) {
      std::int64_t items = 0;
      if (type.list_size < 0 || __builtin_mul_overflow(data.length, std::int64_t{type.list_size}, &items) ||
          array.child(0).length() != items) {
        return Wrong("its items are " + std::to_string(array.child(0).length()) + ", not " +
                     std::to_string(type.list_size) + " for each of " + std::to_string(data.length) + " rows");
      }
    } else if (type.id == TypeId::kStruct) {
      for (const Array& member : data.children) {
        if (member.length() != data.length) return Wrong("its members differ in length");
      }
    }
    return {};
  }

  Status CheckOffsets(const ArrayData& data, std::uint64_t limit) const {
    return HasLargeOffsets(data.type->id) ? CheckOffsetsOf<std::int64_t>(data, limit)
                                          : CheckOffsetsOf<std::int32_t>(data, limit);
  }

  template <class Offset>
  Status CheckOffsetsOf(const ArrayData& data, std::uint64_t limit) const {
    if (data.data.size() / sizeof(Offset) < static_cast<std::uint64_t>(data.length) + 1) {
      return Wrong("its offsets are too short");
    }
    const std::uint8_t* at = data.data.data();
    Offset last = LoadLe<Offset>(at);
    bool falls = last < 0;
    for (std::int64_t i = 1; i <= data.length; i++) {
      const auto offset = LoadLe<Offset>(at + static_cast<std::size_t>(i) * sizeof(Offset));
      falls |= offset < last;
      last = offset;
    }
    if (falls) return Wrong("its offsets do not rise");
    if (static_cast<std::uint64_t>(last) > limit) return Wrong("its offsets point past the end");
    return {};
  }

  /// All characters in one go; value by value only where that finds something, since values under nulls may be
  /// anything.
  Status CheckUtf8(const Array& array) const {
    const std::int64_t length = array.length();
    if (length == 0) return {};
    if (WholeIsUtf8(array)) return {};
    for (std::int64_t i = 0; i < length; i++) {
      if (array.IsNull(i)) continue;
      const std::string_view value = array.BytesAt(i);
      if (!simdjson::validate_utf8(value.data(), value.size())) {
        return Wrong("row " + std::to_string(i) + " is not well-formed UTF-8");
      }
    }
    return {};
  }

  static bool WholeIsUtf8(const Array& array) {
    const std::string_view first = array.BytesAt(0);
    const std::string_view last = array.BytesAt(array.length() - 1);
    if (!simdjson::validate_utf8(first.data(), static_cast<std::size_t>(last.data() + last.size() - first.data()))) {
      return false;
    }
    // Well formed as a whole; a value could still begin inside a character.
    for (std::int64_t i = 1; i < array.length(); i++) {
      const std::string_view value = array.BytesAt(i);
      if (!value.empty() && (static_cast<unsigned char>(value.front()) & 0xC0) == 0x80) return false;
    }
    return true;
  }

  Error Wrong(std::string_view detail) const {
    return DataCorruption(std::string(what_) + " is not a valid array: " + std::string(detail));
  }

  std::string_view what_;
  bool check_utf8_;
};

}  // namespace

Status Validate(const Array& array, std::string_view what, bool check_utf8) {
  return Validator(what, check_utf8).Check(array);
}

}  // namespace firn::arrow
