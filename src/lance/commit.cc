// Why a commit is safe
// --------------------
// A version N of a table is the object _versions/N. It is created once, by a put-if-absent, and never changed; the
// store promises that of many such puts under one key at most one succeeds. All else follows from five rules:
//
//  1. Data first. A manifest names only data files that were durable before the put. A writer that dies in between
//  leaves
//     files that no version names: garbage, never a wrong table.
//  2. One step. Version N+1 is built from the bytes of version N and nothing else, and put under the key of N+1. So if
//  it is
//     there, every change of versions 1..N is in it. Versions are dense, and history is one line.
//  3. Whose is it. Every manifest holds the uuid of its transaction, drawn once for each Commit call and kept through
//  all its
//     attempts. Who reads version N+1 can tell whether it is his. When a put fails, or its answer is lost, or says
//     AlreadyExists (which a store that retries by itself may say of our own first put), the truth is read back:
//       N+1 is ours          the commit happened; it is not made again, so no row comes twice
//       N+1 is another's     ours did not happen, and never can under this key, however late a delayed put arrives
//       there is no N+1      the put is made again, with the same bytes under the same key: if the first one still
//       arrives, one of
//                            the two fails, and rule 3 settles it again
//  4. Rebase only what commutes. When others won N+1..M, each of their transactions is checked against ours
//  (transaction.cc), and
//     only if all commute does our change go onto M, as M+1. An append gets new fragment ids there, after the highest
//     that was ever used: no id names two things. Flags are checked again on M, since a version in between may have
//     brought a feature that this program must not write.
//  5. Saying what we know. Success means that the version was seen. Conflict and AlreadyExists mean that it did not and
//  will not
//     happen. Unavailable and DeadlineExceeded say that it may have, or may still.
//
// What this leans on: no one deletes version N+1 while a writer that has read N still tries to make it - the key would
// be free again, and his commit would be in a past that nobody reads. LanceDB's cleanup keeps versions for days. So a
// writer whose base is older than a day lists the versions before its first put.

#include "lance/commit.h"

#include <algorithm>
#include <set>

#include "lance/manifest_writer.h"
#include "lance/transaction.h"
#include "lance/versions.h"

namespace firn::lance {
namespace {

constexpr Duration kFreshFor = std::chrono::hours(24);
constexpr Duration kFirstPause = std::chrono::milliseconds(5);
constexpr Duration kLongestPause = std::chrono::seconds(1);
constexpr std::uint64_t kMaxVersionsBetween = 10'000;

bool MayHaveHappened(ErrorKind kind) {
  return kind == ErrorKind::kUnavailable || kind == ErrorKind::kDeadlineExceeded || kind == ErrorKind::kAlreadyExists;
}

const std::vector<Fragment>& FragmentsOf(const Operation& operation) {
  return std::visit([](const auto& each) -> const std::vector<Fragment>& { return each.fragments; }, operation);
}

/// One Commit call: what it wants, what it stands on, and its attempts.
class Attempt {
 public:
  Attempt(const CommitContext& context, const Manifest* base, const Operation& operation, const Deadline& deadline)
      : context_(context),
        operation_(operation),
        deadline_(deadline),
        read_base_(base),
        uuid_(context.random.Uuid()),
        transaction_(EncodeTransaction(uuid_, base == nullptr ? 0 : base->version, operation)) {
    if (base != nullptr) base_ = *base;
  }

  Result<Manifest> Run() {
    if (!base_ || context_.clock.WallNow() - base_->timestamp > kFreshFor) {
      FIRN_TRY(const std::optional<Manifest> ours, CatchUp());
      if (ours) return *ours;
    }
    for (std::uint32_t attempt = 0; attempt < context_.max_attempts; attempt++) {
      FIRN_CHECK(deadline_.Check("the commit to table " + context_.root));
      FIRN_TRY(Buffer object, Build());
      attempts_++;
      const std::string key = VersionKey(context_.root, Next());
      const Status put = context_.store.Put(key, object.bytes(), store::PutCondition::kIfAbsent, deadline_);
      if (put) return DecodeVersion(std::move(object), Next(), key);
      if (!MayHaveHappened(put.error().kind)) return put.error();
      FIRN_TRY(const std::optional<Manifest> ours, Settle(put.error()));
      if (ours) return *ours;
      Pause(attempt);
    }
    return Conflict("table " + context_.root + " changed " + std::to_string(context_.max_attempts) +
                        " times while this commit was tried",
                    "retry, or write in fewer and larger batches");
  }

