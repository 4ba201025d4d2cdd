#include "ca/pkcs11.h"

#include "ca/der.h"
#include "ca/openssl.h"

#include <dlfcn.h>
#include <p11-kit/pkcs11.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstdio>
#include <map>
#include <mutex>

namespace hatchery::ca {

namespace {

constexpr std::size_t kMaxAttribute = 4096;
constexpr int kAttempts = 3;

constexpr std::array<std::uint8_t, 10> kP256Parameters{
    0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
constexpr std::array<std::uint8_t, 7> kP384Parameters{0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22};

std::string pkcs11_reason(CK_RV code) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "PKCS#11 error 0x%lx", code);
    switch (code) {
        case CKR_TOKEN_NOT_PRESENT:
        case CKR_DEVICE_REMOVED:
            return "the token is not there";
        case CKR_DEVICE_ERROR:
            return "the device reports an error";
        case CKR_SESSION_COUNT:
            return "the token has no session left";
        case CKR_PIN_INCORRECT:
            return "the PIN is wrong";
        case CKR_PIN_LOCKED:
            return "the PIN is locked";
        default:
            return text.data();
    }
}

Error unavailable(std::string what, CK_RV code) {
    return fail(Code::Unavailable, "HSM: " + std::move(what) + ": " + pkcs11_reason(code));
}

/// Worth opening everything again? What the caller did wrong is not.
bool is_lost(CK_RV code) {
    switch (code) {
        case CKR_SESSION_HANDLE_INVALID:
        case CKR_SESSION_CLOSED:
        case CKR_USER_NOT_LOGGED_IN:
        case CKR_CRYPTOKI_NOT_INITIALIZED:
        case CKR_DEVICE_ERROR:
        case CKR_DEVICE_MEMORY:
        case CKR_DEVICE_REMOVED:
        case CKR_TOKEN_NOT_PRESENT:
        case CKR_TOKEN_NOT_RECOGNIZED:
        case CKR_KEY_HANDLE_INVALID:
        case CKR_OBJECT_HANDLE_INVALID:
        case CKR_GENERAL_ERROR:
        case CKR_FUNCTION_FAILED:
        case CKR_OPERATION_ACTIVE:
            return true;
        default:
            return false;
    }
}

/// A loaded module; one a path and process, never unloaded: its threads may outlive us.
Result<CK_FUNCTION_LIST_PTR> load_module(const std::string& path) {
    static std::mutex mutex;
    static std::map<std::string, CK_FUNCTION_LIST_PTR> loaded;
    const std::lock_guard lock(mutex);
    if (const auto known = loaded.find(path); known != loaded.end()) return known->second;
    void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
        // One thread at a time gets here, and dlerror is a thread's own.
        const char* reason = ::dlerror();  // NOLINT(concurrency-mt-unsafe)
        return fail(Code::Unavailable,
                    "HSM: cannot load the module: " + std::string(reason ? reason : path));
    }
    CK_FUNCTION_LIST_PTR functions = nullptr;
    const auto get = reinterpret_cast<CK_C_GetFunctionList>(::dlsym(library, "C_GetFunctionList"));
    if (get == nullptr || get(&functions) != CKR_OK || functions == nullptr) {
        return fail(Code::Unavailable, "HSM: " + path + " is no PKCS#11 module");
    }
    loaded.emplace(path, functions);
    return functions;
}

CK_RV initialise(CK_FUNCTION_LIST_PTR module) {
    CK_C_INITIALIZE_ARGS arguments{};
    arguments.flags = CKF_OS_LOCKING_OK;
    const CK_RV code = module->C_Initialize(&arguments);
    return code == CKR_CRYPTOKI_ALREADY_INITIALIZED ? CKR_OK : code;
}

/// Fixed-size fields are padded with blanks.
std::string_view trimmed(const CK_UTF8CHAR* text, std::size_t size) {
    std::string_view view = text_of({text, size});
    while (!view.empty() && (view.back() == ' ' || view.back() == '\0'))
        view.remove_suffix(1);
    return view;
}

