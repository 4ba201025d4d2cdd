#include "tools/hatchery/ledger_file.h"

#include "ca/statement.h"

#include <nlohmann/json.hpp>

#include <sstream>

namespace hatchery::command {

namespace {

using nlohmann::json;

std::string text_in(const json& object, const char* key) {
    const auto member = object.find(key);
    return member != object.end() && member->is_string() ? member->get<std::string>()
                                                         : std::string();
}

Result<Bytes> hex_in(const json& object, const char* key) {
    auto bytes = from_hex(text_in(object, key));
    if (!bytes) bytes.error().where = std::string("/") + key;
    return bytes;
}

std::int64_t number_in(const json& object, const char* key) {
    const auto member = object.find(key);
    return member != object.end() && member->is_number_integer() ? member->get<std::int64_t>() : -1;
}

}  // namespace

std::string to_json_line(const registry::LedgerRow& row) {
    nlohmann::ordered_json object{{"sequence", row.sequence},
                                  {"kind", registry::to_string(row.kind)},
                                  {"recorded", row.recorded.time_since_epoch().count()},
                                  {"time", to_iso8601(row.recorded)},
                                  {"issuer", row.issuer.hex()},
                                  {"serialNumber", to_hex(row.serial_number)},
                                  {"profile", row.profile},
                                  {"requester", row.requester},
                                  {"deviceSerial", row.device_serial}};
    if (row.kind == registry::LedgerKind::Issued) {
        object["tbs"] = to_base64(row.tbs);
        if (row.certificate) {
            object["certificateId"] = row.certificate->hex();
            object["certificate"] = to_base64(row.certificate_der);
        }
    } else {
        object["detail"] = row.detail;
    }
    object["previousHash"] = to_hex(row.previous_hash);
    object["hash"] = to_hex(row.hash);
    return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<registry::LedgerRow> parse_json_line(std::string_view line) {
    const json object = json::parse(line, nullptr, false);
    if (!object.is_object()) return fail(Code::InvalidRequest, "expected a JSON object a line");
    registry::LedgerRow row;
    row.sequence = number_in(object, "sequence");
    auto kind = registry::parse_ledger_kind(text_in(object, "kind"));
    if (!kind) return std::move(kind).error();
    row.kind = *kind;
    row.recorded = Time(std::chrono::seconds(number_in(object, "recorded")));
    auto issuer = CertificateId::parse(text_in(object, "issuer"));
    if (!issuer) return std::move(issuer).error();
    row.issuer = *issuer;
    for (const auto& [key, target] : {std::pair{"serialNumber", &row.serial_number},
                                      std::pair{"previousHash", &row.previous_hash},
                                      std::pair{"hash", &row.hash}}) {
        auto bytes = hex_in(object, key);
        if (!bytes) return std::move(bytes).error();
        *target = std::move(*bytes);
    }
    row.profile = text_in(object, "profile");
    row.requester = text_in(object, "requester");
    row.device_serial = text_in(object, "deviceSerial");
    row.detail = text_in(object, "detail");
    auto tbs = from_base64(text_in(object, "tbs"));
    if (!tbs) return std::move(tbs).error();
    row.tbs = std::move(*tbs);
    if (!object.contains("certificateId")) return row;
    auto certificate = CertificateId::parse(text_in(object, "certificateId"));
    if (!certificate) return std::move(certificate).error();
    row.certificate = *certificate;
    auto der = from_base64(text_in(object, "certificate"));
    if (!der) return std::move(der).error();
    row.certificate_der = std::move(*der);
    return row;
}

Result<std::string> make_checkpoint(const registry::LedgerHead& head,
                                    const ca::Issuer& issuer,
                                    Time now) {
    const std::string text = "hatchery ledger checkpoint 1\nsequence " +
                             std::to_string(head.sequence) + "\nhash " + to_hex(head.hash) +
                             "\ntime " + to_iso8601(now) + "\nsigner " +
                             issuer.certificate().id().hex() + "\n";
    auto signature = ca::sign_text(issuer.key(), text);
    if (!signature) return std::move(signature).error();
    const nlohmann::ordered_json object{{"text", text}, {"signature", to_base64(*signature)}};
    return object.dump(2) + "\n";
}

Result<Checkpoint> parse_checkpoint(std::string_view text) {
    const json object = json::parse(text, nullptr, false);
    const auto wrong = [] { return fail(Code::InvalidRequest, "expected a ledger checkpoint"); };
    if (!object.is_object()) return wrong();
    Checkpoint checkpoint;
    checkpoint.text = text_in(object, "text");
    checkpoint.signature = text_in(object, "signature");
    std::istringstream lines(checkpoint.text);
    std::string title, word, time, signer;
    std::getline(lines, title);
    lines >> word >> checkpoint.sequence >> word >> checkpoint.hash >> word >> time >> word >>
        signer;
    auto id = CertificateId::parse(signer);
    if (!lines || title != "hatchery ledger checkpoint 1" || !id) return wrong();
    checkpoint.signer = *id;
    return checkpoint;
}

}  // namespace hatchery::command
