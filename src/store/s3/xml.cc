#include "store/s3/xml.h"

#include <charconv>
#include <cstdint>

namespace firn::store {
namespace {

constexpr std::size_t kMaxBytes = 16u << 20;
constexpr int kMaxDepth = 16;
constexpr int kMaxElements = 65'536;

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

void AppendUtf8(std::string& out, std::uint32_t code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | (code >> 6));
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0 | (code >> 12));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | (code >> 18));
    out += static_cast<char>(0x80 | ((code >> 12) & 0x3f));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  }
}

/// `name` is what stands between '&' and ';'.
bool AppendEntity(std::string& out, std::string_view name) {
  if (name == "amp") return out += '&', true;
  if (name == "lt") return out += '<', true;
  if (name == "gt") return out += '>', true;
  if (name == "quot") return out += '"', true;
  if (name == "apos") return out += '\'', true;
  if (!name.starts_with('#')) return false;
  name.remove_prefix(1);
  const bool hex = name.starts_with('x');
  if (hex) name.remove_prefix(1);
  std::uint32_t code = 0;
  const auto [stop, error] = std::from_chars(name.data(), name.data() + name.size(), code, hex ? 16 : 10);
  if (error != std::errc{} || stop != name.data() + name.size() || code == 0 || code > 0x10ffff) return false;
  AppendUtf8(out, code);
  return true;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : rest_(text) {}

  Result<XmlElement> Document() {
    if (rest_.size() > kMaxBytes) return Bad("it is longer than 16 MiB");
    if (rest_.starts_with("\xef\xbb\xbf")) rest_.remove_prefix(3);
    FIRN_CHECK(SkipProlog());
    if (!rest_.starts_with('<')) return Bad("it does not start with an element");
    XmlElement root;
    FIRN_CHECK(Element(root, 1));
    return root;
  }

 private:
  static Error Bad(std::string_view why) {
    return Unavailable("the server's answer is no XML as S3 sends it: " + std::string(why),
                       "Check that the endpoint is an S3 server");
  }

  bool Skip(std::string_view token) {
    if (!rest_.starts_with(token)) return false;
    rest_.remove_prefix(token.size());
    return true;
  }

  Status SkipPast(std::string_view token) {
    const std::size_t at = rest_.find(token);
    if (at == std::string_view::npos) return Bad("it breaks off");
    rest_.remove_prefix(at + token.size());
    return {};
  }

  Status SkipProlog() {
    while (true) {
      while (!rest_.empty() && IsSpace(rest_.front())) rest_.remove_prefix(1);
      if (Skip("<?")) {
        FIRN_CHECK(SkipPast("?>"));
      } else if (Skip("<!--")) {
        FIRN_CHECK(SkipPast("-->"));
      } else if (rest_.starts_with("<!")) {
        return Bad("it has a DOCTYPE");
      } else {
        return {};
      }
    }
  }

  Status Element(XmlElement& element, int depth) {
    if (depth > kMaxDepth) return Bad("it is nested too deeply");
    if (++elements_ > kMaxElements) return Bad("it has too many elements");
    FIRN_TRY(const bool is_empty, StartTag(element.name));
    if (is_empty) return {};
    while (true) {
      if (Skip("</")) return EndTag(element.name);
      if (Skip("<!--")) {
        FIRN_CHECK(SkipPast("-->"));
      } else if (Skip("<![CDATA[")) {
        const std::string_view from = rest_;
        FIRN_CHECK(SkipPast("]]>"));
        element.text.append(from.substr(0, from.size() - rest_.size() - 3));
      } else if (Skip("<?")) {
        FIRN_CHECK(SkipPast("?>"));
      } else if (rest_.starts_with('<')) {
        FIRN_CHECK(Element(element.children.emplace_back(), depth + 1));
      } else {
        FIRN_CHECK(Text(element.text));
      }
    }
  }

  /// After "<name attributes>" or "<name/>"; true for the latter.
  Result<bool> StartTag(std::string& name) {
    rest_.remove_prefix(1);
    std::size_t end = 0;
    while (end < rest_.size() && !IsSpace(rest_[end]) && rest_[end] != '>' && rest_[end] != '/') ++end;
    name = WithoutPrefix(rest_.substr(0, end));
    if (name.empty() || name.find('<') != std::string::npos) return Bad("an element has no name");
    char quote = 0;
    for (; end < rest_.size(); ++end) {
      const char c = rest_[end];
      if (quote != 0) {
        if (c == quote) quote = 0;
      } else if (c == '"' || c == '\'') {
        quote = c;
      } else if (c == '<') {
        break;
      } else if (c == '>') {
        const bool is_empty = rest_[end - 1] == '/';
        rest_.remove_prefix(end + 1);
        return is_empty;
      }
    }
    return Bad("a tag is not closed");
  }

  Status EndTag(std::string_view name) {
    const std::size_t end = rest_.find('>');
    if (end == std::string_view::npos) return Bad("it breaks off");
    std::string_view closed = rest_.substr(0, end);
    while (!closed.empty() && IsSpace(closed.back())) closed.remove_suffix(1);
    if (WithoutPrefix(closed) != name) return Bad("its tags do not match");
    rest_.remove_prefix(end + 1);
    return {};
  }

  Status Text(std::string& text) {
    const std::size_t end = rest_.find('<');
    if (end == std::string_view::npos) return Bad("it breaks off");
    std::string_view raw = rest_.substr(0, end);
    while (!raw.empty()) {
      const std::size_t entity = std::min(raw.find('&'), raw.size());
      text.append(raw.substr(0, entity));
      raw.remove_prefix(entity);
      if (raw.empty()) break;
      const std::size_t semicolon = raw.find(';');
      if (semicolon == std::string_view::npos || !AppendEntity(text, raw.substr(1, semicolon - 1))) {
        return Bad("it has an unknown entity");
      }
      raw.remove_prefix(semicolon + 1);
    }
    rest_.remove_prefix(end);
    return {};
  }

  static std::string WithoutPrefix(std::string_view name) {
    const std::size_t colon = name.find(':');
    return std::string(colon == std::string_view::npos ? name : name.substr(colon + 1));
  }

  std::string_view rest_;
  int elements_ = 0;
};

}  // namespace

const XmlElement* XmlElement::Find(std::string_view child) const {
  for (const XmlElement& each : children) {
    if (each.name == child) return &each;
  }
  return nullptr;
}

std::string_view XmlElement::TextOf(std::string_view child) const {
  const XmlElement* found = Find(child);
  return found ? std::string_view(found->text) : std::string_view();
}

Result<XmlElement> ParseXml(std::string_view text) { return Parser(text).Document(); }

}  // namespace firn::store
