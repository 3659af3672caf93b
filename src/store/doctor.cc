#include "store/doctor.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

namespace firn::store {
namespace {

constexpr std::size_t kObjectBytes = 64 * 1024;
constexpr std::size_t kUploadBytes = 12U << 20;  // more than one part on any S3
constexpr int kRacers = 8;
constexpr Duration kSlow = std::chrono::milliseconds(500);
constexpr Duration kCleanUpTime = std::chrono::seconds(20);

constexpr std::string_view kConditionAdvice =
    "Two writers could overwrite each other's commits: upgrade the server to one with conditional writes (AWS S3, "
    "MinIO, versitygw "
    "and Ceph have them), or never let more than one process write";

/// Bytes in which every position can be told from every other nearby.
std::string Pattern(std::size_t size) {
  std::string bytes;
  bytes.reserve(size + 4);
  for (std::uint32_t i = 0; bytes.size() < size; i++) AppendLe(bytes, i * 2'654'435'761U);
  bytes.resize(size);
  return bytes;
}

/// What a step found out; no Finding yet, as its name and time come from outside.
struct Observation {
  Verdict verdict = Verdict::kOk;
  std::string message;
  std::string advice;
};

Observation Good(std::string message) { return {Verdict::kOk, std::move(message), ""}; }
Observation Bad(std::string message, std::string_view advice) {
  return {Verdict::kFail, std::move(message), std::string(advice)};
}

Observation Refused(const Error& error, std::string_view what) {
  const std::string_view advice = !error.hint.empty() ? std::string_view(error.hint)
                                  : error.kind == ErrorKind::kPermissionDenied
                                      ? "Give these credentials s3:ListBucket, s3:GetObject, s3:PutObject and "
                                        "s3:DeleteObject on the bucket and prefix"
                                  : error.kind == ErrorKind::kUnavailable
                                      ? "Check that the server runs and can be reached, and try again"
                                      : "Mend this first; everything else depends on it";
  return Bad(std::string(what) + " failed: " + error.message, advice);
}

class Examination {
 public:
  Examination(ObjectStore& store, Clock& clock, Random& random, const Deadline& deadline)
      : store_(store), clock_(clock), deadline_(deadline), prefix_("_firn/doctor/" + random.Uuid() + "/") {}

  Result<DoctorReport> Run() {
    report_.store = store_.Describe();
    Steps();
    CleanUp();
    FIRN_CHECK(deadline_.Check("Examining " + report_.store));
    return std::move(report_);
  }

 private:
  void Steps() {
    Step("list", [&] { return TryList(); });
    if (!Step("write", [&] { return TryWrite(); })) return;
    if (Step("read", [&] { return TryRead(ReadRequest::Whole(Key("object")), bytes_); })) {
      Step("ranged read",
           [&] { return TryRead(ReadRequest::Range(Key("object"), 12'345, 678), bytes_.substr(12'345, 678)); });
      Step("tail read",
           [&] { return TryRead(ReadRequest::Tail(Key("object"), 99), bytes_.substr(kObjectBytes - 99)); });
    }
    Step("list after write", [&] { return TryFind(Key("object")); });
    if (Step("conditional put", [&] { return TryConditionalPut(); })) Step("racing puts", [&] { return TryRace(); });
    Step("multipart upload", [&] { return TryUpload(); });
    Step("delete", [&] { return TryDelete(); });
  }

  /// Runs, times and notes one step; whether it was not a failure.
  template <class Try>
  bool Step(std::string name, const Try& attempt) {
    if (deadline_.Expired()) return false;
    const SteadyTime start = clock_.Now();
    Observation seen = attempt();
    const Duration took = clock_.Now() - start;
    const bool failed = seen.verdict == Verdict::kFail;
    report_.findings.push_back({std::move(name), seen.verdict, std::move(seen.message), std::move(seen.advice), took});
    return !failed;
  }

  Observation TryList() const {
    const SteadyTime start = clock_.Now();
    const Result<ListPage> page = store_.List({.by_folder = true, .limit = 10}, deadline_);
    if (!page) return Refused(page.error(), "Listing");
    if (clock_.Now() - start > kSlow) {
      return {Verdict::kWarn, "Listing works, but took long",
              "Use a region, or a disk, that is nearer: every query waits for this"};
    }
    return Good("Listing works");
  }

  Observation TryWrite() {
    made_.push_back(Key("object"));
    const Status status = store_.Put(Key("object"), AsBytes(bytes_), PutCondition::kNone, deadline_);
    return status ? Good("Writing works") : Refused(status.error(), "Writing an object");
  }

  Observation TryRead(const ReadRequest& request, std::string_view expected) const {
    const Result<ReadResult> read = Read(store_, request, deadline_);
    if (!read) return Refused(read.error(), "Reading back what was written");
    if (read->bytes.chars() != expected) {
      return Bad("What comes back is not what was written",
                 "Do not use this store: find out what changes the bytes (a proxy?)");
    }
    if (read->object_size_bytes != kObjectBytes) {
      return Bad("The server tells a wrong size for an object of " + std::to_string(kObjectBytes) + " bytes",
                 "Do not use this store: find out what changes the headers (a proxy?)");
    }
    return Good("What was written comes back");
  }

  Observation TryFind(const std::string& key) const {
    const Result<ListPage> page = store_.List({.prefix = prefix_}, deadline_);
    if (!page) return Refused(page.error(), "Listing");
    for (const ObjectInfo& object : page->objects) {
      if (object.key == key) return Good("A new object is listed at once");
    }
    return Bad("An object that was written is not listed",
               "Readers find the newest version of a table by listing, so this store would serve old ones: use one "
               "whose listings are "
               "consistent");
  }

  Observation TryConditionalPut() {
    const std::string key = Key("conditional");
    made_.push_back(key);
    if (const Status first = store_.Put(key, AsBytes("first"), PutCondition::kIfAbsent, deadline_); !first) {
      if (first.error().kind == ErrorKind::kUnsupported)
        return Bad("The store has no conditional writes: " + first.error().message, kConditionAdvice);
      return Refused(first.error(), "A put-if-absent of a new object");
    }
    const Status second = store_.Put(key, AsBytes("second"), PutCondition::kIfAbsent, deadline_);
    if (second) return Bad("The server ignores If-None-Match: a put-if-absent replaced an object", kConditionAdvice);
    if (second.error().kind != ErrorKind::kAlreadyExists)
      return Refused(second.error(), "A put-if-absent of an object that is there");
    const Result<ReadResult> kept = Read(store_, ReadRequest::Whole(key), deadline_);
    if (!kept) return Refused(kept.error(), "Reading back what was written");
    if (kept->bytes.chars() != "first")
      return Bad("A put-if-absent was refused, but replaced the object all the same", kConditionAdvice);
    return Good("A second put-if-absent is refused");
  }

  Observation TryRace() {
    const std::string key = Key("race");
    made_.push_back(key);
    // Every racer writes other bytes, so that a retried one knows its own object.
    std::vector<Status> outcomes(kRacers);
    {
      std::vector<std::jthread> racers;
      for (int i = 0; i < kRacers; i++) {
        racers.emplace_back([&, i] {
          outcomes[static_cast<std::size_t>(i)] =
              store_.Put(key, AsBytes("racer " + std::to_string(i)), PutCondition::kIfAbsent, deadline_);
        });
      }
    }
    const auto winners = std::ranges::count_if(outcomes, [](const Status& outcome) { return outcome.has_value(); });
    if (winners > 1) {
      return Bad(
          std::to_string(winners) + " of " + std::to_string(kRacers) + " racing put-if-absents were told that they won",
          kConditionAdvice);
    }
    for (const Status& outcome : outcomes) {
      if (!outcome && outcome.error().kind != ErrorKind::kAlreadyExists)
        return Refused(outcome.error(), "One of several racing writes");
    }
    if (winners == 0) return Bad("Of several racing put-if-absents none won", kConditionAdvice);
    return Good("Of " + std::to_string(kRacers) + " racing put-if-absents exactly one won");
  }

  Observation TryUpload() {
    const std::string key = Key("upload");
    made_.push_back(key);
    const std::string bytes = Pattern(kUploadBytes);
    const Status status = Send(key, bytes);
    if (!status) return Refused(status.error(), "A multipart upload");
    const Result<ReadResult> read = Read(store_, ReadRequest::Whole(key), deadline_);
    if (!read) return Refused(read.error(), "Reading back a multipart upload");
    if (read->bytes.chars() != bytes)
      return Bad("A multipart upload comes back changed", "Do not use this store for large tables");
    return Good("A multipart upload works");
  }

  Status Send(const std::string& key, std::string_view bytes) {
    FIRN_TRY(const std::unique_ptr<Upload> upload, store_.StartUpload(key, deadline_));
    FIRN_CHECK(upload->Append(AsBytes(bytes), deadline_));
    return upload->Finish(deadline_);
  }

  Observation TryDelete() {
    if (const Status status = store_.Delete(Key("object"), deadline_); !status)
      return Refused(status.error(), "Deleting an object");
    const Result<ReadResult> read = Read(store_, ReadRequest::Whole(Key("object")), deadline_);
    if (read) return Bad("A deleted object can still be read", "Check that nothing caches between here and the server");
    if (read.error().kind != ErrorKind::kNotFound) {
      return {Verdict::kWarn, "A missing object is not reported as missing: " + read.error().message,
              "Without s3:ListBucket, S3 answers 403 for what is not there: give these credentials that permission"};
    }
    return Good("Deleting works");
  }

  /// Also when the time is up.
  void CleanUp() {
    if (made_.empty()) return;
    const Deadline deadline = Deadline::After(clock_, kCleanUpTime);
    std::string left;
    for (const std::string& key : made_) {
      if (!store_.Delete(key, deadline)) left = key;
    }
    if (left.empty()) return;
    report_.findings.push_back({"clean up", Verdict::kWarn,
                                "Some scratch objects could not be deleted, such as " + left,
                                "Delete what is under " + prefix_, Duration{}});
  }

  std::string Key(std::string_view name) const { return prefix_ + std::string(name); }

  ObjectStore& store_;
  Clock& clock_;
  const Deadline deadline_;
  const std::string prefix_;
  const std::string bytes_ = Pattern(kObjectBytes);
  std::vector<std::string> made_;  // perhaps
  DoctorReport report_;
};

}  // namespace

Verdict DoctorReport::Overall() const {
  Verdict worst = Verdict::kOk;
  for (const Finding& finding : findings) worst = std::max(worst, finding.verdict);
  return worst;
}

std::string_view NameOf(Verdict verdict) {
  switch (verdict) {
    case Verdict::kOk:
      return "ok";
    case Verdict::kWarn:
      return "warn";
    case Verdict::kFail:
      break;
  }
  return "fail";
}

Result<DoctorReport> Examine(ObjectStore& store, Clock& clock, Random& random, const Deadline& deadline) {
  return Examination(store, clock, random, deadline).Run();
}

}  // namespace firn::store
