#include "tools/hatchery/thing_file.h"

#include "ca/base/text_place.h"
#include "templates/source_tree.h"

#include <algorithm>
#include <utility>

namespace hatchery::command {

namespace {

using templates::SourceId;
using templates::SourceNode;
using templates::SourceTree;

class ThingFileReader {
  public:
    ThingFileReader(const SourceTree& tree, std::string_view source)
        : tree_(tree), source_(source), lines_(tree.file) {}

    Result<std::vector<WantedThing>> run() {
        const SourceNode& root = tree_.node(tree_.root);
        if (root.type != SourceNode::Type::Object || root.children.size() != 1 ||
            root.children[0].first != "things") {
            return expected("one member, things", tree_.root);
        }
        const SourceId things = root.children[0].second;
        if (tree_.node(things).type != SourceNode::Type::Object) {
            return expected("things by name", things);
        }
        std::vector<WantedThing> wanted;
        for (const auto& [name, entry] : tree_.node(things).children) {
            auto thing = read_thing(name, entry);
            if (!thing) return std::move(thing).error();
            wanted.push_back(std::move(*thing));
        }
        return wanted;
    }

  private:
    Result<WantedThing> read_thing(const std::string& name, SourceId entry) {
        WantedThing thing;
        thing.name = name;
        if (auto good = registry::check_thing_name(name); !good) {
            return fail(Code::InvalidRequest, good.error().message, place(entry));
        }
        const SourceNode& node = tree_.node(entry);
        // `meter-1:` alone is a thing without anything.
        const bool is_empty = node.type == SourceNode::Type::OtherScalar ||
                              (node.type == SourceNode::Type::Text && node.text.empty());
        if (is_empty) return thing;
        if (node.type != SourceNode::Type::Object) {
            return expected("type, attributes, groups and billingGroup", entry);
        }
        for (const auto& [member, value] : node.children) {
            if (auto read = read_member(thing, member, value); !read) {
                return std::move(read).error();
            }
        }
        return thing;
    }

    Result<> read_member(WantedThing& thing, const std::string& member, SourceId value) {
        if (member == "type") return read_text(thing.thing_type.emplace(), value);
        if (member == "billingGroup") return read_text(thing.billing_group.emplace(), value);
        if (member == "groups") return read_texts(thing.thing_groups.emplace(), value);
        if (member == "attributes") return read_map(thing.attributes.emplace(), value);
        return expected("type, attributes, groups or billingGroup instead of " + member, value);
    }

    Result<> read_text(std::string& out, SourceId value) {
        const SourceNode& node = tree_.node(value);
        const bool is_scalar =
            node.type == SourceNode::Type::Text || node.type == SourceNode::Type::OtherScalar;
        if (!is_scalar || !node.function.empty()) return expected("a text", value);
        out = node.text;
        return {};
    }

    Result<> read_texts(std::vector<std::string>& out, SourceId value) {
        const SourceNode& node = tree_.node(value);
        if (node.type != SourceNode::Type::List) return expected("a list of texts", value);
        for (const auto& [ignored, item] : node.children) {
            if (auto read = read_text(out.emplace_back(), item); !read) return read;
        }
        std::sort(out.begin(), out.end());
        return {};
    }

    Result<> read_map(std::map<std::string, std::string>& out, SourceId value) {
        const SourceNode& node = tree_.node(value);
        if (node.type != SourceNode::Type::Object) return expected("texts by name", value);
        for (const auto& [name, item] : node.children) {
            if (auto read = read_text(out[name], item); !read) return read;
        }
        return {};
    }

    std::string place(SourceId id) const {
        const SourceNode& node = tree_.node(id);
        const templates::Range range = lines_.range(node.begin, node.end);
        return place_in(source_, {range.line, range.column});
    }
    Error expected(std::string what, SourceId found) const {
        return fail(Code::InvalidRequest, "expected " + std::move(what), place(found));
    }

    const SourceTree& tree_;
    std::string_view source_;
    templates::LineIndex lines_;
};

/// How a thing differs from what is wanted; nothing where it does not.
struct ThingChange {
    bool is_new = false;
    registry::ThingUpdate update;  ///< attributes, type
    std::optional<std::string> billing_group;
    std::vector<std::string> groups_to_add, groups_to_remove;
    std::vector<std::string> texts;

