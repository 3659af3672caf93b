#pragma once
// Private to lance/: the manifest object's sections, and the messages in them as Firn's structs.

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "lance/manifest.h"
#include "table.pb.h"

namespace firn::lance {

/// Where a manifest object's messages lie; all inside the object.
struct ManifestSections {
  ByteSpan manifest;
  ByteSpan index;        // with field 6; `has_index` tells an empty one from none
  ByteSpan transaction;  // with field 21
  bool has_index = false;
  bool has_transaction = false;
};

/// The manifest message, parsed, and the sections that it points to. DataCorruption names `object_name`.
struct ParsedManifest {
  pb::Manifest message;
  ManifestSections sections;
};
Result<ParsedManifest> ParseManifestObject(ByteSpan object, std::string_view object_name);

/// Sections and the manifest message as an object; sets the message's positions.
std::string AssembleManifestObject(pb::Manifest message, std::optional<ByteSpan> index_section,
                                   std::string_view transaction);

using MapEntries = google::protobuf::RepeatedPtrField<pb::MapEntry>;
std::map<std::string, std::string> MapFrom(const MapEntries& entries);
void AddEntries(const std::map<std::string, std::string>& map, MapEntries& to);

pb::Field MessageOf(const Field& field);
Result<Schema> SchemaFromMessages(const google::protobuf::RepeatedPtrField<pb::Field>& fields,
                                  const MapEntries& metadata);
pb::DataFragment MessageOf(const Fragment& fragment);
Result<Fragment> FragmentFromMessage(const pb::DataFragment& message);

pb::Timestamp MessageOf(WallTime time);

}  // namespace firn::lance
