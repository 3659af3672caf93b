#pragma once
// Private to store/: an upload that tells a wrapper when its object may have changed.

#include <functional>
#include <memory>
#include <utility>

#include "store/object_store.h"

namespace firn::store {

class DroppingUpload final : public Upload {
 public:
  /// `drop` is called after each Finish, whether it worked or not: it may have happened.
  DroppingUpload(std::unique_ptr<Upload> inner, std::function<void()> drop)
      : inner_(std::move(inner)), drop_(std::move(drop)) {}

  Status Append(ByteSpan bytes, const Deadline& deadline) override { return inner_->Append(bytes, deadline); }
  Status Finish(const Deadline& deadline) override {
    Status status = inner_->Finish(deadline);
    drop_();
    return status;
  }

 private:
  const std::unique_ptr<Upload> inner_;
  const std::function<void()> drop_;
};

}  // namespace firn::store
