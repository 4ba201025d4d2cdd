#include "ca/digest.h"
#include "provisioning/api/operations.h"
#include "provisioning/api/page_token.h"
#include "provisioning/api/report_links.h"
#include "provisioning/flows/bulk_desk.h"
#include "provisioning/registry/registration_tasks.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace hatchery::api::registration_tasks {
namespace {

using nlohmann::json;
using registry::RegistrationTask;

Result<flows::BulkDesk*> desk_of(const Call& call) {
    if (call.service.bulk != nullptr) return call.service.bulk;
    return fail(Code::NotImplemented, "this server runs no registration tasks");
}

Result<RegistrationTask> wanted_task(const Call& call) {
    RegistrationTask wanted;
    for (const auto& [member, out] : {std::pair{"templateBody", &wanted.template_body},
                                      std::pair{"inputFileBucket", &wanted.bucket},
                                      std::pair{"inputFileKey", &wanted.file},
                                      std::pair{"roleArn", &wanted.role_arn}}) {
        auto text = call.input.text(member);
        if (!text) return std::move(text).error();
        *out = std::move(*text);
    }
    auto compiled =
        call.service.compiled.provisioning_template(wanted.template_body, templates::Kind::Bulk);
    if (!compiled) return std::move(compiled).error();
    wanted.id = ca::random_uuid();
    return wanted;
}

Result<RegistrationTask> task_of(const Call& call) {
    auto task = call.service.store.read([&](store::Reader& reader) {
        return registry::find_registration_task(reader, call.labels[0]);
    });
    if (!task || !task->bucket.empty()) return task;
    return fail(Code::NotFound, "registration task " + call.labels[0] + " does not exist");
}

/// The base of the URL by which this request came.
std::string base_url(const Call& call) {
    const auto host = std::ranges::find_if(
        call.headers, [](const Header& header) { return header.name == "host"; });
    return (call.service.settings.control_plane_tls ? "https://" : "http://") +
           (host == call.headers.end() ? std::string() : host->value);
}

Result<flows::ReportType> report_type(const Call& call) {
    const std::string text = query_text(call, "reportType").value_or("");
    for (const auto type : {flows::ReportType::Results, flows::ReportType::Errors}) {
        if (text == flows::to_string(type)) return type;
    }
    return fail(
        Code::InvalidRequest, "expected ERRORS or RESULTS, found '" + text + "'", "reportType");
}

}  // namespace

Result<std::string> start_thing_registration_task(const Call& call) {
    auto desk = desk_of(call);
    if (!desk) return std::move(desk).error();
    auto wanted = wanted_task(call);
    if (!wanted) return std::move(wanted).error();
    if (auto file = (*desk)->input_file(wanted->bucket, wanted->file); !file) {
        return std::move(file).error();
    }
    auto started = call.service.store.write(
        [&](store::Tx& tx) { return registry::start_registration_task(tx, *wanted, call.now); });
    if (!started) return std::move(started).error();
    (*desk)->wake();
    return to_body({{"taskId", started->id}});
}

Result<std::string> stop_thing_registration_task(const Call& call) {
    auto task = task_of(call);
    if (!task) return std::move(task).error();
    return empty_answer(call.service.store.write(
        [&](store::Tx& tx) { return registry::cancel_registration_task(tx, task->id, call.now); }));
}

Result<std::string> describe_thing_registration_task(const Call& call) {
    auto task = task_of(call);
    if (!task) return std::move(task).error();
    json body = {{"taskId", task->id},
                 {"creationDate", epoch(task->created)},
                 {"lastModifiedDate", epoch(task->modified)},
                 {"templateBody", task->template_body},
                 {"inputFileBucket", task->bucket},
                 {"inputFileKey", task->file},
                 {"roleArn", task->role_arn},
                 {"status", registry::to_string(task->status)},
                 {"successCount", task->successes},
                 {"failureCount", task->failures},
                 {"percentageProgress", task->percentage}};
    if (!task->message.empty()) body["message"] = task->message;
    return to_body(body);
}

Result<std::string> list_thing_registration_tasks(const Call& call) {
    auto request = page_by_next_token(call);
    if (!request) return std::move(request).error();
    std::optional<registry::RegistrationTaskStatus> status;
    if (const auto text = query_text(call, "status")) {
        auto parsed = registry::parse_registration_task_status(*text);
        if (!parsed) return fail(parsed.error().code, parsed.error().message, "status");
        status = *parsed;
    }
    auto page = call.service.store.read([&](store::Reader& reader) {
        return registry::list_registration_tasks(reader, *request, status);
    });
    if (!page) return std::move(page).error();
    json ids = json::array();
    for (const auto& task : page->items)
        ids.push_back(task.id);
    json body = {{"taskIds", std::move(ids)}};
    add_token(call, body, "nextToken", page->next);
    return to_body(body);
}

Result<std::string> list_thing_registration_task_reports(const Call& call) {
    auto desk = desk_of(call);
    if (!desk) return std::move(desk).error();
    auto request = page_by_next_token(call);
    if (!request) return std::move(request).error();
    auto type = report_type(call);
    if (!type) return std::move(type).error();
    auto task = task_of(call);
    if (!task) return std::move(task).error();
    std::vector<std::string> files;
    for (const auto& file : (*desk)->report_files(task->id, *type))
        files.push_back(file.string());
    const auto page = page_of(std::move(files), *request);
    json links = json::array();
    for (const auto& file : page.items)
        links.push_back(base_url(call) + make_report_link(task->id, file, call.now));
    json body = {{"resourceLinks", std::move(links)}, {"reportType", flows::to_string(*type)}};
    add_token(call, body, "nextToken", page.next);
    return to_body(body);
}

}  // namespace hatchery::api::registration_tasks