 private:
  VersionName Next() const { return base_ ? VersionName{base_->version + 1, base_->naming} : VersionName{1}; }

  Result<Buffer> Build() {
    const VersionStamp stamp{Next().version, context_.clock.WallNow(), transaction_};
    if (!base_) {
      const auto& create = std::get<CreateTable>(operation_);
      FIRN_TRY(std::string object,
               EncodeFirstManifest(stamp, create.schema, create.fragments, create.data_version, create.config));
      return Buffer::Of(std::move(object));
    }
    FIRN_CHECK(CheckWritable(*base_, context_.root));
    if (const auto* replace = std::get_if<ReplaceTable>(&operation_)) {
      FIRN_TRY(std::string object, EncodeReplace(stamp, *base_, replace->schema, replace->fragments));
      return Buffer::Of(std::move(object));
    }
    FIRN_TRY(std::string object, EncodeAppend(stamp, *base_, FragmentsOf(operation_)));
    return Buffer::Of(std::move(object));
  }

  /// After a put that did not say yes: our manifest, if it is there after all.
  Result<std::optional<Manifest>> Settle(const Error& put) {
    auto caught_up = CatchUp();
    // We cannot see whether it happened, so we must not say that it did not.
    if (!caught_up && InfoOf(caught_up.error().kind).retryable && put.kind != ErrorKind::kAlreadyExists) return put;
    return caught_up;
  }

  /// Reads the versions after the base. Ours among them: returns it. Else, when they all commute with ours, the last of
  /// them is the new base.
  Result<std::optional<Manifest>> CatchUp() {
    FIRN_TRY(const std::vector<Manifest> newer, ReadNewer());
    std::vector<Transaction> transactions;
    for (const Manifest& manifest : newer) {
      FIRN_TRY(Transaction transaction, TransactionOf(manifest));
      if (transaction.uuid == uuid_) return std::optional(manifest);
      transactions.push_back(std::move(transaction));
    }
    if (!newer.empty() && !base_) return TableExists();
    for (std::size_t i = 0; i < newer.size(); i++) {
      FIRN_CHECK(CheckCommutes(operation_, *read_base_, transactions[i], newer[i], context_.root));
    }
    if (!newer.empty()) base_ = newer.back();
    return std::optional<Manifest>();
  }

  /// All versions after the base, in order: one LIST, and one round of reads.
  Result<std::vector<Manifest>> ReadNewer() {
    FIRN_TRY(const std::optional<VersionName> latest, FindLatest(context_.store, context_.root, deadline_));
    const std::uint64_t base_version = base_ ? base_->version : 0;
    if (!latest || latest->version <= base_version) return std::vector<Manifest>();
    if (!base_ && attempts_ == 0) return TableExists();
    if (latest->version - base_version > kMaxVersionsBetween) {
      return Conflict("table " + context_.root + " is at version " + std::to_string(latest->version) +
                          ", far past version " + std::to_string(base_version) + " that this commit started from",
                      "open the table again and retry");
    }
    std::vector<VersionName> names;
    std::vector<store::ReadRequest> requests;
    for (std::uint64_t version = base_version + 1; version <= latest->version; version++) {
      names.push_back({version, latest->naming});
      requests.push_back(store::ReadRequest::Whole(VersionKey(context_.root, names.back())));
    }
    auto results = context_.store.ReadMany(requests, deadline_);
    std::vector<Manifest> newer;
    for (std::size_t i = 0; i < results.size(); i++) {
      if (!results[i]) return results[i].error().kind == ErrorKind::kNotFound ? Gone(names[i]) : results[i].error();
      FIRN_TRY(Manifest manifest, DecodeVersion(std::move(results[i]->bytes), names[i], requests[i].key));
      newer.push_back(std::move(manifest));
    }
    return newer;
  }

  Error TableExists() const {
    return AlreadyExists("there is a table at " + context_.root + " already", "drop it first, or append to it");
  }

