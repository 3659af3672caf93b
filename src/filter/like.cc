#include "filter/like.h"

#include <re2/re2.h>

#include "filter/utf8.h"

namespace firn::filter {

LikePattern::LikePattern(std::string_view pattern, char escape) {
  for (std::size_t i = 0; i < pattern.size(); i++) {
    char c = pattern[i];
    if (c == '%' && c != escape) {
      if (items_.empty() || items_.back().what != Item::kAnyText) items_.push_back({Item::kAnyText, {}});
      continue;
    }
    if (c == '_' && c != escape) {
      items_.push_back({Item::kAnyCharacter, {}});
      continue;
    }
    if (c == escape && i + 1 < pattern.size()) c = pattern[++i];
    if (items_.empty() || items_.back().what != Item::kPlain) items_.push_back({Item::kPlain, {}});
    items_.back().plain.push_back(c);
  }
  const auto is = [&](std::initializer_list<int> kinds) {
    if (items_.size() != kinds.size()) return false;
    std::size_t i = 0;
    for (const int kind : kinds) {
      if (items_[i++].what != kind) return false;
    }
    return true;
  };
  if (is({})) {
    shape_ = Shape::kExact;
  } else if (is({Item::kPlain})) {
    shape_ = Shape::kExact;
    plain_ = items_[0].plain;
  } else if (is({Item::kAnyText})) {
    shape_ = Shape::kContains;
  } else if (is({Item::kPlain, Item::kAnyText})) {
    shape_ = Shape::kPrefix;
    plain_ = items_[0].plain;
  } else if (is({Item::kAnyText, Item::kPlain})) {
    shape_ = Shape::kSuffix;
    plain_ = items_[1].plain;
  } else if (is({Item::kAnyText, Item::kPlain, Item::kAnyText})) {
    shape_ = Shape::kContains;
    plain_ = items_[1].plain;
  }
}

bool LikePattern::Matches(std::string_view text) const {
  switch (shape_) {
    case Shape::kExact:
      return text == plain_;
    case Shape::kPrefix:
      return text.starts_with(plain_);
    case Shape::kSuffix:
      return text.ends_with(plain_);
    case Shape::kContains:
      return text.find(plain_) != std::string_view::npos;
    case Shape::kGeneral:
      break;
  }
  // Only the last % ever needs another try: what an earlier one took can stay.
  std::size_t item = 0;
  std::size_t at = 0;
  std::size_t retry_item = std::string_view::npos;
  std::size_t retry_at = 0;
  while (true) {
    bool good = true;
    if (item == items_.size()) {
      good = at == text.size();
      if (good) return true;
    } else if (items_[item].what == Item::kAnyText) {
      retry_item = ++item;
      retry_at = at;
      continue;
    } else if (items_[item].what == Item::kAnyCharacter) {
      good = at < text.size();
      if (good) at += FirstCharacter(text.substr(at)).size();
    } else {
      good = text.substr(at).starts_with(items_[item].plain);
      at += good ? items_[item].plain.size() : 0;
    }
    if (good) {
      item++;
      continue;
    }
    if (retry_item == std::string_view::npos || retry_at >= text.size()) return false;
    retry_at += FirstCharacter(text.substr(retry_at)).size();
    // A plain item after % can jump to its next place.
    if (retry_item < items_.size() && items_[retry_item].what == Item::kPlain) {
      retry_at = text.find(items_[retry_item].plain, retry_at);
      if (retry_at == std::string_view::npos) return false;
    }
    item = retry_item;
    at = retry_at;
  }
}

std::string LikePattern::ToRegex(std::string_view pattern, char escape) {
  std::string regex = "(?s)^";
  std::string plain;
  const auto flush = [&] {
    regex += re2::RE2::QuoteMeta(plain);
    plain.clear();
  };
  for (std::size_t i = 0; i < pattern.size(); i++) {
    char c = pattern[i];
    if ((c == '%' || c == '_') && c != escape) {
      flush();
      regex += c == '%' ? ".*" : ".";
      continue;
    }
    if (c == escape && i + 1 < pattern.size()) c = pattern[++i];
    plain.push_back(c);
  }
  flush();
  return regex + "$";
}

}  // namespace firn::filter
