#include "lance/manifest.h"

#include <filesystem>
#include <fstream>
#include <iterator>

#include "lance/manifest_message.h"
#include "lance/manifest_testing.h"
#include "lance/manifest_writer.h"

namespace firn::lance {
namespace {

// Field 9999, a varint: no version of Lance has it.
const std::string kUnknown = [] {
  std::string field;
  for (std::uint32_t key = 9999U << 3; key != 0; key >>= 7) {
    field.push_back(static_cast<char>((key & 127) | (key > 127 ? 128 : 0)));
  }
  return field + '\x2a';
}();

template <class Message>
void AddUnknown(Message& message) {
  ASSERT_TRUE(message.MergeFromString(kUnknown));
}
// Unknown fields are written last, so this says where it stands, too.
template <class Message>
bool HasUnknown(const Message& message) {
  return message.SerializeAsString().ends_with(kUnknown);
}

VersionStamp StampOf(std::uint64_t version) { return {version, WallTime(std::chrono::seconds(1'700'000'000)), "txn"}; }

Manifest Decoded(std::string object) { return Must(DecodeManifest(Buffer::Of(std::move(object)), "test.manifest")); }

std::string FirstManifest(std::vector<Fragment> fragments = {SmallFragment("a.lance"), SmallFragment("b.lance", 5)}) {
  return Must(EncodeFirstManifest(StampOf(1), SmallSchema(), std::move(fragments), {2, 2}, {{"k", "v"}}));
}

TEST(Manifest, IsReadAsItWasWritten) {
  const Manifest manifest = Decoded(FirstManifest());
  EXPECT_EQ(manifest.version, 1U);
  EXPECT_EQ(manifest.schema.fields.size(), 2U);
  EXPECT_EQ(manifest.schema.fields[1].logical_type, "string");
  EXPECT_EQ(manifest.schema.fields[1].metadata.at("language"), "en");
  EXPECT_EQ(manifest.schema.metadata.at("owner"), "tests");
  EXPECT_EQ(FileNames(manifest), (std::vector<std::string>{"a.lance", "b.lance"}));
  EXPECT_EQ(manifest.LiveRows(), 15U);
  EXPECT_EQ(manifest.max_fragment_id, 1U);
  EXPECT_EQ(manifest.data_version, (FileVersion{2, 2}));
  EXPECT_EQ(manifest.config.at("k"), "v");
  EXPECT_EQ(manifest.writer_flags, 8U);
  EXPECT_TRUE(manifest.writer.starts_with("firn ")) << manifest.writer;
  EXPECT_EQ(manifest.timestamp, WallTime(std::chrono::seconds(1'700'000'000)));
}

TEST(Manifest, FragmentsWithoutRowsAreLeftOut) {
  const Manifest manifest = Decoded(FirstManifest({SmallFragment("none.lance", 0), SmallFragment("a.lance")}));
  EXPECT_EQ(FileNames(manifest), std::vector<std::string>{"a.lance"});
  EXPECT_EQ(manifest.fragments[0].id, 0U);
}

/// A manifest as some later Lance may write it: fields that we do not know at every level, an index section, a tag.
std::string ForeignManifest() {
  ParsedManifest parsed = Must(ParseManifestObject(AsBytes(FirstManifest()), "first"));
  pb::Manifest& message = parsed.message;
  AddUnknown(message);
  AddUnknown(*message.mutable_fields(0));
  AddUnknown(*message.mutable_fragments(1));
  AddUnknown(*message.mutable_fragments(1)->mutable_files(0));
  AddUnknown(*message.mutable_fragments(0)->mutable_deletion_file());
  AddUnknown(*message.mutable_data_format());
  AddUnknown(*message.add_base_paths());
  message.set_tag("mine");
  message.set_version_aux_data(77);
  message.set_transaction_file("0-old.txn");
  const std::string index("\x0a\x03\xff\x00\x01", 5);
  return AssembleManifestObject(message, AsBytes(index), "old transaction");
}

TEST(Manifest, TheNextVersionKeepsWhatItDoesNotKnow) {
  const Manifest base = Decoded(ForeignManifest());
  const std::string next = Must(EncodeAppend(StampOf(2), base, {SmallFragment("c.lance")}));
  const ParsedManifest parsed = Must(ParseManifestObject(AsBytes(next), "next"));
  const pb::Manifest& message = parsed.message;
  EXPECT_TRUE(HasUnknown(message));
  EXPECT_TRUE(HasUnknown(message.fields(0)));
  EXPECT_TRUE(HasUnknown(message.fragments(1)));
  EXPECT_TRUE(HasUnknown(message.fragments(1).files(0)));
  EXPECT_TRUE(HasUnknown(message.fragments(0).deletion_file()));
  EXPECT_TRUE(HasUnknown(message.data_format()));
  EXPECT_TRUE(HasUnknown(message.base_paths(0)));
  ASSERT_TRUE(parsed.sections.has_index);
  EXPECT_EQ(AsChars(parsed.sections.index), std::string_view("\x0a\x03\xff\x00\x01", 5));
  EXPECT_EQ(AsChars(parsed.sections.transaction), "txn");
  EXPECT_EQ(MapFrom(message.config()).at("k"), "v");
  EXPECT_EQ(message.writer_feature_flags(), 8U);
}

TEST(Manifest, TheNextVersionDropsWhatBelongsToOneVersion) {
  const std::string next = Must(EncodeAppend(StampOf(2), Decoded(ForeignManifest()), {SmallFragment("c.lance")}));
  const pb::Manifest message = Must(ParseManifestObject(AsBytes(next), "next")).message;
  EXPECT_EQ(message.tag(), "");
  EXPECT_EQ(message.version_aux_data(), 0U);
  EXPECT_EQ(message.transaction_file(), "");
  EXPECT_EQ(message.version(), 2U);
}

TEST(Manifest, NewFragmentsGetIdsThatWereNeverUsed) {
  ParsedManifest parsed = Must(ParseManifestObject(AsBytes(FirstManifest()), "first"));
  parsed.message.set_max_fragment_id(41);
  const Manifest base = Decoded(AssembleManifestObject(parsed.message, std::nullopt, ""));
  const Manifest next = Decoded(Must(EncodeAppend(StampOf(2), base, {SmallFragment("c.lance"), SmallFragment("d")})));
  EXPECT_EQ(next.fragments[2].id, 42U);
  EXPECT_EQ(next.fragments[3].id, 43U);
  EXPECT_EQ(next.max_fragment_id, 43U);
  const Manifest replaced = Decoded(Must(EncodeReplace(StampOf(3), next, SmallSchema(), {SmallFragment("e.lance")})));
  ASSERT_EQ(replaced.fragments.size(), 1U);
  EXPECT_EQ(replaced.fragments[0].id, 44U);
}

TEST(Manifest, ReplacingDropsIndexesAndDeletionsButKeepsConfiguration) {
  const std::string foreign = ForeignManifest();
  ParsedManifest parsed = Must(ParseManifestObject(AsBytes(foreign), "foreign"));
  parsed.message.set_reader_feature_flags(1);
  parsed.message.set_writer_feature_flags(1 | 8);
  const Manifest base = Decoded(AssembleManifestObject(parsed.message, parsed.sections.index, ""));
  const std::string next = Must(EncodeReplace(StampOf(2), base, SmallSchema(), {SmallFragment("z.lance")}));
  const ParsedManifest replaced = Must(ParseManifestObject(AsBytes(next), "next"));
  EXPECT_FALSE(replaced.sections.has_index);
  EXPECT_EQ(replaced.message.reader_feature_flags(), 0U);
  EXPECT_EQ(replaced.message.writer_feature_flags(), 8U);
  EXPECT_EQ(MapFrom(replaced.message.config()).at("k"), "v");
  EXPECT_TRUE(HasUnknown(replaced.message));
}

TEST(Manifest, TablesWithStableRowIdsGetThemForNewRows) {
  ParsedManifest parsed = Must(ParseManifestObject(AsBytes(FirstManifest({})), "first"));
  parsed.message.set_reader_feature_flags(kFlagStableRowIds);
  parsed.message.set_next_row_id(100);
  const Manifest base = Decoded(AssembleManifestObject(parsed.message, std::nullopt, ""));
  const std::string next =
      Must(EncodeAppend(StampOf(2), base, {SmallFragment("a.lance", 7), SmallFragment("b.lance", 3)}));
  const pb::Manifest message = Must(ParseManifestObject(AsBytes(next), "next")).message;
  EXPECT_EQ(message.next_row_id(), 110U);
  pb::RowIdSequence ids;
  ASSERT_TRUE(ids.ParseFromString(message.fragments(1).inline_row_ids()));
  EXPECT_EQ(ids.segments(0).range().start(), 107U);
  EXPECT_EQ(ids.segments(0).range().end(), 110U);
  pb::RowVersionSequence versions;
  ASSERT_TRUE(versions.ParseFromString(message.fragments(0).inline_created_at_versions()));
  EXPECT_EQ(versions.runs(0).version(), 2U);
  EXPECT_EQ(versions.runs(0).span().range().end(), 7U);
}

// ---- Flags ----------------------------------------------------------------------------------------------------------

Manifest WithFlags(std::uint64_t reader, std::uint64_t writer) {
  Manifest manifest = Decoded(FirstManifest());
  manifest.reader_flags = reader;
  manifest.writer_flags = writer;
  return manifest;
}

TEST(Manifest, KnownFlagsAreFine) {
  EXPECT_TRUE(CheckReadable(WithFlags(1 | 2 | 4 | 16, 0), "docs"));
  EXPECT_TRUE(CheckWritable(WithFlags(1 | 2, 1 | 2 | 4 | 8 | 16 | 32), "docs"));
}

TEST(Manifest, UnknownFlagsAreRefusedWithWhatToDo) {
  for (int bit = 6; bit < 64; bit++) {
    const std::uint64_t flag = std::uint64_t{1} << bit;
    const Status read = CheckReadable(WithFlags(flag, 0), "docs");
    ASSERT_FALSE(read) << bit;
    EXPECT_EQ(read.error().kind, ErrorKind::kUnsupported);
    EXPECT_NE(read.error().message.find("docs uses Lance feature " + std::to_string(flag) + " "), std::string::npos);
    EXPECT_NE(read.error().hint.find("newer Firn"), std::string::npos);
    EXPECT_TRUE(CheckReadable(WithFlags(0, flag), "docs"));
    EXPECT_FALSE(CheckWritable(WithFlags(0, flag), "docs"));
  }
}

TEST(Manifest, FilesUnderAnotherBaseAreRefused) {
  Manifest manifest = Decoded(FirstManifest());
  manifest.fragments[0].files[0].base_id = 3;
  const Status read = CheckReadable(manifest, "docs");
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().kind, ErrorKind::kUnsupported);
}

TEST(Manifest, OldFileFormatsAreRefused) {
  Manifest manifest = Decoded(FirstManifest());
  manifest.data_version = {2, 0};
  EXPECT_FALSE(CheckWritable(manifest, "docs"));
  manifest.fragments[0].files[0].version = {2, 0};
  const Status read = CheckReadable(manifest, "docs");
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().kind, ErrorKind::kUnsupported);
}

// ---- Damage ---------------------------------------------------------------------------------------------------------

void ExpectCorrupt(const pb::Manifest& message) {
  const std::string object = AssembleManifestObject(message, std::nullopt, "");
  const auto manifest = DecodeManifest(Buffer::Of(object), "docs/_versions/1.manifest");
  ASSERT_FALSE(manifest);
  EXPECT_EQ(manifest.error().kind, ErrorKind::kDataCorruption) << manifest.error().ToString();
  EXPECT_NE(manifest.error().message.find("docs/_versions/1.manifest"), std::string::npos);
}

TEST(Manifest, NonsenseIsCorruption) {
  const pb::Manifest good = Must(ParseManifestObject(AsBytes(FirstManifest()), "first")).message;
  const auto broken = [&](auto change) {
    pb::Manifest message = good;
    change(message);
    ExpectCorrupt(message);
  };
  broken([](pb::Manifest& m) { m.mutable_fields(1)->set_id(0); });
  broken([](pb::Manifest& m) { m.mutable_fields(1)->set_id(-7); });
  broken([](pb::Manifest& m) { m.mutable_fields(1)->set_parent_id(9); });
  broken([](pb::Manifest& m) { m.mutable_fields(1)->set_parent_id(1); });
  broken([](pb::Manifest& m) { m.mutable_fields(1)->clear_name(); });
  broken([](pb::Manifest& m) { m.mutable_fragments(1)->set_id(0); });
  broken([](pb::Manifest& m) { m.mutable_fragments(1)->set_id(1ULL << 32); });
  broken([](pb::Manifest& m) { m.mutable_fragments(1)->set_physical_rows(1ULL << 32); });
  broken([](pb::Manifest& m) { m.mutable_fragments(1)->mutable_deletion_file()->set_num_deleted_rows(6); });
  broken([](pb::Manifest& m) { m.mutable_fragments(0)->mutable_files(0)->set_path("../../other"); });
  broken([](pb::Manifest& m) { m.mutable_fragments(0)->mutable_files(0)->clear_path(); });
  broken([](pb::Manifest& m) { m.mutable_fragments(0)->mutable_files(0)->add_fields(3); });
}

TEST(Manifest, EveryTruncationIsAnError) {
  const std::string whole = ForeignManifest();
  for (std::size_t size = 0; size < whole.size(); size++) {
    const auto manifest = DecodeManifest(Buffer::Of(whole.substr(0, size)), "cut");
    ASSERT_FALSE(manifest) << size;
    EXPECT_EQ(manifest.error().kind, ErrorKind::kDataCorruption);
  }
}

TEST(Manifest, NoFlippedBitCrashes) {
  const std::string whole = ForeignManifest();
  for (std::size_t bit = 0; bit < whole.size() * 8; bit++) {
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    const auto manifest = DecodeManifest(Buffer::Of(flipped), "flipped");
    if (manifest) (void)EncodeAppend(StampOf(9), *manifest, {SmallFragment("x.lance")});
  }
}

// ---- Real ones ------------------------------------------------------------------------------------------------------

TEST(Manifest, RealOnesAreReadAndKeptWhole) {
  const std::filesystem::path folder = std::filesystem::path(FIRN_SOURCE_DIR) / "fuzz/corpus/manifest";
  int read = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (!entry.path().filename().string().starts_with("lancedb-")) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string object{std::istreambuf_iterator<char>(file), {}};
    const Manifest base = Decoded(object);
    EXPECT_TRUE(base.writer.starts_with("lance ")) << entry.path();
    const bool old_files = base.data_version < FileVersion{2, 1};
    EXPECT_NE(CheckReadable(base, "real").has_value(), old_files) << entry.path();
    const ParsedManifest before = Must(ParseManifestObject(AsBytes(object), "before"));
    const std::string next = Must(EncodeAppend(StampOf(base.version + 1), base, {SmallFragment("ours.lance")}));
    const ParsedManifest after = Must(ParseManifestObject(AsBytes(next), "after"));
    EXPECT_EQ(AsChars(before.sections.index), AsChars(after.sections.index));
    // All but the new fragment and what is stamped on each version is the same message.
    pb::Manifest a = before.message;
    pb::Manifest b = after.message;
    b.mutable_fragments()->RemoveLast();
    for (pb::Manifest* message : {&a, &b}) {
      message->clear_version();
      message->clear_timestamp();
      message->clear_writer_version();
      message->clear_max_fragment_id();
      message->clear_index_section();
      message->clear_transaction_section();
      message->clear_transaction_file();
      message->clear_next_row_id();
    }
    EXPECT_EQ(a.ByteSizeLong(), b.ByteSizeLong()) << entry.path();
    read++;
  }
  EXPECT_GE(read, 4);
}

}  // namespace
}  // namespace firn::lance
