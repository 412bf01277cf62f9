#include "manager/security/x509.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <ctime>
#include <memory>

namespace shoal::manager {
namespace {

constexpr Duration kBackdate = std::chrono::hours(1);              // clocks of nodes differ
constexpr Duration kRootValidity = std::chrono::hours(24 * 7300);  // 20 years, as Swarm's
constexpr size_t kMaxPem = 64 * 1024;
constexpr char kRootName[] = "shoal-ca";
constexpr char kWorkerUnit[] = "shoal-worker";

template <auto Free>
struct Deleter {
  template <typename T>
  void operator()(T* pointer) const {
    Free(pointer);
  }
};
using BioPtr = std::unique_ptr<BIO, Deleter<BIO_free_all>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using CertPtr = std::unique_ptr<X509, Deleter<X509_free>>;
using RequestPtr = std::unique_ptr<X509_REQ, Deleter<X509_REQ_free>>;
using ExtensionPtr = std::unique_ptr<X509_EXTENSION, Deleter<X509_EXTENSION_free>>;
using StorePtr = std::unique_ptr<X509_STORE, Deleter<X509_STORE_free>>;
using StoreContextPtr = std::unique_ptr<X509_STORE_CTX, Deleter<X509_STORE_CTX_free>>;

Error openssl_error(std::string_view what) {
  char text[256] = "unknown reason";
  const unsigned long code = ERR_get_error();
  if (code != 0) ERR_error_string_n(code, text, sizeof text);
  ERR_clear_error();
  return internal_error(std::string(what) + ": " + text);
}

Result<BioPtr> memory_bio(std::string_view pem, std::string_view what) {
  if (pem.size() > kMaxPem) return invalid_argument(std::string(what) + " is too large");
  return BioPtr(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

std::string bio_text(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return std::string(data, static_cast<size_t>(size));
}

template <typename F>
Result<std::string> to_pem(F write) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (!bio || write(bio.get()) != 1) return openssl_error("cannot encode PEM");
  return bio_text(bio.get());
}

Result<std::string> key_pem(EVP_PKEY* key) {
  return to_pem([&](BIO* bio) {
    return PEM_write_bio_PKCS8PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  });
}

Result<std::string> certificate_pem(X509* certificate) {
  return to_pem([&](BIO* bio) { return PEM_write_bio_X509(bio, certificate); });
}

Result<CertPtr> parse_certificate(std::string_view pem) {
  const BioPtr bio = SHOAL_TRY(memory_bio(pem, "the certificate"));
  CertPtr certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  if (!certificate) {
    ERR_clear_error();
    return invalid_argument("not a PEM certificate");
  }
  return certificate;
}

Result<KeyPtr> parse_key(std::string_view pem) {
  const BioPtr bio = SHOAL_TRY(memory_bio(pem, "the private key"));
  KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  if (!key) {
    ERR_clear_error();
    return invalid_argument("not a PEM private key");
  }
  return key;
}

Result<KeyPtr> new_key() {
  KeyPtr key(EVP_EC_gen("P-256"));
  if (!key) return openssl_error("cannot make a P-256 key");
  return key;
}

Status add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  if (!extension || X509_add_ext(certificate, extension.get(), -1) != 1) {
    return openssl_error("cannot add a certificate extension");
  }
  return ok_status();
}

Status add_name(X509_NAME* name, const char* field, const std::string& value) {
  if (X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8,
                                 reinterpret_cast<const unsigned char*>(value.data()),
                                 static_cast<int>(value.size()), -1, 0) != 1) {
    return openssl_error("cannot set a certificate name");
  }
  return ok_status();
}

// A certificate with version, random serial, validity and public key set.
Result<CertPtr> blank_certificate(EVP_PKEY* public_key, WallTime from, WallTime to) {
  CertPtr certificate(X509_new());
  unsigned char serial[16];
  if (!certificate || RAND_bytes(serial, sizeof serial) != 1) {
    return openssl_error("cannot make a certificate");
  }
  serial[0] &= 0x7f;  // serial numbers are positive
  BIGNUM* number = BN_bin2bn(serial, sizeof serial, nullptr);
  BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate.get()));
  BN_free(number);
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_TIME_set(X509_getm_notBefore(certificate.get()),
                static_cast<time_t>(from.nanoseconds / 1'000'000'000));
  ASN1_TIME_set(X509_getm_notAfter(certificate.get()),
                static_cast<time_t>(to.nanoseconds / 1'000'000'000));
  if (X509_set_pubkey(certificate.get(), public_key) != 1) {
    return openssl_error("cannot set a certificate's key");
  }
  return certificate;
}

std::string name_entry(const X509_NAME* name, int nid) {
  const int index = X509_NAME_get_index_by_NID(name, nid, -1);
  if (index < 0 || X509_NAME_get_index_by_NID(name, nid, index) >= 0)
    return "";  // none, or several
  const ASN1_STRING* value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, index));
  return std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)),
                     static_cast<size_t>(ASN1_STRING_length(value)));
}

