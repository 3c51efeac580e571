// The POSIX location on disks that fail: every system call in turn. posix_disks_test.cpp has the real ones.
#include <cerrno>
#include <map>

#include "posix_test_support.hpp"
#include "syscall_faults.hpp"

namespace snapback::test {
namespace {

using PosixFaults = PosixTest;
TEST_F(PosixFaults, FailedSyncIsFinal) {
  auto file = location->create_partial("a");
  file->append("abc", 3);
  SyscallFault fault("fsync", EIO, 0, 1);
  const error e = raised([&] { file->sync(no_interrupts); });
  EXPECT_STREQ(e.sqlstate(), "58030");
  EXPECT_EQ(e.message(), "could not make durable file \"a\": Input/output error");
  EXPECT_STREQ(raised([&] { file->sync(no_interrupts); }).sqlstate(), "58030");
  EXPECT_STREQ(raised([&] { file->publish("a"); }).sqlstate(), "58030");
  EXPECT_STREQ(raised([&] { file->append("d", 1); }).sqlstate(), "58030");
  EXPECT_STREQ(raised([&] { file->open_uncached(); }).sqlstate(), "58030");
  EXPECT_EQ(fault.calls(), 1);
  file.reset();
  EXPECT_TRUE(names().empty());
}

TEST_F(PosixFaults, SyncCallsFsyncOnce) {
  auto file = location->create_partial("a");
  file->append("abc", 3);
  SyscallFault counter("fsync", [] { return 0; });
  file->sync(no_interrupts);
  file->sync(no_interrupts);
  EXPECT_EQ(counter.calls(), 1);
}

TEST_F(PosixFaults, NoRoomAtSync) {
  auto file = location->create_partial("a");
  file->append("abc", 3);
  SyscallFault fault("fsync", EDQUOT);
  const error e = raised([&] { file->sync(no_interrupts); });
  EXPECT_STREQ(e.sqlstate(), "53100");
  EXPECT_EQ(e.detail().find("3 bytes had been written; "), 0U) << e.detail();
  EXPECT_NE(e.hint().find("quota"), std::string::npos);
}

TEST_F(PosixFaults, WriteBackErrorIsFinal) {
  const std::string data = pattern(9 * mib);
  auto file = location->create_partial("a");
  SyscallFault fault("sync_file_range", EIO, 0, 1);
  EXPECT_STREQ(raised([&] { file->append(data.data(), data.size()); }).sqlstate(), "58030");
  EXPECT_STREQ(raised([&] { file->sync(no_interrupts); }).sqlstate(), "58030");
}

TEST_F(PosixFaults, WriteBackErrorInSyncIsFinal) {
  auto file = location->create_partial("a");
  file->append("abc", 3);
  SyscallFault fault("sync_file_range", ENOSPC, 0, 1);
  SyscallFault counter("fsync", [] { return 0; });
  EXPECT_STREQ(raised([&] { file->sync(no_interrupts); }).sqlstate(), "53100");
  EXPECT_STREQ(raised([&] { file->publish("a"); }).sqlstate(), "58030");
  EXPECT_EQ(counter.calls(), 0);
}

TEST_F(PosixFaults, WithoutWriteBack) {
  const std::string data = pattern(30 * mib);
  for (int number : {ENOSYS, EINVAL, ESPIPE}) {
    auto file = location->create_partial("a");
    SyscallFault fault("sync_file_range", number);
    file->append(data.data(), data.size());
    file->sync(no_interrupts);
    EXPECT_EQ(fault.calls(), 1);
    EXPECT_EQ(read_whole(*file->open_uncached()), data);
  }
}

TEST_F(PosixFaults, SignalsDoNotMatter) {
  const std::string data = pattern(20 * mib);
  int turn = 0;
  const auto every_second = [&] { return ++turn % 2 != 0 ? EINTR : 0; };
  SyscallFault open_fault("openat", every_second), write_fault("write", every_second), read_fault("pread", every_second);
  SyscallFault range_fault("sync_file_range", every_second), lock_fault("flock", every_second), sync_fault("fsync", every_second);
  auto file = location->create_partial("a");
  file->append(data.data(), data.size());
  file->sync(no_interrupts);
  EXPECT_EQ(read_whole(*file->open_uncached()), data);
  EXPECT_TRUE(file->publish("a"));
  EXPECT_EQ(location->read_small("a"), data);
}

TEST_F(PosixFaults, WriteErrorIsFinal) {
  auto file = location->create_partial("a");
  file->append("abc", 3);
  SyscallFault fault("write", EIO, 0, 1);
  const error e = raised([&] { file->append("def", 3); });
  EXPECT_STREQ(e.sqlstate(), "58030");
  EXPECT_EQ(e.message(), "could not write file \"a\": Input/output error");
  EXPECT_STREQ(raised([&] { file->append("def", 3); }).sqlstate(), "58030");
  EXPECT_STREQ(raised([&] { file->sync(no_interrupts); }).sqlstate(), "58030");
}

TEST_F(PosixFaults, DiskFullWithoutStatvfs) {
  auto file = location->create_partial("a");
  SyscallFault fault("write", ENOSPC), blind("fstatvfs", EIO);
  EXPECT_EQ(raised([&] { file->append("abc", 3); }).detail(), "0 bytes had been written.");
}

TEST_F(PosixFaults, DirectReadsRefusedAtOpen) {
  const std::string data = pattern(3 * mib + 123);
  auto file = written("a", data);
  SyscallFault fault("openat", EINVAL, 0, 1);
  auto copy = file->open_uncached();
  EXPECT_EQ(read_whole(*copy), data);
  EXPECT_EQ(fault.calls(), 2);
}

TEST_F(PosixFaults, DirectReadsRefusedAtRead) {
  const std::string data = pattern(3 * mib + 123);
  auto file = written("a", data);
  auto copy = file->open_uncached();
  {
    SyscallFault fault("pread", EINVAL, 0, 1);
    EXPECT_EQ(read_whole(*copy), data);
  }
  ASSERT_TRUE(file->publish("a"));
  auto plain = location->open("a");
  SyscallFault fault("pread", EINVAL);
  EXPECT_STREQ(raised([&] { read_whole(*copy); }).sqlstate(), "58030");
  EXPECT_STREQ(raised([&] { read_whole(*plain); }).sqlstate(), "58030");
}

TEST_F(PosixFaults, ReadErrors) {
  auto file = written("a", pattern(3 * mib));
  auto copy = file->open_uncached();
  ASSERT_TRUE(file->publish("a"));
  auto plain = location->open("a");
  char byte;
  for (ReadableFile* reader : {copy.get(), plain.get()}) {
    SyscallFault fault("pread", EIO, 0, 1);
    const error e = raised([&] { reader->read_at(mib + 5, &byte, 1); });
    EXPECT_STREQ(e.sqlstate(), "58030");
    EXPECT_EQ(e.message(), "could not read file \"a\": Input/output error");
    EXPECT_NE(e.detail().find("The read began at byte "), std::string::npos);
    reader->read_at(mib + 5, &byte, 1);  // nothing of the failed read is taken for contents
    EXPECT_EQ(byte, pattern(3 * mib)[mib + 5]);
  }
}

TEST_F(PosixFaults, OpenFails) {
  auto file = written("a", "abc");
  SyscallFault fault("openat", EMFILE);
  EXPECT_STREQ(raised([&] { file->open_uncached(); }).sqlstate(), "58030");
  SyscallFault memory("openat", ENOMEM);
  const error e = raised([&] { location->open("a"); });
  EXPECT_STREQ(e.sqlstate(), "53200");
  EXPECT_STREQ(e.what(), "could not open file \"a\": Cannot allocate memory");
}

TEST_F(PosixFaults, PublishByLink) {
  for (int number : {EINVAL, ENOSYS}) {
    SyscallFault fault("renameat2", number);
    auto file = written("a", "abc");
    EXPECT_TRUE(file->publish("a"));
    file.reset();
    EXPECT_EQ(names(), std::vector<std::string>{"a"});
    auto second = written("b", "def");
    EXPECT_FALSE(second->publish("a"));
    EXPECT_EQ(contents_of(in("a")), "abc");
    second.reset();
    EXPECT_EQ(names(), std::vector<std::string>{"a"});
    EXPECT_TRUE(location->remove("a"));
  }
}

TEST_F(PosixFaults, PublishRefused) {
  auto file = written("a", "abc");
  {
    SyscallFault rename_fault("renameat2", EINVAL), link_fault("linkat", EPERM);
    EXPECT_STREQ(raised([&] { file->publish("a"); }).sqlstate(), "0A000");
  }
  {
    SyscallFault rename_fault("renameat2", EINVAL), link_fault("linkat", EIO);
    EXPECT_STREQ(raised([&] { file->publish("a"); }).sqlstate(), "58030");
  }
  {
    SyscallFault rename_fault("renameat2", ENOSPC);
    EXPECT_STREQ(raised([&] { file->publish("a"); }).sqlstate(), "53100");
  }
  EXPECT_FALSE(there("a"));
  EXPECT_TRUE(file->publish("a"));
}

TEST_F(PosixFaults, DirectoryNotDurable) {
  auto file = written("a", "abc");
  {
    SyscallFault fault("fsync", EIO);
    EXPECT_STREQ(raised([&] { file->publish("a"); }).sqlstate(), "58030");
  }
  file.reset();
  EXPECT_TRUE(names().empty());  // told that it failed, nobody finds it
  for (int number : {EINVAL, EBADF}) {
    auto again = written("a", "abc");
    SyscallFault fault("fsync", number);
    EXPECT_TRUE(again->publish("a"));
    EXPECT_TRUE(location->remove("a"));
  }
  put(in("b"), "x");
  SyscallFault fault("fsync", EIO);
  EXPECT_STREQ(raised([&] { location->remove("b"); }).sqlstate(), "58030");
}

TEST_F(PosixFaults, WriteSmallLeavesTheOldContents) {
  location->write_small("state", "old");
  for (const char* call : {"openat", "write", "fsync", "renameat", "fchmod", "flock"}) {
    {
      SyscallFault fault(call, ENOSPC);
      const error e = raised([&] { location->write_small("state", "new"); });
      EXPECT_STREQ(e.sqlstate(), std::string(call) == "flock" ? "0A000" : "53100") << call;
    }
    EXPECT_EQ(contents_of(in("state")), "old") << call;
    EXPECT_EQ(names(), std::vector<std::string>{"state"}) << call;
  }
}

TEST_F(PosixFaults, CreateFails) {
  const struct {
    const char* call;
    int number;
    const char* state;
  } cases[] = {{"openat", ENOSPC, "53100"}, {"openat", EIO, "58030"},   {"openat", EROFS, "55000"}, {"openat", ENOTDIR, "42809"},
               {"flock", ENOLCK, "0A000"},  {"flock", ENOSYS, "0A000"}, {"fchmod", EPERM, "42501"}};
  for (const auto& [call, number, state] : cases) {
    {
      SyscallFault fault(call, number);
      EXPECT_STREQ(raised([&] { location->create_partial("a"); }).sqlstate(), state) << call;
    }
    EXPECT_TRUE(names().empty()) << call;
  }
}

TEST_F(PosixFaults, SweptBetweenCreateAndLock) {
  int turn = 0;
  SyscallFault fault("flock", [&] {
    if (++turn <= 3) ::unlink(in("a.partial").c_str());
    return 0;
  });
  auto file = location->create_partial("a");
  EXPECT_TRUE(there("a.partial"));
  EXPECT_EQ(turn, 4);
}

TEST_F(PosixFaults, LockBusyForAnInstant) {
  SyscallFault fault("flock", EWOULDBLOCK, 0, 3);
  auto file = location->create_partial("a");
  EXPECT_EQ(fault.calls(), 4);
}

TEST_F(PosixFaults, LockBusyForGood) {
  SyscallFault fault("flock", EWOULDBLOCK), no_sleep("usleep", EINTR);
  EXPECT_STREQ(raised([&] { location->create_partial("a"); }).sqlstate(), "55006");
  EXPECT_TRUE(names().empty());
}

TEST_F(PosixFaults, NoLocksListAndSweep) {
  put(in("a"), "x");
  put(in("b.partial"), "x");
  SyscallFault fault("flock", ENOLCK);
  EXPECT_EQ(location->list().size(), 1U);
  EXPECT_EQ(location->sweep(), 0);  // who cannot ask must not remove
  EXPECT_TRUE(there("b.partial"));
}

TEST_F(PosixFaults, DirectoryErrors) {
  put(in("a"), "x");
  {
    SyscallFault fault("readdir", EIO, 1);
    EXPECT_STREQ(raised([&] { location->list(); }).sqlstate(), "58030");
  }
  {
    SyscallFault fault("fdopendir", EMFILE);
    EXPECT_STREQ(raised([&] { location->sweep(); }).sqlstate(), "58030");
  }
  {
    SyscallFault fault("fstatvfs", EIO);
    EXPECT_STREQ(raised([&] { location->free_bytes(); }).sqlstate(), "58030");
  }
  {
    SyscallFault fault("fstat", EIO);
    EXPECT_STREQ(raised([&] { location->prepare_for_writing(); }).sqlstate(), "58030");
    EXPECT_STREQ(raised([&] { location->open("a"); }).sqlstate(), "58030");
  }
  {
    SyscallFault fault("fstat", EIO, 1);
    EXPECT_STREQ(raised([&] { location->open("a"); }).sqlstate(), "58030");
  }
  {
    SyscallFault fault("fstatat", EIO);
    EXPECT_STREQ(raised([&] { location->exists("a"); }).sqlstate(), "58030");
    EXPECT_TRUE(location->list().empty());  // as if it had just gone
  }
  auto other = open_posix_location(base + "/other", 0600, setting_name);
  for (const auto& [number, state] : std::map<int, std::string>{{ENOSPC, "53100"}, {EIO, "58030"}, {EROFS, "55000"}, {EACCES, "42501"}}) {
    SyscallFault fault("mkdir", number);
    EXPECT_EQ(raised([&] { other->prepare_for_writing(); }).sqlstate(), state);
    location->prepare_for_writing();  // one that is there need not be made
  }
}

}  // namespace
}  // namespace snapback::test
