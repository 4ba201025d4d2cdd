// The outbox (outgoing.h) and the triggers that write registry events into it. This box's own.
// Triggers, so that no function and no other process can change a record and forget its event. They
// are there only while their event type is on: one that looks first costs 2 us a row.
#pragma once

#include <array>
#include <string_view>

namespace hatchery::registry {

// Facts are what only the commit knows; outgoing.cc makes the message of them. Identifiers are
// hexadecimal. A row of kind '' is a message as it is.
inline constexpr std::string_view kOutgoingSchema = R"sql(
CREATE TABLE outgoing(
    key INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    operation TEXT NOT NULL,
    topic TEXT NOT NULL,
    happened INTEGER NOT NULL DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)),
    event_id TEXT NOT NULL DEFAULT (lower(hex(randomblob(16)))),
    facts TEXT NOT NULL
);
CREATE VIEW thing_facts AS SELECT t.key, t.name, json_object(
    'thingId', lower(hex(t.uuid)), 'thingName', t.name, 'versionNumber', t.version,
    'thingTypeName', (SELECT name FROM thing_types WHERE key = t.type),
    'attributes', json(coalesce(t.attributes, '{}'))) AS facts FROM things t;
CREATE VIEW thing_type_facts AS SELECT y.key, y.name, json_object(
    'thingTypeId', lower(hex(y.uuid)), 'thingTypeName', y.name,
    'isDeprecated', json(CASE WHEN y.deprecated IS NULL THEN 'false' ELSE 'true' END),
    'deprecationDate', y.deprecated * 1000,
    'searchableAttributes', json(coalesce(y.searchable_attributes, '[]')),
    'propagatingAttributes', json('[]'), 'description', y.description) AS facts FROM thing_types y;
-- Groups are at most seven levels deep, and a trigger knows no recursion.
CREATE VIEW thing_group_facts AS SELECT g.key, g.name, json_object(
    'thingGroupId', lower(hex(g.uuid)), 'thingGroupName', g.name, 'versionNumber', g.version,
    'parentGroupName', a.name, 'parentGroupId', lower(hex(a.uuid)), 'description', g.description,
    'rootToParentThingGroups', json_array(
        json_array(f.name, lower(hex(f.uuid))), json_array(e.name, lower(hex(e.uuid))),
        json_array(d.name, lower(hex(d.uuid))), json_array(c.name, lower(hex(c.uuid))),
        json_array(b.name, lower(hex(b.uuid))), json_array(a.name, lower(hex(a.uuid)))),
    'attributes', json(coalesce(g.attributes, '{}')), 'dynamicGroupMappingId', NULL) AS facts
FROM thing_groups g
    LEFT JOIN thing_groups a ON a.key = g.parent LEFT JOIN thing_groups b ON b.key = a.parent
    LEFT JOIN thing_groups c ON c.key = b.parent LEFT JOIN thing_groups d ON d.key = c.parent
    LEFT JOIN thing_groups e ON e.key = d.parent LEFT JOIN thing_groups f ON f.key = e.parent;
CREATE VIEW hierarchy_facts AS SELECT g.key,
    'thingGroupHierarchy/thingGroup/' || p.name || '/childThingGroup/' || g.name AS topic,
    json_object('thingGroupId', lower(hex(p.uuid)), 'thingGroupName', p.name,
        'childGroupId', lower(hex(g.uuid)), 'childGroupName', g.name) AS facts
FROM thing_groups g JOIN thing_groups p ON p.key = g.parent;
CREATE VIEW membership_facts AS SELECT m.thing, m.thing_group,
    'thingGroupMembership/thingGroup/' || g.name || '/thing/' || t.name AS topic,
    json_object('groupName', g.name, 'groupId', lower(hex(g.uuid)),
        'thingName', t.name, 'thingId', lower(hex(t.uuid))) AS facts