Result<CK_SLOT_ID> find_slot(CK_FUNCTION_LIST_PTR module, const std::string& label) {
    std::vector<CK_SLOT_ID> slots(256);
    CK_ULONG count = slots.size();
    const CK_RV code = module->C_GetSlotList(1, slots.data(), &count);
    if (code != CKR_OK) return unavailable("cannot list the slots", code);
    slots.resize(count);
    for (const auto slot : slots) {
        CK_TOKEN_INFO info{};
        if (module->C_GetTokenInfo(slot, &info) != CKR_OK) continue;
        if (trimmed(info.label, sizeof info.label) == label) return slot;
    }
    return fail(Code::Unavailable, "HSM: there is no token \"" + label + "\"");
}

template <class T>
CK_ATTRIBUTE attribute(CK_ATTRIBUTE_TYPE type, T& value) {
    return {type, &value, sizeof value};
}
/// The module only reads what it is given here.
CK_ATTRIBUTE attribute(CK_ATTRIBUTE_TYPE type, ByteView value) {
    return {
        type,
        const_cast<std::uint8_t*>(value.data()),  // NOLINT(cppcoreguidelines-pro-type-const-cast)
        value.size()};
}

}  // namespace

/// What threads share: the pool. `mutex` guards every member below it; no signature is made under
/// it.
struct Pkcs11Token::State {
    CK_FUNCTION_LIST_PTR module = nullptr;
    std::string label;
    Secret pin;
    std::size_t limit = 1;

    mutable std::mutex mutex;
    std::condition_variable returned;
    std::vector<CK_SESSION_HANDLE> idle;
    std::size_t open = 0;
    std::size_t leased = 0;  ///< sessions that threads hold now
    bool is_recovering = false;
    bool was_open = false;
    std::uint64_t generation = 0;  ///< sessions and object handles of an earlier one are void
    CK_SLOT_ID slot = 0;
    std::string problem;

    struct Lease {
        CK_SESSION_HANDLE session = 0;
        std::uint64_t generation = 0;
    };

    Result<> log_in();
    Result<CK_SESSION_HANDLE> open_session();
    Result<Lease> acquire();
    void release(const Lease& lease);
    void recover(const Lease& lease);
    template <class Use>
    Result<> with_session(std::string_view what, Use use);
    bool is_logged_in(CK_SESSION_HANDLE session) const;
    Result<CK_OBJECT_HANDLE> find(CK_SESSION_HANDLE session,
                                  CK_OBJECT_CLASS type,
                                  CK_ATTRIBUTE_TYPE by,
                                  ByteView value,
                                  CK_RV& code) const;
    std::optional<Bytes> read(CK_SESSION_HANDLE session,
                              CK_OBJECT_HANDLE object,
                              CK_ATTRIBUTE_TYPE type) const;
};

/// Under `mutex`, or before the state is shared.
Result<CK_SESSION_HANDLE> Pkcs11Token::State::open_session() {
    CK_SESSION_HANDLE session = 0;
    const CK_RV code = module->C_OpenSession(
        slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, nullptr, nullptr, &session);
    if (code != CKR_OK) return unavailable("cannot open a session", code);
    return session;
}

