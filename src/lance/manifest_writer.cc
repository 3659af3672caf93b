#include "lance/manifest_writer.h"

#include "lance/manifest_message.h"

namespace firn::lance {
namespace {

constexpr std::uint64_t kFlagTableConfig = 8;

// Never "lance": LanceDB works around bugs of its own versions by that name.
void SetWriter(pb::WriterVersion& writer) {
  writer.Clear();
  writer.set_library("firn");
  writer.set_version(FIRN_VERSION);
}

/// Gives ids, in order, after the highest that was ever used. Fragments without rows are left out: LanceDB drops them
/// too.
Status GiveIds(std::vector<Fragment>& fragments, std::optional<std::uint64_t> max_fragment_id) {
  std::erase_if(fragments, [](const Fragment& fragment) { return fragment.physical_rows == 0; });
  std::uint64_t next = max_fragment_id ? *max_fragment_id + 1 : 0;
  for (Fragment& fragment : fragments) {
    if (next > UINT32_MAX) return ResourceExhausted("the table has used up its 4,294,967,296 fragment ids");
    fragment.id = next++;
  }
  return {};
}

pb::U64Segment RangeSegment(std::uint64_t start, std::uint64_t end) {
  pb::U64Segment segment;
  segment.mutable_range()->set_start(start);
  segment.mutable_range()->set_end(end);
  return segment;
}

/// Tables with stable row ids: the rows get the next ones, and say which version brought them.
void GiveRowIds(pb::DataFragment& fragment, std::uint64_t& next_row_id, std::uint64_t version) {
  const std::uint64_t rows = fragment.physical_rows();
  pb::RowIdSequence ids;
  *ids.add_segments() = RangeSegment(next_row_id, next_row_id + rows);
  fragment.set_inline_row_ids(ids.SerializeAsString());
  next_row_id += rows;

  pb::RowVersionSequence versions;
  pb::RowVersionSequence::Run& run = *versions.add_runs();
  *run.mutable_span() = RangeSegment(0, rows);
  run.set_version(version);
  fragment.set_inline_created_at_versions(versions.SerializeAsString());
  fragment.set_inline_last_updated_at_versions(versions.SerializeAsString());
}

void AddFragments(pb::Manifest& message, const std::vector<Fragment>& fragments) {
  const bool stable_row_ids = (message.reader_feature_flags() & kFlagStableRowIds) != 0;
  std::uint64_t next_row_id = message.next_row_id();
  for (const Fragment& fragment : fragments) {
    pb::DataFragment& out = *message.add_fragments();
    out = MessageOf(fragment);
    if (stable_row_ids) GiveRowIds(out, next_row_id, message.version());
    message.set_max_fragment_id(static_cast<std::uint32_t>(fragment.id));
  }
  message.set_next_row_id(next_row_id);
}

void SetSchema(pb::Manifest& message, const Schema& schema) {
  message.clear_fields();
  for (const Field& field : schema.fields) *message.add_fields() = MessageOf(field);
  message.clear_schema_metadata();
  AddEntries(schema.metadata, *message.mutable_schema_metadata());
}

void Stamp(pb::Manifest& message, const VersionStamp& stamp) {
  message.set_version(stamp.version);
  *message.mutable_timestamp() = MessageOf(stamp.timestamp);
  SetWriter(*message.mutable_writer_version());
  // What belongs to one version alone.
  message.clear_version_aux_data();
  message.clear_tag();
  message.clear_transaction_file();
}

}  // namespace

Result<std::string> EncodeFirstManifest(const VersionStamp& stamp, const Schema& schema,
                                        std::vector<Fragment> fragments, FileVersion data_version,
                                        const std::map<std::string, std::string>& config) {
  FIRN_CHECK(GiveIds(fragments, std::nullopt));
  pb::Manifest message;
  Stamp(message, stamp);
  SetSchema(message, schema);
  AddFragments(message, fragments);
  message.mutable_data_format()->set_file_format("lance");
  message.mutable_data_format()->set_version(std::to_string(data_version.major) + "." +
                                             std::to_string(data_version.minor));
  AddEntries(config, *message.mutable_config());
  if (!config.empty()) message.set_writer_feature_flags(kFlagTableConfig);
  return AssembleManifestObject(std::move(message), std::nullopt, stamp.transaction);
}

Result<std::string> EncodeAppend(const VersionStamp& stamp, const Manifest& base, std::vector<Fragment> fragments) {
  FIRN_TRY(ParsedManifest parsed, ParseManifestObject(base.object.bytes(), "the manifest to append to"));
  FIRN_CHECK(GiveIds(fragments, base.max_fragment_id));
  Stamp(parsed.message, stamp);
  AddFragments(parsed.message, fragments);
  std::optional<ByteSpan> index_section;
  if (parsed.sections.has_index) index_section = parsed.sections.index;
  return AssembleManifestObject(std::move(parsed.message), index_section, stamp.transaction);
}

Result<std::string> EncodeReplace(const VersionStamp& stamp, const Manifest& base, const Schema& schema,
                                  std::vector<Fragment> fragments) {
  FIRN_TRY(ParsedManifest parsed, ParseManifestObject(base.object.bytes(), "the manifest to replace"));
  FIRN_CHECK(GiveIds(fragments, base.max_fragment_id));
  pb::Manifest& message = parsed.message;
  Stamp(message, stamp);
  SetSchema(message, schema);
  message.clear_fragments();
  message.set_reader_feature_flags(message.reader_feature_flags() & ~kFlagDeletionFiles);
  message.set_writer_feature_flags(message.writer_feature_flags() & ~kFlagDeletionFiles);
  AddFragments(message, fragments);
  return AssembleManifestObject(std::move(message), std::nullopt, stamp.transaction);
}

}  // namespace firn::lance
