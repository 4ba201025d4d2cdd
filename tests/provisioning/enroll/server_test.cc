// Stations end to end: the real HTTPS server, curl with client certificates, requests by openssl.
#include "provisioning/enroll/server.h"

#include "provisioning/enroll/answer.h"
#include "tests/provisioning/front_fixture.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace hatchery::enroll {
namespace {

using nlohmann::json;
using test::Front;
using test::Identity;
using test::must;
using test::run;

struct Answer {
    int status = 0;
    std::string type, body;
};

class Enroll : public testing::Test {
  protected:
    Enroll() : server_(start()) {
        front_.folder.write("root.pem", front_.root.certificate().pem());
        url_ = "https://localhost:" + std::to_string(server_->port());
        run("cd " + folder() +
            " && openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "
            "device.key -subj /CN=device-1/serialNumber=SN-1 -out device.csr && openssl req -in "
            "device.csr -outform DER -out device.der");
    }

    std::unique_ptr<Server> start() {
        auto identity = front_.server_identity();
        Options options{.host = "127.0.0.1",
                        .port = 0,
                        .tls_certificate_chain_pem = identity.chain_pem,
                        .tls_key = identity.key};
        return must(Server::start(front_.service, std::move(options)));
    }

    std::string folder() const { return front_.folder.path().string(); }

    /// Makes curl use `identity` from now on.
    void use(const Identity& identity) {
        front_.folder.write("client.pem", identity.chain_pem);
        front_.folder.write("client.key", must(identity.key.to_plain_pem()).text());
        client_ = " --cert " + folder() + "/client.pem --key " + folder() + "/client.key";
    }

    Answer curl(const std::string& path, const std::string& more) const {
        const auto ran =
            run("cd " + folder() + " && curl -s -m 60 -w '\\n%{http_code} %{content_type}'" +
                " --cacert root.pem" + client_ + " " + more + " " + url_ + path);
        const std::size_t end = ran.output.rfind('\n');
        Answer answer;
        answer.body = ran.output.substr(0, end);
        answer.status = std::stoi(ran.output.substr(end + 1));
        answer.type = ran.output.substr(end + 5);
        return answer;
    }

    Answer order(const json& body) const {
        front_.folder.write("order.json", body.dump());
        return curl("/v1/certificates",
                    "-H 'Content-Type: application/json' --data-binary @order.json");
    }

    std::string csr() const { return run("cat " + folder() + "/device.csr").output; }

    void expect_error(const Answer& answer,
                      int status,
                      const std::string& code,
                      const std::string& message,
                      const std::string& where = "") const {
        EXPECT_EQ(answer.status, status) << answer.body;
        EXPECT_EQ(answer.type, "application/json");
        const json body = json::parse(answer.body);
        EXPECT_EQ(body.at("code"), code);
        EXPECT_EQ(body.at("message"), message);
        EXPECT_EQ(body.at("where"), where);
    }

    /// Certificates in the ledger; refusals are rows of it, too.
    std::size_t ledger_size() {
        const auto rows = must(front_.store->read(
            [](store::Reader& reader) { return registry::ledger_rows(reader, 0, 1000); }));
        return static_cast<std::size_t>(
            std::ranges::count(rows, registry::LedgerKind::Issued, &registry::LedgerRow::kind));
    }

