// Issuing. The order cannot be written wrong:
//   Issuer::prepare (checks, builds the exact bytes) -> Ledger::record (durable) -> Issuer::sign ->
//   Ledger::complete.
// prepare gives a Prepared; only Ledger::record turns it into a Recorded; only a Recorded can be
// signed, once. In: a Csr, a Profile, the time. Out: a Certificate with its chain. Knows no thing,
// no HTTP, no SQL.
#pragma once

#include "ca/certificate.h"
#include "ca/csr.h"
#include "ca/key.h"
#include "ca/profile.h"

#include <memory>
#include <string>
#include <vector>

namespace hatchery::ca {

class Ledger;
class SharedPrimes;
class WeakKeys;

/// A checked certificate to be signed. Move-only.
class Prepared {
  public:
    const Bytes& tbs() const {
        return tbs_;
    }  ///< DER of tbsCertificate, the exact bytes to be signed
    const Bytes& serial_number() const {
        return serial_number_;
    }  ///< 20 octets at most, 128 random bits
    const Bytes& public_key_der() const { return public_key_der_; }
    const std::string& profile() const { return profile_; }
    const std::string& device_serial() const {
        return device_serial_;
    }  ///< subject serialNumber, or empty
    bool one_per_device() const { return one_per_device_; }
    const CertificateId& issuer_id() const { return issuer_id_; }
    Prepared(Prepared&&) = default;
    Prepared& operator=(Prepared&&) = default;

  private:
    friend class Issuer;
    Prepared() = default;
    Bytes tbs_, serial_number_, public_key_der_;
    std::string profile_, device_serial_;
    bool one_per_device_ = false;
    CertificateId issuer_id_;
    std::shared_ptr<CertificateFields> fields_;  ///< what tbs_ holds, read back by the lint
};

/// Proof that a Prepared is in the ledger. Move-only; made by Ledger::record alone.
class Recorded {
  public:
    const Prepared& prepared() const { return prepared_; }
    Recorded(Recorded&&) = default;
    Recorded& operator=(Recorded&&) = default;

  private:
    friend class Ledger;
    explicit Recorded(Prepared prepared) : prepared_(std::move(prepared)) {}
    Prepared prepared_;
};

/// Where intentions to sign and signatures are kept. The store's side of issuing implements the two
/// virtuals.
class Ledger {
  public:
    virtual ~Ledger() = default;
    /// Writes the intention durably; afterwards the certificate may be signed.
    /// @param requester  who asks: "cli:USER", "station:NAME", "claim:ID", …
    /// @errors Conflict  the device serial already has a certificate (profile one_per_device), or
    /// serial number taken
    /// @errors Unavailable  the ledger cannot be written; nothing may be signed
    Result<Recorded> record(Prepared prepared, std::string_view requester, Time now);
    struct Entry {
        Prepared prepared;
        std::string requester;
    };
    /// Many in one durable write, each with its own outcome, in the same order.
    std::vector<Result<Recorded>> record_all(std::vector<Entry> entries, Time now);
    /// Stores the signed certificate durably, before it is handed out.
    virtual Result<> complete(const Certificate& certificate, Time now) = 0;

  protected:
    virtual Result<> append(const Prepared& prepared, std::string_view requester, Time now) = 0;
    /// Default: one after another.
    virtual std::vector<Result<>> append_all(const std::vector<Entry>& entries, Time now);
};

/// A CA that issues: its certificate, key, and the chain up to (and including) the root.
/// Thread-safe.
class Issuer {
  public:
    /// @param chain  CA certificates above `certificate`, nearest first; may be empty for a root
    /// @errors InvalidRequest  key and certificate do not belong together, or the certificate is no
    /// CA
    static Result<Issuer> make(Certificate certificate,
                               PrivateKey key,
                               std::vector<Certificate> chain);

    /// Checks `csr` against `profile` and builds the certificate to be signed; signs nothing.
    /// notAfter is capped at the issuer's own notAfter unless `profile.no_expiry`.
    /// @errors InvalidRequest  self-signature wrong (RFC 2986 4.2), weak or unaccepted key, a name
    /// or extension the
    ///                         profile forbids or misses; `where` = CSR field ("CSR.subject.CN",
    ///                         "CSR.key", …)
    /// @errors InvalidRequest  the lint's finding in the exact bytes; `where` = "certificate.FIELD"
    /// @errors CertificateInvalid  the issuer itself is outside its validity
    Result<Prepared> prepare(const Csr& csr, const Profile& profile, Time now) const;
    /// Signs what was recorded, spending the token, and verifies every certificate against the
    /// issuer's own before it leaves, from the finished bytes. A P-256 key in memory checks by the
    /// equation of verification with the private key in it (ca/p256.h): a fifth of the time, and
    /// as strict. After one wrong signature the issuer signs no more.
    /// @errors Unavailable  the key's device does not answer
    /// @errors Internal  the token is spent or another issuer's; a wrong signature, now or before
    Result<Certificate> sign(Recorded recorded) const;

    /// Refuses these keys in every prepare. Before the issuer is shared between threads. (What an
    /// operator blocks or revokes for compromise, the ledger refuses.)
    void refuse_keys(std::shared_ptr<const WeakKeys> weak) { weak_keys_ = std::move(weak); }

    const Certificate& certificate() const { return certificate_; }
    /// For what a CA signs beside certificates: CRLs, OCSP answers, checkpoints.
    const PrivateKey& key() const { return key_; }
    const std::vector<Certificate>& chain() const { return chain_; }
    /// `leaf` followed by this CA and its chain without the self-signed root, PEM.
    std::string chain_pem(const Certificate& leaf) const;

  private:
    struct SelfCheck;
    Issuer(Certificate certificate, PrivateKey key, std::vector<Certificate> chain);
    Result<> check_not_weak(const Csr& csr) const;
    Certificate certificate_;
    PrivateKey key_;
    std::vector<Certificate> chain_;
    std::shared_ptr<SelfCheck> self_check_;
    std::shared_ptr<SharedPrimes> shared_primes_;
    std::shared_ptr<const WeakKeys> weak_keys_;
};

/// A self-signed root CA for `init`: basicConstraints CA:TRUE, keyCertSign + cRLSign, SKI. No
/// ledger: it is its own.
Result<Certificate> make_root(const PrivateKey& key,
                              std::string_view common_name,
                              std::chrono::seconds validity,
                              Time now);
/// A request for `key` with the given subject (oid, value) and DNS names / IP addresses, signed by
/// the key; PEM.
struct CsrSubject {
    std::vector<std::pair<std::string, std::string>> attributes;
    std::vector<std::string> dns_names;
    std::vector<std::string> ip_addresses;
};
Result<std::string> make_csr(const PrivateKey& key, const CsrSubject& subject);

}  // namespace hatchery::ca
