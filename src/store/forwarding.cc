#include "store/forwarding.h"

namespace firn::store {
namespace {

class BorrowedStore final : public ObjectStore {
 public:
  explicit BorrowedStore(ObjectStore& store) : store_(store) {}

  std::vector<Result<ReadResult>> ReadMany(std::span<const ReadRequest> requests, const Deadline& deadline) override {
    return store_.ReadMany(requests, deadline);
  }
  Status Put(std::string_view key, ByteSpan bytes, PutCondition condition, const Deadline& deadline) override {
    return store_.Put(key, bytes, condition, deadline);
  }
  Result<std::unique_ptr<Upload>> StartUpload(std::string_view key, const Deadline& deadline) override {
    return store_.StartUpload(key, deadline);
  }
  Result<ListPage> List(const ListRequest& request, const Deadline& deadline) override {
    return store_.List(request, deadline);
  }
  ReadAndListResult ReadManyAndList(std::span<const ReadRequest> requests, const ListRequest& list,
                                    const Deadline& deadline) override {
    return store_.ReadManyAndList(requests, list, deadline);
  }
  Status Delete(std::string_view key, const Deadline& deadline) override { return store_.Delete(key, deadline); }
  std::string Describe() const override { return store_.Describe(); }

 private:
  ObjectStore& store_;
};

}  // namespace

std::unique_ptr<ObjectStore> Borrow(ObjectStore& store) { return std::make_unique<BorrowedStore>(store); }

}  // namespace firn::store
