#include "store/s3/s3_listing.h"

#include <charconv>

#include "store/s3/timestamps.h"
#include "store/s3/xml.h"

namespace firn::store {
namespace {

Error Malformed(std::string_view why) {
  return Unavailable("the server's listing is not as S3 sends it: " + std::string(why),
                     "Check that the endpoint is an S3 server");
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// What `encoding-type=url` does to keys, undone: %XX, and '+' for a blank.
Result<std::string> UrlDecode(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i] == '+' ? ' ' : text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? HexDigit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? HexDigit(text[i + 2]) : -1;
    if (high < 0 || low < 0) return Malformed("a key is wrongly encoded");
    decoded += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return decoded;
}

Result<std::string> Key(std::string_view text, bool encoded) {
  if (text.empty()) return Malformed("an entry has no key");
  if (encoded) return UrlDecode(text);
  return std::string(text);
}

Result<ObjectInfo> ParseObject(const XmlElement& entry, bool encoded) {
  ObjectInfo object;
  FIRN_TRY(object.key, Key(entry.TextOf("Key"), encoded));
  const std::string_view size = entry.TextOf("Size");
  const auto [stop, error] = std::from_chars(size.data(), size.data() + size.size(), object.size_bytes);
  if (error != std::errc{} || stop != size.data() + size.size()) return Malformed("an object has no size");
  const auto modified = ParseIsoTime(entry.TextOf("LastModified"));
  if (!modified) return Malformed("an object has no time");
  object.modified = *modified;
  return object;
}

}  // namespace

Result<S3Listing> ParseS3Listing(std::string_view xml) {
  FIRN_TRY(const XmlElement root, ParseXml(xml));
  if (root.name != "ListBucketResult") return Malformed("it is a " + root.name);
  const bool encoded = root.TextOf("EncodingType") == "url";
  S3Listing listing;
  listing.truncated = root.TextOf("IsTruncated") == "true";
  listing.continuation_token = root.TextOf("NextContinuationToken");
  for (const XmlElement& child : root.children) {
    if (child.name == "Contents") {
      FIRN_TRY(ObjectInfo object, ParseObject(child, encoded));
      listing.objects.push_back(std::move(object));
    } else if (child.name == "CommonPrefixes") {
      FIRN_TRY(std::string folder, Key(child.TextOf("Prefix"), encoded));
      listing.folders.push_back(std::move(folder));
    }
  }
  return listing;
}

}  // namespace firn::store
