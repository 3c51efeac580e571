#include "core/storage/posix_location.hpp"

#include <sys/mount.h>

#include "posix_test_support.hpp"
#include "syscall_faults.hpp"

namespace snapback::test {
namespace {

using PosixLocation = PosixTest;
TEST_F(PosixLocation, NamesThatAreNoPlainNames) {
  auto partial = written("good", "x");
  for (const std::string& name : {std::string(), std::string("."), std::string(".."), std::string("a/b"), std::string("/etc/passwd"), std::string("a\0b", 3),
                                  std::string(201, 'a')}) {
    EXPECT_STREQ(raised([&] { location->exists(name); }).sqlstate(), "XX000");
    EXPECT_STREQ(raised([&] { location->open(name); }).sqlstate(), "XX000");
    EXPECT_STREQ(raised([&] { location->create_partial(name); }).sqlstate(), "XX000");
    EXPECT_STREQ(raised([&] { location->read_small(name); }).sqlstate(), "XX000");
    EXPECT_STREQ(raised([&] { location->write_small(name, "x"); }).sqlstate(), "XX000");
    EXPECT_STREQ(raised([&] { location->remove(name); }).sqlstate(), "XX000");
    EXPECT_STREQ(raised([&] { partial->publish(name); }).sqlstate(), "XX000");
  }
  const std::string longest(200, 'a');
  EXPECT_TRUE(written(longest, "x")->publish(longest));
  location->write_small(longest, "y");
  EXPECT_EQ(location->read_small(longest), "y");
}

TEST_F(PosixLocation, Path) {
  EXPECT_EQ(location->path(), directory);
  EXPECT_EQ(open_posix_location("/tmp///", 0600, setting_name)->path(), "/tmp");
  EXPECT_EQ(open_posix_location("/", 0600, setting_name)->path(), "/");
  for (const char* path : {"", "backups", "./x"}) {
    const error e = raised([&] { open_posix_location(path, 0600, setting_name); });
    EXPECT_STREQ(e.sqlstate(), "22023");
    EXPECT_NE(e.hint().find(setting_name), std::string::npos);
  }
}

TEST_F(PosixLocation, NotReadable) {
  put(base + "/file", "x");
  std::filesystem::create_symlink(base + "/loop", base + "/loop");
  const auto check = [&](const std::string& path, const char* state) {
    const error e = raised([&] { open_posix_location(path, 0600, setting_name)->check_readable(); });
    EXPECT_STREQ(e.sqlstate(), state) << path;
    EXPECT_NE(e.message().find("\"" + path + "\""), std::string::npos) << e.message();
    EXPECT_NE(e.hint().find(setting_name), std::string::npos) << e.hint();
    EXPECT_STREQ(raised([&] { open_posix_location(path, 0600, setting_name)->list(); }).sqlstate(), state) << path;
  };
  check(base + "/missing", "58P01");
  check(base + "/file", "42809");
  check(base + "/file/below", "42809");
  check(base + "/loop", "42809");
  location->check_readable();
  std::filesystem::create_directory_symlink(directory, base + "/link");
  open_posix_location(base + "/link", 0600, setting_name)->check_readable();
  ::chmod(directory.c_str(), 0);
  {
    AsNobody nobody;
    check(directory, "42501");
  }
  ::chmod(directory.c_str(), 0444);  // may be read, but not searched
  {
    AsNobody nobody;
    EXPECT_STREQ(raised([&] { location->check_readable(); }).sqlstate(), "42501");
  }
  ::chmod(directory.c_str(), 0700);
}

TEST_F(PosixLocation, PreparedForWriting) {
  struct stat status;
  ASSERT_EQ(::stat(directory.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0700U);
  location->prepare_for_writing();

  const auto check = [&](const std::string& path, const char* state) {
    const error e = raised([&] { open_posix_location(path, 0600, setting_name)->prepare_for_writing(); });
    EXPECT_STREQ(e.sqlstate(), state) << path << ": " << e.message();
    EXPECT_NE(e.message().find("\"" + path + "\""), std::string::npos) << e.message();
    EXPECT_NE(e.hint().find(setting_name), std::string::npos) << e.hint();
  };
  put(base + "/file", "x");
  std::filesystem::create_symlink(base + "/nowhere", base + "/dangling");
  check(base + "/a/b", "58P01");
  check(base + "/file", "42809");
  check(base + "/file/below", "42809");
  check(base + "/dangling", "58P01");
  for (mode_t mode : {0770U, 0707U, 01777U, 0720U}) {
    ::chmod(directory.c_str(), mode);
    check(directory, "55000");
  }
  ::chmod(directory.c_str(), 0755);
  location->prepare_for_writing();
  ::chmod(directory.c_str(), 0555);
  {
    AsNobody nobody;
    check(directory, "42501");
    check(directory + "/new", "42501");
  }
  ::chmod(directory.c_str(), 0700);
}

TEST_F(PosixLocation, ReadOnlyFileSystem) {
  if (::mount("tmpfs", directory.c_str(), "tmpfs", MS_RDONLY, "mode=0700") != 0) GTEST_SKIP() << "needs the right to mount";
  EXPECT_STREQ(raised([&] { location->prepare_for_writing(); }).sqlstate(), "55000");
  EXPECT_STREQ(raised([&] { open_posix_location(in("new"), 0600, setting_name)->prepare_for_writing(); }).sqlstate(), "55000");
  EXPECT_STREQ(raised([&] { location->create_partial("a"); }).sqlstate(), "55000");
  location->check_readable();
  EXPECT_EQ(::umount(directory.c_str()), 0);
}

TEST_F(PosixLocation, OpenRefuses) {
  put(in("file"), "x");
  std::filesystem::create_symlink(in("file"), in("link"));
  std::filesystem::create_directory(in("directory"));
  ASSERT_EQ(::mkfifo(in("pipe").c_str(), 0600), 0);
  EXPECT_STREQ(raised([&] { location->open("missing"); }).sqlstate(), "58P01");
  EXPECT_STREQ(raised([&] { location->open("link"); }).sqlstate(), "42809");
  EXPECT_STREQ(raised([&] { location->read_small("link"); }).sqlstate(), "42809");
  EXPECT_STREQ(raised([&] { location->open("directory"); }).sqlstate(), "42809");
  EXPECT_STREQ(raised([&] { location->open("pipe"); }).sqlstate(), "42809");
  for (const char* name : {"missing", "link", "directory", "pipe"}) EXPECT_FALSE(location->exists(name)) << name;
  for (const char* name : {"link", "directory", "pipe"}) EXPECT_STREQ(raised([&] { location->remove(name); }).sqlstate(), "42809") << name;
  ::chmod(in("file").c_str(), 0);
  ::chmod(directory.c_str(), 0555);
  {
    AsNobody nobody;
    EXPECT_STREQ(raised([&] { location->open("file"); }).sqlstate(), "42501");
    EXPECT_STREQ(raised([&] { location->remove("file"); }).sqlstate(), "42501");
  }
  ::chmod(directory.c_str(), 0700);
}

TEST_F(PosixLocation, SmallFiles) {
  location->write_small("state", "first");
  EXPECT_EQ(location->read_small("state"), "first");
  location->write_small("state", "");
  EXPECT_EQ(location->read_small("state"), "");
  const std::string large = pattern(5 * mib);
  location->write_small("state", large);
  EXPECT_EQ(location->read_small("state"), large);
  EXPECT_EQ(names(), std::vector<std::string>{"state"});
  put(in("huge"), "");
  std::filesystem::resize_file(in("huge"), 64 * mib + 1);
  EXPECT_STREQ(raised([&] { location->read_small("huge"); }).sqlstate(), "XX001");
  std::filesystem::resize_file(in("huge"), 64 * mib);
  EXPECT_EQ(location->read_small("huge").size(), 64 * mib);
}

TEST_F(PosixLocation, List) {
  EXPECT_TRUE(location->list().empty());
  put(in("b"), "12345");
  put(in("a"), "1");
  put(in("old.partial"), "x");
  put(in("old.1-1.tmp"), "x");
  put(in(std::string(201, 'n')), "x");
  std::filesystem::create_directory(in("directory"));
  std::filesystem::create_symlink(in("a"), in("link"));
  std::filesystem::create_symlink(in("a"), in("link.partial"));
  ASSERT_EQ(::mkfifo(in("pipe.partial").c_str(), 0600), 0);
  auto held = location->create_partial("held");
  held->append("abc", 3);
  const auto files = location->list();
  ASSERT_EQ(files.size(), 3U);
  EXPECT_EQ(files[0].name, "a");
  EXPECT_EQ(files[1].name, "b");
  EXPECT_EQ(files[1].size, 5U);
  EXPECT_NEAR(static_cast<double>(files[1].modified), static_cast<double>(::time(nullptr)), 60);
  EXPECT_FALSE(files[1].being_written);
  EXPECT_EQ(files[2].name, "held.partial");
  EXPECT_EQ(files[2].size, 3U);
  EXPECT_TRUE(files[2].being_written);
}

TEST_F(PosixLocation, Sweep) {
  EXPECT_EQ(location->sweep(), 0);
  put(in("a"), "x");
  put(in("old.partial"), "x");
  put(in("old.1-1.tmp"), "x");
  put(in(".tmp"), "x");
  std::filesystem::create_symlink(in("a"), in("link.partial"));
  std::filesystem::create_directory(in("directory.partial"));
  ASSERT_EQ(::mkfifo(in("pipe.partial").c_str(), 0600), 0);
  auto held = location->create_partial("held");
  EXPECT_EQ(location->sweep(), 2);
  EXPECT_EQ(names(), (std::vector<std::string>{".tmp", "a", "directory.partial", "held.partial", "link.partial", "pipe.partial"}));
}

TEST_F(PosixLocation, LockOfAStoredFile) {
  EXPECT_EQ(location->lock("none"), nullptr);
  written("a", "x")->publish("a");
  auto first = location->lock("a");
  ASSERT_NE(first, nullptr);
  {
    SyscallFault no_sleep("usleep", [] { return EINTR; });
    const error e = raised([&] { location->lock("a"); });
    EXPECT_STREQ(e.sqlstate(), "55006");
    EXPECT_EQ(e.message(), "file \"a\" is locked by another process");
  }
  {
    // it is freed while somebody waits
    int waits = 0;
    SyscallFault wait("usleep", [&] {
      if (++waits == 3) first.reset();
      return EINTR;
    });
    EXPECT_NE(location->lock("a"), nullptr);
  }
  {
    // the file goes while somebody waits
    first = location->lock("a");
    SyscallFault wait("usleep", [&] {
      location->remove("a");
      first.reset();
      return EINTR;
    });
    EXPECT_EQ(location->lock("a"), nullptr);
  }
  written("b", "x")->publish("b");
  {
    SyscallFault no_locks("flock", ENOLCK);
    EXPECT_STREQ(raised([&] { location->lock("b"); }).sqlstate(), "58030");
  }
  SyscallFault closed("openat", EACCES);
  EXPECT_STREQ(raised([&] { location->lock("b"); }).sqlstate(), "42501");
}

TEST_F(PosixLocation, FreeBytes) {
  EXPECT_GT(location->free_bytes(), 0U);
  EXPECT_STREQ(raised([&] { open_posix_location(base + "/missing", 0600, setting_name)->free_bytes(); }).sqlstate(), "58P01");
}

}  // namespace
}  // namespace snapback::test
