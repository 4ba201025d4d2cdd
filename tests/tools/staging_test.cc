#include "tools/hatchery/staging.h"

#include "tools/hatchery/files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <set>

namespace hatchery::command {
namespace {

namespace fs = std::filesystem;

class StagingTest : public ::testing::Test {
  protected:
    void SetUp() override {
        std::string name = (fs::temp_directory_path() / "staging-XXXXXX").string();
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        top_ = name;
    }
    void TearDown() override { fs::remove_all(top_); }

    static std::set<std::string> names_in(const fs::path& folder) {
        std::set<std::string> names;
        for (const auto& entry : fs::directory_iterator(folder))
            names.insert(entry.path().filename().string());
        return names;
    }
    static int mode_of(const fs::path& path) {
        struct stat status {};
        EXPECT_EQ(::stat(path.c_str(), &status), 0);
        return static_cast<int>(status.st_mode & 0777);
    }
    static void fill(const Staging& staging) {
        ASSERT_TRUE(write_file(staging.path() / "last", "1", kPrivate, Existing::Refuse));
        ASSERT_TRUE(make_private_directory(staging.path() / "folder"));
        ASSERT_TRUE(write_file(staging.path() / "folder" / "a", "2", kPrivate, Existing::Refuse));
    }

    fs::path top_;
};

TEST_F(StagingTest, ANewDirectoryAppearsWhole) {
    auto staging = Staging::make(top_ / "deep" / "new");
    ASSERT_TRUE(staging) << to_string(staging.error());
    fill(*staging);
    EXPECT_FALSE(fs::exists(top_ / "deep" / "new"));
    auto target = staging->commit("last");
    ASSERT_TRUE(target) << to_string(target.error());
    EXPECT_EQ(*target, top_ / "deep" / "new");
    EXPECT_EQ(names_in(*target), (std::set<std::string>{"folder", "last"}));
    EXPECT_EQ(names_in(top_ / "deep"), (std::set<std::string>{"new"}));
    EXPECT_EQ(mode_of(*target), 0700);
}

TEST_F(StagingTest, AnEmptyDirectoryIsFilledInPlace) {
    fs::create_directory(top_ / "empty");
    auto staging = Staging::make(top_ / "empty" / "");
    ASSERT_TRUE(staging) << to_string(staging.error());
    fill(*staging);
    auto target = staging->commit("last");
    ASSERT_TRUE(target) << to_string(target.error());
    EXPECT_EQ(names_in(top_ / "empty"), (std::set<std::string>{"folder", "last"}));
    EXPECT_EQ(mode_of(top_ / "empty"), 0700);
    EXPECT_EQ(read_file(top_ / "empty" / "folder" / "a").value(), "2");
}

TEST_F(StagingTest, WithoutCommitNothingIsLeft) {
    {
        auto staging = Staging::make(top_ / "new");
        ASSERT_TRUE(staging);
        fill(*staging);
    }
    EXPECT_EQ(names_in(top_), std::set<std::string>{});
}

TEST_F(StagingTest, RefusesADirectoryThatHoldsSomething) {
    fs::create_directory(top_ / "full");
    ASSERT_TRUE(write_file(top_ / "full" / "notes.txt", "", kPrivate, Existing::Refuse));
    auto staging = Staging::make(top_ / "full");
    ASSERT_FALSE(staging);
    EXPECT_EQ(staging.error().code, Code::AlreadyExists);
    EXPECT_EQ(staging.error().message,
              (top_ / "full").string() +
                  " is not empty (notes.txt): expected a new or empty directory, nothing is "
                  "overwritten");
    auto on_file = Staging::make(top_ / "full" / "notes.txt");
    ASSERT_FALSE(on_file);
    EXPECT_EQ(on_file.error().message,
              (top_ / "full" / "notes.txt").string() + " exists and is no directory");
}

TEST_F(StagingTest, WhoComesSecondIsRefused) {
    auto first = Staging::make(top_ / "new");
    auto second = Staging::make(top_ / "new");
    ASSERT_TRUE(first);
    ASSERT_TRUE(second);
    fill(*first);
    fill(*second);
    ASSERT_TRUE(first->commit("last"));
    auto refused = second->commit("last");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::AlreadyExists);
}

TEST_F(StagingTest, AFileIsWholeAndNeverClobbered) {
    const fs::path file = top_ / "f";
    ASSERT_TRUE(write_file(file, "one", kPublic, Existing::Refuse));
    auto refused = write_file(file, "two", kPublic, Existing::Refuse);
    ASSERT_FALSE(refused);
    EXPECT_EQ(to_string(refused.error()), file.string() + " exists and is not overwritten");
    EXPECT_EQ(read_file(file).value(), "one");
    ASSERT_TRUE(write_file(file, "three", kPrivate, Existing::Replace));
    EXPECT_EQ(read_file(file).value(), "three");
    EXPECT_EQ(mode_of(file), 0600);
    EXPECT_EQ(names_in(top_), (std::set<std::string>{"f"}));
}

TEST_F(StagingTest, ReadsNoMoreThanItMay) {
    const fs::path file = top_ / "f";
    ASSERT_TRUE(write_file(file, "12345", kPublic, Existing::Refuse));
    EXPECT_EQ(read_file(file, 5).value(), "12345");
    auto refused = read_file(file, 4);
    ASSERT_FALSE(refused);
    EXPECT_EQ(to_string(refused.error()), file.string() + ": expected at most 4 bytes");
}

}  // namespace
}  // namespace hatchery::command
