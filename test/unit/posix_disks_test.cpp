// The POSIX location on disks that are really full and devices that really lose writes.
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include <cerrno>

#include "posix_test_support.hpp"
#include "syscall_faults.hpp"

namespace snapback::test {
namespace {

using PosixDisks = PosixTest;
TEST_F(PosixDisks, LimitOnFileSize) {
  struct rlimit before;
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const struct rlimit small = {100000, before.rlim_max};
  const auto old_handler = ::signal(SIGXFSZ, SIG_IGN);  // as the server does
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  auto file = location->create_partial("a");
  const std::string data = pattern(150000);
  file->append(data.data(), 60000);
  const error e = raised([&] { file->append(data.data() + 60000, 90000); });
  ::setrlimit(RLIMIT_FSIZE, &before);
  ::signal(SIGXFSZ, old_handler);
  EXPECT_STREQ(e.sqlstate(), "53100");
  EXPECT_EQ(e.detail().find("100000 bytes had been written; "), 0U) << e.detail();
  EXPECT_NE(e.hint().find("ulimit"), std::string::npos);
}

// A small file system of this test's own, where that is permitted, or the one that PG_SNAPBACK_SMALL_FS names.
class SmallDisk : public PosixTest {
 protected:
  void SetUp() override {
    if (::mount("tmpfs", directory.c_str(), "tmpfs", 0, "size=1m,mode=0700") == 0) {
      mounted_ = true;
    } else if (const char* path = std::getenv("PG_SNAPBACK_SMALL_FS"); path != nullptr) {
      location = open_posix_location(directory = path, 0600, setting_name);
    } else {
      GTEST_SKIP() << "needs the right to mount, or PG_SNAPBACK_SMALL_FS";
    }
  }
  void TearDown() override {
    if (mounted_) {
      EXPECT_EQ(::umount(directory.c_str()), 0);
    }
  }

 private:
  bool mounted_ = false;
};

TEST_F(SmallDisk, Full) {
  const std::uint64_t free = location->free_bytes();
  ASSERT_LE(free, 64 * mib) << "PG_SNAPBACK_SMALL_FS is too large";
  const std::string piece = pattern(64 * 1024);
  location->write_small("kept.json", "{}");
  {
    auto file = location->create_partial("a");
    const error e = raised([&] {
      for (;;) file->append(piece.data(), piece.size());
    });
    EXPECT_STREQ(e.sqlstate(), "53100");
    EXPECT_EQ(e.message(), "could not write file \"a\": No space left on device");
    EXPECT_NE(e.detail().find(" bytes had been written; 0 bytes are free there."), std::string::npos) << e.detail();
    EXPECT_FALSE(e.hint().empty());
    EXPECT_STREQ(raised([&] { location->write_small("kept.json", piece); }).sqlstate(), "53100");
  }
  EXPECT_EQ(location->read_small("kept.json"), "{}");
  EXPECT_EQ(location->list().size(), 1U);
  EXPECT_GE(location->free_bytes() + 8192, free);  // the room is given back
  EXPECT_TRUE(location->remove("kept.json"));
}

TEST_F(SmallDisk, WholeLifeOnTmpfs) {
  const std::string data = pattern(300001);
  auto file = written("a", data);
  EXPECT_EQ(read_whole(*file->open_uncached()), data);
  EXPECT_TRUE(file->publish("a"));
  EXPECT_EQ(location->read_small("a"), data);
  EXPECT_TRUE(location->remove("a"));
}

// An ext4 file system on a loop device, whose backing file lies on a small tmpfs.
class LoopDisk : public PosixTest {
 protected:
  void prepare(const char* room) {
    const std::string under = base + "/under";
    ::mkdir(under.c_str(), 0700);
    image = under + "/image";
    if (::mount("tmpfs", under.c_str(), "tmpfs", 0, (std::string("size=") + room).c_str()) != 0) GTEST_SKIP() << "needs the right to mount";
    put(image, "");
    std::filesystem::resize_file(image, 64 * mib);
    if (std::system(("mkfs.ext4 -q -O ^has_journal " + image + " >/dev/null 2>&1 && mount -o loop " + image + " " + directory + " 2>/dev/null").c_str()) != 0)
      GTEST_SKIP() << "needs mkfs.ext4 and loop devices";
    ::chmod(directory.c_str(), 0700);
    mounted_ = true;
  }
  void TearDown() override {
    if (mounted_) {
      EXPECT_EQ(std::system(("umount " + directory).c_str()), 0);
    }
    (void)::umount((base + "/under").c_str());
  }

  std::string image;
  bool mounted_ = false;
};

TEST_F(LoopDisk, DeviceThatLosesWrites) {
  prepare("6m");
  if (!mounted_) return;
  const std::string data = pattern(24 * mib);
  auto file = location->create_partial("a");
  // the file system has room, the device below it has not: the loss shows only at write-back
  const error e = raised([&] {
    file->append(data.data(), data.size());
    file->sync(no_interrupts);
  });
  EXPECT_TRUE(std::string(e.sqlstate()) == "58030" || std::string(e.sqlstate()) == "53100") << e.sqlstate();
  EXPECT_STREQ(raised([&] { file->sync(no_interrupts); }).sqlstate(), "58030");
  EXPECT_STREQ(raised([&] { file->publish("a"); }).sqlstate(), "58030");
}

TEST_F(LoopDisk, ReadBackSeesTheDevice) {
  prepare("64m");
  if (!mounted_) return;
  const std::string data = pattern(4 * mib, 77);
  auto file = written("a", data);
  // damage the device behind the file system's back: its page cache still holds the right bytes
  const std::string device = contents_of(image);
  const std::size_t place = device.find(data.substr(2 * mib, 64));
  ASSERT_NE(place, std::string::npos);
  {
    std::fstream stream(image, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(static_cast<std::streamoff>(place));
    stream.put(static_cast<char>(~data[2 * mib]));
  }
  for (bool direct : {true, false}) {
    SyscallFault fault("openat", direct ? 0 : EINVAL, 0, 1);
    const std::string back = read_whole(*file->open_uncached());
    EXPECT_NE(back[2 * mib], data[2 * mib]) << direct;
    EXPECT_EQ(back.substr(0, 2 * mib), data.substr(0, 2 * mib)) << direct;
  }
}

}  // namespace
}  // namespace snapback::test
