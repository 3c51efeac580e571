#include "core/storage/posix_location.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <string_view>

#include "core/error.hpp"
#include "core/fault.hpp"
#include "core/storage/posix_file.hpp"

namespace snapback {
namespace {

using namespace posix;

constexpr std::uint64_t small_file_limit = std::uint64_t{64} << 20;
constexpr mode_t directory_mode = 0700;
constexpr int lock_attempts = 1000;
constexpr unsigned lock_pause = 10000;  // microseconds

bool ends_with(std::string_view text, std::string_view end) { return text.size() > end.size() && text.ends_with(end); }
// Partial files, and what write_small left behind: <name>.<process>-<number>.tmp.
bool is_unfinished(std::string_view name) { return ends_with(name, partial_suffix) || ends_with(name, temporary_suffix); }

std::string temporary_name(const std::string& name) {
  static std::atomic<unsigned> counter{0};
  return name + "." + std::to_string(::getpid()) + "-" + std::to_string(++counter) + temporary_suffix;
}

// A stream of directory entries; closed by its destructor.
class DirectoryStream {
 public:
  explicit DirectoryStream(Descriptor directory) : stream_(::fdopendir(directory.get())) {
    if (stream_ != nullptr) (void)directory.release();
  }
  ~DirectoryStream() {
    if (stream_ != nullptr) ::closedir(stream_);
  }
  DirectoryStream(const DirectoryStream&) = delete;
  DirectoryStream& operator=(const DirectoryStream&) = delete;

  bool is_open() const { return stream_ != nullptr; }
  int descriptor() const { return ::dirfd(stream_); }
  // Null at the end (errno 0) and after an error.
  const dirent* next() {
    errno = 0;
    return ::readdir(stream_);
  }

 private:
  DIR* stream_;
};

class PosixFileLock final : public FileLock {
 public:
  explicit PosixFileLock(Descriptor file) : file_(std::move(file)) {}

 private:
  Descriptor file_;
};

class PosixLocation final : public Location {
 public:
  PosixLocation(std::string path, unsigned file_mode, std::string setting)
      : path_(std::move(path)), setting_(std::move(setting)), file_mode_(file_mode) {
    while (path_.size() > 1 && path_.back() == '/') path_.pop_back();
    if (path_.empty() || path_.front() != '/')
      throw error(sqlstate::invalid_parameter_value, "\"" + path_ + "\" is not an absolute path", {}, "Set " + setting_ + " to a path that begins with a slash.");
  }

  std::string path() const override { return path_; }

  void check_readable() override { check_access(open_directory().get(), R_OK | X_OK, "read"); }

  void prepare_for_writing() override {
    make_directory();
    const Descriptor directory = open_directory();
    fault_point("storage.prepared");
    check_access(directory.get(), R_OK | W_OK | X_OK, "write to");
    struct stat status;
    if (::fstat(directory.get(), &status) != 0) fail_directory(errno, "examine");
    // whoever can write here can put other files in place of backups; the sticky bit does not stop planted ones
    if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
      throw error(sqlstate::object_not_in_prerequisite_state, "directory \"" + path_ + "\" can be written to by other users",
                  "Other users could replace the backups in it.",
                  "Run chmod go-w on it, or set " + setting_ + " to a new directory inside it, which is then created for the server alone.");
  }

  std::vector<StoredFile> list() override {
    std::vector<StoredFile> files;
    fault_point("storage.list");
    for_each_regular([&](int directory, const std::string& name, const struct stat& status) {
      StoredFile file{name, static_cast<std::uint64_t>(status.st_size), status.st_mtim.tv_sec, false};
      if (is_unfinished(name)) {
        file.being_written = ends_with(name, partial_suffix) && is_locked(directory, name);
        if (!file.being_written) return;
      }
      files.push_back(std::move(file));
    });
    std::sort(files.begin(), files.end(), [](const StoredFile& a, const StoredFile& b) { return a.name < b.name; });
    return files;
  }

