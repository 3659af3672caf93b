#pragma once
// What every wrapper starts from: a store that passes each call on. A wrapper owns its inner store; to wrap a store
// that somebody else owns, wrap Borrow(store).

#include <memory>
#include <string>
#include <vector>

#include "store/object_store.h"

namespace firn::store {

class ForwardingStore : public ObjectStore {
 public:
  explicit ForwardingStore(std::unique_ptr<ObjectStore> inner) : inner_(std::move(inner)) {}

  std::vector<Result<ReadResult>> ReadMany(std::span<const ReadRequest> requests, const Deadline& deadline) override {
    return inner_->ReadMany(requests, deadline);
  }
  Status Put(std::string_view key, ByteSpan bytes, PutCondition condition, const Deadline& deadline) override {
    return inner_->Put(key, bytes, condition, deadline);
  }
  Result<std::unique_ptr<Upload>> StartUpload(std::string_view key, const Deadline& deadline) override {
    return inner_->StartUpload(key, deadline);
  }
  Result<ListPage> List(const ListRequest& request, const Deadline& deadline) override {
    return inner_->List(request, deadline);
  }
  ReadAndListResult ReadManyAndList(std::span<const ReadRequest> requests, const ListRequest& list,
                                    const Deadline& deadline) override {
    return inner_->ReadManyAndList(requests, list, deadline);
  }
  Status Delete(std::string_view key, const Deadline& deadline) override { return inner_->Delete(key, deadline); }
  std::string Describe() const override { return inner_->Describe(); }

 protected:
  ObjectStore& inner() { return *inner_; }

 private:
  const std::unique_ptr<ObjectStore> inner_;
};

/// A store that is `store`, which must outlive it.
std::unique_ptr<ObjectStore> Borrow(ObjectStore& store);

}  // namespace firn::store