/// Finds the token, opens the first session and logs in: the log-in lasts while a session is open.
Result<> Pkcs11Token::State::log_in() {
    if (const CK_RV code = initialise(module); code != CKR_OK) {
        return unavailable("the module does not start", code);
    }
    auto found = find_slot(module, label);
    if (!found && was_open) {
        // Many modules look for tokens only when they start: one that was away is seen after that.
        static_cast<void>(module->C_Finalize(nullptr));
        if (const CK_RV code = initialise(module); code != CKR_OK) {
            return unavailable("the module does not start", code);
        }
        found = find_slot(module, label);
    }
    if (!found) return std::move(found).error();
    was_open = true;
    slot = *found;
    auto session = open_session();
    if (!session) return std::move(session).error();
    Secret copy = pin.duplicate();
    const ByteView digits = copy.view();
    const CK_RV code = module->C_Login(
        *session,
        CKU_USER,
        const_cast<CK_UTF8CHAR*>(digits.data()),  // NOLINT(cppcoreguidelines-pro-type-const-cast)
        digits.size());
    if (code != CKR_OK && code != CKR_USER_ALREADY_LOGGED_IN) {
        static_cast<void>(module->C_CloseSession(*session));
        const bool refused = code == CKR_PIN_INCORRECT || code == CKR_PIN_LOCKED ||
                             code == CKR_PIN_LEN_RANGE || code == CKR_PIN_INVALID;
        return fail(refused ? Code::Unauthenticated : Code::Unavailable,
                    "HSM: cannot log in to the token \"" + label + "\": " + pkcs11_reason(code));
    }
    idle.push_back(*session);
    open = 1;
    return {};
}

Result<Pkcs11Token::State::Lease> Pkcs11Token::State::acquire() {
    std::unique_lock lock(mutex);
    for (;;) {
        if (is_recovering) {
            returned.wait(lock);
            continue;
        }
        if (open == 0) {  // the last attempt to open everything failed
            if (auto again = log_in(); !again) {
                problem = again.error().message;
                return std::move(again).error();
            }
            problem.clear();
        }
        if (!idle.empty()) {
            const Lease lease{idle.back(), generation};
            idle.pop_back();
            ++leased;
            return lease;
        }
        if (open >= limit) {
            returned.wait(lock);
            continue;
        }
        if (auto session = open_session(); session) {
            ++open;
            ++leased;
            return Lease{*session, generation};
        }
        // The token has fewer sessions than we would like: make do with those that are open.
        limit = open;
    }
}

void Pkcs11Token::State::release(const Lease& lease) {
    const std::lock_guard lock(mutex);
    --leased;
    if (lease.generation == generation) idle.push_back(lease.session);
    returned.notify_all();
}

/// Once for all threads whose sessions were lost together; the first of them does it, when the
/// others have come back: modules crash when a session is closed that is in use.
void Pkcs11Token::State::recover(const Lease& lease) {
    std::unique_lock lock(mutex);
    --leased;
    returned.notify_all();
    if (lease.generation != generation) return;
    ++generation;
    is_recovering = true;
    returned.wait(lock, [this] { return leased == 0; });
    static_cast<void>(module->C_CloseAllSessions(slot));
    idle.clear();
    open = 0;
    if (auto again = log_in(); again) {
        problem.clear();
    } else {
        problem = again.error().message;
    }
    is_recovering = false;
    returned.notify_all();
}

/// `use(session, code)` returns nothing where `code` says what went wrong.
template <class Use>
Result<> Pkcs11Token::State::with_session(std::string_view what, Use use) {
    CK_RV code = CKR_OK;
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
        auto lease = acquire();
        if (!lease) return std::move(lease).error();
        code = CKR_OK;
        Result<> done = use(*lease, code);
        if (code == CKR_OK || !is_lost(code)) {
            release(*lease);
            if (code == CKR_OK) return done;
            break;
        }
        recover(*lease);
    }
    return unavailable(std::string(what), code);
}

/// A session that was opened between a log-out and our recovery works, but sees no private key.
bool Pkcs11Token::State::is_logged_in(CK_SESSION_HANDLE session) const {
    CK_SESSION_INFO info{};
    return module->C_GetSessionInfo(session, &info) == CKR_OK &&
           (info.state == CKS_RW_USER_FUNCTIONS || info.state == CKS_RO_USER_FUNCTIONS);
}

