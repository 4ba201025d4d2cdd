// The one error type. A function that can fail returns Result<T>; each front has one function that
// turns an Error into its own wire form. Nothing here does I/O; this folder is below every other.
#pragma once

#include <tl/expected.hpp>

#include <string>
#include <string_view>
#include <utility>

namespace hatchery {

/// What the caller can do about an error. Names follow AWS IoT's exceptions where one exists.
enum class Code {
    InvalidRequest,         ///< the input is wrong; sending it again will not help
    Unauthenticated,        ///< who is asking could not be established
    Forbidden,              ///< the asker is known and may not
    NotFound,               ///< the named thing does not exist
    AlreadyExists,          ///< it exists with other content; `resource` is its ARN
    Conflict,               ///< the present state does not allow it
    DeleteConflict,         ///< still attached or in use
    LimitExceeded,          ///< a fixed limit of the service
    VersionsLimitExceeded,  ///< no further version of this object fits
    VersionConflict,        ///< expectedVersion is not the current version
    CertificateInvalid,     ///< CertificateValidationException
    CertificateState,     ///< CertificateStateException: the certificate's status does not allow it
    CertificateConflict,  ///< CertificateConflictException: several CAs with this subject
    RegistrationCodeInvalid,  ///< RegistrationCodeValidationException
    MalformedPolicy,          ///< MalformedPolicyException
    Throttled,                ///< too many requests of this identity; retry later
    NotImplemented,           ///< a known operation that this version does not have
    Unavailable,              ///< a part that is needed does not answer; retry later
    Internal,                 ///< our fault; the message is for the log, never for the wire
};

/// The enumerator's own spelling, for logs and tests.
std::string_view to_string(Code code);

struct Error {
    Code code = Code::Internal;
    std::string message;   ///< what was expected, what was found; no secret, no full stop
    std::string where;     ///< JSON pointer, "line:column", CSR field, or empty
    std::string resource;  ///< ARN of the object in the way (AlreadyExists), or empty
};

/// `message`, with `where` in front when there is one; what a person reads.
std::string to_string(const Error& error);

/// A T or an Error. Dropping one is a compile error.
template <class T = void>
class [[nodiscard]] Result : public tl::expected<T, Error> {
    using Base = tl::expected<T, Error>;

  public:
    using Base::Base;
    Result(Base base) : Base(std::move(base)) {}
    Result(Error error) : Base(tl::unexpect, std::move(error)) {}
};

/// Shorthand for `Error{code, message, where}` at a return.
inline Error fail(Code code, std::string message, std::string where = {}) {
    return Error{code, std::move(message), std::move(where), {}};
}

}  // namespace hatchery
