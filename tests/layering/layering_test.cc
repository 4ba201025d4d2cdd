// The design's arrows, held: a box includes only boxes that it links, only their public headers,
// and links only boxes that lie below it. Read from the CMakeLists.txt of the boxes and the
// #include lines of the tree.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

struct Box {
    fs::path folder;  // relative to the top
    std::set<std::string> public_headers;
    std::set<std::string> links;  // boxes, direct
};

// What may lie below each box (design.md). A link that is not here is an upward or sideways edge.
const std::map<std::string, std::set<std::string>> kBelow = {
    {"base", {}},
    {"ca", {"base"}},
    {"templates", {"base"}},
    {"disk", {"base"}},
    {"log", {"base"}},
    {"hooks", {"base", "log", "ca"}},
    {"store", {"base"}},
    {"policy", {"base"}},
    {"topic_rules", {"base"}},
    {"sigv4", {"base", "ca"}},
    {"rule_actions", {"base", "disk", "log", "ca", "store", "registry", "topic_rules", "sigv4"}},
    {"registry", {"base", "ca", "store"}},
    {"files", {"base", "disk", "ca", "store", "registry", "sigv4"}},
    {"jobs", {"base", "ca", "store", "registry"}},
    {"flows",
     {"base",
      "disk",
      "log",
      "ca",
      "templates",
      "hooks",
      "store",
      "policy",
      "files",
      "registry",
      "topic_rules",
      "rule_actions",
      "jobs"}},
    {"audit", {"base", "log", "ca", "store", "policy", "registry"}},
    {"http", {"base", "ca"}},
    {"api",
     {"base",
      "disk",
      "log",
      "ca",
      "templates",
      "hooks",
      "store",
      "policy",
      "files",
      "registry",
      "topic_rules",
      "jobs",
      "flows",
      "audit",
      "sigv4",
      "http"}},
    {"gateway",
     {"base",
      "disk",
      "log",
      "ca",
      "templates",
      "hooks",
      "store",
      "policy",
      "files",
      "registry",
      "topic_rules",
      "rule_actions",
      "jobs",
      "flows"}},
    {"enroll",
     {"base",
      "disk",
      "log",
      "ca",
      "templates",
      "hooks",
      "store",
      "policy",
      "files",
      "registry",
      "jobs",
      "flows",
      "http"}},
    {"command", {"base",   "disk",  "log",      "ca",          "templates",    "hooks", "store",
                 "policy", "files", "registry", "topic_rules", "rule_actions", "jobs",  "flows",
                 "audit",  "sigv4", "http",     "api",         "gateway",      "enroll"}},
};

const fs::path kTop = HATCHERY_SOURCE_DIR;