WallTime wall_time(const ASN1_TIME* time) {
  std::tm parts{};
  ASN1_TIME_to_tm(time, &parts);
  return {static_cast<int64_t>(timegm(&parts)) * 1'000'000'000};
}

const char* unit_of(Role role) { return role == Role::kManager ? kManagerServerName : kWorkerUnit; }

}  // namespace

Result<KeyPair> make_root_ca(WallTime now) {
  const KeyPtr key = SHOAL_TRY(new_key());
  const CertPtr root =
      SHOAL_TRY(blank_certificate(key.get(), now + -kBackdate, now + kRootValidity));
  SHOAL_TRY(add_name(X509_get_subject_name(root.get()), "CN", kRootName));
  X509_set_issuer_name(root.get(), X509_get_subject_name(root.get()));
  SHOAL_TRY(add_extension(root.get(), root.get(), NID_basic_constraints, "critical,CA:TRUE"));
  SHOAL_TRY(add_extension(root.get(), root.get(), NID_key_usage, "critical,keyCertSign,cRLSign"));
  SHOAL_TRY(add_extension(root.get(), root.get(), NID_subject_key_identifier, "hash"));
  if (X509_sign(root.get(), key.get(), EVP_sha256()) == 0) return openssl_error("cannot sign");
  KeyPair out;
  out.certificate = SHOAL_TRY(certificate_pem(root.get()));
  out.private_key = SHOAL_TRY(key_pem(key.get()));
  return out;
}

Result<SigningRequest> make_signing_request() {
  const KeyPtr key = SHOAL_TRY(new_key());
  const RequestPtr request(X509_REQ_new());
  if (!request || X509_REQ_set_pubkey(request.get(), key.get()) != 1 ||
      X509_REQ_sign(request.get(), key.get(), EVP_sha256()) == 0) {
    return openssl_error("cannot make a certificate signing request");
  }
  SigningRequest out;
  out.csr = SHOAL_TRY(to_pem([&](BIO* bio) { return PEM_write_bio_X509_REQ(bio, request.get()); }));
  out.private_key = SHOAL_TRY(key_pem(key.get()));
  return out;
}

