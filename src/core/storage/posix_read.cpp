// Reading stored files, through the page cache and past it.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>

#include "core/error.hpp"
#include "core/storage/posix_file.hpp"

namespace snapback::posix {
namespace {

constexpr std::size_t alignment = 4096;
constexpr std::size_t buffer_size = std::size_t{1} << 20;

class PosixReadableFile : public ReadableFile {
 public:
  PosixReadableFile(Descriptor file, std::string name) : file_(std::move(file)), name_(std::move(name)) {
    struct stat status;
    if (::fstat(file_.get(), &status) != 0) fail_file(errno, "examine", name_);
    size_ = static_cast<std::uint64_t>(status.st_size);
  }

  std::uint64_t size() const override { return size_; }
  std::string name() const override { return name_; }

  void read_at(std::uint64_t offset, char* out, std::size_t size) override {
    if (offset > size_ || size > size_ - offset) fail_short(size_);
    std::size_t done = 0;
    while (done < size) {
      const std::size_t count = read_some(offset + done, out + done, size - done);
      if (count == 0) fail_short(offset + done);
      done += count;
    }
  }

 protected:
  // At most `size` bytes; 0 at the end of the file.
  virtual std::size_t read_some(std::uint64_t offset, char* out, std::size_t size) { return system_read(offset, out, size); }

  std::size_t system_read(std::uint64_t offset, char* out, std::size_t size) {
    for (;;) {
      const ssize_t count = ::pread(file_.get(), out, size, static_cast<off_t>(offset));
      if (count >= 0) return static_cast<std::size_t>(count);
      if (errno == EINVAL && read_refused()) continue;
      if (errno != EINTR) throw error(sqlstate::io_error, "could not read file \"" + name_ + "\": " + reason(errno), at(offset));
    }
  }
  // True when a read that was refused (EINVAL) is worth another attempt.
  virtual bool read_refused() { return false; }

  int descriptor() const { return file_.get(); }

 private:
  [[noreturn]] void fail_short(std::uint64_t end) const {
    throw error(sqlstate::data_corrupted, "file \"" + name_ + "\" ends too early", "It ends at byte " + std::to_string(end) + ", more was expected.");
  }
  static std::string at(std::uint64_t offset) { return "The read began at byte " + std::to_string(offset) + "."; }

  Descriptor file_;
  std::string name_;
  std::uint64_t size_ = 0;
};

class UncachedFile final : public PosixReadableFile {
 public:
  UncachedFile(Descriptor file, std::string name, bool direct) : PosixReadableFile(std::move(file), std::move(name)), direct_(direct) {
    buffer_ = static_cast<char*>(std::aligned_alloc(alignment, buffer_size));
    if (buffer_ == nullptr) throw std::bad_alloc();  // GCOVR_EXCL_LINE: out of memory
    drop_cache();
  }
  ~UncachedFile() override { std::free(buffer_); }
  UncachedFile(const UncachedFile&) = delete;
  UncachedFile& operator=(const UncachedFile&) = delete;

 private:
  std::size_t read_some(std::uint64_t offset, char* out, std::size_t size) override {
    if (offset < start_ || offset >= start_ + filled_) {
      start_ = offset / alignment * alignment;
      filled_ = 0;  // also when the read below raises
      filled_ = system_read(start_, buffer_, buffer_size);
      if (offset >= start_ + filled_) return 0;
    }
    const auto skip = static_cast<std::size_t>(offset - start_);
    const std::size_t count = std::min(size, filled_ - skip);
    std::memcpy(out, buffer_ + skip, count);
    return count;
  }

  // A file system may take the flag at open and refuse the read.
  bool read_refused() override {
    if (!direct_) return false;
    direct_ = false;
    ::fcntl(descriptor(), F_SETFL, ::fcntl(descriptor(), F_GETFL) & ~O_DIRECT);
    drop_cache();
    return true;
  }

  // Also with O_DIRECT: some file systems read through the cache all the same (compressed or encrypted files). Advice only, so errors do not matter.
  void drop_cache() { (void)::posix_fadvise(descriptor(), 0, 0, POSIX_FADV_DONTNEED); }

  bool direct_;
  char* buffer_ = nullptr;  // holds filled_ bytes of the file from start_
  std::uint64_t start_ = 0;
  std::size_t filled_ = 0;
};

}  // namespace

std::unique_ptr<ReadableFile> make_readable(Descriptor file, std::string name) {
  return std::make_unique<PosixReadableFile>(std::move(file), std::move(name));
}

std::unique_ptr<ReadableFile> make_uncached(Descriptor file, std::string name, bool direct) {
  return std::make_unique<UncachedFile>(std::move(file), std::move(name), direct);
}

}  // namespace snapback::posix
