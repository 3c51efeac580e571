// Where backups lie: the interface that the writer, the reader and the repository see. posix_location.hpp is the real one;
// tests put a failing disk here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/interrupts.hpp"

namespace snapback {

// A stored file opened for reading. Closed by its destructor.
class ReadableFile {
 public:
  virtual ~ReadableFile() = default;
  virtual std::uint64_t size() const = 0;
  virtual std::string name() const = 0;
  // Fills out[0..size) from offset. Raises XX001 when the file ends before, 58030 on a read error.
  virtual void read_at(std::uint64_t offset, char* out, std::size_t size) = 0;
};

// A file being written under a temporary name with an exclusive lock on it. Unless publish() succeeded, the destructor removes it
// (a crash leaves it behind with its lock free: the sweep removes it).
class PartialFile {
 public:
  virtual ~PartialFile() = default;
  virtual std::uint64_t size() const = 0;
  // Raises 53100 when the disk is full, 58030 otherwise. Starts write-back early, so that sync() has little left to do.
  virtual void append(const char* data, std::size_t size) = 0;
  // Makes the contents durable. A failure is final: no call is retried, nothing may be published afterwards.
  virtual void sync(Interrupts& interrupts) = 0;
  // Opens the synced contents so that reads come from the device where that is possible: O_DIRECT, or the page cache dropped.
  virtual std::unique_ptr<ReadableFile> open_uncached() = 0;
  // Gives the file its final name and makes the directory durable; false when the name is taken (nothing changed).
  // Needs sync() after the last append(). Where it raises, no file stands under the final name.
  virtual bool publish(const std::string& final_name) = 0;
};

// The exclusive lock of a stored file; its destructor gives it back, as does the end of the process.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

struct StoredFile {
  std::string name;
  std::uint64_t size = 0;
  std::int64_t modified = 0;  // seconds since 1970 UTC
  bool being_written = false;  // a partial file whose lock is held
};

// One directory of backups. Every name is a plain file name (no '/').
class Location {
 public:
  virtual ~Location() = default;
  // For messages and for the superuser: the directory's path.
  virtual std::string path() const = 0;
  // Raises 58P01 (missing), 42501 (no access) or 42809 (not a directory), each with a hint naming the setting.
  virtual void check_readable() = 0;
  // The same for writing; creates the directory (mode 0700) when it is missing and its parent exists.
  // Also raises 55000 (a read-only file system, or a directory that other users can write to) and 53100.
  virtual void prepare_for_writing() = 0;
  // Regular files only; symbolic links, directories and other things are passed over.
  virtual std::vector<StoredFile> list() = 0;
  virtual bool exists(const std::string& name) = 0;
  // Raises 58P01 when the file is missing; refuses symbolic links.
  virtual std::unique_ptr<ReadableFile> open(const std::string& name) = 0;
  // Creates <name>.partial, locks it, and removes it again unless published. Raises 55006 when another process writes that very file,
  // 0A000 where the file system has no locks, 53100, 42501, 58030.
  virtual std::unique_ptr<PartialFile> create_partial(const std::string& name) = 0;
  // Waits for the lock of a stored file, which whoever changes or removes the small file beside it holds meanwhile. Null when there is no such
  // file (any more). Raises 55006 when another process holds it for more than ten seconds, 42501, 58030.
  virtual std::unique_ptr<FileLock> lock(const std::string& name) = 0;
  // Small files (at most a few MB): whole contents; written durably under a temporary name, then renamed over the old one.
  virtual std::string read_small(const std::string& name) = 0;
  virtual void write_small(const std::string& name, std::string_view contents) = 0;
  // Removes a file durably; false when it was not there.
  virtual bool remove(const std::string& name) = 0;
  // Removes partial and temporary files whose lock is free. Returns how many.
  virtual int sweep() = 0;
  // Bytes free for this process.
  virtual std::uint64_t free_bytes() = 0;
};

}  // namespace snapback
