#include "arrow/type_text.h"

#include <gtest/gtest.h>

namespace firn::arrow {
namespace {

TEST(ParseType, ReadsAllThatToStringPrints) {
  const TypePtr types[] = {
      Simple(TypeId::kInt64),
      Simple(TypeId::kUtf8),
      Simple(TypeId::kFloat16),
      Timestamp(TimeUnit::kMicro),
      Timestamp(TimeUnit::kNano, "Europe/Berlin"),
      Time32(TimeUnit::kMilli),
      DurationType(TimeUnit::kSecond),
      Decimal128(10, 2),
      FixedSizeBinary(16),
      FixedSizeList(Simple(TypeId::kFloat32), 384),
      List(Struct({{"a", Simple(TypeId::kInt32), true, {}}, {"b", List(Simple(TypeId::kBool)), true, {}}}))};
  for (const TypePtr& type : types) {
    const auto parsed = ParseType(type->ToString());
    ASSERT_TRUE(parsed) << type->ToString() << ": " << parsed.error().ToString();
    EXPECT_TRUE(Equal(**parsed, *type)) << type->ToString() << " became " << (*parsed)->ToString();
  }
}

TEST(ParseSchema, ReadsColumnsWithNullability) {
  const auto schema =
      ParseSchema("id bigint not null, `odd name` text, v vector(384, f16), at: timestamp[ms, UTC] null");
  ASSERT_TRUE(schema) << schema.error().ToString();
  ASSERT_EQ(schema->fields.size(), 4U);
  EXPECT_FALSE(schema->fields[0].nullable);
  EXPECT_EQ(schema->fields[1].name, "odd name");
  EXPECT_EQ(schema->fields[2].type->list_size, 384);
  EXPECT_EQ(schema->fields[2].type->children[0].type->id, TypeId::kFloat16);
  EXPECT_EQ(schema->fields[3].type->timezone, "UTC");
}

TEST(ParseSchema, SaysWhatIsWrong) {
  EXPECT_EQ(ParseSchema("id int65").error().message, "unknown type \"int65\"");
  EXPECT_NE(ParseSchema("id").error().message.find("type is missing"), std::string::npos);
  EXPECT_FALSE(ParseSchema("v vector(384"));
  EXPECT_FALSE(ParseSchema("v vector(384, string)"));
  EXPECT_FALSE(ParseSchema("a int, b int not"));
  EXPECT_FALSE(ParseSchema("a decimal(40, 2)"));
  EXPECT_FALSE(ParseSchema("a int extra"));
  std::string deep = "a ";
  for (int i = 0; i < 100; i++) deep += "list<";
  EXPECT_FALSE(ParseSchema(deep));
}

}  // namespace
}  // namespace firn::arrow