Result<std::string> sign_node_certificate(const KeyPair& root, std::string_view csr,
                                          const NodeCertificateClaims& claims, Duration validity,
                                          WallTime now) {
  const BioPtr bio = SHOAL_TRY(memory_bio(csr, "the certificate signing request"));
  const RequestPtr request(PEM_read_bio_X509_REQ(bio.get(), nullptr, nullptr, nullptr));
  EVP_PKEY* public_key = request ? X509_REQ_get0_pubkey(request.get()) : nullptr;
  if (public_key == nullptr || X509_REQ_verify(request.get(), public_key) != 1 ||
      EVP_PKEY_get_base_id(public_key) != EVP_PKEY_EC || EVP_PKEY_get_bits(public_key) != 256) {
    ERR_clear_error();
    return invalid_argument("not a certificate signing request for a P-256 key");
  }
  const CertPtr issuer = SHOAL_TRY(parse_certificate(root.certificate));
  const KeyPtr issuer_key = SHOAL_TRY(parse_key(root.private_key));
  const CertPtr certificate =
      SHOAL_TRY(blank_certificate(public_key, now + -kBackdate, now + validity));
  X509_NAME* subject = X509_get_subject_name(certificate.get());
  SHOAL_TRY(add_name(subject, "O", claims.cluster.str()));
  SHOAL_TRY(add_name(subject, "OU", unit_of(claims.role)));
  SHOAL_TRY(add_name(subject, "CN", claims.node.str()));
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(issuer.get()));
  const std::string names =
      "DNS:" + claims.node.str() + ",DNS:" + std::string(unit_of(claims.role));
  X509* raw = certificate.get();
  SHOAL_TRY(add_extension(raw, issuer.get(), NID_basic_constraints, "critical,CA:FALSE"));
  SHOAL_TRY(add_extension(raw, issuer.get(), NID_key_usage, "critical,digitalSignature"));
  SHOAL_TRY(add_extension(raw, issuer.get(), NID_ext_key_usage, "serverAuth,clientAuth"));
  SHOAL_TRY(add_extension(raw, issuer.get(), NID_subject_alt_name, names));
  SHOAL_TRY(add_extension(raw, issuer.get(), NID_authority_key_identifier, "keyid"));
  if (X509_sign(raw, issuer_key.get(), EVP_sha256()) == 0) return openssl_error("cannot sign");
  return certificate_pem(raw);
}

Result<CertificateInfo> read_certificate(std::string_view pem) {
  const CertPtr certificate = SHOAL_TRY(parse_certificate(pem));
  const X509_NAME* subject = X509_get_subject_name(certificate.get());
  const auto node = NodeId::parse(name_entry(subject, NID_commonName));
  const auto cluster = ClusterId::parse(name_entry(subject, NID_organizationName));
  const std::string unit = name_entry(subject, NID_organizationalUnitName);
  const bool is_manager = unit == kManagerServerName;
  if (!node || !cluster || (!is_manager && unit != kWorkerUnit)) {
    return invalid_argument("not the certificate of a node");
  }
  CertificateInfo info;
  info.claims = {*node, *cluster, is_manager ? Role::kManager : Role::kWorker};
  info.not_before = wall_time(X509_get0_notBefore(certificate.get()));
  info.issued_at = info.not_before + kBackdate;
  info.not_after = wall_time(X509_get0_notAfter(certificate.get()));
  return info;
}

Status verify_certificate(std::string_view certificate, std::string_view root_certificate,
                          WallTime now) {
  const CertPtr leaf = SHOAL_TRY(parse_certificate(certificate));
  const CertPtr root = SHOAL_TRY(parse_certificate(root_certificate));
  const StorePtr store(X509_STORE_new());
  const StoreContextPtr context(X509_STORE_CTX_new());
  if (!store || !context || X509_STORE_add_cert(store.get(), root.get()) != 1 ||
      X509_STORE_CTX_init(context.get(), store.get(), leaf.get(), nullptr) != 1) {
    return openssl_error("cannot verify a certificate");
  }
  X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(context.get()),
                             static_cast<time_t>(now.nanoseconds / 1'000'000'000));
  if (X509_verify_cert(context.get()) != 1) {
    const std::string why = X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get()));
    ERR_clear_error();
    return unauthenticated("the certificate is not valid: " + why);
  }
  return ok_status();
}

Status check_key_matches(std::string_view certificate, std::string_view private_key) {
  const CertPtr parsed = SHOAL_TRY(parse_certificate(certificate));
  const KeyPtr key = SHOAL_TRY(parse_key(private_key));
  if (X509_check_private_key(parsed.get(), key.get()) != 1) {
    ERR_clear_error();
    return invalid_argument("the private key does not belong to the certificate");
  }
  return ok_status();
}

}  // namespace shoal::manager
