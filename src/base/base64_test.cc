#include "base/base64.h"

#include <gtest/gtest.h>

namespace firn {
namespace {

std::string Encode(std::string_view text) {
  std::string out;
  AppendBase64(out, AsBytes(text));
  return out;
}

TEST(Base64, WritesTheExamplesOfTheStandard) {
  EXPECT_EQ(Encode(""), "");
  EXPECT_EQ(Encode("f"), "Zg==");
  EXPECT_EQ(Encode("fo"), "Zm8=");
  EXPECT_EQ(Encode("foo"), "Zm9v");
  EXPECT_EQ(Encode("foobar"), "Zm9vYmFy");
}

TEST(Base64, ReadsWhatItWrites) {
  std::string bytes;
  for (int i = 0; i < 300; i++) {
    const auto back = ParseBase64(Encode(bytes));
    ASSERT_TRUE(back.has_value());
    EXPECT_EQ(AsChars(*back), bytes);
    bytes += static_cast<char>(i * 37);
  }
}

TEST(Base64, ReadsTextWithoutPadding) { EXPECT_EQ(AsChars(*ParseBase64("Zm8")), "fo"); }

TEST(Base64, RefusesForeignCharactersWrongLengthsAndStrayBits) {
  for (const std::string_view bad : {"Z", "Zm9vY", "Zm9-", "Zm 9v", "=", "====", "Zg===", "Zh==", "Zm9="}) {
    EXPECT_FALSE(ParseBase64(bad).has_value()) << bad;
  }
}

}  // namespace
}  // namespace firn
