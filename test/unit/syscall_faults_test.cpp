// The definitions behind syscall_faults.hpp, and a test of theirs.
#include "syscall_faults.hpp"

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <map>
#include <mutex>

namespace snapback::test {
namespace {

std::atomic<bool> armed{false};
std::recursive_mutex mutex;
std::map<std::string, SyscallFault*> faults;

template <typename Function>
Function* real(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

SyscallFault::SyscallFault(std::string function, std::function<int()> decide) : function_(std::move(function)), decide_(std::move(decide)) {
  const std::lock_guard guard(mutex);
  faults[function_] = this;
  armed = true;
}

SyscallFault::SyscallFault(std::string function, int number, int pass, int times)
    : SyscallFault(std::move(function), [this, number, pass, times] { return calls_ > pass && calls_ <= pass + times ? number : 0; }) {}

SyscallFault::~SyscallFault() {
  const std::lock_guard guard(mutex);
  faults.erase(function_);
  armed = !faults.empty();
}

int decide_syscall(const char* function) {
  if (!armed) return 0;
  const std::lock_guard guard(mutex);
  const auto found = faults.find(function);
  if (found == faults.end() || found->second->inside_) return 0;
  SyscallFault& fault = *found->second;
  ++fault.calls_;
  fault.inside_ = true;  // what `decide` does itself is let through
  const int number = fault.decide_();
  fault.inside_ = false;
  return number;
}

}  // namespace snapback::test

// the attributes of libc's declarations do not matter here, and flock and fstat are names of structs too
#pragma GCC diagnostic ignored "-Wignored-attributes"
#pragma GCC diagnostic ignored "-Wshadow"

#define PASS_OR_FAIL(function, failed, ...)                                               \
  if (const int number = snapback::test::decide_syscall(#function); number != 0) {        \
    errno = number;                                                                       \
    return failed;                                                                        \
  }                                                                                       \
  static const auto next = snapback::test::real<std::remove_pointer_t<decltype(&::function)>>(#function); \
  return next(__VA_ARGS__)

extern "C" {
// tells its error by what it returns
int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*routine)(void*), void* argument) {
  if (const int number = snapback::test::decide_syscall("pthread_create"); number != 0) return number;
  static const auto next = snapback::test::real<decltype(::pthread_create)>("pthread_create");
  return next(thread, attributes, routine, argument);
}
int openat(int directory, const char* name, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  PASS_OR_FAIL(openat, -1, directory, name, flags, mode);
}
ssize_t write(int fd, const void* data, size_t size) { PASS_OR_FAIL(write, -1, fd, data, size); }
ssize_t pread(int fd, void* data, size_t size, off_t offset) { PASS_OR_FAIL(pread, -1, fd, data, size, offset); }
int fsync(int fd) { PASS_OR_FAIL(fsync, -1, fd); }
int sync_file_range(int fd, off64_t from, off64_t size, unsigned flags) { PASS_OR_FAIL(sync_file_range, -1, fd, from, size, flags); }
int renameat2(int from, const char* old, int to, const char* name, unsigned flags) noexcept { PASS_OR_FAIL(renameat2, -1, from, old, to, name, flags); }
int renameat(int from, const char* old, int to, const char* name) noexcept { PASS_OR_FAIL(renameat, -1, from, old, to, name); }
int linkat(int from, const char* old, int to, const char* name, int flags) noexcept { PASS_OR_FAIL(linkat, -1, from, old, to, name, flags); }
int flock(int fd, int operation) noexcept { PASS_OR_FAIL(flock, -1, fd, operation); }
int fchmod(int fd, mode_t mode) noexcept { PASS_OR_FAIL(fchmod, -1, fd, mode); }
int fstat(int fd, struct stat* out) noexcept { PASS_OR_FAIL(fstat, -1, fd, out); }
int fstatat(int fd, const char* name, struct stat* out, int flags) noexcept { PASS_OR_FAIL(fstatat, -1, fd, name, out, flags); }
int fstatvfs(int fd, struct statvfs* out) noexcept { PASS_OR_FAIL(fstatvfs, -1, fd, out); }
int mkdir(const char* path, mode_t mode) noexcept { PASS_OR_FAIL(mkdir, -1, path, mode); }
dirent* readdir(DIR* stream) { PASS_OR_FAIL(readdir, nullptr, stream); }
DIR* fdopendir(int fd) { PASS_OR_FAIL(fdopendir, nullptr, fd); }
int usleep(useconds_t time) { PASS_OR_FAIL(usleep, -1, time); }
}

namespace snapback::test {
namespace {

TEST(SyscallFault, FailsWhereAskedAndNowhereElse) {
  EXPECT_EQ(::usleep(0), 0);
  SyscallFault fault("usleep", EIO, 1, 1);
  EXPECT_EQ(::usleep(0), 0);
  EXPECT_EQ(::usleep(0), -1);
  EXPECT_EQ(errno, EIO);
  EXPECT_EQ(::usleep(0), 0);
  EXPECT_EQ(fault.calls(), 3);
  SyscallFault other("mkdir", EROFS);
  EXPECT_EQ(::mkdir("/tmp", 0700), -1);
  EXPECT_EQ(errno, EROFS);
}

}  // namespace
}  // namespace snapback::test
