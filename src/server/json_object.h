#pragma once
// The JSON object of a request body, member by member, with errors that name the member.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace firn::server {

/// Every getter gives nothing for a member that is absent or null, and InvalidArgument for one of another type. Not
/// thread-safe.
class JsonObject {
 public:
  /// Refers to `text`, which must stay and is given more capacity. InvalidArgument: not JSON (with the place), not an
  /// object, a member that stands twice, more than 64 members. The inside of a member is checked by the getter that
  /// reads it.
  static Result<JsonObject> Parse(std::string& text);
  ~JsonObject();
  JsonObject(JsonObject&&) noexcept;
  JsonObject& operator=(JsonObject&&) noexcept;

  /// InvalidArgument names a member that is not among `known`, and the nearest that is.
  Status CheckMembers(std::span<const std::string_view> known) const;

  Result<std::optional<std::string>> String(std::string_view name);
  Result<std::optional<std::uint64_t>> Unsigned(std::string_view name);
  Result<std::optional<double>> Number(std::string_view name);
  Result<std::optional<bool>> Bool(std::string_view name);
  Result<std::optional<std::vector<std::string>>> Strings(std::string_view name);
  Result<std::optional<std::vector<std::uint64_t>>> UnsignedList(std::string_view name);
  /// Finite as f32 each; at most kMaxFloats.
  Result<std::optional<std::vector<float>>> Floats(std::string_view name);
  /// Lists of such floats; at most kMaxFloats in all.
  Result<std::optional<std::vector<std::vector<float>>>> FloatLists(std::string_view name);
  /// The member's value as it stands in the text, not yet checked; "" when absent or null.
  std::string_view Raw(std::string_view name) const;
  /// The member as a list of objects, each as it stands in the text.
  Result<std::optional<std::vector<std::string>>> RawList(std::string_view name);

  static constexpr std::size_t kMaxFloats = 1 << 20;

 private:
  struct Parts;
  explicit JsonObject(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

/// "query_vector is missing" for a member that must be there.
template <class T>
Result<T> Required(Result<std::optional<T>> member, std::string_view name) {
  if (!member) return std::move(member).error();
  if (!*member) return InvalidArgument("the member '" + std::string(name) + "' is missing");
  return **std::move(member);
}

}  // namespace firn::server