std::string read(const fs::path& path) {
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

/// The boxes that `text`, a CMakeLists.txt in `folder`, declares.
std::map<std::string, Box> boxes_of(const fs::path& folder, const std::string& text) {
    static const std::regex kCall(R"(hatchery_box\(\s*(\w+)([^)]*)\))");
    std::map<std::string, Box> boxes;
    for (std::sregex_iterator it(text.begin(), text.end(), kCall), end; it != end; ++it) {
        Box box;
        box.folder = folder;
        std::istringstream words((*it)[2].str());
        std::string section;
        for (std::string word; words >> word;) {
            if (word == "PUBLIC_HEADERS" || word == "SOURCES" || word == "USES" ||
                word == "INSIDE") {
                section = word;
            } else if (section == "PUBLIC_HEADERS") {
                box.public_headers.insert((folder / word).generic_string());
            } else if ((section == "USES" || section == "INSIDE") &&
                       word.starts_with("hatchery_")) {
                box.links.insert(word.substr(std::string("hatchery_").size()));
            }
        }
        boxes[(*it)[1].str()] = box;
    }
    return boxes;
}

std::map<std::string, Box> all_boxes() {
    std::map<std::string, Box> boxes;
    for (const char* top : {"ca", "templates", "hooks", "provisioning", "tools"}) {
        for (const auto& entry : fs::recursive_directory_iterator(kTop / top)) {
            if (entry.path().filename() != "CMakeLists.txt") continue;
            boxes.merge(
                boxes_of(fs::relative(entry.path().parent_path(), kTop), read(entry.path())));
        }
    }
    return boxes;
}

std::set<std::string> reachable(const std::map<std::string, Box>& boxes, const std::string& from) {
    std::set<std::string> seen;
    std::vector<std::string> todo{from};
    while (!todo.empty()) {
        const std::string name = todo.back();
        todo.pop_back();
        if (!boxes.contains(name)) continue;
        for (const auto& next : boxes.at(name).links) {
            if (seen.insert(next).second) todo.push_back(next);
        }
    }
    return seen;
}

/// The violations of one `#include "` line in a file of box `self`; empty if there is none.
std::string include_violation(const std::map<std::string, Box>& boxes,
                              const std::string& self,
                              const std::string& header) {
    const std::string folder = fs::path(header).parent_path().generic_string();
    for (const auto& [name, box] : boxes) {
        if (box.folder.generic_string() != folder || name == self) continue;
        if (box.folder == boxes.at(self).folder) return {};
        if (!reachable(boxes, self).contains(name)) {
            return "box " + self + " does not link box " + name;
        }
        if (!box.public_headers.contains(header)) {
            return header + " is not among the public headers of box " + name;
        }
    }
    return {};
}

std::vector<std::string> include_violations(const std::map<std::string, Box>& boxes) {
    static const std::regex kInclude(R"re(^\s*#include "([^"]+)")re");
    std::vector<std::string> found;
    for (const auto& [name, box] : boxes) {
        for (const auto& entry : fs::directory_iterator(kTop / box.folder)) {
            const auto extension = entry.path().extension();
            if (extension != ".h" && extension != ".cc") continue;
            std::ifstream file(entry.path());
            int number = 0;
            for (std::string line; std::getline(file, line);) {
                ++number;
                std::smatch match;
                if (!std::regex_search(line, match, kInclude)) continue;
                const std::string rule = include_violation(boxes, name, match[1].str());
                if (rule.empty()) continue;
                found.push_back(fs::relative(entry.path(), kTop).generic_string() + ":" +
                                std::to_string(number) + ": " + rule);
            }
        }
    }
    return found;
}

TEST(Layering, EveryBoxLinksOnlyWhatLiesBelowIt) {
    const auto boxes = all_boxes();
    ASSERT_EQ(boxes.size(), kBelow.size());
    for (const auto& [name, box] : boxes) {
        ASSERT_TRUE(kBelow.contains(name)) << "box " << name << " has no place in the design";
        for (const auto& link : box.links) {
            EXPECT_TRUE(kBelow.at(name).contains(link)) << name << " links " << link << " upward";
        }
    }
}

TEST(Layering, EveryIncludeIsAPublicHeaderOfALinkedBox) {
    EXPECT_EQ(include_violations(all_boxes()), std::vector<std::string>{});
}

TEST(Layering, FindsAnUpwardIncludeAndAPrivateOne) {
    const auto boxes = all_boxes();
    EXPECT_EQ(include_violation(boxes, "ca", "provisioning/store/store.h"),
              "box ca does not link box store");
    EXPECT_EQ(include_violation(boxes, "registry", "ca/openssl.h"),
              "ca/openssl.h is not among the public headers of box ca");
    EXPECT_EQ(include_violation(boxes, "registry", "ca/certificate.h"), "");
}

TEST(Layering, HeavyHeadersStayOutOfOurHeaders) {
    static const std::regex kHeavy(
        R"(#include <(httplib\.h|nlohmann/json\.hpp|asio\.hpp|toml\+\+|openssl/|sqlite3\.h))");
    for (const auto& [name, box] : all_boxes()) {
        for (const auto& header : box.public_headers) {
            EXPECT_FALSE(std::regex_search(read(kTop / header), kHeavy)) << header;
        }
    }
}

}  // namespace
