#include "base/json_string.h"

#include <gtest/gtest.h>

namespace firn {
namespace {

std::string Quoted(std::string_view text) {
  std::string out;
  AppendJsonString(out, text);
  return out;
}

TEST(JsonString, EscapesWhatJsonDoesNotAllow) {
  EXPECT_EQ(Quoted(""), R"("")");
  EXPECT_EQ(Quoted("a \"b\" \\ c/d"), R"("a \"b\" \\ c/d")");
  EXPECT_EQ(Quoted("\n\r\t\b\x01\x1F\x7F"), "\"\\n\\r\\t\\u0008\\u0001\\u001f\x7F\"");
  EXPECT_EQ(Quoted(std::string_view("\0", 1)), R"("\u0000")");
}

TEST(JsonString, LeavesCharactersOfEveryLengthAsTheyAre) {
  const std::string text = "caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80";
  EXPECT_EQ(Quoted(text), '"' + text + '"');
}

TEST(JsonString, ReplacesEveryByteThatBelongsToNoCharacter) {
  const std::string replaced = "\xEF\xBF\xBD";
  EXPECT_EQ(Quoted("a\xFF\xE2\x82z"), "\"a" + replaced + replaced + replaced + "z\"");
  EXPECT_EQ(Quoted("\xC3"), '"' + replaced + '"');                                // cut short
  EXPECT_EQ(Quoted("\xC0\x80"), '"' + replaced + replaced + '"');                 // longer than need be
  EXPECT_EQ(Quoted("\xED\xA0\x80"), '"' + replaced + replaced + replaced + '"');  // a surrogate
}

}  // namespace
}  // namespace firn
