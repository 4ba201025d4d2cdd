// Templates inside the files of other tools: each file beside its findings.
#include "templates/check_file.h"
#include "templates/source_tree.h"
#include "tests/templates/rendering.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace hatchery::templates {
namespace {

Syntax syntax_of(const std::filesystem::path& file) {
    return file.extension() == ".json" ? Syntax::Guess : Syntax::Yaml;
}

std::string render(const FileFindings& findings) {
    std::string out;
    for (const BodyFindings& body : findings.bodies) {
        out += "== " + (body.pointer.empty() ? "(file)" : body.pointer) + " as " +
               std::string(to_string(body.kind)) + "\n" + templates::render(body.diagnostics);
        for (const Reference& reference : body.references) {
            out += "expects " + std::string(to_string(reference.kind)) + " " + reference.name +
                   " at " + std::to_string(reference.range.line) + ":" +
                   std::to_string(reference.range.column) + "\n";
        }
    }
    return out;
}

TEST(CheckFile, FindsWhatTheGoldenFilesOfOtherToolsSay) {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(data_path("files"))) {
        if (entry.path().extension() != ".txt") files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    ASSERT_GE(files.size(), 11U);
    for (const auto& file : files) {
        const auto found = check_file(read_text(file), std::nullopt, syntax_of(file));
        const std::string golden = read_text(file.string() + ".txt");
        EXPECT_EQ(render(found), golden) << file;
    }
}

TEST(CheckFile, YamlIsGuessedFromItsContentToo) {
    const std::string text = read_text(data_path("files/stack.yaml"));
    EXPECT_EQ(render(check_file(text, std::nullopt)),
              render(check_file(text, std::nullopt, Syntax::Yaml)));
    // Other text is taken for a bare template, which says why it is none.
    const auto prose = check_file("A template, soon", std::nullopt);
    ASSERT_EQ(prose.bodies.size(), 1U);
    EXPECT_EQ(prose.diagnostics().at(0).code, "T001");
}

TEST(CheckFile, TheAskedKindWinsOverTheFile) {
    const std::string text = read_text(data_path("files/cli_bulk.json"));
    EXPECT_EQ(check_file(text, std::nullopt).bodies.at(0).kind, Kind::Bulk);
    EXPECT_EQ(check_file(text, Kind::Claim).bodies.at(0).kind, Kind::Claim);
}

/// Every non-blank byte of a scalar's text is the byte of the file that its offset names.
void expect_aligned(const std::string& file) {
    const auto tree = parse_yaml(file);
    ASSERT_TRUE(tree) << file;
    const auto value = tree->find(tree->root, "v");
    ASSERT_TRUE(value) << file;
    const std::string& text = tree->node(*value).text;
    const auto offsets = tree->offsets(*value);
    ASSERT_EQ(offsets.size(), text.size() + 1);
    std::size_t last = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        EXPECT_GE(offsets[i], last) << file << " at " << i;
        last = offsets[i];
        if (text[i] == ' ' || text[i] == '\n' || text[i] == '\t' || file[offsets[i]] == '\\')
            continue;
        EXPECT_EQ(file[offsets[i]], text[i]) << file << " at " << i;
    }
}

TEST(SourceTree, KnowsWhereEachByteOfAYamlScalarStands) {
    for (const char* value : {"plain text with:no end",
                              "plain over\n  two lines",
                              "'single ''quoted'' text'",
                              "'single\n\n  over lines'",
                              R"("double \"quoted\" \\ \t tab \u00e4 \x41 \
  folded")",
                              "|\n  literal\n    indented\n\n  end\n",
                              "|2-  # comment\n    two more\n  end",
                              ">\n  folded\n  text\n\n  end\n",
                              "!Sub |\n  tagged ${x}\n",
                              "&anchor !Sub 'both'",
                              "!!str |-\n  ä ö ü\n  ß"}) {
        expect_aligned("a: ü\nv: " + std::string(value));
        expect_aligned("\xEF\xBB\xBFv: " + std::string(value));
    }
    expect_aligned("v: \"line\r\n  end\"\r\n");
}

TEST(SourceTree, YamlErrorsHaveAPlace) {
    const auto tree = parse_yaml("a: ä\nb: [1, 2");
    ASSERT_FALSE(tree);
    EXPECT_EQ(tree.error().message, "did not find expected ',' or ']'");
    EXPECT_EQ(tree.error().offset, 14U);
    EXPECT_FALSE(parse_yaml("a: \xFF"));
    EXPECT_FALSE(parse_yaml(std::string("a: \0b", 5)));
    EXPECT_TRUE(parse_yaml(""));
}

// Time is not asserted: what took minutes would be noticed.
TEST(CheckFile, HostileFilesAreBounded) {
    const std::size_t size = 100'000;
    const auto repeated = [&](std::string_view unit) {
        std::string out;
        while (out.size() + unit.size() < size)
            out += unit;
        return out;
    };
    std::string anchors;
    for (int i = 0; i < 9'000; ++i)
        anchors += "- &a" + std::to_string(i) + " x\n";
    const std::string head =
        "AWSTemplateFormatVersion: x\nResources: {T: {Type: "
        "AWS::IoT::ProvisioningTemplate, Properties: {TemplateBody: ";
    const std::string many_placeholders =
        head + "!Sub ['" + repeated("${x}") + "', {x: '" + std::string(200'000, 'y') + "'}]}}}";
    std::string many_bodies = "Resources:\n";
    for (int i = 0; i < 2'000; ++i) {
        many_bodies +=
            "  T" + std::to_string(i) +
            ": {Type: AWS::IoT::ProvisioningTemplate, Properties: {TemplateBody: '[]'}}\n";
    }
    for (const std::string& text : {repeated("["),
                                    repeated("{a: "),
                                    repeated("- "),
                                    repeated("[[],"),
                                    repeated("? "),
                                    repeated("{"),
                                    repeated("&a "),
                                    repeated("*a "),
                                    repeated("!t "),
                                    repeated("a: |\n"),
                                    repeated("\"\\"),
                                    anchors,
                                    many_placeholders,
                                    many_bodies}) {
        const auto found = check_file(text, std::nullopt, Syntax::Yaml);
        EXPECT_LE(found.bodies.size(), 100U);
    }
    const auto found = check_file(many_placeholders, std::nullopt, Syntax::Yaml);
    ASSERT_EQ(found.bodies.size(), 1U);
    EXPECT_EQ(found.bodies[0].diagnostics.at(1).code, "T002");
}

}  // namespace
}  // namespace hatchery::templates