  Error Gone(const VersionName& name) const {
    return Unavailable("version " + std::to_string(name.version) + " of table " + context_.root +
                           " was removed before this commit could see whether it made it",
                       "open the table, look whether the rows are there, and retry if not");
  }

  /// Inline, or in a file of its own.
  Result<Transaction> TransactionOf(const Manifest& manifest) {
    FIRN_TRY(Transaction transaction, InlineTransaction(manifest));
    if (!transaction.uuid.empty() || manifest.transaction_file.empty()) return transaction;
    const std::string key = context_.root + "/_transactions/" + manifest.transaction_file;
    if (!store::CheckKey(key))
      return DataCorruption("version " + std::to_string(manifest.version) + " of table " + context_.root +
                            " names a transaction file that cannot be one");
    auto read = store::Read(context_.store, store::ReadRequest::Whole(key), deadline_);
    if (!read) {
      if (read.error().kind == ErrorKind::kNotFound) return Transaction{};  // of a kind that nobody can tell any more
      return std::move(read.error());
    }
    auto decoded = DecodeTransaction(read->bytes.bytes());
    if (!decoded) return std::move(decoded.error()).In(key);
    return decoded;
  }

  /// Full jitter under a doubling limit, so that racing writers spread out.
  void Pause(std::uint32_t attempt) {
    const Duration limit = std::min(kLongestPause, kFirstPause * (1U << std::min(attempt, 10U)));
    const auto pause =
        Duration(static_cast<Duration::rep>(static_cast<double>(limit.count()) * context_.random.Unit()));
    context_.clock.SleepFor(std::min(pause, deadline_.Remaining()));
  }

  const CommitContext& context_;
  const Operation& operation_;
  const Deadline& deadline_;
  const Manifest* const read_base_;  // what the caller decided on
  const std::string uuid_;
  const std::string transaction_;
  std::uint32_t attempts_ = 0;    // puts that were tried
  std::optional<Manifest> base_;  // what the next attempt stands on; empty: no table yet
};

Status CheckFiles(const std::vector<Fragment>& fragments, const Schema& schema, FileVersion data_version) {
  std::set<std::int32_t> ids;
  for (const Field& field : schema.fields) ids.insert(field.id);
  for (const Fragment& fragment : fragments) {
    if (fragment.files.empty()) return InvalidArgument("a fragment to commit has no data file");
    for (const DataFile& file : fragment.files) {
      if (file.version != data_version) {
        return InvalidArgument("data file " + file.path + " is of version " + std::to_string(file.version.major) + "." +
                               std::to_string(file.version.minor) + ", the table of " +
                               std::to_string(data_version.major) + "." + std::to_string(data_version.minor));
      }
      for (const std::int32_t id : file.field_ids) {
        if (id >= 0 && !ids.contains(id)) {
          return InvalidArgument("data file " + file.path + " has field " + std::to_string(id) +
                                 ", which is not in the schema");
        }
      }
    }
  }
  return {};
}

Status CheckOperation(const Manifest* base, const Operation& operation) {
  if (const auto* create = std::get_if<CreateTable>(&operation)) {
    if (base != nullptr) return InvalidArgument("a new table has no version to start from");
    if (create->schema.fields.empty()) return InvalidArgument("a table needs at least one column");
    return CheckFiles(create->fragments, create->schema, create->data_version);
  }
  if (base == nullptr) return InvalidArgument("a commit needs the version that it was decided on");
  if (const auto* replace = std::get_if<ReplaceTable>(&operation)) {
    if (replace->schema.fields.empty()) return InvalidArgument("a table needs at least one column");
    return CheckFiles(replace->fragments, replace->schema, base->data_version);
  }
  return CheckFiles(FragmentsOf(operation), base->schema, base->data_version);
}

}  // namespace

Result<Manifest> Commit(const CommitContext& context, const Manifest* base, const Operation& operation,
                        const Deadline& deadline) {
  if (base != nullptr) FIRN_CHECK(CheckWritable(*base, context.root));
  FIRN_CHECK(CheckOperation(base, operation));
  return Attempt(context, base, operation, deadline).Run();
}

}  // namespace firn::lance
