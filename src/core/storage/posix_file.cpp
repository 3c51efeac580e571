#include "core/storage/posix_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "core/error.hpp"

namespace snapback::posix {
namespace {

constexpr std::size_t longest_name = 200;
constexpr int lock_attempts = 2000;
constexpr unsigned lock_pause = 1000;  // microseconds

const char* state_of(int number) {
  switch (number) {
    case ENOSPC:
    case EDQUOT:
      return sqlstate::disk_full;
    case EACCES:
    case EPERM:
      return sqlstate::insufficient_privilege;
    case ENOENT:
      return sqlstate::undefined_file;
    case ENOTDIR:
    case EISDIR:
    case ELOOP:
      return sqlstate::wrong_object_type;
    case EROFS:
      return sqlstate::object_not_in_prerequisite_state;
    case ENOMEM:
      return sqlstate::out_of_memory;
    default:
      return sqlstate::io_error;
  }
}

std::string sentence(int number, const char* action, const std::string& name) {
  return std::string("could not ") + action + " file \"" + name + "\": " + reason(number);
}

}  // namespace

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

std::string reason(int number) { return std::generic_category().message(number); }

void fail_file(int number, const char* action, const std::string& name) {
  throw error(state_of(number), sentence(number, action, name));
}

void fail_write(int number, const char* action, const std::string& name, std::uint64_t written, int descriptor) {
  const char* hint = nullptr;
  if (number == ENOSPC) hint = "Make room on that file system, or remove old backups with backup_delete or backup_prune.";
  if (number == EDQUOT) hint = "Raise the disk quota of the server's user, or remove old backups with backup_delete or backup_prune.";
  // the server ignores SIGXFSZ, so that a limit on the size of files shows as this error
  if (number == EFBIG) hint = "Raise the limit on the size of files (ulimit -f), or use a file system that holds larger files.";
  if (hint == nullptr) throw error(sqlstate::io_error, sentence(number, action, name));

  std::string detail = std::to_string(written) + " bytes had been written";
  struct statvfs room;
  if (::fstatvfs(descriptor, &room) == 0) detail += "; " + std::to_string(std::uint64_t{room.f_bavail} * room.f_frsize) + " bytes are free there";
  throw error(sqlstate::disk_full, sentence(number, action, name), detail + ".", hint);
}

bool is_valid_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.size() <= longest_name && name.find('/') == std::string::npos &&
         name.find('\0') == std::string::npos;
}

void check_name(const std::string& name) {
  if (!is_valid_name(name)) throw error(sqlstate::internal_error, "a stored file cannot have the name \"" + name.substr(0, longest_name) + "\"");
}

Descriptor open_at(int directory, const std::string& name, int flags, unsigned mode) {
  int fd;
  do {
    fd = ::openat(directory, name.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, static_cast<mode_t>(mode));
  } while (fd < 0 && errno == EINTR);
  return Descriptor(fd);
}

bool is_linked_as(int directory, const std::string& name, int descriptor) {
  struct stat opened, named;
  return ::fstat(descriptor, &opened) == 0 && ::fstatat(directory, name.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 && opened.st_dev == named.st_dev &&
         opened.st_ino == named.st_ino;
}

Descriptor open_regular(int directory, const std::string& name) {
  // O_NONBLOCK: opening a pipe that somebody put there must not hang
  Descriptor file = open_at(directory, name, O_RDONLY | O_NONBLOCK);
  if (!file.is_open()) {
    if (errno == ELOOP) throw error(sqlstate::wrong_object_type, "\"" + name + "\" is a symbolic link", {}, "Put the file itself into the directory.");
    fail_file(errno, "open", name);
  }
  struct stat status;
  if (::fstat(file.get(), &status) != 0) fail_file(errno, "examine", name);
  if (!S_ISREG(status.st_mode)) throw error(sqlstate::wrong_object_type, "\"" + name + "\" is not a regular file");
  return file;
}

int try_lock(int descriptor, Lock lock) {
  const int operation = (lock == Lock::shared ? LOCK_SH : LOCK_EX) | LOCK_NB;
  int result;
  do {
    result = ::flock(descriptor, operation);
  } while (result != 0 && errno == EINTR);
  return result == 0 ? 0 : errno;
}

namespace {

// Locks a file just created and gives it its mode. False when a sweeper has removed its name meanwhile.
bool secure_new_file(int directory, const std::string& name, int descriptor, unsigned mode) {
  int number = try_lock(descriptor, Lock::exclusive);
  // between creating and locking a reader of the list or a sweeper may hold the lock for an instant
  for (int attempt = 0; number == EWOULDBLOCK && attempt < lock_attempts; ++attempt) {
    ::usleep(lock_pause);
    number = try_lock(descriptor, Lock::exclusive);
  }
  if (number == EWOULDBLOCK) throw error(sqlstate::object_in_use, "file \"" + name + "\" is locked by another process");
  if (number != 0)
    throw error(sqlstate::feature_not_supported, sentence(number, "lock", name), {},
                "Backups need a file system with working file locks (flock); on NFS the lock service must run.");
  if (!is_linked_as(directory, name, descriptor)) return false;
  // the server's umask must not narrow what the setting asks for
  if (::fchmod(descriptor, static_cast<mode_t>(mode)) != 0) fail_file(errno, "set the permissions of", name);
  return true;
}

}  // namespace

Descriptor create_locked(int directory, const std::string& name, unsigned mode) {
  for (;;) {
    Descriptor file = open_at(directory, name, O_WRONLY | O_CREAT | O_EXCL, mode);
    if (!file.is_open()) {
      if (errno == EEXIST) return file;
      if (errno == ENOSPC || errno == EDQUOT) fail_write(errno, "create", name, 0, directory);
      fail_file(errno, "create", name);
    }
    try {
      if (secure_new_file(directory, name, file.get(), mode)) return file;
    } catch (...) {
      if (is_linked_as(directory, name, file.get())) ::unlinkat(directory, name.c_str(), 0);
      throw;
    }
  }
}

int sync_descriptor(int descriptor) {
  int result;
  do {
    result = ::fsync(descriptor);
  } while (result != 0 && errno == EINTR);
  return result;
}

void sync_directory(int directory, const std::string& name) {
  // some file systems cannot sync a directory, and say so with these two
  if (sync_descriptor(directory) != 0 && errno != EBADF && errno != EINVAL) fail_write(errno, "make durable the directory entry of", name, 0, directory);
}

void write_all(int descriptor, const char* data, std::size_t size, const std::string& name, std::uint64_t written_before) {
  std::size_t done = 0;
  while (done < size) {
    const ssize_t count = ::write(descriptor, data + done, size - done);
    if (count > 0)
      done += static_cast<std::size_t>(count);
    else if (count == 0 || errno != EINTR)
      fail_write(count == 0 ? ENOSPC : errno, "write", name, written_before + done, descriptor);
  }
}

}  // namespace snapback::posix