FROM thing_group_members m JOIN thing_groups g ON g.key = m.thing_group JOIN things t ON t.key = m.thing;
-- It was kept before anything came of it: on again with the next UpdateEventConfigurations.
DELETE FROM meta WHERE name = 'event_configurations';
)sql";

struct EventTrigger {
    std::string_view type;  ///< "THING" …: what UpdateEventConfigurations names
    std::string_view name;
    std::string_view create;
};
inline constexpr std::array<EventTrigger, 15> kEventTriggers{{
    {"THING", "thing_created", R"sql(CREATE TRIGGER thing_created AFTER INSERT ON things
BEGIN
    INSERT INTO outgoing(kind, operation, topic, facts)
    SELECT 'THING', 'CREATED', 'thing/' || name || '/created', facts FROM thing_facts WHERE key = NEW.key;
END)sql"},
    {"THING", "thing_updated", R"sql(CREATE TRIGGER thing_updated AFTER UPDATE OF version ON things
BEGIN
    INSERT INTO outgoing(kind, operation, topic, facts)
    SELECT 'THING', 'UPDATED', 'thing/' || name || '/updated', facts FROM thing_facts WHERE key = NEW.key;
END)sql"},
    {"THING", "thing_deleted", R"sql(CREATE TRIGGER thing_deleted BEFORE DELETE ON things
BEGIN
    INSERT INTO outgoing(kind, operation, topic, facts)
    SELECT 'THING', 'DELETED', 'thing/' || name || '/deleted', facts FROM thing_facts WHERE key = OLD.key;
END)sql"},
    {"THING_TYPE_ASSOCIATION",
     "thing_type_added",
     R"sql(CREATE TRIGGER thing_type_added AFTER INSERT ON things
WHEN NEW.type IS NOT NULL BEGIN
    INSERT INTO outgoing(kind, operation, topic, facts)
    SELECT 'THING_TYPE_ASSOCIATION', 'ADDED',
        'thingTypeAssociation/thing/' || NEW.name || '/thingType/' || y.name || '/added',
        json_object('thingId', lower(hex(NEW.uuid)), 'thingName', NEW.name, 'thingTypeName', y.name)
    FROM thing_types y WHERE y.key = NEW.type;
END)sql"},
    {"THING_TYPE_ASSOCIATION",
     "thing_type_changed",
     R"sql(CREATE TRIGGER thing_type_changed AFTER UPDATE OF type ON things
WHEN OLD.type IS NOT NEW.type BEGIN
    INSERT INTO outgoing(kind, operation, topic, facts)
    SELECT 'THING_TYPE_ASSOCIATION', 'REMOVED',
        'thingTypeAssociation/thing/' || NEW.name || '/thingType/' || y.name || '/removed',
        json_object('thingId', lower(hex(NEW.uuid)), 'thingName', NEW.name, 'thingTypeName', y.name)
    FROM thing_types y WHERE y.key = OLD.type;
    INSERT INTO outgoing(kind, operation, topic, facts)
    SELECT 'THING_TYPE_ASSOCIATION', 'ADDED',
        'thingTypeAssociation/thing/' || NEW.name || '/thingType/' || y.name || '/added',
        json_object('thingId', lower(hex(NEW.uuid)), 'thingName', NEW.name, 'thingTypeName', y.name)
    FROM thing_types y WHERE y.key = NEW.type;
END)sql"},
    {"THING_TYPE",
     "thing_type_created",
     R"sql(CREATE TRIGGER thing_type_created AFTER INSERT ON thing_types
BEGIN
    INSERT INTO outgoing(kind, operation, topic, facts)
    SELECT 'THING_TYPE', 'CREATED', 'thingType/' || name || '/created', facts
    FROM thing_type_facts WHERE key = NEW.key;
END)sql"},
    {"THING_TYPE",
     "thing_type_updated",
     R"sql(CREATE TRIGGER thing_type_updated AFTER UPDATE ON thing_types
BEGIN
    INSERT INTO outgoing(kind, operation, topic, facts)
    SELECT 'THING_TYPE', 'UPDATED', 'thingType/' || name || '/updated', facts
    FROM thing_type_facts WHERE key = NEW.key;
END)sql"},
    {"THING_TYPE",
     "thing_type_deleted",
     R"sql(CREATE TRIGGER thing_type_deleted BEFORE DELETE ON thing_types
BEGIN
    INSERT INTO outgoing(kind, operation, topic, facts)
    SELECT 'THING_TYPE', 'DELETED', 'thingType/' || name || '/deleted', facts
    FROM thing_type_facts WHERE key = OLD.key;
END)sql"},
    {"THING_GROUP",
     "thing_group_created",
     R"sql(CREATE TRIGGER thing_group_created AFTER INSERT ON thing_groups
BEGIN
    INSERT INTO outgoing(kind, operation, topic, facts)
    SELECT 'THING_GROUP', 'CREATED', 'thingGroup/' || name || '/created', facts
    FROM thing_group_facts WHERE key = NEW.key;
END)sql"},
    {"THING_GROUP",
     "thing_group_updated",
     R"sql(CREATE TRIGGER thing_group_updated AFTER UPDATE OF version ON thing_groups
BEGIN
    INSERT INTO outgoing(kind, operation, topic, facts)
    SELECT 'THING_GROUP', 'UPDATED', 'thingGroup/' || name || '/updated', facts
    FROM thing_group_facts WHERE key = NEW.key;
END)sql"},
    {"THING_GROUP",
     "thing_group_deleted",
     R"sql(CREATE TRIGGER thing_group_deleted BEFORE DELETE ON thing_groups
BEGIN
    INSERT INTO outgoing(kind, operation, topic, facts)
    SELECT 'THING_GROUP', 'DELETED', 'thingGroup/' || name || '/deleted', facts
    FROM thing_group_facts WHERE key = OLD.key;
END)sql"},
    {"THING_GROUP_HIERARCHY",
     "child_group_added",
     R"sql(CREATE TRIGGER child_group_added AFTER INSERT ON thing_groups
WHEN NEW.parent IS NOT NULL BEGIN
    INSERT INTO outgoing(kind, operation, topic, facts)
    SELECT 'THING_GROUP_HIERARCHY', 'ADDED', topic || '/added', facts FROM hierarchy_facts WHERE key = NEW.key;
END)sql"},
    {"THING_GROUP_HIERARCHY",
     "child_group_removed",
     R"sql(CREATE TRIGGER child_group_removed BEFORE DELETE ON thing_groups
WHEN OLD.parent IS NOT NULL BEGIN
    INSERT INTO outgoing(kind, operation, topic, facts)
    SELECT 'THING_GROUP_HIERARCHY', 'REMOVED', topic || '/removed', facts FROM hierarchy_facts WHERE key = OLD.key;
END)sql"},
    {"THING_GROUP_MEMBERSHIP",
     "member_added",
     R"sql(CREATE TRIGGER member_added AFTER INSERT ON thing_group_members
BEGIN
    INSERT INTO outgoing(kind, operation, topic, facts)
    SELECT 'THING_GROUP_MEMBERSHIP', 'ADDED', topic || '/added', facts FROM membership_facts
    WHERE thing = NEW.thing AND thing_group = NEW.thing_group;
END)sql"},
    {"THING_GROUP_MEMBERSHIP",
     "member_removed",
     R"sql(CREATE TRIGGER member_removed BEFORE DELETE ON thing_group_members
BEGIN
    INSERT INTO outgoing(kind, operation, topic, facts)
    SELECT 'THING_GROUP_MEMBERSHIP', 'REMOVED', topic || '/removed', facts FROM membership_facts
    WHERE thing = OLD.thing AND thing_group = OLD.thing_group;
END)sql"},
}};

}  // namespace hatchery::registry
