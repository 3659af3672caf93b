// Arbitrary bytes as a manifest. Whatever they hold: an error, or a manifest whose parts can be used.

#include <cstdint>
#include <cstdlib>

#include "lance/index_metadata.h"
#include "lance/manifest.h"
#include "lance/manifest_writer.h"
#include "lance/schema.h"

namespace firn {
namespace {

void UseAll(const lance::Manifest& manifest) {
  (void)manifest.LiveRows();
  (void)lance::CheckReadable(manifest, "fuzz");
  (void)lance::CheckWritable(manifest, "fuzz");
  (void)lance::DecodeIndexes(manifest);
  (void)lance::ToArrow(manifest.schema);
  for (const lance::Field& field : manifest.schema.fields) {
    if (field.parent_id == -1) (void)lance::LeavesOf(manifest.schema, field);
  }
}

// What was understood can be carried on, and understood again.
void AppendTo(const lance::Manifest& manifest) {
  lance::Fragment fragment;
  fragment.files.resize(1);
  fragment.files[0].path = "new.lance";
  fragment.physical_rows = 1;
  const auto next = lance::EncodeAppend({manifest.version + 1, WallTime{}, ""}, manifest, {fragment});
  if (!next) return;
  const auto decoded = lance::DecodeManifest(Buffer::Copy(AsBytes(*next)), "next");
  if (!decoded || decoded->fragments.size() != manifest.fragments.size() + 1) std::abort();
  if (decoded->schema.fields.size() != manifest.schema.fields.size()) std::abort();
}

}  // namespace
}  // namespace firn

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto manifest = firn::lance::DecodeManifest(firn::Buffer::Copy({data, size}), "fuzz");
  if (!manifest) return 0;
  firn::UseAll(*manifest);
  firn::AppendTo(*manifest);
  return 0;
}
