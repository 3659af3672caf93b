#pragma once
// The XML that S3 and STS answer with: elements and text. Attributes and comments are skipped, a DOCTYPE is refused.

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace firn::store {

struct XmlElement {
  std::string name;  // without a namespace prefix
  std::string text;  // of this element itself, decoded
  std::vector<XmlElement> children;

  /// The first child of that name; nullptr when there is none.
  const XmlElement* Find(std::string_view child) const;
  /// The text of the first child of that name; "" when there is none.
  std::string_view TextOf(std::string_view child) const;
};

/// The root element. At most 16 MiB, 16 levels and 65,536 elements; Unavailable for what is not XML or beyond that: a
/// server answered something else than S3 does.
Result<XmlElement> ParseXml(std::string_view text);

}  // namespace firn::store