  bool exists(const std::string& name) override {
    check_name(name);
    struct stat status;
    if (::fstatat(open_directory().get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) return S_ISREG(status.st_mode);
    if (errno != ENOENT) fail_file(errno, "examine", name);
    return false;
  }

  std::unique_ptr<ReadableFile> open(const std::string& name) override {
    check_name(name);
    fault_point("storage.open");
    return make_readable(open_regular(open_directory().get(), name), name);
  }

  std::unique_ptr<PartialFile> create_partial(const std::string& name) override {
    check_name(name);
    const std::string partial_name = name + partial_suffix;
    fault_point("storage.create");
    Descriptor directory = open_directory();
    Descriptor file = create_locked(directory.get(), partial_name, file_mode_);
    // the rest of a crash under the very same name
    if (!file.is_open() && remove_if_unlocked(directory.get(), partial_name)) file = create_locked(directory.get(), partial_name, file_mode_);
    if (!file.is_open()) throw error(sqlstate::object_in_use, "file \"" + partial_name + "\" is being written by another process");
    auto partial = make_partial(std::move(directory), std::move(file), name);
    fault_point("storage.created");
    return partial;
  }

  std::unique_ptr<FileLock> lock(const std::string& name) override {
    check_name(name);
    const Descriptor directory = open_directory();
    // for writing, because network file systems give exclusive locks to writers only
    Descriptor file = open_at(directory.get(), name, O_WRONLY | O_NONBLOCK);
    if (!file.is_open()) {
      if (errno == ENOENT) return nullptr;
      fail_file(errno, "open", name);
    }
    int number = try_lock(file.get(), Lock::exclusive);
    for (int attempt = 0; number == EWOULDBLOCK && attempt < lock_attempts; ++attempt) {
      ::usleep(lock_pause);
      number = try_lock(file.get(), Lock::exclusive);
    }
    if (number == EWOULDBLOCK)
      throw error(sqlstate::object_in_use, "file \"" + name + "\" is locked by another process", {}, "Another call changes this backup. Try again.");
    if (number != 0) fail_file(number, "lock", name);
    if (!is_linked_as(directory.get(), name, file.get())) return nullptr;
    return std::make_unique<PosixFileLock>(std::move(file));
  }

  std::string read_small(const std::string& name) override {
    const std::unique_ptr<ReadableFile> file = open(name);
    if (file->size() > small_file_limit)
      throw error(sqlstate::data_corrupted, "file \"" + name + "\" is too large",
                  "It has " + std::to_string(file->size()) + " bytes; at most " + std::to_string(small_file_limit) + " were expected.");
    std::string contents(static_cast<std::size_t>(file->size()), '\0');
    file->read_at(0, contents.data(), contents.size());
    return contents;
  }

  void write_small(const std::string& name, std::string_view contents) override {
    check_name(name);
    const Descriptor directory = open_directory();
    std::string temporary;
    Descriptor file;
    while (!file.is_open()) {  // a name is taken only by the rest of a crash
      temporary = temporary_name(name);
      file = create_locked(directory.get(), temporary, file_mode_);
    }
    try {
      fault_point("storage.small_created");
      write_all(file.get(), contents.data(), contents.size(), name, 0);
      fault_point("storage.small_written");
      if (sync_descriptor(file.get()) != 0) fail_write(errno, "make durable", name, contents.size(), file.get());
      fault_point("storage.small_synced");
      if (::renameat(directory.get(), temporary.c_str(), directory.get(), name.c_str()) != 0)
        fail_write(errno, "replace", name, contents.size(), directory.get());
    } catch (...) {
      ::unlinkat(directory.get(), temporary.c_str(), 0);
      throw;
    }
    fault_point("storage.small_renamed");
    sync_directory(directory.get(), name);
    fault_point("storage.small_published");
  }

  bool remove(const std::string& name) override {
    check_name(name);
    const Descriptor directory = open_directory();
    struct stat status;
    if (::fstatat(directory.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(status.st_mode))
      throw error(sqlstate::wrong_object_type, "\"" + name + "\" is not a regular file");
    fault_point("storage.remove");
    if (::unlinkat(directory.get(), name.c_str(), 0) != 0) {
      if (errno == ENOENT) return false;
      fail_file(errno, "remove", name);
    }
    fault_point("storage.unlinked");
    sync_directory(directory.get(), name);
    fault_point("storage.removed");
    return true;
  }

  int sweep() override {
    int removed = 0;
    for_each_regular([&](int directory, const std::string& name, const struct stat&) {
      if (!is_unfinished(name) || !remove_if_unlocked(directory, name)) return;
      ++removed;
      fault_point("storage.swept");
    });
    return removed;
  }

  std::uint64_t free_bytes() override {
    struct statvfs room;
    if (::fstatvfs(open_directory().get(), &room) != 0) fail_directory(errno, "examine");
    return std::uint64_t{room.f_bavail} * room.f_frsize;
  }

 private:
  [[noreturn]] void fail_directory(int number, const char* action) const {
    const std::string message = std::string("could not ") + action + " directory \"" + path_ + "\": " + reason(number);
    switch (number) {
      case ENOENT:
        throw error(sqlstate::undefined_file, message, {}, "Create it, or set " + setting_ + " to another directory.");
      case EACCES:
      case EPERM:
        throw error(sqlstate::insufficient_privilege, message, {},
                    "Give the operating system user of the server access to \"" + path_ + "\", or set " + setting_ + " to another directory.");
      case ENOTDIR:
      case ELOOP:
        throw error(sqlstate::wrong_object_type, message, {}, "Set " + setting_ + " to the path of a directory.");
      case EROFS:
        throw error(sqlstate::object_not_in_prerequisite_state, message, {}, "Set " + setting_ + " to a directory on a file system that can be written to.");
      case ENOSPC:
      case EDQUOT:
        throw error(sqlstate::disk_full, message, {}, "Make room on that file system, or set " + setting_ + " to a directory on another one.");
      default:
        throw error(sqlstate::io_error, message, {}, "The path is the value of " + setting_ + ".");
    }
  }

  Descriptor open_directory() const {
    Descriptor directory(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory.is_open()) fail_directory(errno, "open");
    return directory;
  }

  void check_access(int directory, int access, const char* action) const {
    if (::faccessat(directory, ".", access, 0) != 0) fail_directory(errno, action);
  }

  void make_directory() const {
    if (::mkdir(path_.c_str(), directory_mode) == 0) {
      const std::size_t slash = path_.rfind('/');
      const Descriptor parent(::open(slash == 0 ? "/" : path_.substr(0, slash).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      // a parent that may be searched but not read cannot be synced
      if (parent.is_open()) sync_directory(parent.get(), path_);
      return;
    }
    const int number = errno;
    struct stat status;
    // mkdir may say EROFS or EACCES for a directory that is there; a link to nowhere exists and is none
    if (::stat(path_.c_str(), &status) != 0) fail_directory(number == EEXIST ? errno : number, "create");
  }

  // Calls visit(directory, name, status) for every regular file whose name a location can have.
  template <typename Visit>
  void for_each_regular(Visit visit) const {
    DirectoryStream stream(open_directory());
    if (!stream.is_open()) fail_directory(errno, "read");
    while (const dirent* entry = stream.next()) {
      const std::string name = entry->d_name;
      struct stat status;
      if (!is_valid_name(name)) continue;
      // a file may go between the two calls
      if (::fstatat(stream.descriptor(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(status.st_mode)) continue;
      visit(stream.descriptor(), name, status);
    }
    if (errno != 0) fail_directory(errno, "read");
  }

  // Takes the lock for an instant; a file that cannot be opened is not ours to write.
  static bool is_locked(int directory, const std::string& name) {
    const Descriptor file = open_at(directory, name, O_RDONLY | O_NONBLOCK);
    return file.is_open() && try_lock(file.get(), Lock::shared) == EWOULDBLOCK;
  }

  // The name may have gone or been published before the lock was ours: then nothing is done.
  static bool remove_if_unlocked(int directory, const std::string& name) {
    const Descriptor file = open_at(directory, name, O_WRONLY | O_NONBLOCK);
    return file.is_open() && try_lock(file.get(), Lock::exclusive) == 0 && is_linked_as(directory, name, file.get()) &&
           ::unlinkat(directory, name.c_str(), 0) == 0;
  }

  std::string path_, setting_;
  unsigned file_mode_;
};

}  // namespace

std::unique_ptr<Location> open_posix_location(std::string path, unsigned file_mode, std::string setting) {
  return std::make_unique<PosixLocation>(std::move(path), file_mode, std::move(setting));
}

}  // namespace snapback
