// Links from the maker to the opener, and names in URLs.
#include "provisioning/files/links.h"

#include "provisioning/registry/schema.h"
#include "tests/provisioning/temp_directory.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

namespace hatchery::files {
namespace {

constexpr Time kNow = std::chrono::sys_days{std::chrono::year{2027} / 1 / 1};
constexpr std::string_view kBase = "https://plant.example:8443";

class LinksTest : public ::testing::Test {
  protected:
    LinksTest()
        : store_(std::move(registry::open(folder_ / "registry.db").value())),
          shelf_(*store_, folder_ / "files"),
          links_(shelf_, std::string(kBase), "us-east-1", Secret::copy_of(bytes_of("secret"))) {}

    void put(std::string_view name, std::string_view content) {
        const int memory = ::memfd_create("input", MFD_CLOEXEC);
        ASSERT_EQ(::write(memory, content.data(), content.size()),
                  static_cast<ssize_t>(content.size()));
        ::lseek(memory, 0, SEEK_SET);
        const auto kept = shelf_.put(name, memory, 1000, kNow);
        ::close(memory);
        ASSERT_TRUE(kept) << to_string(kept.error());
    }
    /// The content, or the error's text.
    std::string open(std::string_view target, Time now = kNow) {
        const auto file = links_.open(target, now);
        if (!file) return std::string(to_string(file.error().code)) + ": " + file.error().message;
        std::string content((*file)->size(), '\0');
        return (*file)->read(0, content) ? content : "cannot be read";
    }
    std::string target_of(std::string_view url, int seconds = 60) {
        const auto link = links_.make(url, std::chrono::seconds(seconds), kNow);
        if (!link) return to_string(link.error());
        EXPECT_TRUE(link->starts_with(kBase)) << *link;
        return link->substr(kBase.size());
    }

    hatchery::testing::TempDirectory folder_;
    std::unique_ptr<store::Store> store_;
    Shelf shelf_;
    Links links_;
};

TEST_F(LinksTest, LeadToTheirFileAlone) {
    put("firmware/a.bin", "content of a");
    put("firmware/b.bin", "content of b");
    const std::string target = target_of("https://s3.us-east-1.amazonaws.com/firmware/a.bin");
    EXPECT_EQ(open(target), "content of a");
    std::string other = target;
    other.replace(other.find("/a.bin"), 6, "/b.bin");
    EXPECT_EQ(open(other), "Forbidden: the link was changed, or is none that this server made");
    EXPECT_EQ(open(target, kNow + std::chrono::seconds(60)),
              "Forbidden: the link expired at 2027-01-01T00:01:00Z");
}

TEST_F(LinksTest, FollowTheName) {
    const std::string target = target_of("firmware/a.bin");  // not there yet
    EXPECT_EQ(open(target), "NotFound: file firmware/a.bin does not exist");
    put("firmware/a.bin", "one");
    EXPECT_EQ(open(target), "one");
    put("firmware/a.bin", "another");
    EXPECT_EQ(open(target), "another");
    ASSERT_TRUE(shelf_.remove("firmware/a.bin"));
    EXPECT_EQ(open(target), "NotFound: file firmware/a.bin does not exist");
}

TEST_F(LinksTest, RefuseHostilePaths) {
    put("a.bin", "content");
    for (const std::string target : {"/files/a.bin",
                                     "/files/a.bin?",
                                     "/files/",
                                     "/files/../hatchery.toml?X-Amz-Date=20270101T000000Z",
                                     "/files/%2e%2e/hatchery.toml",
                                     "/files",
                                     ""}) {
        EXPECT_TRUE(open(target).starts_with("Forbidden: ")) << target << ": " << open(target);
    }
    // The same file by another spelling of its path is another link.
    std::string target = target_of("a.bin");
    EXPECT_TRUE(open("/files/./a.bin" + target.substr(target.find('?'))).starts_with("Forbidden"));
    EXPECT_TRUE(open("/files//a.bin" + target.substr(target.find('?'))).starts_with("Forbidden"));
    for (const char* url : {"https://host",
                            "https://host/",
                            "https://host/../../etc/passwd",
                            "https://host/a//b",
                            "https://host/a b",
                            "https://host/a%00b",
                            "https://bucket.s3.amazonaws.com/..",
                            "s3://",
                            ""}) {
        EXPECT_NE(target_of(url).find("expected a file name of 1 to 512 characters"),
                  std::string::npos)
            << url << ": " << target_of(url);
    }
}

TEST_F(LinksTest, WaitForTheFrontsPort) {
    Links links(shelf_, "", "us-east-1", Secret::copy_of(bytes_of("secret")));
    EXPECT_EQ(links.make("a", std::chrono::seconds(60), kNow).error().code, Code::Unavailable);
    EXPECT_EQ(links.open("/files/a?b", kNow).error().code, Code::Unavailable);
    links.set_base_url("https://plant.example");
    EXPECT_TRUE(links.make("a", std::chrono::seconds(60), kNow)
                    .value_or("")
                    .starts_with("https://plant.example/files/a?X-Amz-Algorithm="));
}

TEST_F(LinksTest, SecretIsMadeOnceAndKeptWrapped) {
    const auto wrap = [](ByteView plain) -> Result<Bytes> {
        Bytes wrapped(plain.rbegin(), plain.rend());
        return wrapped;
    };
    const auto unwrap = [](ByteView wrapped) -> Result<Secret> {
        return Secret(Bytes(wrapped.rbegin(), wrapped.rend()));
    };
    const auto first = link_secret(*store_, wrap, unwrap);
    const auto again = link_secret(*store_, wrap, unwrap);
    ASSERT_TRUE(first && again);
    EXPECT_EQ(first->text().size(), 64U);
    EXPECT_EQ(first->text(), again->text());
}

TEST(Links, NamesOfUrls) {
    EXPECT_EQ(name_of("https://s3.us-east-1.amazonaws.com/bucket/a/b.bin"), "bucket/a/b.bin");
    EXPECT_EQ(name_of("https://bucket.s3.us-east-1.amazonaws.com/a/b.bin"), "bucket/a/b.bin");
    EXPECT_EQ(name_of("https://bucket.s3.amazonaws.com/a.bin?versionId=1"), "bucket/a.bin");
    EXPECT_EQ(name_of("s3://bucket/a.bin"), "bucket/a.bin");
    EXPECT_EQ(name_of("https://localhost:8443/files/fw/a.bin"), "fw/a.bin");
    EXPECT_EQ(name_of("fw/a.bin"), "fw/a.bin");
    EXPECT_EQ(name_of("https://host"), "");
}

}  // namespace
}  // namespace hatchery::files