    Front front_;
    std::unique_ptr<Server> server_;
    std::string url_, client_;
};

TEST_F(Enroll, SignsAJsonOrder) {
    use(front_.station("line-1", {"device"}));
    const Answer answer = order({{"certificateSigningRequest", csr()}, {"profile", "device"}});
    ASSERT_EQ(answer.status, 201) << answer.body;
    const json body = json::parse(answer.body);
    const auto certificate =
        must(ca::Certificate::from_pem(body.at("certificatePem").get<std::string>()));
    EXPECT_EQ(body.at("certificateId"), certificate.id().hex());
    EXPECT_EQ(body.at("serialNumber"), certificate.serial_hex());
    EXPECT_EQ(body.at("notAfter"), to_iso8601(certificate.fields().not_after));
    EXPECT_EQ(body.at("certificateChain"), front_.issuer.certificate().pem());
    EXPECT_TRUE(ca::check_issued_by(certificate, front_.issuer.certificate(), clock_now()));
    const auto rows = must(front_.store->read(
        [](store::Reader& reader) { return registry::ledger_rows(reader, 0, 1000); }));
    EXPECT_EQ(rows.back().requester, "station:line-1");
    EXPECT_EQ(rows.back().certificate, certificate.id());
}

TEST_F(Enroll, SignsAPlainPemRequest) {
    use(front_.station("line-1", {"device"}));
    const Answer answer = curl("/", "--data-binary @device.csr");
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.type, "application/x-pem-file");
    const auto chain = must(ca::Certificate::all_from_pem(answer.body));
    ASSERT_EQ(chain.size(), 2U);
    EXPECT_EQ(chain[1].id(), front_.issuer.certificate().id());
    front_.folder.write("answer.pem", answer.body);
    EXPECT_EQ(run("cd " + folder() +
                  " && openssl verify -CAfile root.pem -untrusted answer.pem answer.pem")
                  .output,
              "answer.pem: OK\n");
}

TEST_F(Enroll, GivesARepeatTheSameCertificateInAnyForm) {
    use(front_.station("line-1", {"device"}));
    const Answer first = curl("/", "--data-binary @device.csr");
    ASSERT_EQ(first.status, 200) << first.body;
    const std::size_t rows = ledger_size();
    const Answer again = curl("/", "--data-binary @device.csr");
    const Answer as_der = curl("/any/other/path", "--data-binary @device.der");
    const Answer as_json = order({{"certificateSigningRequest", csr()}});
    EXPECT_EQ(again.status, 200);
    EXPECT_EQ(again.body, first.body);
    EXPECT_EQ(as_der.status, 200);
    EXPECT_EQ(as_der.body, first.body);
    EXPECT_EQ(as_json.status, 200);
    EXPECT_EQ(ledger_size(), rows);
}

TEST_F(Enroll, TurnsAwayWhoIsNoStation) {
    expect_error(curl("/", "--data-binary @device.csr"),
                 401,
                 "Unauthenticated",
                 "expected a station's client certificate, found none");

    ca::CsrSubject subject;
    subject.attributes = {{std::string(ca::oid::kCommonName), "device-7"}};
    const Identity device = front_.identity("device", subject);
    use(device);
    expect_error(curl("/", "--data-binary @device.csr"),
                 400,
                 "InvalidRequest",
                 "expected the subject of the present certificate, \"CN=device-7\", found "
                 "\"serialNumber=SN-1,CN=device-1\"",
                 "CSR.subject");

    // Our own, but of a profile that does not renew: shared by many, or not a device's.
    const Identity claim = front_.identity("claim", subject);
    use(claim);
    expect_error(curl("/", "--data-binary @device.csr"),
                 403,
                 "Forbidden",
                 "profile \"claim\" does not renew");
}

TEST_F(Enroll, TurnsAwayADisabledStationAtOnce) {
    use(front_.station("line-1", {"device"}));
    ASSERT_EQ(curl("/", "--data-binary @device.csr").status, 200);
    must(front_.store->write(
        [](store::Tx& tx) { return registry::set_station_enabled(tx, "line-1", false); }));
    expect_error(
        curl("/", "--data-binary @device.csr"), 403, "Forbidden", "station 'line-1' is disabled");
}

