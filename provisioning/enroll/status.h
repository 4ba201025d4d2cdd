// The plain HTTP front: revocation lists, OCSP and CA certificates, for whoever asks. Everything it
// says is signed, so nothing is gained by TLS (RFC 5280 8, RFC 6960 5), and clients that check a
// TLS certificate must be able to reach it without TLS.
//   GET /crl/{ca}.crl  GET /crl/{ca}/{shard}.crl  GET /ca/{ca}.crt  POST /ocsp  GET /ocsp/{base64}
//   GET /health  is each part working: 200 or 503; what is wrong is told to this machine alone
#pragma once

#include "ca/ocsp.h"
#include "provisioning/enroll/health.h"
#include "provisioning/flows/service.h"
#include "provisioning/http/listener.h"

#include <map>
#include <memory>
#include <mutex>

namespace hatchery::enroll {

/// One request from bytes to bytes, without sockets. Thread-safe.
class StatusAnswerer {
  public:
    /// @param others  CA certificates whose lists and certificates are served too (the root)
    StatusAnswerer(flows::Service& service, std::vector<ca::Certificate> others);

    /// Never throws.
    http::Response answer(const http::Request& request, Time now);

  private:
    /// Who signs a CA's OCSP answers: a key of its own with a certificate of profile "ocsp"; the CA
    /// itself where there is no such profile.
    struct Signer {
        ca::Certificate certificate;
        ca::PrivateKey key;
    };
    struct Authority {
        Authority(ca::Certificate own, const ca::Issuer* signs)
            : certificate(std::move(own)), issuer(signs) {}
        ca::Certificate certificate;
        const ca::Issuer* issuer = nullptr;  ///< none: its answers are not signed here
        std::mutex mutex;                    ///< guards what is below
        std::shared_ptr<const Signer> signer;
        struct Cached {
            ca::OcspState state;
            ca::RevocationReason reason;
            Time made;
            Bytes der;
        };
        std::map<Bytes, Cached> cache;  ///< by CertID
    };

    http::Response respond(const http::Request& request, Time now);
    http::Response crl(std::string_view path, Time now);
    http::Response certificate(std::string_view path);
    http::Response health(const http::Request& request, Time now);
    http::Response ocsp(ByteView request, Time now);
    Result<Bytes> ocsp_answer(const ca::OcspRequest& request, Authority& authority, Time now);
    Result<std::shared_ptr<const Signer>> signer_of(Authority& authority, Time now);
    Authority* find(std::string_view key_identifier);

    flows::Service& service_;
    Health health_;
    std::vector<std::unique_ptr<Authority>> authorities_;
};

}  // namespace hatchery::enroll
