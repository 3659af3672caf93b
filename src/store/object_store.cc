#include "store/object_store.h"

#include <algorithm>
#include <exception>
#include <future>
#include <iterator>
#include <system_error>

namespace firn::store {
namespace {

constexpr std::size_t kMaxKeyBytes = 1024;
constexpr std::uint32_t kMaxPageEntries = 1000;

/// Keys come from outside, so a message shows only their start.
std::string Quoted(std::string_view key) {
  std::string quoted = "\"";
  for (const char c : key.substr(0, 80)) quoted += static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? '?' : c;
  return quoted + (key.size() > 80 ? "...\"" : "\"");
}

Error BadKey(std::string_view key, std::string_view why) {
  return InvalidArgument("The object key " + Quoted(key) + ' ' + std::string(why));
}

}  // namespace

ReadAndListResult ObjectStore::ReadManyAndList(std::span<const ReadRequest> requests, const ListRequest& list,
                                               const Deadline& deadline) {
  if (requests.empty()) return {{}, List(list, deadline)};
  std::future<Result<ListPage>> listing;
  try {
    listing = std::async(std::launch::async, [&] { return List(list, deadline); });
  } catch (const std::system_error&) {  // no thread to be had
    return {ReadMany(requests, deadline), List(list, deadline)};
  }
  std::vector<Result<ReadResult>> reads = ReadMany(requests, deadline);
  const auto outcome = [&]() -> Result<ListPage> {
    try {
      return listing.get();
    } catch (const std::exception& e) {
      return Internal("The listing of " + Quoted(list.prefix) + " in " + Describe() +
                      " ended with an exception: " + e.what());
    }
  };
  return {std::move(reads), outcome()};
}

Result<ReadResult> Read(ObjectStore& store, const ReadRequest& request, const Deadline& deadline) {
  std::vector<Result<ReadResult>> answers = store.ReadMany({&request, 1}, deadline);
  if (answers.size() != 1) {
    return Internal(store.Describe() + " gave " + std::to_string(answers.size()) + " answers to one read");
  }
  return std::move(answers.front());
}

Result<ListPage> ListAll(ObjectStore& store, ListRequest request, std::size_t limit, const Deadline& deadline) {
  ListPage all;
  for (;;) {
    const std::size_t found = all.objects.size() + all.folders.size();
    // One more than wanted, to tell "exactly the limit" from "beyond it".
    request.limit = static_cast<std::uint32_t>(std::min<std::size_t>(kMaxPageEntries, limit - found + 1));
    FIRN_TRY(ListPage page, store.List(request, deadline));
    std::ranges::move(page.objects, std::back_inserter(all.objects));
    std::ranges::move(page.folders, std::back_inserter(all.folders));
    if (all.objects.size() + all.folders.size() > limit) {
      return ResourceExhausted("More than " + std::to_string(limit) + " entries under " + Quoted(request.prefix) +
                               " in " + store.Describe());
    }
    if (page.next_start_after.empty()) return all;
    if (page.next_start_after <= request.start_after) {
      return Internal("The listing of " + Quoted(request.prefix) + " in " + store.Describe() +
                      " does not move forward");
    }
    request.start_after = std::move(page.next_start_after);
  }
}

Status CheckKey(std::string_view key) {
  if (key.empty()) return InvalidArgument("An object key is empty");
  if (key.size() > kMaxKeyBytes) return BadKey(key, "is longer than 1024 bytes");
  if (std::ranges::any_of(key, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; })) {
    return BadKey(key, "holds a control character");
  }
  for (std::size_t start = 0; start <= key.size();) {
    const std::size_t end = std::min(key.find('/', start), key.size());
    const std::string_view part = key.substr(start, end - start);
    if (part.empty()) return BadKey(key, "has an empty part: it starts or ends with '/', or holds \"//\"");
    if (part == "." || part == "..") return BadKey(key, "has a part that is \".\" or \"..\"");
    start = end + 1;
  }
  return {};
}

Status CheckList(const ListRequest& request) {
  if (request.limit >= 1 && request.limit <= kMaxPageEntries) return {};
  return InvalidArgument("A listing asks for " + std::to_string(request.limit) + " entries; 1 to 1000 are possible");
}

Result<ByteRange> RangeOf(const ReadRequest& request, std::uint64_t object_size_bytes) {
  switch (request.part) {
    case ReadRequest::Part::kWhole:
      return ByteRange{0, object_size_bytes};
    case ReadRequest::Part::kTail: {
      const std::uint64_t length = std::min(request.length, object_size_bytes);
      return ByteRange{object_size_bytes - length, length};
    }
    case ReadRequest::Part::kRange:
      break;
  }
  if (InBounds(request.offset, request.length, object_size_bytes)) return ByteRange{request.offset, request.length};
  return InvalidArgument(std::to_string(request.length) + " bytes at " + std::to_string(request.offset) + " of " +
                         Quoted(request.key) + " lie past its end at " + std::to_string(object_size_bytes));
}

}  // namespace firn::store
