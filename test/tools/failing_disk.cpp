// A disk that fails: a library that a server loads before libc (LD_PRELOAD). Calls that touch files below one directory are noted in a log
// and fail, or take their time, as an order says; all others go through.
//
//   FAILING_DISK_DIRECTORY  the directory, without a slash at its end
//   FAILING_DISK_ORDER      a file with one line: CALL NTH ERRNO MILLISECONDS. The NTH such call of a process (from 1; 0 means every one)
//                           first waits, and then fails with ERRNO unless that is 0. Counted anew when the line changes.
//   FAILING_DISK_LOG        a line for each call: CALL NAME
//
// Calls: create (openat with O_CREAT), write, fsync, sync_file_range, rename (renameat2), read (pread).
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>

namespace {

struct Order {
  char line[100];
  char call[32];
  int nth, number, milliseconds;
};

Order order;
int calls;

bool in_directory(const char* path) {
  const char* directory = getenv("FAILING_DISK_DIRECTORY");
  if (directory == nullptr) return false;
  const size_t length = strlen(directory);
  return strncmp(path, directory, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

// The path of an open file; empty when there is none. Says whether it lies in the directory.
bool path_of(int descriptor, char* path, size_t size) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  const ssize_t length = readlink(link, path, size - 1);
  path[length < 0 ? 0 : length] = '\0';
  return length > 0 && in_directory(path);
}

void read_order() {
  const char* file = getenv("FAILING_DISK_ORDER");
  char line[sizeof order.line] = "";
  const int descriptor = file == nullptr ? -1 : static_cast<int>(syscall(SYS_openat, AT_FDCWD, file, O_RDONLY));
  if (descriptor >= 0) {
    const long length = syscall(SYS_read, descriptor, line, sizeof line - 1);
    line[length < 0 ? 0 : length] = '\0';
    close(descriptor);
  }
  if (strcmp(line, order.line) == 0) return;
  strcpy(order.line, line);
  order.call[0] = '\0';
  order.nth = order.number = order.milliseconds = 0;
  sscanf(line, "%31s %d %d %d", order.call, &order.nth, &order.number, &order.milliseconds);
  calls = 0;
}

// A disk does not hear of signals.
void wait(int milliseconds) {
  timespec left = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
  while (nanosleep(&left, &left) != 0 && errno == EINTR) {
  }
}

// The errno with which this call is to fail, or 0.
int decide(const char* call, const char* path) {
  const int before = errno;
  if (const char* file = getenv("FAILING_DISK_LOG")) {
    char line[400];
    const char* slash = strrchr(path, '/');
    const int length = snprintf(line, sizeof line, "%s %s\n", call, slash == nullptr ? path : slash + 1);
    const int descriptor = static_cast<int>(syscall(SYS_openat, AT_FDCWD, file, O_WRONLY | O_APPEND | O_CREAT, 0600));
    if (descriptor >= 0) {
      if (syscall(SYS_write, descriptor, line, length) < 0) abort();
      close(descriptor);
    }
  }
  read_order();
  int number = 0;
  if (strcmp(call, order.call) == 0 && (++calls == order.nth || order.nth == 0)) {
    wait(order.milliseconds);
    number = order.number;
  }
  errno = before;
  return number;
}

bool fails(const char* call, int descriptor) {
  char path[1024];
  if (!path_of(descriptor, path, sizeof path)) return false;
  const int number = decide(call, path);
  if (number != 0) errno = number;
  return number != 0;
}

template <typename Function>
Function next(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

}  // namespace

// the attributes of libc's declarations do not matter here
#pragma GCC visibility push(default)
extern "C" {

ssize_t write(int descriptor, const void* data, size_t size) {
  static const auto real = next<ssize_t (*)(int, const void*, size_t)>("write");
  return fails("write", descriptor) ? -1 : real(descriptor, data, size);
}

ssize_t pread(int descriptor, void* data, size_t size, off_t offset) {
  static const auto real = next<ssize_t (*)(int, void*, size_t, off_t)>("pread");
  return fails("read", descriptor) ? -1 : real(descriptor, data, size, offset);
}

int fsync(int descriptor) {
  static const auto real = next<int (*)(int)>("fsync");
  return fails("fsync", descriptor) ? -1 : real(descriptor);
}

int sync_file_range(int descriptor, off64_t offset, off64_t size, unsigned flags) {
  static const auto real = next<int (*)(int, off64_t, off64_t, unsigned)>("sync_file_range");
  return fails("sync_file_range", descriptor) ? -1 : real(descriptor, offset, size, flags);
}

int renameat2(int old_directory, const char* old_name, int new_directory, const char* new_name, unsigned flags) {
  static const auto real = next<int (*)(int, const char*, int, const char*, unsigned)>("renameat2");
  return fails("rename", old_directory) ? -1 : real(old_directory, old_name, new_directory, new_name, flags);
}

int renameat(int old_directory, const char* old_name, int new_directory, const char* new_name) noexcept {
  static const auto real = next<int (*)(int, const char*, int, const char*)>("renameat");
  return fails("rename", old_directory) ? -1 : real(old_directory, old_name, new_directory, new_name);
}

int openat(int directory, const char* name, int flags, ...) {
  static const auto real = next<int (*)(int, const char*, int, mode_t)>("openat");
  mode_t mode = 0;
  if ((flags & O_CREAT) != 0) {
    va_list arguments;
    va_start(arguments, flags);
    mode = va_arg(arguments, mode_t);
    va_end(arguments);
    if (fails("create", directory)) return -1;
  }
  return real(directory, name, flags, mode);
}

}  // extern "C"
