#include "lance/transaction.h"

#include <algorithm>
#include <array>

#include "lance/manifest_message.h"

namespace firn::lance {
namespace {

enum class Verdict : std::uint8_t { kRebase, kConflict };
using enum Verdict;

/// What happens when ours meets a version that they made. The rules are Lance's (its conflict resolver), so that both
/// programs see every pair alike; where Lance has two kinds of conflict, Firn has one.
struct Rule {
  OperationKind theirs;
  std::string_view name;
  Verdict append;   // our rows are new: they hurt nothing that stays, and whoever replaced everything did not see them
  Verdict replace;  // we replace everything: whatever they changed is gone either way
};
constexpr std::array kRules = {
    Rule{OperationKind::kAppend, "append", kRebase, kRebase},
    Rule{OperationKind::kDelete, "delete", kRebase, kRebase},
    Rule{OperationKind::kOverwrite, "overwrite", kConflict, kConflict},
    Rule{OperationKind::kCreateIndex, "create index", kRebase, kRebase},
    Rule{OperationKind::kRewrite, "compaction", kRebase, kRebase},
    Rule{OperationKind::kMerge, "add columns", kRebase, kRebase},
    Rule{OperationKind::kRestore, "restore", kConflict, kRebase},
    Rule{OperationKind::kReserveFragments, "reserve fragments", kRebase, kRebase},
    Rule{OperationKind::kUpdate, "update", kRebase, kRebase},
    Rule{OperationKind::kProject, "drop columns", kRebase, kRebase},
    Rule{OperationKind::kUpdateConfig, "update of the configuration", kRebase, kRebase},
    Rule{OperationKind::kDataReplacement, "replacement of data", kRebase, kRebase},
    Rule{OperationKind::kUpdateMemWal, "merge of its write-ahead log", kConflict, kConflict},
    Rule{OperationKind::kClone, "clone", kConflict, kConflict},
    Rule{OperationKind::kUpdateBases, "update of base paths", kRebase, kRebase},
    Rule{OperationKind::kDataOverlay, "overlay of data", kRebase, kRebase},
};
constexpr Rule kUnknownRule{OperationKind::kUnknown, "change of a kind that this Firn does not know", kConflict,
                            kConflict};

const Rule& RuleFor(OperationKind theirs) {
  const auto found = std::ranges::find(kRules, theirs, &Rule::theirs);
  return found == kRules.end() ? kUnknownRule : *found;
}

/// Whether data files written for one schema have the same meaning under the other. Metadata does not count.
bool SameFields(const Schema& a, const Schema& b) {
  return std::ranges::equal(a.fields, b.fields, [](const Field& x, const Field& y) {
    return x.id == y.id && x.parent_id == y.parent_id && x.name == y.name && x.logical_type == y.logical_type &&
           x.nullable == y.nullable;
  });
}

Error Lost(std::string_view table, std::uint64_t version, std::string_view what) {
  return Conflict("another writer changed table " + std::string(table) + " meanwhile: version " +
                      std::to_string(version) + " is " + std::string(what),
                  "open the table again and retry");
}

void AddFragments(const std::vector<Fragment>& fragments, google::protobuf::RepeatedPtrField<pb::DataFragment>& to) {
  for (const Fragment& fragment : fragments) {
    if (fragment.physical_rows == 0) continue;
    pb::DataFragment& message = *to.Add();
    message = MessageOf(fragment);
    message.set_id(0);  // not given yet
  }
}

void AddOverwrite(const Schema& schema, const std::vector<Fragment>& fragments,
                  const std::map<std::string, std::string>& config, pb::Transaction& message) {
  pb::Transaction::Overwrite& overwrite = *message.mutable_overwrite();
  AddFragments(fragments, *overwrite.mutable_fragments());
  for (const Field& field : schema.fields) *overwrite.add_schema() = MessageOf(field);
  AddEntries(schema.metadata, *overwrite.mutable_schema_metadata());
  AddEntries(config, *overwrite.mutable_config_upsert_values());
}

}  // namespace

std::string EncodeTransaction(std::string_view uuid, std::uint64_t read_version, const Operation& operation) {
  pb::Transaction message;
  message.set_read_version(read_version);
  message.set_uuid(std::string(uuid));
  if (const auto* create = std::get_if<CreateTable>(&operation)) {
    AddOverwrite(create->schema, create->fragments, create->config, message);
  } else if (const auto* replace = std::get_if<ReplaceTable>(&operation)) {
    AddOverwrite(replace->schema, replace->fragments, {}, message);
  } else {
    AddFragments(std::get<AppendFragments>(operation).fragments, *message.mutable_append()->mutable_fragments());
  }
  return message.SerializeAsString();
}

Result<Transaction> DecodeTransaction(ByteSpan bytes) {
  pb::Transaction message;
  if (bytes.size() > INT32_MAX || !message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return DataCorruption("the transaction is not a valid message");
  }
  return Transaction{message.uuid(), static_cast<OperationKind>(message.operation_case())};
}

Result<Transaction> InlineTransaction(const Manifest& manifest) {
  const std::string name = "version " + std::to_string(manifest.version);
  FIRN_TRY(const ParsedManifest parsed, ParseManifestObject(manifest.object.bytes(), name));
  if (!parsed.sections.has_transaction) return Transaction{};
  auto transaction = DecodeTransaction(parsed.sections.transaction);
  if (!transaction) return std::move(transaction.error()).In(name);
  return transaction;
}

Status CheckCommutes(const Operation& ours, const Manifest& base, const Transaction& theirs, const Manifest& now,
                     std::string_view table) {
  const Rule& rule = RuleFor(theirs.kind);
  const bool append = std::holds_alternative<AppendFragments>(ours);
  if ((append ? rule.append : rule.replace) == kConflict)
    return Lost(table, now.version, "a " + std::string(rule.name));
  // Stricter than Lance, which lets rows in without their columns: values that we wrote must not vanish because a
  // column was altered, nor a new column be null in them that its owner filled everywhere else.
  if (append && !SameFields(base.schema, now.schema)) {
    return Lost(table, now.version, "a " + std::string(rule.name) + " that changed the columns");
  }
  return {};
}

}  // namespace firn::lance
