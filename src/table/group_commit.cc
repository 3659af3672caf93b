#include "table/group_commit.h"

#include <algorithm>
#include <iterator>

namespace firn::table {
namespace {

constexpr Duration kWakeUp = std::chrono::milliseconds(20);  // how often a queued appender looks at its own deadline

bool SameSchema(const lance::Schema& a, const lance::Schema& b) {
  return std::ranges::equal(a.fields, b.fields, [](const lance::Field& x, const lance::Field& y) {
    return x.id == y.id && x.parent_id == y.parent_id && x.name == y.name && x.logical_type == y.logical_type &&
           x.nullable == y.nullable;
  });
}

}  // namespace

Result<std::uint64_t> Database::GroupCommit::Append(const std::string& root, const lance::Manifest& base,
                                                    std::vector<lance::Fragment> fragments, const Deadline& deadline) {
  Waiter self{.base = &base, .fragments = std::move(fragments), .deadline = &deadline};
  std::unique_lock lock(mutex_);
  std::shared_ptr<Queue>& slot = queues_[root];
  if (!slot) slot = std::make_shared<Queue>();
  const std::shared_ptr<Queue> queue = slot;
  queue->waiting.push_back(&self);

  while (!self.done) {
    if (!queue->leading && !self.taken) {
      // Lead: commit all that wait now, this append among them.
      queue->leading = true;
      std::vector<Waiter*> group = std::exchange(queue->waiting, {});
      for (Waiter* waiter : group) waiter->taken = true;
      lock.unlock();
      CommitTogether(root, group);
      lock.lock();
      for (Waiter* waiter : group) waiter->done = true;
      queue->leading = false;
      queue->changed.notify_all();
      break;
    }
    queue->changed.wait_for(lock, kWakeUp);
    if (!self.done && !self.taken && deadline.Expired()) {
      std::erase(queue->waiting, &self);
      self.done = true;
      self.outcome = deadline.Check("the append to " + root).error();
    }
  }
  if (queue->waiting.empty() && !queue->leading) {
    // A later appender makes a new queue; those still returning hold this one.
    if (const auto found = queues_.find(root); found != queues_.end() && found->second == queue) queues_.erase(found);
  }
  return std::move(self.outcome);
}

void Database::GroupCommit::CommitTogether(const std::string& root, std::vector<Waiter*> group) {
  // The newest base of the group; who wrote under another schema must start over.
  const lance::Manifest* base =
      (*std::ranges::max_element(group, {}, [](const Waiter* w) { return w->base->version; }))->base;
  std::vector<Waiter*> members;
  lance::AppendFragments append;
  const Deadline* latest = nullptr;
  for (Waiter* waiter : group) {
    if (!SameSchema(waiter->base->schema, base->schema)) {
      waiter->outcome = Conflict("the schema of " + root + " changed while rows were being appended", "Append again");
      continue;
    }
    members.push_back(waiter);
    append.fragments.insert(append.fragments.end(), waiter->fragments.begin(), waiter->fragments.end());
    if (latest == nullptr || waiter->deadline->Remaining() > latest->Remaining()) latest = waiter->deadline;
  }
  if (members.empty()) return;
  const lance::CommitContext context{environment_.store, environment_.clock, environment_.random, root};
  // The most patient member's deadline: nobody's commit is given up because of another's hurry.
  Result<lance::Manifest> committed = lance::Commit(context, base, append, *latest);
  for (Waiter* waiter : members) {
    if (committed) {
      waiter->outcome = committed->version;
    } else {
      waiter->outcome = committed.error();
    }
  }
}

}  // namespace firn::table
