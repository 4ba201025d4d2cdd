#include "tools/hatchery/device_files.h"

#include "ca/key_container.h"
#include "tools/hatchery/files.h"

#include <nlohmann/json.hpp>

#include <array>
#include <utility>

namespace hatchery::command {

namespace fs = std::filesystem;

namespace {

constexpr std::array<std::pair<std::string_view, DeviceForm>, 3> kForms{
    {{"header", DeviceForm::Header}, {"p12", DeviceForm::Pkcs12}, {"nvs", DeviceForm::Nvs}}};

fs::path file_of(const fs::path& folder, std::string_view name, std::string_view ending) {
    return folder / (std::string(name) + std::string(ending));
}

std::string_view ending_of(DeviceForm form) {
    switch (form) {
        case DeviceForm::Header:
            return ".h";
        case DeviceForm::Pkcs12:
            return ".p12";
        case DeviceForm::Nvs:
            break;
    }
    return ".nvs.csv";
}

constexpr std::string_view kServerCa = "server-ca.crt";

/// A PEM text as lines of a C string.
std::string c_string(std::string_view name, std::string_view text) {
    std::string out = "static const char ";
    out.append(name).append("[] =\n");
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        out.append("    \"").append(text.substr(0, end)).append("\\n\"");
        text.remove_prefix(std::min(end + 1, text.size()));
        out += text.empty() ? ";\n" : "\n";
    }
    return out;
}

std::string header_of(const DeviceFiles& files, std::string_view key_pem) {
    return "// Device " + files.name +
           ". Holds its private key: keep it out of version control.\n"
           "#pragma once\n\n"
           "#define HATCHERY_THING_NAME \"" +
           files.name +
           "\"\n"
           "#define HATCHERY_HOST \"" +
           files.host +
           "\"\n"
           "#define HATCHERY_PORT " +
           std::to_string(files.port) + "\n\n" +
           c_string("HATCHERY_SERVER_CA", files.server_ca_pem) + "\n" +
           c_string("HATCHERY_CERTIFICATE", files.certificate_pem) + "\n" +
           c_string("HATCHERY_PRIVATE_KEY", key_pem);
}

/// For ESP-IDF's nvs_partition_gen.py, beside the PEM files that it names.
std::string nvs_of(const DeviceFiles& files) {
    return "key,type,encoding,value\n"
           "hatchery,namespace,,\n"
           "thing_name,data,string," +
           files.name +
           "\n"
           "host,data,string," +
           files.host +
           "\n"
           "port,data,u16," +
           std::to_string(files.port) +
           "\n"
           "server_ca,file,string," +
           std::string(kServerCa) +
           "\n"
           "certificate,file,string," +
           files.name +
           ".crt\n"
           "private_key,file,string," +
           files.name + ".key\n";
}

std::string json_of(const DeviceFiles& files) {
    nlohmann::ordered_json json;
    json["thingName"] = files.name;
    json["clientId"] = files.name;
    json["host"] = files.host;
    json["port"] = files.port;
    json["certificateId"] = files.certificate.id().hex();
    json["serverCa"] = kServerCa;
    json["certificate"] = files.name + ".crt";
    json["privateKey"] = files.name + ".key";
    return json.dump(2) + "\n";
}

}  // namespace

Result<DeviceForm> parse_device_form(std::string_view text) {
    for (const auto& [word, form] : kForms) {
        if (word == text) return form;
    }
    return fail(Code::InvalidRequest,
                "expected header, p12 or nvs, found \"" + std::string(text) + "\"");
}

std::vector<fs::path> device_paths(const fs::path& folder,
                                   std::string_view name,
                                   const std::set<DeviceForm>& forms) {
    std::vector<fs::path> paths = {file_of(folder, name, ".key"),
                                   file_of(folder, name, ".crt"),
                                   file_of(folder, name, ".json")};
    for (const DeviceForm form : forms)
        paths.push_back(file_of(folder, name, ending_of(form)));
    return paths;
}

Result<> write_device_key(const fs::path& folder,
                          std::string_view name,
                          const ca::PrivateKey& key) {
    auto pem = key.to_plain_pem();
    if (!pem) return std::move(pem).error();
    return write_file(file_of(folder, name, ".key"), pem->text(), kPrivate, Existing::Refuse);
}

Result<> write_device_files(const fs::path& folder,
                            const DeviceFiles& files,
                            const std::set<DeviceForm>& forms,
                            const Secret& passphrase) {
    const auto put = [&](std::string_view ending, std::string_view content, mode_t mode) {
        return write_file(file_of(folder, files.name, ending), content, mode, Existing::Refuse);
    };
    // The same for every device of this server.
    auto done = write_file(folder / kServerCa, files.server_ca_pem, kPublic, Existing::Replace);
    if (done) done = put(".crt", files.certificate_pem, kPublic);
    if (done) done = put(".json", json_of(files), kPublic);
    if (done && forms.contains(DeviceForm::Nvs)) done = put(".nvs.csv", nvs_of(files), kPublic);
    if (!done) return done;
    if (forms.contains(DeviceForm::Header)) {
        auto pem = files.key.to_plain_pem();
        if (!pem) return std::move(pem).error();
        std::string text = header_of(files, pem->text());
        const Secret header = Secret::take(text);
        if (auto put_header = put(".h", header.text(), kPrivate); !put_header) return put_header;
    }
    if (!forms.contains(DeviceForm::Pkcs12)) return {};
    auto made = ca::make_pkcs12(files.key, files.certificate, files.chain, files.name, passphrase);
    if (!made) return std::move(made).error();
    return put(".p12", text_of(*made), kPrivate);
}

}  // namespace hatchery::command