TEST_F(Enroll, TurnsAwayAStationCertificateOfAnotherCa) {
    // Registered, but signed by nobody we know: a row alone must not be enough.
    run("cd " + folder() +
        " && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 5 -subj "
        "/CN=line-9 -keyout client.key -out client.pem");
    client_ = " --cert " + folder() + "/client.pem --key " + folder() + "/client.key";
    const auto certificate =
        must(ca::Certificate::from_pem(run("cat " + folder() + "/client.pem").output));
    must(front_.store->write([&](store::Tx& tx) {
        return registry::add_station(tx,
                                     {"line-9", certificate.id(), {"device"}, true, front_.now});
    }));
    const Answer answer = curl("/", "--data-binary @device.csr");
    EXPECT_EQ(answer.status, 403);
    EXPECT_TRUE(json::parse(answer.body)
                    .at("message")
                    .get<std::string>()
                    .starts_with("the certificate of station 'line-9' is not good: "))
        << answer.body;
}

TEST_F(Enroll, HoldsAStationToItsProfiles) {
    use(front_.station("line-1", {"device", "vanished"}));
    const std::size_t rows = ledger_size();
    expect_error(order({{"certificateSigningRequest", csr()}, {"profile", "sub-ca"}}),
                 403,
                 "Forbidden",
                 "station 'line-1' may not use profile 'sub-ca'",
                 "/profile");
    expect_error(order({{"certificateSigningRequest", csr()}, {"profile", "vanished"}}),
                 404,
                 "NotFound",
                 "profile 'vanished' does not exist",
                 "/profile");
    EXPECT_EQ(ledger_size(), rows);
}

TEST_F(Enroll, SaysWhatIsWrongWithAnOrder) {
    use(front_.station("line-1", {"device"}));
    const std::size_t rows = ledger_size();
    expect_error(
        order(json::array()), 400, "InvalidRequest", "expected a JSON object as the request body");
    expect_error(order(json::object()),
                 400,
                 "InvalidRequest",
                 "expected a string, found nothing",
                 "/certificateSigningRequest");
    expect_error(order({{"certificateSigningRequest", 7}}),
                 400,
                 "InvalidRequest",
                 "expected a string",
                 "/certificateSigningRequest");
    const Answer garbage = curl("/", "--data-binary not-a-csr");
    EXPECT_EQ(garbage.status, 400);
    EXPECT_EQ(json::parse(garbage.body).at("where"), "CSR");
    expect_error(curl("/", "-X GET"), 405, "NotImplemented", "expected POST, found GET");

    run("cd " + folder() +
        " && openssl req -new -newkey rsa:1024 -nodes -keyout weak.key -subj /CN=d -out weak.csr");
    const Answer weak = curl("/", "--data-binary @weak.csr");
    EXPECT_EQ(weak.status, 400) << weak.body;
    EXPECT_EQ(json::parse(weak.body).at("code"), "InvalidRequest");
    // The last byte is part of the self-signature.
    run("cd " + folder() +
        " && head -c -1 device.der > broken.der && printf '\\001' >> broken.der");
    const Answer broken = curl("/", "--data-binary @broken.der");
    EXPECT_EQ(broken.status, 400) << broken.body;
    EXPECT_EQ(ledger_size(), rows);
}

TEST_F(Enroll, RefusesABodyThatIsTooLarge) {
    use(front_.station("line-1", {"device"}));
    run("head -c 131073 /dev/zero > " + folder() + "/large");
    expect_error(curl("/", "--data-binary @large"),
                 413,
                 "InvalidRequest",
                 "expected a request body of at most 128 KiB");
}

TEST(EnrollStatus, IsThereForEveryCode) {
    const int expected[] = {400,
                            401,
                            403,
                            404,
                            409,
                            409,
                            409,
                            429,
                            409,
                            409,
                            400,
                            409,
                            409,
                            400,
                            400,
                            429,
                            405,
                            503,
                            500};
    ASSERT_EQ(std::size(expected), static_cast<std::size_t>(Code::Internal) + 1);
    for (std::size_t i = 0; i < std::size(expected); ++i) {
        EXPECT_EQ(status_of(static_cast<Code>(i)), expected[i]) << to_string(static_cast<Code>(i));
    }
}

}  // namespace
}  // namespace hatchery::enroll
