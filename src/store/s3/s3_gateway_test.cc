// What only a real server shows: TLS, wrong keys, missing buckets.
#include <gtest/gtest.h>

#include <map>

#include "store/http/tls_certificate_testing.h"
#include "store/s3/s3_store.h"
#include "store/s3/versitygw_testing.h"

namespace firn::store {
namespace {

using testing::TlsCertificate;
using testing::VersityGateway;

StoreContext ContextOf(std::string name, std::string value) {
  return testing::TestContext([name = std::move(name), value = std::move(value)](std::string_view asked) {
    return asked == name ? std::optional(value) : std::nullopt;
  });
}

TEST(S3Gateway, ABucketThatIsNotThereIsNotFoundByEveryCall) {
  VersityGateway* gateway = VersityGateway::Shared();
  ASSERT_TRUE(gateway);
  const auto store = OpenS3("never-made", "", gateway->Options(), testing::TestContext());
  ASSERT_TRUE(store);
  const auto read = Read(**store, ReadRequest::Whole("k"), Deadline::Never());
  const auto page = (*store)->List({}, Deadline::Never());
  const auto put = (*store)->Put("k", AsBytes("v"), PutCondition::kIfAbsent, Deadline::Never());
  ASSERT_FALSE(read);
  ASSERT_FALSE(page);
  ASSERT_FALSE(put);
  for (const Error& error : {read.error(), page.error(), put.error()}) {
    EXPECT_EQ(error.kind, ErrorKind::kNotFound) << error.ToString();
    EXPECT_NE(error.ToString().find("aws s3 mb s3://never-made"), std::string::npos) << error.ToString();
  }
}

TEST(S3Gateway, WrongKeysArePermissionDenied) {
  VersityGateway* gateway = VersityGateway::Shared();
  ASSERT_TRUE(gateway);
  StoreOptions options = gateway->Options();
  options.secret_access_key = "hunter2";
  const auto wrong_secret =
      Read(**OpenS3("bkt", "", options, testing::TestContext()), ReadRequest::Whole("k"), Deadline::Never());
  ASSERT_FALSE(wrong_secret);
  EXPECT_EQ(wrong_secret.error().kind, ErrorKind::kPermissionDenied);
  EXPECT_NE(wrong_secret.error().hint.find("AWS_SECRET_ACCESS_KEY"), std::string::npos);
  EXPECT_EQ(wrong_secret.error().ToString().find("hunter2"), std::string::npos);
  options.access_key_id = "nobody";
  const auto wrong_id =
      Read(**OpenS3("bkt", "", options, testing::TestContext()), ReadRequest::Whole("k"), Deadline::Never());
  ASSERT_FALSE(wrong_id);
  EXPECT_EQ(wrong_id.error().kind, ErrorKind::kPermissionDenied) << wrong_id.error().ToString();
  EXPECT_NE(wrong_id.error().hint.find("AWS_ACCESS_KEY_ID"), std::string::npos);
}

struct S3OverTls : ::testing::Test {
  static inline std::unique_ptr<TlsCertificate> certificate;
  static inline std::unique_ptr<VersityGateway> gateway;

  static void SetUpTestSuite() {
    certificate = std::make_unique<TlsCertificate>();
    auto started = VersityGateway::Start({certificate->certificate(), certificate->key()});
    ASSERT_TRUE(started) << started.error().ToString();
    gateway = *std::move(started);
    const Status made = gateway->MakeBucket("bkt", ContextOf("AWS_CA_BUNDLE", certificate->certificate()));
    ASSERT_TRUE(made) << made.error().ToString();
  }
  static void TearDownTestSuite() {
    gateway.reset();
    certificate.reset();
  }
};

TEST_F(S3OverTls, WritesAndReadsWithATrustedCertificate) {
  for (const auto& [variable, value] :
       std::map<std::string, std::string>{{"AWS_CA_BUNDLE", certificate->certificate()},
                                          {"SSL_CERT_FILE", certificate->certificate()},
                                          {"SSL_CERT_DIR", certificate->hashed_folder()}}) {
    const auto store = OpenS3("bkt", variable, gateway->Options(), ContextOf(variable, value));
    ASSERT_TRUE(store);
    const std::string big(1 << 20, 'b');  // large enough not to be hashed
    const Status put = (*store)->Put("k", AsBytes(big), PutCondition::kIfAbsent, Deadline::Never());
    ASSERT_TRUE(put) << variable << ": " << put.error().ToString();
    std::vector<ReadRequest> requests(20, ReadRequest::Range("k", 1000, 5000));
    for (const auto& read : (*store)->ReadMany(requests, Deadline::Never())) {
      ASSERT_TRUE(read) << read.error().ToString();
      EXPECT_EQ(read->bytes.size(), 5000u);
    }
  }
}

TEST_F(S3OverTls, AServersNameIsChecked) {
  StoreOptions options = gateway->Options("two.labels.localhost");  // the wildcard covers one
  const auto store = OpenS3("bkt", "", options, ContextOf("AWS_CA_BUNDLE", certificate->certificate()));
  const auto read = Read(**store, ReadRequest::Whole("k"), Deadline::Never());
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().kind, ErrorKind::kPermissionDenied);
  EXPECT_NE(read.error().message.find("two.labels.localhost"), std::string::npos) << read.error().message;
}

TEST_F(S3OverTls, AnUntrustedCertificateIsPermissionDeniedAndSaysWhatToSet) {
  const auto store = OpenS3("bkt", "", gateway->Options(), testing::TestContext());
  ASSERT_TRUE(store);
  const auto read = Read(**store, ReadRequest::Whole("k"), Deadline::Never());
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().kind, ErrorKind::kPermissionDenied);
  EXPECT_NE(read.error().ToString().find("AWS_CA_BUNDLE"), std::string::npos) << read.error().ToString();
}

TEST_F(S3OverTls, ACertificateFileThatCannotBeReadIsNamed) {
  const auto store = OpenS3("bkt", "", gateway->Options(), ContextOf("AWS_CA_BUNDLE", "/not/there.pem"));
  const auto read = Read(**store, ReadRequest::Whole("k"), Deadline::Never());
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().kind, ErrorKind::kInvalidArgument);
  EXPECT_NE(read.error().message.find("/not/there.pem"), std::string::npos);
}

}  // namespace
}  // namespace firn::store
