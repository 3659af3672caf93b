#include "arrow/builder.h"

#include <utility>

#include "arrow/buffers.h"

namespace firn::arrow {
namespace {

bool IsList(TypeId id) { return id == TypeId::kList || id == TypeId::kLargeList; }

}  // namespace

void BitmapBuilder::AppendMany(std::int64_t count, bool bit) {
  if (all_ones_ && !bit && count > 0) {
    all_ones_ = false;
    bits_.assign(BytesForBits(length_), 0);
    FillBits(bits_.data(), 0, length_, true);
  }
  if (!all_ones_) {
    bits_.resize(BytesForBits(length_ + count), 0);
    FillBits(bits_.data(), length_, count, bit);
  }
  length_ += count;
  zeros_ += bit ? 0 : count;
}

Buffer BitmapBuilder::Finish() {
  if (all_ones_) {
    bits_.assign(BytesForBits(length_), 0);
    FillBits(bits_.data(), 0, length_, true);
  }
  std::vector<std::uint8_t> bits = std::exchange(*this, BitmapBuilder()).bits_;
  return Buffer::OfValues(std::move(bits));
}

Builder::Builder(TypePtr type) : type_(std::move(type)) {
  for (const Field& child : type_->children) children_.emplace_back(child.type);
  StartOffsets();
}

void Builder::AppendNull() {
  validity_.Append(false);
  length_++;
  AppendSlot();
}

void Builder::AppendBool(bool value) {
  assert(type_->id == TypeId::kBool);
  AppendValid();
  bools_.Append(value);
}

void Builder::AppendFixed(ByteSpan value) {
  assert(static_cast<std::int64_t>(value.size()) * 8 == BitWidth(*type_));
  AppendValid();
  data_.insert(data_.end(), value.begin(), value.end());
}

void Builder::AppendManyFixed(ByteSpan values) {
  const std::int64_t width = BitWidth(*type_) / 8;
  assert(width > 0 && static_cast<std::int64_t>(values.size()) % width == 0);
  const std::int64_t count = static_cast<std::int64_t>(values.size()) / width;
  validity_.AppendMany(count, true);
  length_ += count;
  data_.insert(data_.end(), values.begin(), values.end());
}

void Builder::AppendInteger(std::int64_t value) {
  const std::int64_t width = BitWidth(*type_) / 8;
  assert(width >= 1 && width <= 8 && !IsFloating(type_->id));
  AppendFixed({reinterpret_cast<const std::uint8_t*>(&value), static_cast<std::size_t>(width)});  // the low bytes
}

void Builder::AppendFloating(double value) {
  switch (type_->id) {
    case TypeId::kFloat16:
      return Append(FloatToHalf(static_cast<float>(value)));
    case TypeId::kFloat32:
      return Append(static_cast<float>(value));
    default:
      assert(type_->id == TypeId::kFloat64);
      return Append(value);
  }
}

void Builder::AppendBytes(std::string_view value) {
  assert(IsVarBytes(type_->id));
  AppendValid();
  bytes_.insert(bytes_.end(), value.begin(), value.end());
  AppendOffset(static_cast<std::int64_t>(bytes_.size()));
}

void Builder::CloseList() {
  AppendValid();
  if (IsList(type_->id)) return AppendOffset(children_[0].length());
  assert(type_->id == TypeId::kFixedSizeList && children_[0].length() == length_ * type_->list_size);
}

void Builder::CloseStruct() {
  AppendValid();
  assert(type_->id == TypeId::kStruct);
  for ([[maybe_unused]] const Builder& member : children_) assert(member.length() == length_);
}

void Builder::AppendFrom(const Array& array, std::int64_t i) {
  assert(Equal(array.type(), *type_));
  if (array.IsNull(i)) return AppendNull();
  const TypeId id = type_->id;
  if (id == TypeId::kBool) return AppendBool(array.BoolAt(i));
  if (IsVarBytes(id)) return AppendBytes(array.BytesAt(i));
  if (id == TypeId::kStruct) {
    for (std::size_t member = 0; member < children_.size(); member++)
      children_[member].AppendFrom(array.child(member), i);
    return CloseStruct();
  }
  if (IsList(id) || id == TypeId::kFixedSizeList) {
    const auto [begin, end] = array.ItemsAt(i);
    const Array& items = array.child(0);
    const std::int64_t width = BitWidth(items.type()) / 8;
    if (width > 0 && items.data().validity.empty()) {
      children_[0].AppendManyFixed(items.data().data.bytes().subspan(static_cast<std::size_t>(begin * width),
                                                                     static_cast<std::size_t>((end - begin) * width)));
    } else {
      for (std::int64_t item = begin; item < end; item++) children_[0].AppendFrom(items, item);
    }
    return CloseList();
  }
  const auto width = static_cast<std::size_t>(BitWidth(*type_) / 8);
  AppendFixed(array.data().data.bytes().subspan(static_cast<std::size_t>(i) * width, width));
}

Array Builder::Finish() {
  ArrayData out;
  out.type = type_;
  out.length = std::exchange(length_, 0);
  const std::int64_t nulls = validity_.zeros();
  BitmapBuilder validity = std::exchange(validity_, {});
  if (nulls > 0 && type_->id != TypeId::kNull) {
    out.null_count = nulls;
    out.validity = validity.Finish();
  }
  out.data = type_->id == TypeId::kBool ? bools_.Finish() : Buffer::OfValues(std::exchange(data_, {}));
  out.bytes = Buffer::OfValues(std::exchange(bytes_, {}));
  for (Builder& child : children_) out.children.push_back(child.Finish());
  StartOffsets();
  return Array(std::move(out));
}

void Builder::AppendValid() {
  validity_.Append(true);
  length_++;
}

void Builder::AppendOffset(std::int64_t end) {
  const std::size_t width = HasLargeOffsets(type_->id) ? 8 : 4;
  assert(width == 8 || end <= INT32_MAX);
  const std::size_t at = data_.size();
  data_.resize(at + width);
  std::memcpy(data_.data() + at, &end, width);  // little-endian: the low bytes
}

/// A valid value: 0, "", an empty list.
void Builder::AppendZeroValue() {
  AppendValid();
  AppendSlot();
}

/// What a value takes besides its validity bit, zeroed. Members of a null struct are null where they may be; items of a
/// null fixed_size_list are zeros, so that vector columns keep their items free of nulls.
void Builder::AppendSlot() {
  const TypeId id = type_->id;
  if (id == TypeId::kBool) {
    bools_.Append(false);
  } else if (IsVarBytes(id)) {
    AppendOffset(static_cast<std::int64_t>(bytes_.size()));
  } else if (IsList(id)) {
    AppendOffset(children_[0].length());
  } else if (id == TypeId::kFixedSizeList) {
    for (std::int32_t item = 0; item < type_->list_size; item++) children_[0].AppendZeroValue();
  } else if (id == TypeId::kStruct) {
    for (std::size_t i = 0; i < children_.size(); i++) {
      type_->children[i].nullable ? children_[i].AppendNull() : children_[i].AppendZeroValue();
    }
  } else {
    data_.resize(data_.size() + static_cast<std::size_t>(BitWidth(*type_) / 8));
  }
}

void Builder::StartOffsets() {
  if (IsVarBytes(type_->id) || IsList(type_->id)) AppendOffset(0);
}

}  // namespace firn::arrow
