// CA keys in a hardware security module, through PKCS#11 (OASIS, version 2.40): the module's own C
// interface, no engine and no provider of OpenSSL between. Engines are deprecated, Debian 12 has no
// PKCS#11 provider, and both hide the sessions, which are what fails on a shop floor.
//
// One log-in, a pool of sessions, no log-in a signature. After a lost session, a token that logged
// us out, or a module that was restarted, the next signature opens everything again.
#pragma once

#include "ca/key.h"

#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace hatchery::ca {

/// Where a key is: RFC 7512's "pkcs11:token=LABEL;object=LABEL?module-path=/usr/lib/….so".
struct Pkcs11Uri {
    std::string module;  ///< path of the module (module-path)
    std::string token;   ///< the token's label
    std::string object;  ///< the label (CKA_LABEL) of private and public key
    /// Attributes may be in any order, "%XX" is decoded; others than these three are refused, a PIN
    /// in the text above all. @errors InvalidRequest
    static Result<Pkcs11Uri> parse(std::string_view text);
    std::string to_string() const;
};

/// A token, logged in. Copies share it. Thread-safe.
class Pkcs11Token {
  public:
    struct Health {
        std::size_t open_sessions = 0;
        std::uint64_t recoveries = 0;  ///< times that everything was opened again
        std::string problem;           ///< what the last attempt said; empty: none
    };

    /// Loads the module and logs in. @param sessions  at most so many at once; others wait
    /// @errors Unavailable      no such module or token, the module does not start
    /// @errors Unauthenticated  the PIN is wrong or locked
    static Result<Pkcs11Token> open(std::string_view module,
                                    std::string_view token,
                                    const Secret& pin,
                                    std::size_t sessions = 16);

    /// @errors NotFound  no key, or several, with this label; InvalidRequest  a key that is neither
    /// RSA nor P-256 nor P-384
    Result<PrivateKey> key(std::string_view label) const;
    /// Makes a key pair inside the token, not extractable. RSA, P-256 or P-384.
    /// @errors AlreadyExists  the label is taken; InvalidRequest  another kind
    Result<PrivateKey> generate(KeyKind kind, std::string_view label) const;
    /// Asks the token for a session's state. For `hatchery status`.
    Health health() const;

  private:
    struct State;
    class Key;
    explicit Pkcs11Token(std::shared_ptr<State> state) : state_(std::move(state)) {}
    std::shared_ptr<State> state_;
};

/// A private key file: PEM, opened with `passphrase`, or one line with a Pkcs11Uri, whose token
/// `passphrase` opens as its PIN. Tokens are opened once a process.
/// @errors those of PrivateKey::from_pem and Pkcs11Token
Result<PrivateKey> read_private_key(std::string_view file, const Secret& passphrase);

/// Makes a key pair inside the token that `uri` names, under its object's label; the private half
/// can never be read. @errors those of Pkcs11Uri::parse and Pkcs11Token
Result<PrivateKey> make_device_key(KeyKind kind, std::string_view uri, const Secret& pin);

/// The health of every token that the two have opened in this process, by its label.
std::map<std::string, Pkcs11Token::Health> open_tokens();

}  // namespace hatchery::ca
