// JSON, CSV and .npy from strangers. The first byte chooses the reader and whether it has a schema; the rest is the
// text. What is read must be sound, and JSON that we write of it must read back as the same.

#include <cstdint>
#include <cstdlib>
#include <utility>

#include "arrow/csv.h"
#include "arrow/json.h"
#include "arrow/json_writer.h"
#include "arrow/npy.h"

using namespace firn;         // NOLINT: a program of one file
using namespace firn::arrow;  // NOLINT

namespace {

SchemaPtr EveryType() {
  return std::make_shared<const Schema>(Schema{
      {{"a", Simple(TypeId::kInt8)},
       {"b", Simple(TypeId::kBool)},
       {"c", Simple(TypeId::kFloat16)},
       {"d", Decimal128(20, 3)},
       {"e", Simple(TypeId::kDate32)},
       {"f", Time64(TimeUnit::kMicro)},
       {"g", Timestamp(TimeUnit::kNano, "UTC")},
       {"h", Simple(TypeId::kUtf8)},
       {"i", Simple(TypeId::kBinary)},
       {"j", List(Simple(TypeId::kLargeUtf8))},
       {"k", FixedSizeList(Simple(TypeId::kFloat32), 3)},
       {"l", Struct({{"x", FixedSizeList(Simple(TypeId::kUInt8), 2)}, {"y", LargeList(Simple(TypeId::kUInt64))}})},
       {"m", FixedSizeBinary(2)},
       {"n", Simple(TypeId::kNull)}}});
}

void Check(bool holds) {
  if (!holds) std::abort();
}

void Drain(Result<std::unique_ptr<BatchSource>> source, bool json_keeps_all) {
  if (!source) return;
  const JsonRowWriter writer(*(*source)->schema());
  while (true) {
    const auto batch = (*source)->Next();
    if (!batch || !*batch) return;
    for (const Array& column : (*batch)->columns) {
      Check(column.length() == (*batch)->rows);
      Check(Validate(column, "column", true).has_value());
    }
    std::string text;
    writer.AppendLines(text, **batch);
    JsonOptions options;
    options.schema = (*source)->schema();
    const auto again = ReadJson(Buffer::Of(std::move(text)), options);
    Check(again.has_value());
    if (json_keeps_all) Check(Equal(*again, **batch));
    AppendCsvRows(text, **batch);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const unsigned mode = data[0];
  auto bytes = FromBuffer(Buffer::Copy({data + 1, size - 1}));
  const SchemaPtr schema = (mode & 8) != 0 ? EveryType() : nullptr;
  switch (mode & 7) {
    case 5:
    case 6: {
      CsvOptions options;
      options.schema = schema;
      options.batch_rows = 3;
      options.infer_rows = 2;
      options.delimiter = (mode & 7) == 5 ? ',' : '\t';
      // A cell may be NaN, which JSON writes as null.
      Drain(OpenCsv(std::move(bytes), options), false);
      break;
    }
    case 7:
      Drain(OpenNpy(std::move(bytes), {}), false);
      break;
    default: {
      JsonOptions options;
      options.layout = static_cast<JsonLayout>((mode & 7) % 4);
      options.schema = schema;
      options.batch_rows = 3;
      options.infer_rows = 2;
      options.max_row_bytes = 1000;
      Drain(OpenJson(std::move(bytes), options), true);
    }
  }
  return 0;
}