    bool is_empty() const { return !is_new && texts.empty(); }
};

std::string attributes_text(const std::map<std::string, std::string>& attributes) {
    std::string text;
    for (const auto& [name, value] : attributes)
        text += (text.empty() ? "" : ", ") + name + "=" + value;
    return "{" + text + "}";
}

Result<ThingChange> change_of(store::Reader& reader, const WantedThing& wanted) {
    ThingChange change;
    registry::Thing thing;
    std::vector<std::string> groups;
    if (auto found = registry::find_thing(reader, wanted.name)) {
        thing = std::move(*found);
        auto present = registry::groups_of_thing(reader, wanted.name);
        if (!present) return std::move(present).error();
        groups = std::move(*present);
    } else if (found.error().code == Code::NotFound) {
        change.is_new = true;
    } else {
        return std::move(found).error();
    }
    const auto differs =
        [&](const std::string& what, const std::string& from, const std::string& to) {
            change.texts.push_back(what + " " + (from.empty() ? "" : from + " -> ") + to);
        };
    if (wanted.thing_type && wanted.thing_type != thing.thing_type) {
        change.update.thing_type = wanted.thing_type;
        differs("type", thing.thing_type.value_or(""), *wanted.thing_type);
    }
    if (wanted.attributes && *wanted.attributes != thing.attributes) {
        change.update.attributes = wanted.attributes;
        differs("attributes",
                change.is_new ? "" : attributes_text(thing.attributes),
                attributes_text(*wanted.attributes));
    }
    if (wanted.billing_group && wanted.billing_group != thing.billing_group) {
        change.billing_group = wanted.billing_group;
        differs("billing group", thing.billing_group.value_or(""), *wanted.billing_group);
    }
    if (!wanted.thing_groups) return change;
    for (const std::string& group : *wanted.thing_groups) {
        if (std::find(groups.begin(), groups.end(), group) != groups.end()) continue;
        change.groups_to_add.push_back(group);
        change.texts.push_back("+ group " + group);
    }
    for (const std::string& group : groups) {
        const auto& kept = *wanted.thing_groups;
        if (std::find(kept.begin(), kept.end(), group) != kept.end()) continue;
        change.groups_to_remove.push_back(group);
        change.texts.push_back("- group " + group);
    }
    return change;
}

Result<> change_thing(store::Tx& tx,
                      const registry::Account& account,
                      const WantedThing& wanted,
                      Time now) {
    auto change = change_of(tx, wanted);
    if (!change) return std::move(change).error();
    if (change->is_new) {
        auto made = registry::create_thing(tx,
                                           account,
                                           {wanted.name,
                                            wanted.thing_type,
                                            wanted.attributes.value_or(registry::Attributes{}),
                                            wanted.billing_group},
                                           now);
        if (!made) return std::move(made).error();
    } else if (change->update.thing_type || change->update.attributes) {
        auto updated = registry::update_thing(tx, wanted.name, change->update);
        if (!updated) return std::move(updated).error();
    }
    if (!change->is_new && change->billing_group) {
        auto set = registry::set_billing_group(tx, wanted.name, change->billing_group);
        if (!set) return set;
    }
    for (const std::string& group : change->groups_to_remove) {
        auto removed = registry::remove_thing_from_group(tx, wanted.name, group);
        if (!removed) return removed;
    }
    for (const std::string& group : change->groups_to_add) {
        if (auto added = registry::add_thing_to_group(tx, wanted.name, group); !added) return added;
    }
    return {};
}

}  // namespace

Result<std::vector<WantedThing>> parse_thing_file(std::string_view text, std::string_view source) {
    auto tree = templates::parse_yaml(text);  // JSON is YAML, too
    if (!tree) {
        const templates::Range range =
            templates::LineIndex(text).range(tree.error().offset, tree.error().offset);
        return fail(Code::InvalidRequest,
                    tree.error().message,
                    place_in(source, {range.line, range.column}));
    }
    return ThingFileReader(*tree, source).run();
}

Result<ThingPlan> plan_things(store::Reader& reader, const std::vector<WantedThing>& wanted) {
    ThingPlan plan;
    for (const WantedThing& thing : wanted) {
        auto change = change_of(reader, thing);
        if (!change) return std::move(change).error();
        if (change->is_empty()) continue;
        std::string line = (change->is_new ? "+ thing " : "~ thing ") + thing.name;
        for (std::size_t i = 0; i < change->texts.size(); ++i)
            line += (i == 0 ? ": " : ", ") + change->texts[i];
        plan.push_back(std::move(line));
    }
    return plan;
}

std::string to_text(const ThingPlan& plan) {
    if (plan.empty()) return "nothing to do\n";
    std::string text;
    for (const std::string& line : plan)
        text += line + "\n";
    return text;
}

Result<> apply_things(store::Store& store,
                      const registry::Account& account,
                      const std::vector<WantedThing>& wanted,
                      Time now) {
    return store.write([&](store::Tx& tx) -> Result<> {
        for (const WantedThing& thing : wanted) {
            if (auto done = change_thing(tx, account, thing, now); !done) {
                Error error = std::move(done).error();
                error.where = "thing " + thing.name;
                return error;
            }
        }
        return {};
    });
}

}  // namespace hatchery::command
