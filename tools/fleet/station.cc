#include "tools/fleet/station.h"

#include <httplib.h>
#include <nlohmann/json.hpp>
#include <openssl/pem.h>
#include <openssl/x509.h>

namespace hatchery::fleet {

namespace {

using RequestPtr = std::unique_ptr<X509_REQ, decltype(&X509_REQ_free)>;
using BioPtr = std::unique_ptr<BIO, decltype(&BIO_free)>;

bool add(X509_NAME* name, const char* field, const std::string& value) {
    if (value.empty()) return true;
    const auto* bytes = reinterpret_cast<const unsigned char*>(value.data());
    return X509_NAME_add_entry_by_txt(
               name, field, MBSTRING_UTF8, bytes, static_cast<int>(value.size()), -1, 0) == 1;
}

bool fill_subject(X509_NAME* name, const Subject& subject, const std::string& serial_number) {
    return add(name, "O", subject.organization) && add(name, "OU", subject.organizational_unit) &&
           add(name, "dnQualifier", subject.dn_qualifier) && add(name, "CN", subject.common_name) &&
           (!subject.has_serial_number || add(name, "serialNumber", serial_number));
}

/// What the server said: a member of its JSON answer, or the text itself.
std::string message_of(const httplib::Response& response) {
    const auto json = nlohmann::json::parse(response.body, nullptr, false);
    for (const char* key : {"message", "Message", "error"}) {
        if (json.is_object() && json.contains(key) && json[key].is_string()) {
            return json[key].get<std::string>();
        }
    }
    const auto end = response.body.find_last_not_of(" \r\n");
    return response.body.substr(0,
                                end == std::string::npos ? 0 : std::min<std::size_t>(end + 1, 300));
}

template <class SetSubject>
Result<std::string> make_csr_with(const ca::PrivateKey& key, const SetSubject& set_subject) {
    const RequestPtr request(X509_REQ_new(), X509_REQ_free);
    const BioPtr text(BIO_new(BIO_s_mem()), BIO_free);
    const bool is_made =
        request && text && X509_REQ_set_version(request.get(), X509_REQ_VERSION_1) &&
        set_subject(request.get()) && X509_REQ_set_pubkey(request.get(), key.handle()) == 1 &&
        X509_REQ_sign(request.get(), key.handle(), EVP_sha256()) > 0 &&
        PEM_write_bio_X509_REQ(text.get(), request.get()) == 1;
    if (!is_made) return fail(Code::Internal, "can't make a CSR");
    char* data = nullptr;
    const long size = BIO_ctrl(text.get(), BIO_CTRL_INFO, 0, &data);
    return std::string(data, static_cast<std::size_t>(size));
}

}  // namespace

Result<std::string> make_csr(const ca::PrivateKey& key,
                             const Subject& subject,
                             const std::string& serial_number) {
    return make_csr_with(key, [&](X509_REQ* request) {
        return fill_subject(X509_REQ_get_subject_name(request), subject, serial_number);
    });
}

Result<std::string> make_next_csr(const ca::PrivateKey& key, const ca::Certificate& present) {
    return make_csr_with(key, [&](X509_REQ* request) {
        return X509_REQ_set_subject_name(request, X509_get_subject_name(present.handle())) == 1;
    });
}

struct Station::Impl {
    Impl(const Server& server, const Identity& identity)
        : client(server.host,
                 server.https_port,
                 identity.chain.front().handle(),
                 identity.key.handle()) {}
    httplib::SSLClient client;
};

Station::Station(const Server& server, const Identity& identity, std::chrono::seconds timeout)
    : impl_(std::make_unique<Impl>(server, identity)) {
    auto& client = impl_->client;
    if (!server.ca_file.empty()) client.set_ca_cert_path(server.ca_file);
    client.enable_server_certificate_verification(true);
    client.set_keep_alive(true);
    client.set_tcp_nodelay(true);
    client.set_connection_timeout(timeout);
    client.set_read_timeout(timeout);
    client.set_write_timeout(timeout);
}

Station::~Station() = default;

Result<std::string> Station::sign(const std::string& csr_pem) {
    const auto response = impl_->client.Post("/", csr_pem, "application/x-pem-file");
    if (!response) {
        return fail(Code::Unavailable,
                    "no answer of the factory endpoint: " + httplib::to_string(response.error()));
    }
    if (response->status == 200 || response->status == 201) return response->body;
    const bool is_busy = response->status == 429 || response->status == 503;
    return fail(is_busy ? Code::Throttled : Code::Forbidden,
                message_of(*response),
                "HTTP " + std::to_string(response->status));
}

}  // namespace hatchery::fleet
