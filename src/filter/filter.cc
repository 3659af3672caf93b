#include "filter/filter.h"

#include <algorithm>
#include <array>

#include "filter/bind.h"
#include "filter/parser.h"

namespace firn::filter {
namespace {

// Small enough that a chunk's vectors stay in the nearest caches; a multiple of 8, so that chunks begin at whole bytes
// of bitmaps.
constexpr std::int64_t kChunkRows = 4096;

void AppendTrueRows(const Vector& truths, const Rows& rows, std::vector<std::int64_t>& out) {
  const Truth* values = truths.Get<Truth>().data();
  const std::int64_t step = truths.constant ? 0 : 1;
  std::array<std::int64_t, kChunkRows> found;
  std::size_t count = 0;
  for (std::int64_t i = 0; i < rows.count; i++) {
    found[count] = rows.begin + i;
    count += values[i * step] == kTrue ? 1 : 0;
  }
  out.insert(out.end(), found.begin(), found.begin() + count);
}

}  // namespace

Predicate::Predicate(std::shared_ptr<const BoundTree> tree) : tree_(std::move(tree)) {}

std::span<const std::string> Predicate::columns() const { return tree_->columns; }

std::string Predicate::ToString() const { return tree_->root->ToString(); }

Result<std::vector<std::int64_t>> Predicate::Select(const arrow::RecordBatch& batch) const {
  Context context{tree_->text, {}};
  for (std::size_t i = 0; i < tree_->columns.size(); i++) {
    const arrow::Array* column = batch.Column(tree_->columns[i]);
    if (column == nullptr || !arrow::Equal(column->type(), *tree_->column_types[i])) {
      return Internal("the batch for the filter has no column `" + tree_->columns[i] + "` of type " +
                      tree_->column_types[i]->ToString());
    }
    context.columns.push_back(column);
  }
  std::vector<std::int64_t> selected;
  for (std::int64_t begin = 0; begin < batch.rows; begin += kChunkRows) {
    const Rows rows{begin, std::min(kChunkRows, batch.rows - begin), nullptr};
    FIRN_TRY(const Vector truths, tree_->root->Evaluate(context, rows));
    AppendTrueRows(truths, rows, selected);
  }
  return selected;
}

Result<Predicate> ParseFilter(std::string_view text, const arrow::Schema& schema, const Clock& clock) {
  FIRN_TRY(const SyntaxTree syntax, Parse(text));
  FIRN_TRY(BoundTree tree, Bind(text, syntax.root, schema, clock));
  return Predicate(std::make_shared<const BoundTree>(std::move(tree)));
}

}  // namespace firn::filter
