// Files kept: whole or not at all, whatever happens in between.
#include "provisioning/files/shelf.h"

#include "provisioning/registry/schema.h"
#include "tests/provisioning/temp_directory.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <thread>

namespace hatchery::files {
namespace {

namespace fs = std::filesystem;

constexpr Time kNow = std::chrono::sys_days{std::chrono::year{2027} / 1 / 1};
constexpr const char* kSha256OfAbc =
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";  // FIPS 180-2, B.1

class ShelfTest : public ::testing::Test {
  protected:
    ShelfTest()
        : store_(std::move(registry::open(folder_ / "registry.db").value())),
          shelf_(*store_, contents_folder()) {}

    fs::path contents_folder() const { return folder_ / "files"; }
    Result<registry::KeptFile> put(std::string_view name,
                                   const std::string& content,
                                   std::uint64_t max_bytes = 1 << 20) {
        std::ofstream(folder_ / "input", std::ios::binary) << content;
        const int in = ::open((folder_ / "input").c_str(), O_RDONLY);
        auto kept = shelf_.put(name, in, max_bytes, kNow);
        ::close(in);
        return kept;
    }
    std::string read(std::string_view name) {
        auto content = shelf_.read(name, 1 << 20);
        return content ? *content : to_string(content.error());
    }
    /// How many contents lie on the disk.
    std::size_t contents() const {
        std::size_t count = 0;
        for (const auto& entry : fs::directory_iterator(contents_folder()))
            count += entry.path().filename().string().size() == 64 ? 1 : 0;
        return count;
    }

    hatchery::testing::TempDirectory folder_;
    std::unique_ptr<store::Store> store_;
    Shelf shelf_;
};

TEST_F(ShelfTest, KeepsAFileUnderItsDigestForItsOwnerAlone) {
    const auto kept = put("firmware/abc", "abc");
    ASSERT_TRUE(kept) << to_string(kept.error());
    EXPECT_EQ(to_hex(kept->sha256), kSha256OfAbc);
    EXPECT_EQ(kept->size, 3);
    EXPECT_EQ(read("firmware/abc"), "abc");
    const fs::path path = contents_folder() / kSha256OfAbc;
    EXPECT_EQ(fs::status(path).permissions(), fs::perms::owner_read | fs::perms::owner_write);
    EXPECT_EQ(fs::status(contents_folder()).permissions(), fs::perms::owner_all);
}

TEST_F(ShelfTest, KeepsEmptyAndLargeFiles) {
    ASSERT_TRUE(put("empty", ""));
    EXPECT_EQ(read("empty"), "");
    std::string large(1'000'003, 'x');
    large[999'999] = 'y';
    ASSERT_TRUE(put("large", large));
    EXPECT_EQ(read("large"), large);
    EXPECT_EQ(shelf_.read("large", 1000).error().message,
              "expected a file of at most 1000 bytes, large has 1000003");
}

TEST_F(ShelfTest, ReplacesAndRemovesAndLeavesNothingBehind) {
    ASSERT_TRUE(put("a", "one"));
    ASSERT_TRUE(put("b", "one"));
    EXPECT_EQ(contents(), 1U);
    ASSERT_TRUE(put("a", "two"));
    EXPECT_EQ(contents(), 2U);
    ASSERT_TRUE(shelf_.remove("b"));
    EXPECT_EQ(contents(), 1U);
    EXPECT_EQ(read("a"), "two");
    EXPECT_EQ(read("b"), "file b does not exist");
    EXPECT_EQ(shelf_.remove("b").error().code, Code::NotFound);
}

TEST_F(ShelfTest, FileThatIsOpenStaysWhole) {
    ASSERT_TRUE(put("a", "one"));
    const auto open = shelf_.open("a");
    ASSERT_TRUE(open);
    ASSERT_TRUE(shelf_.remove("a"));
    std::string content(3, '\0');
    EXPECT_TRUE((*open)->read(0, content));
    EXPECT_EQ(content, "one");
    EXPECT_FALSE((*open)->read(1, content)) << "there are not so many bytes";
}

TEST_F(ShelfTest, RefusesTooMuchAndKeepsWhatWasThere) {
    ASSERT_TRUE(put("a", "one"));
    const auto refused = put("a", "four", 3);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().message, "expected a file of at most 3 bytes");
    EXPECT_EQ(read("a"), "one");
    EXPECT_EQ(contents(), 1U);
    EXPECT_FALSE(fs::exists(contents_folder() / ".incoming"));
}

TEST_F(ShelfTest, RefusesNamesThatAreNone) {
    for (const std::string& name : {std::string(),
                                    std::string("/a"),
                                    std::string("a/"),
                                    std::string("a//b"),
                                    std::string(".."),
                                    std::string("a/../b"),
                                    std::string("./a"),
                                    std::string("a b"),
                                    std::string("a\nb"),
                                    std::string("a?b"),
                                    std::string("ä"),
                                    std::string("a\0b", 3),
                                    std::string(513, 'a')}) {
        const auto kept = put(name, "x");
        ASSERT_FALSE(kept) << name;
        EXPECT_EQ(kept.error().code, Code::InvalidRequest) << name;
    }
    EXPECT_TRUE(put(std::string(512, 'a'), "x"));
    EXPECT_TRUE(put("...", "x"));
}

// A put that was killed leaves a content without a name, or a part of one.
TEST_F(ShelfTest, SweepsWhatACrashLeft) {
    ASSERT_TRUE(put("a", "one"));
    std::ofstream(contents_folder() / kSha256OfAbc) << "abc";
    std::ofstream(contents_folder() / ".incoming") << "half of someth";
    ASSERT_TRUE(put("b", "two"));
    EXPECT_EQ(contents(), 2U);
    EXPECT_EQ(read("a") + read("b"), "onetwo");
}

TEST_F(ShelfTest, FailedInputKeepsNothing) {
    const int folder = ::open(folder_.path().c_str(), O_RDONLY | O_DIRECTORY);  // reads as EISDIR
    const auto kept = shelf_.put("a", folder, 1000, kNow);
    ::close(folder);
    ASSERT_FALSE(kept);
    EXPECT_EQ(kept.error().code, Code::Unavailable);
    EXPECT_EQ(contents(), 0U);
}

TEST_F(ShelfTest, SaysWhenAContentIsDamaged) {
    ASSERT_TRUE(put("a", "abc"));
    std::ofstream(contents_folder() / kSha256OfAbc) << "ab";
    EXPECT_NE(read("a").find("expected 3 bytes, found 2"), std::string::npos) << read("a");
    fs::remove(contents_folder() / kSha256OfAbc);
    EXPECT_NE(read("a").find("No such file"), std::string::npos) << read("a");
}

// Whoever opens a name while it is put again and again finds one whole content or the other.
TEST_F(ShelfTest, ReadersSeeWholeFilesWhileOthersPut) {
    ASSERT_TRUE(put("a", std::string(5000, '0')));
    std::thread writer([&] {
        for (int i = 1; i <= 20; ++i)
            EXPECT_TRUE(put("a", std::string(5000, static_cast<char>('0' + i % 10))));
    });
    for (int i = 0; i < 200; ++i) {
        const std::string content = read("a");
        EXPECT_EQ(content, std::string(5000, content[0])) << content.substr(0, 200);
    }
    writer.join();
}

}  // namespace
}  // namespace hatchery::files
