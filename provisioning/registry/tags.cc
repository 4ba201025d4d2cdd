#include "provisioning/registry/tags.h"

#include "provisioning/registry/certificates.h"
#include "provisioning/registry/jobs.h"
#include "provisioning/registry/outgoing_schema.h"
#include "provisioning/registry/rows.h"

#include <array>

namespace hatchery::registry {

namespace {

constexpr std::int64_t kMaxTags = 50;
constexpr std::size_t kMaxTagKey = 128;
constexpr std::size_t kMaxTagValue = 256;

const std::array<const Kind*, 6> kTaggedKinds{
    &kThingType, &kThingGroup, &kBillingGroup, &kPolicy, &kTemplate, &kScheduledAudit};
constexpr std::string_view kTaggedCa = "cacert";
constexpr std::string_view kTaggedJob = "job";

std::string tag_owner(std::string_view type, std::string_view name) {
    return std::string(type) + "/" + std::string(name);
}

Result<> expect_tagged(store::Reader& reader, const TaggedResource& resource) {
    if (resource.type == kTaggedCa) {
        auto id = CertificateId::parse(resource.name);
        if (!id) return missing("CA certificate", resource.name);
        auto ca = find_ca(reader, *id);
        if (!ca) return std::move(ca).error();
        return {};
    }
    if (resource.type == kTaggedJob) {
        auto job = find_job(reader, resource.name);
        if (!job) return std::move(job).error();
        return {};
    }
    for (const Kind* kind : kTaggedKinds) {
        if (resource.type != kind->arn_type) continue;
        auto key = key_of(reader, *kind, resource.name);
        if (!key) return std::move(key).error();
        return {};
    }
    return missing(resource.type, resource.name);
}

constexpr std::string_view kEventRow = "event_configurations";
// DescribeEventConfigurations, iot 2015-05-28.
constexpr std::array<std::string_view, 11> kEventTypes{"THING",
                                                       "THING_GROUP",
                                                       "THING_TYPE",
                                                       "THING_GROUP_MEMBERSHIP",
                                                       "THING_GROUP_HIERARCHY",
                                                       "THING_TYPE_ASSOCIATION",
                                                       "JOB",
                                                       "JOB_EXECUTION",
                                                       "POLICY",
                                                       "CERTIFICATE",
                                                       "CA_CERTIFICATE"};
constexpr std::string_view kEventsCreated = "created";
constexpr std::string_view kEventsModified = "modified";

std::optional<Time> stored_time(const std::map<std::string, std::string>& row,
                                std::string_view name) {
    const auto found = row.find(std::string(name));
    if (found == row.end()) return std::nullopt;
    return Time(std::chrono::seconds(std::strtoll(found->second.c_str(), nullptr, 10)));
}

}  // namespace

Result<TaggedResource> parse_tagged_resource(const Account& account, std::string_view arn) {
    for (const Kind* kind : kTaggedKinds) {
        const auto name = name_from_arn(account, kind->arn_type, arn);
        if (!name.empty()) return TaggedResource{std::string(kind->arn_type), std::string(name)};
    }
    const auto id = name_from_arn(account, kTaggedCa, arn);
    if (!id.empty()) return TaggedResource{std::string(kTaggedCa), std::string(id)};
    const auto job = name_from_arn(account, kTaggedJob, arn);
    if (!job.empty()) return TaggedResource{std::string(kTaggedJob), std::string(job)};
    return fail(Code::InvalidRequest,
                "expected the ARN of a thing type, thing group, billing group, policy, CA "
                "certificate, provisioning template, scheduled audit or job of this account",
                "resourceArn");
}

Result<> check_tags(const Tags& tags) {
    if (tags.size() > static_cast<std::size_t>(kMaxTags)) {
        return fail(Code::InvalidRequest,
                    "expected at most 50 tags, found " + std::to_string(tags.size()),
                    "tags");
    }
    for (const auto& [key, value] : tags) {
        if (key.empty() || key.size() > kMaxTagKey || value.size() > kMaxTagValue) {
            return fail(Code::InvalidRequest,
                        "expected tags with a key of 1 to 128 bytes and a value of at most 256",
                        "tags");
        }
        if (key.starts_with("aws:")) {
            return fail(
                Code::InvalidRequest, "expected tag keys that do not begin with aws:", "tags");
        }
    }
    return {};
}

Result<> add_tags(store::Tx& tx, const TaggedResource& resource, const Tags& tags) {
    if (tags.empty()) return {};
    if (auto good = check_tags(tags); !good) return good;
    if (auto there = expect_tagged(tx, resource); !there) return there;
    const std::string owner = tag_owner(resource.type, resource.name);
    for (const auto& [key, value] : tags) {
        auto set = tx.run(
            "INSERT INTO tags(resource, name, value) VALUES(?1, ?2, ?3) "
            "ON CONFLICT DO UPDATE SET value = ?3",
            owner,
            key,
            value);
        if (!set) return set;
    }
    auto count = read_count(tx.query("SELECT count(*) FROM tags WHERE resource = ?", owner));
    if (!count) return std::move(count).error();
    if (*count <= kMaxTags) return {};
    return fail(Code::LimitExceeded,
                "expected at most 50 tags on " + owner + ", found " + std::to_string(*count),
                "tags");
}

Result<> remove_tags(store::Tx& tx,
                     const TaggedResource& resource,
                     const std::vector<std::string>& keys) {
    if (auto there = expect_tagged(tx, resource); !there) return there;
    for (const auto& key : keys) {
        auto gone = tx.run("DELETE FROM tags WHERE resource = ? AND name = ?",
                           tag_owner(resource.type, resource.name),
                           key);
        if (!gone) return gone;
    }
    return {};
}

Result<Tags> tags_of(store::Reader& reader, const TaggedResource& resource) {
    if (auto there = expect_tagged(reader, resource); !there) return std::move(there).error();
    auto rows = reader.query("SELECT name, value FROM tags WHERE resource = ?",
                             tag_owner(resource.type, resource.name));
    auto all = read_all(std::move(rows), [](const store::Statement& row) {
        return std::pair(std::string(row.text(0)), std::string(row.text(1)));
    });
    if (!all) return std::move(all).error();
    return Tags(all->begin(), all->end());
}

Result<> forget_tags(store::Tx& tx, std::string_view type, std::string_view name) {
    return tx.run("DELETE FROM tags WHERE resource = ?", tag_owner(type, name));
}

Result<EventConfigurations> event_configurations(store::Reader& reader) {
    EventConfigurations configurations;
    for (const auto type : kEventTypes)
        configurations.enabled.emplace(type, false);
    auto row = reader.query("SELECT value FROM meta WHERE name = ?", kEventRow);
    auto there = row.step();
    if (!there) return std::move(there).error();
    if (!*there) return configurations;
    const auto stored = map_of(row.text(0));
    for (auto& [type, enabled] : configurations.enabled) {
        const auto found = stored.find(type);
        enabled = found != stored.end() && found->second == "true";
    }
    configurations.created = stored_time(stored, kEventsCreated);
    configurations.modified = stored_time(stored, kEventsModified);
    return configurations;
}

Result<> set_event_configurations(store::Tx& tx,
                                  const std::map<std::string, bool>& wanted,
                                  Time now) {
    auto configurations = event_configurations(tx);
    if (!configurations) return std::move(configurations).error();
    for (const auto& [type, enabled] : wanted) {
        const auto known = configurations->enabled.find(type);
        if (known == configurations->enabled.end()) {
            return fail(
                Code::InvalidRequest, "unknown event type " + type, "eventConfigurations/" + type);
        }
        known->second = enabled;
    }
    std::map<std::string, std::string> row;
    for (const auto& [type, enabled] : configurations->enabled)
        row.emplace(type, enabled ? "true" : "false");
    row.emplace(kEventsCreated, std::to_string(seconds(configurations->created.value_or(now))));
    row.emplace(kEventsModified, std::to_string(seconds(now)));
    for (const auto& trigger : kEventTriggers) {
        auto dropped = tx.run("DROP TRIGGER IF EXISTS " + std::string(trigger.name));
        if (!dropped) return dropped;
        if (!configurations->enabled.at(std::string(trigger.type))) continue;
        if (auto made = tx.run(trigger.create); !made) return made;
    }
    return tx.run(
        "INSERT INTO meta(name, value) VALUES(?1, ?2) ON CONFLICT DO UPDATE SET value = ?2",
        kEventRow,
        map_text(row));
}

}  // namespace hatchery::registry
