#include "store/s3/xml.h"

#include <gtest/gtest.h>

namespace firn::store {
namespace {

TEST(Xml, ReadsElementsTextAndEntities) {
  const auto root = ParseXml(
      "\xef\xbb\xbf<?xml version=\"1.0\"?>\n<!-- hello -->\n"
      "<s3:Result xmlns:s3='http://x/?a>b'><Key a=\"1 &gt; "
      "2\">a&amp;b&#x20AC;&#10;&lt;</Key><Empty/><Raw><![CDATA[<&>]]></Raw>"
      "<Key >second</Key ></s3:Result>");
  ASSERT_TRUE(root) << root.error().message;
  EXPECT_EQ(root->name, "Result");
  EXPECT_EQ(root->TextOf("Key"), "a&b\xe2\x82\xac\n<");
  EXPECT_EQ(root->TextOf("Raw"), "<&>");
  ASSERT_NE(root->Find("Empty"), nullptr);
  EXPECT_EQ(root->Find("Absent"), nullptr);
  EXPECT_EQ(root->TextOf("Absent"), "");
  EXPECT_EQ(root->children.size(), 4u);
}

TEST(Xml, RefusesWhatIsBroken) {
  for (const char* bad :
       {"", "hello", "<a>", "<a></b>", "<a", "<a b='", "<a><b></a></b>", "<a>&nope;</a>", "<a>&amp</a>",
        "<a>&#xZZ;</a>", "<a>&#0;</a>", "<a>&#x110000;</a>", "<>x</>", "<a><!-- </a>", "<a><![CDATA[x</a>", "<?xml",
        "<a><b<c/></b></a>", "<!DOCTYPE a [<!ENTITY b \"boom\">]><a>&b;</a>", "{\"json\": true}"}) {
    const auto root = ParseXml(bad);
    ASSERT_FALSE(root) << bad;
    EXPECT_EQ(root.error().kind, ErrorKind::kUnavailable) << bad;
  }
}

TEST(Xml, EveryTruncationOfAnAnswerIsAnError) {
  const std::string whole = "<?xml version=\"1.0\"?><R x=\"1\"><K>a&amp;b</K><E/><!-- c --><![CDATA[d]]></R>";
  ASSERT_TRUE(ParseXml(whole));
  for (std::size_t size = 0; size < whole.size(); ++size) EXPECT_FALSE(ParseXml(whole.substr(0, size))) << size;
}

TEST(Xml, BoundsDepthAndCount) {
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "<a>";
  EXPECT_FALSE(ParseXml(deep));
  std::string wide = "<a>";
  for (int i = 0; i < 70'000; ++i) wide += "<b/>";
  EXPECT_FALSE(ParseXml(wide + "</a>"));
}

}  // namespace
}  // namespace firn::store
