// What the parts of the POSIX location share: descriptors, errors, locked files.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "core/storage/storage.hpp"

namespace snapback::posix {

inline constexpr char partial_suffix[] = ".partial";
inline constexpr char temporary_suffix[] = ".tmp";

// An open file descriptor; closed by its destructor.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor();
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  int get() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

// Raises `could not <action> file "<name>": <reason>` with the SQLSTATE that belongs to the error number.
[[noreturn]] void fail_file(int number, const char* action, const std::string& name);
// The same for an error met while writing: 53100 where there is no room left, with `written` and the free bytes in DETAIL, otherwise 58030.
[[noreturn]] void fail_write(int number, const char* action, const std::string& name, std::uint64_t written, int descriptor);
// Text of an error number.
std::string reason(int number);

// Raises XX000 unless the name is a plain file name of at most 200 bytes.
void check_name(const std::string& name);
bool is_valid_name(const std::string& name);

// openat() with O_CLOEXEC and O_NOFOLLOW that goes on after a signal; not open (errno set) where it fails.
Descriptor open_at(int directory, const std::string& name, int flags, unsigned mode = 0);
// True when the name in the directory still belongs to the open file.
bool is_linked_as(int directory, const std::string& name, int descriptor);
// Opens an existing regular file for reading. Raises 58P01, 42809 (symbolic link or no regular file), 42501, 58030.
Descriptor open_regular(int directory, const std::string& name);

enum class Lock { shared, exclusive };
// Never waits. 0, EWOULDBLOCK where somebody else holds the lock, or another error number (a file system without locks).
int try_lock(int descriptor, Lock lock);
// Creates a file that must not exist, with exactly that mode, opened for writing and locked exclusively. Not open when the name is taken.
// Raises 0A000 where the file system has no locks, 53100, 42501, 58030.
Descriptor create_locked(int directory, const std::string& name, unsigned mode);

// fsync(), which some file systems interrupt at a signal: that says nothing about the contents, any other failure is final.
int sync_descriptor(int descriptor);
// Makes names in a directory durable. Raises 53100, 58030.
void sync_directory(int directory, const std::string& name);

// Writes all of it. Raises what fail_write raises.
void write_all(int descriptor, const char* data, std::size_t size, const std::string& name, std::uint64_t written_before);

// Reads through the page cache.
std::unique_ptr<ReadableFile> make_readable(Descriptor file, std::string name);
// Reads past the page cache: O_DIRECT where `direct` says that the descriptor was opened so, otherwise after dropping the file's pages.
std::unique_ptr<ReadableFile> make_uncached(Descriptor file, std::string name, bool direct);
// The partial file of a location: `file` is locked and stands in `directory` under name + partial_suffix.
std::unique_ptr<PartialFile> make_partial(Descriptor directory, Descriptor file, std::string name);

}  // namespace snapback::posix