/// The one object of this class with this label or id. @errors NotFound  none, or several
Result<CK_OBJECT_HANDLE> Pkcs11Token::State::find(CK_SESSION_HANDLE session,
                                                  CK_OBJECT_CLASS type,
                                                  CK_ATTRIBUTE_TYPE by,
                                                  ByteView value,
                                                  CK_RV& code) const {
    std::array<CK_ATTRIBUTE, 2> wanted{attribute(CKA_CLASS, type), attribute(by, value)};
    code = module->C_FindObjectsInit(session, wanted.data(), wanted.size());
    if (code != CKR_OK) return unavailable("cannot search", code);
    std::array<CK_OBJECT_HANDLE, 2> found{};
    CK_ULONG count = 0;
    code = module->C_FindObjects(session, found.data(), found.size(), &count);
    static_cast<void>(module->C_FindObjectsFinal(session));
    if (code != CKR_OK) return unavailable("cannot search", code);
    if (count == 1) return found[0];
    if (type == CKO_PRIVATE_KEY && !is_logged_in(session)) {
        code = CKR_USER_NOT_LOGGED_IN;
        return unavailable("cannot search", code);
    }
    return fail(Code::NotFound,
                "HSM: the token \"" + label + "\" has " + (count == 0 ? "no" : "more than one") +
                    (type == CKO_PRIVATE_KEY ? " private" : " public") + " key of this name");
}

std::optional<Bytes> Pkcs11Token::State::read(CK_SESSION_HANDLE session,
                                              CK_OBJECT_HANDLE object,
                                              CK_ATTRIBUTE_TYPE type) const {
    Bytes value(kMaxAttribute);
    CK_ATTRIBUTE wanted{type, value.data(), value.size()};
    if (module->C_GetAttributeValue(session, object, &wanted, 1) != CKR_OK) return std::nullopt;
    if (wanted.ulValueLen > value.size()) return std::nullopt;
    value.resize(wanted.ulValueLen);
    return value;
}

namespace {

Bytes rsa_public_key(ByteView modulus, ByteView exponent) {
    const Bytes algorithm = der::sequence(
        {der::oid("1.2.840.113549.1.1.1").value_or(Bytes{}), der::tlv(der::kNullTag, {})});
    const Bytes key = der::sequence({der::integer(modulus), der::integer(exponent)});
    return der::sequence({algorithm, der::bit_string(key)});
}

/// CKA_EC_POINT is an OCTET STRING around the point; some modules leave that out.
Bytes ec_public_key(ByteView parameters, ByteView point) {
    const auto inside = der::only(der::kOctetString, point);
    const Bytes algorithm =
        der::sequence({der::oid("1.2.840.10045.2.1").value_or(Bytes{}), parameters});
    return der::sequence({algorithm, der::bit_string(inside ? *inside : point)});
}

/// ECDSA-Sig-Value of the two halves that PKCS#11 gives.
Bytes ecdsa_value(ByteView raw) {
    const std::size_t half = raw.size() / 2;
    return der::sequence({der::integer(raw.first(half)), der::integer(raw.subspan(half))});
}

enum class DeviceKeyKind { Rsa, P256, P384 };

}  // namespace

/// The private key of one label. Its object handle is looked up once a generation.
class Pkcs11Token::Key : public KeyDevice {
  public:
    Key(std::shared_ptr<State> state, Bytes id, DeviceKeyKind kind)
        : state_(std::move(state)), id_(std::move(id)), kind_(kind) {}

    Result<Bytes> sign(ByteView message) const override {
        Bytes signature;
        Bytes input = to_bytes(message);
        if (kind_ != DeviceKeyKind::Rsa) {
            input.resize(kind_ == DeviceKeyKind::P256 ? 32 : 48);
            const EVP_MD* digest = kind_ == DeviceKeyKind::P256 ? EVP_sha256() : EVP_sha384();
            if (EVP_Digest(
                    message.data(), message.size(), input.data(), nullptr, digest, nullptr) != 1) {
                return fail(Code::Internal, "cannot hash: " + drain_openssl_errors());
            }
        }
        auto done =
            state_->with_session("cannot sign", [&](const State::Lease& lease, CK_RV& code) {
                return sign_in(lease, input, signature, code);
            });
        if (!done) return std::move(done).error();
        if (kind_ == DeviceKeyKind::Rsa) return signature;
        if (signature.empty() || signature.size() % 2 != 0) {
            return fail(Code::Unavailable, "HSM: it gave a signature of a wrong size");
        }
        return ecdsa_value(signature);
    }

