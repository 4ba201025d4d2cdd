// Downloads: ranges, what their headers say, and how many at once.
#include "provisioning/enroll/files.h"

#include "provisioning/files/links.h"
#include "provisioning/registry/schema.h"
#include "tests/provisioning/temp_directory.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

namespace hatchery::enroll {
namespace {

constexpr Time kNow = std::chrono::sys_days{std::chrono::year{2027} / 1 / 1};
constexpr std::string_view kBase = "https://plant.example:8443";

std::string range_of(std::string_view header, std::uint64_t size) {
    const auto range = read_range(header, size);
    if (!range) return "416";
    if (!*range) return "all";
    return std::to_string((*range)->first) + "-" + std::to_string((*range)->last);
}

TEST(FileRange, ReadsOneRangeAndIgnoresWhatItDoesNotKnow) {
    const struct {
        const char* header;
        const char* range;
    } cases[] = {{"", "all"},
                 {"bytes=0-0", "0-0"},
                 {"bytes=0-", "0-99"},
                 {"bytes=99-", "99-99"},
                 {"bytes=10-19", "10-19"},
                 {"bytes=10-1000", "10-99"},
                 {"bytes=-1", "99-99"},
                 {"bytes=-100", "0-99"},
                 {"bytes=-1000", "0-99"},
                 {"bytes=100-", "416"},
                 {"bytes=100-200", "416"},
                 {"bytes=18446744073709551615-", "416"},
                 {"bytes=-0", "416"},
                 {"bytes=18446744073709551616-", "all"},
                 {"bytes=", "all"},
                 {"bytes=-", "all"},
                 {"bytes=5", "all"},
                 {"bytes=5-4", "all"},
                 {"bytes=0-1,3-4", "all"},
                 {"bytes= 0-1", "all"},
                 {"bytes=+0-1", "all"},
                 {"bytes=0--1", "all"},
                 {"bytes=a-b", "all"},
                 {"lines=0-1", "all"}};
    for (const auto& test : cases)
        EXPECT_EQ(range_of(test.header, 100), test.range) << test.header;
    EXPECT_EQ(range_of("bytes=0-", 0), "416");
    EXPECT_EQ(range_of("bytes=-1", 0), "416");
}

class FileAnswersTest : public ::testing::Test {
  protected:
    FileAnswersTest()
        : store_(std::move(registry::open(folder_ / "registry.db").value())),
          shelf_(*store_, folder_ / "files"),
          links_(shelf_, std::string(kBase), "us-east-1", Secret::copy_of(bytes_of("secret"))) {
        put("a.bin", "0123456789");
    }
    void put(std::string_view name, std::string_view content) {
        const int memory = ::memfd_create("input", MFD_CLOEXEC);
        EXPECT_EQ(::write(memory, content.data(), content.size()),
                  static_cast<ssize_t>(content.size()));
        ::lseek(memory, 0, SEEK_SET);
        EXPECT_TRUE(shelf_.put(name, memory, 1000, kNow));
        ::close(memory);
    }
    http::Request get(std::string_view name, std::vector<http::Header> headers = {}) {
        http::Request request;
        request.method = "GET";
        request.target = links_.make(name, std::chrono::seconds(60), kNow)->substr(kBase.size());
        request.headers = std::move(headers);
        return request;
    }
    /// "206 bytes 2-4/10 234"
    static std::string text_of(const Result<http::Response>& response) {
        if (!response) return to_string(response.error());
        std::string text = std::to_string(response->status) + " ";
        for (const auto& header : response->headers)
            if (header.name == "Content-Range") text += header.value + " ";
        if (!response->source) return text + response->body;
        std::string body(response->source->size, '\0');
        return text + (response->source->read(0, body) ? body : "cannot be read");
    }

    hatchery::testing::TempDirectory folder_;
    std::unique_ptr<store::Store> store_;
    files::Shelf shelf_;
    files::Links links_;
    FileAnswers answers_{&links_};
};

TEST_F(FileAnswersTest, GivesTheFileOrAPartOfIt) {
    EXPECT_EQ(text_of(answers_.answer(get("a.bin"), kNow)), "200 0123456789");
    EXPECT_EQ(text_of(answers_.answer(get("a.bin", {{"range", "bytes=2-4"}}), kNow)),
              "206 bytes 2-4/10 234");
    EXPECT_EQ(text_of(answers_.answer(get("a.bin", {{"range", "bytes=10-"}}), kNow)),
              "416 bytes */10 "
              R"({"code":"InvalidRequest","message":"the range begins behind the file's end"})");
    put("empty", "");
    EXPECT_EQ(text_of(answers_.answer(get("empty"), kNow)), "200 ");
}

TEST_F(FileAnswersTest, GoesOnOnlyInTheSameContent) {
    const auto whole = answers_.answer(get("a.bin"), kNow);
    ASSERT_TRUE(whole);
    EXPECT_EQ(whole->headers[0].name, "ETag");
    const std::string tag = whole->headers[0].value;
    const std::vector<http::Header> rest = {{"range", "bytes=8-"}, {"if-range", tag}};
    EXPECT_EQ(text_of(answers_.answer(get("a.bin", rest), kNow)), "206 bytes 8-9/10 89");
    put("a.bin", "abcdefghij");
    EXPECT_EQ(text_of(answers_.answer(get("a.bin", rest), kNow)), "200 abcdefghij");
}

TEST_F(FileAnswersTest, RefusesWhatIsNoGoodLink) {
    http::Request request = get("a.bin");
    request.method = "POST";
    EXPECT_EQ(text_of(answers_.answer(request, kNow)), "expected GET, found POST");
    request = get("a.bin");
    EXPECT_EQ(text_of(answers_.answer(request, kNow + std::chrono::seconds(61))),
              "the link expired at 2027-01-01T00:01:00Z");
    request.target.pop_back();
    EXPECT_EQ(text_of(answers_.answer(request, kNow)),
              "the link was changed, or is none that this server made");
    EXPECT_EQ(text_of(answers_.answer(get("nothing"), kNow)), "file nothing does not exist");
    EXPECT_EQ(text_of(FileAnswers(nullptr).answer(get("a.bin"), kNow)), "no files are kept here");
}

TEST_F(FileAnswersTest, LeavesThreadsToOthers) {
    std::vector<Result<http::Response>> bodies;
    for (int i = 0; i < FileAnswers::kMostDownloads; ++i)
        bodies.push_back(answers_.answer(get("a.bin"), kNow));
    EXPECT_EQ(text_of(bodies.back()), "200 0123456789");
    EXPECT_EQ(text_of(answers_.answer(get("a.bin"), kNow)),
              "too many downloads at once: try again in a moment");
    bodies.pop_back();
    EXPECT_EQ(text_of(answers_.answer(get("a.bin"), kNow)), "200 0123456789");
}

}  // namespace
}  // namespace hatchery::enroll
