// System calls of the storage code that fail where a test wants it. The test program defines these functions itself (in
// syscall_faults_test.cpp), before libc's, and passes on what no test has armed.
#pragma once

#include <functional>
#include <string>

namespace snapback::test {

// While it lives, every call of that function runs `decide` first: 0 lets the call through, any other number makes it fail with that errno.
// Names: openat write pread fsync sync_file_range renameat2 renameat linkat flock fchmod fstat fstatat fstatvfs readdir fdopendir mkdir usleep pthread_create.
class SyscallFault {
 public:
  SyscallFault(std::string function, std::function<int()> decide);
  // Fails with `number` from the call after `pass` calls on, `times` times.
  SyscallFault(std::string function, int number, int pass = 0, int times = 1 << 30);
  ~SyscallFault();
  SyscallFault(const SyscallFault&) = delete;
  SyscallFault& operator=(const SyscallFault&) = delete;

  int calls() const { return calls_; }

 private:
  friend int decide_syscall(const char* function);
  std::string function_;
  std::function<int()> decide_;
  int calls_ = 0;
  bool inside_ = false;
};

}  // namespace snapback::test