  private:
    Result<> sign_in(const State::Lease& lease, Bytes& input, Bytes& signature, CK_RV& code) const {
        const auto object = handle_in(lease, code);
        if (code != CKR_OK) return {};
        if (!object) return std::move(object).error();
        CK_MECHANISM mechanism{};
        mechanism.mechanism = kind_ == DeviceKeyKind::Rsa ? CKM_SHA256_RSA_PKCS : CKM_ECDSA;
        code = state_->module->C_SignInit(lease.session, &mechanism, *object);
        if (code != CKR_OK) return {};
        signature.resize(1024);
        CK_ULONG size = signature.size();
        code = state_->module->C_Sign(
            lease.session, input.data(), input.size(), signature.data(), &size);
        if (code == CKR_OK) signature.resize(size);
        return {};
    }

    Result<CK_OBJECT_HANDLE> handle_in(const State::Lease& lease, CK_RV& code) const {
        {
            const std::lock_guard lock(mutex_);
            if (found_ && found_generation_ == lease.generation) return object_;
        }
        auto object = state_->find(lease.session, CKO_PRIVATE_KEY, CKA_ID, id_, code);
        if (!object) return object;
        const std::lock_guard lock(mutex_);
        found_ = true;
        object_ = *object;
        found_generation_ = lease.generation;
        return object_;
    }

    std::shared_ptr<State> state_;
    Bytes id_;
    DeviceKeyKind kind_;
    mutable std::mutex mutex_;  ///< guards the three below
    mutable bool found_ = false;
    mutable CK_OBJECT_HANDLE object_ = 0;
    mutable std::uint64_t found_generation_ = 0;
};

Result<Pkcs11Token> Pkcs11Token::open(std::string_view module,
                                      std::string_view token,
                                      const Secret& pin,
                                      std::size_t sessions) {
    auto functions = load_module(std::string(module));
    if (!functions) return std::move(functions).error();
    auto state = std::make_shared<State>();
    state->module = *functions;
    state->label = token;
    state->pin = pin.duplicate();
    state->limit = std::max<std::size_t>(sessions, 1);
    if (auto logged_in = state->log_in(); !logged_in) return std::move(logged_in).error();
    return Pkcs11Token(std::move(state));
}

Result<PrivateKey> Pkcs11Token::key(std::string_view label) const {
    Bytes public_key;
    Bytes id;
    std::optional<DeviceKeyKind> kind;
    auto done = state_->with_session(
        "cannot read the key", [&](const State::Lease& lease, CK_RV& code) -> Result<> {
            auto hidden =
                state_->find(lease.session, CKO_PRIVATE_KEY, CKA_LABEL, bytes_of(label), code);
            if (!hidden) return std::move(hidden).error();
            auto found_id = state_->read(lease.session, *hidden, CKA_ID);
            if (!found_id || found_id->empty()) {
                return fail(Code::NotFound, "HSM: the key has no CKA_ID to find its other half by");
            }
            id = std::move(*found_id);
            auto shown = state_->find(lease.session, CKO_PUBLIC_KEY, CKA_ID, id, code);
            if (!shown) return std::move(shown).error();
            const auto modulus = state_->read(lease.session, *shown, CKA_MODULUS);
            const auto exponent = state_->read(lease.session, *shown, CKA_PUBLIC_EXPONENT);
            const auto parameters = state_->read(lease.session, *shown, CKA_EC_PARAMS);
            const auto point = state_->read(lease.session, *shown, CKA_EC_POINT);
            if (modulus && exponent) {
                kind = DeviceKeyKind::Rsa;
                public_key = rsa_public_key(*modulus, *exponent);
            } else if (parameters && point) {
                if (std::ranges::equal(*parameters, kP256Parameters)) kind = DeviceKeyKind::P256;
                if (std::ranges::equal(*parameters, kP384Parameters)) kind = DeviceKeyKind::P384;
                public_key = ec_public_key(*parameters, *point);
            }
            return {};
        });
    if (!done) return std::move(done).error();
    if (!kind) {
        return fail(Code::InvalidRequest, "HSM: expected a key of RSA, P-256 or P-384");
    }
    return PrivateKey::in_device(public_key, std::make_shared<const Key>(state_, id, *kind));
}

