#include "cli/index_text.h"

#include <cstdio>

#include "base/json_string.h"
#include "cli/terminal.h"

namespace firn::cli {

std::string IndexesTable(std::span<const engine::IndexDescription> indexes) {
  TextTable table({{"index"},
                   {"column"},
                   {"metric"},
                   {"rows", true},
                   {"not indexed", true},
                   {"segments", true},
                   {"lists", true},
                   {"recall up to", true},
                   {"size", true},
                   {"built"}});
  for (const engine::IndexDescription& index : indexes) {
    table.Add({index.name, index.column, std::string(simd::NameOf(index.metric)), WithCommas(index.rows),
               WithCommas(index.rows_missing), WithCommas(index.segments), WithCommas(index.lists),
               Number(static_cast<double>(index.promises), "%.4g"), HumanBytes(index.bytes), IsoTime(index.created)});
  }
  return table.Render(TerminalWidth());
}

std::string IndexesJson(std::span<const engine::IndexDescription> indexes) {
  std::string text = "[";
  for (const engine::IndexDescription& index : indexes) {
    text += text.ends_with('[') ? "{\"name\":" : ",{\"name\":";
    AppendJsonString(text, index.name);
    text += ",\"column\":";
    AppendJsonString(text, index.column);
    text += ",\"kind\":\"vector\",\"metric\":\"" + std::string(simd::NameOf(index.metric)) +
            "\",\"dim\":" + std::to_string(index.dim) + ",\"rows\":" + std::to_string(index.rows) +
            ",\"rows_missing\":" + std::to_string(index.rows_missing) +
            ",\"segments\":" + std::to_string(index.segments) + ",\"lists\":" + std::to_string(index.lists) +
            ",\"bytes\":" + std::to_string(index.bytes) +
            ",\"recall_up_to\":" + Number(static_cast<double>(index.promises), "%.4g") +
            ",\"build_seconds\":" + Number(index.build_s, "%.4g") + ",\"created\":\"" + IsoTime(index.created) + "\"}";
  }
  return text + "]";
}

}  // namespace firn::cli