Result<PrivateKey> Pkcs11Token::generate(KeyKind kind, std::string_view label) const {
    const bool rsa =
        kind == KeyKind::Rsa2048 || kind == KeyKind::Rsa3072 || kind == KeyKind::Rsa4096;
    if (!rsa && kind != KeyKind::P256 && kind != KeyKind::P384) {
        return fail(Code::InvalidRequest, "HSM: expected a key of RSA, P-256 or P-384");
    }
    if (auto taken = key(label); taken || taken.error().code != Code::NotFound) {
        if (!taken) return taken;
        return fail(Code::AlreadyExists, "HSM: there is a key of this name");
    }
    auto done = state_->with_session(
        "cannot make a key", [&](const State::Lease& lease, CK_RV& code) -> Result<> {
            CK_BBOOL yes = 1;
            CK_BBOOL no = 0;
            CK_ULONG bits = kind == KeyKind::Rsa4096   ? 4096
                            : kind == KeyKind::Rsa3072 ? 3072
                                                       : 2048;
            std::array<std::uint8_t, 3> exponent{1, 0, 1};
            const ByteView curve =
                kind == KeyKind::P256 ? ByteView(kP256Parameters) : ByteView(kP384Parameters);
            std::vector<CK_ATTRIBUTE> shown{attribute(CKA_TOKEN, yes),
                                            attribute(CKA_VERIFY, yes),
                                            attribute(CKA_LABEL, bytes_of(label)),
                                            attribute(CKA_ID, bytes_of(label))};
            if (rsa) {
                shown.push_back(attribute(CKA_MODULUS_BITS, bits));
                shown.push_back(attribute(CKA_PUBLIC_EXPONENT, ByteView(exponent)));
            } else {
                shown.push_back(attribute(CKA_EC_PARAMS, curve));
            }
            std::vector<CK_ATTRIBUTE> hidden{attribute(CKA_TOKEN, yes),
                                             attribute(CKA_PRIVATE, yes),
                                             attribute(CKA_SENSITIVE, yes),
                                             attribute(CKA_EXTRACTABLE, no),
                                             attribute(CKA_SIGN, yes),
                                             attribute(CKA_LABEL, bytes_of(label)),
                                             attribute(CKA_ID, bytes_of(label))};
            CK_MECHANISM mechanism{};
            mechanism.mechanism = rsa ? CKM_RSA_PKCS_KEY_PAIR_GEN : CKM_EC_KEY_PAIR_GEN;
            CK_OBJECT_HANDLE handles[2] = {0, 0};
            code = state_->module->C_GenerateKeyPair(lease.session,
                                                     &mechanism,
                                                     shown.data(),
                                                     shown.size(),
                                                     hidden.data(),
                                                     hidden.size(),
                                                     &handles[0],
                                                     &handles[1]);
            return {};
        });
    if (!done) return std::move(done).error();
    return key(label);
}

Pkcs11Token::Health Pkcs11Token::health() const {
    auto asked = state_->with_session(
        "cannot ask for the session's state", [&](const State::Lease& lease, CK_RV& code) {
            CK_SESSION_INFO info{};
            code = state_->module->C_GetSessionInfo(lease.session, &info);
            const bool logged_in = info.state == CKS_RW_USER_FUNCTIONS;
            if (code == CKR_OK && !logged_in) code = CKR_USER_NOT_LOGGED_IN;
            return Result<>{};
        });
    const std::lock_guard lock(state_->mutex);
    return {state_->open, state_->generation, asked ? std::string() : asked.error().message};
}

}  // namespace hatchery::ca
