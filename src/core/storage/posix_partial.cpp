// A file on its way: written under a temporary name with its lock held, made durable, renamed.
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/error.hpp"
#include "core/fault.hpp"
#include "core/storage/posix_file.hpp"

namespace snapback::posix {
namespace {

// Write-back is started for every window when it is full, and waited for one window later: never more than two are dirty,
// so that a cancelled backup does not hang in its last fsync.
constexpr std::uint64_t window = std::uint64_t{8} << 20;
constexpr unsigned wait_for_window = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;

class PosixPartialFile final : public PartialFile {
 public:
  PosixPartialFile(Descriptor directory, Descriptor file, std::string name)
      : directory_(std::move(directory)), file_(std::move(file)), name_(std::move(name)), partial_name_(name_ + partial_suffix) {}

  // The name goes while the lock is still held, so that no sweeper can meet it.
  ~PosixPartialFile() override {
    if (!published_ && is_linked_as(directory_.get(), partial_name_, file_.get())) ::unlinkat(directory_.get(), partial_name_.c_str(), 0);
  }
  PosixPartialFile(const PosixPartialFile&) = delete;
  PosixPartialFile& operator=(const PosixPartialFile&) = delete;

  std::uint64_t size() const override { return size_; }

  void append(const char* data, std::size_t size) override {
    check_usable();
    fault_point("storage.append");
    synced_ = false;
    while (size > 0) {
      const auto piece = static_cast<std::size_t>(std::min<std::uint64_t>(size, window - size_ % window));
      guarded([&] { write_all(file_.get(), data, piece, name_, size_); });
      data += piece;
      size -= piece;
      size_ += piece;
      if (size_ % window == 0) {
        write_back(size_ - window, SYNC_FILE_RANGE_WRITE);
        if (size_ > window) finish_window();
      }
    }
    fault_point("storage.appended");
  }

  void sync(Interrupts& interrupts) override {
    check_usable();
    if (synced_) return;
    while (durable_ < size_) {
      interrupts.check();
      finish_window();
    }
    interrupts.check();
    fault_point("storage.sync");
    // never a second attempt: after a failure the kernel may have dropped the pages and would report success
    guarded([&] {
      if (sync_descriptor(file_.get()) != 0) fail_write(errno, "make durable", name_, size_, file_.get());
    });
    synced_ = true;
    fault_point("storage.synced");
  }

  std::unique_ptr<ReadableFile> open_uncached() override {
    check_synced();
    bool direct = true;
    Descriptor copy = open_at(directory_.get(), partial_name_, O_RDONLY | O_DIRECT);
    if (!copy.is_open() && errno == EINVAL) {
      direct = false;
      copy = open_at(directory_.get(), partial_name_, O_RDONLY);
    }
    if (!copy.is_open()) fail_file(errno, "open", partial_name_);
    check_ours();
    fault_point("storage.reopened");
    return make_uncached(std::move(copy), name_, direct);
  }

  bool publish(const std::string& final_name) override {
    check_name(final_name);
    check_synced();
    check_ours();
    fault_point("storage.publish");
    if (!take_name(final_name)) return false;
    published_ = true;
    try {
      fault_point("storage.renamed");
      sync_directory(directory_.get(), final_name);
      fault_point("storage.published");
    } catch (...) {
      // nobody may find a backup that its writer was told has failed
      ::unlinkat(directory_.get(), final_name.c_str(), 0);
      throw;
    }
    return true;
  }

 private:
  // Whatever fails on the way to the disk is final.
  template <typename Step>
  void guarded(Step step) {
    try {
      step();
    } catch (...) {
      failed_ = true;
      throw;
    }
  }

  void check_usable() const {
    if (published_) throw error(sqlstate::internal_error, "file \"" + name_ + "\" is published already");
    if (failed_) throw error(sqlstate::io_error, "file \"" + name_ + "\" cannot be used after a failed write");
  }

  void check_synced() const {
    check_usable();
    if (!synced_) throw error(sqlstate::internal_error, "file \"" + name_ + "\" has not been made durable");
  }

  // Somebody with access to the directory may have moved the file or put another in its place.
  void check_ours() const {
    if (!is_linked_as(directory_.get(), partial_name_, file_.get()))
      throw error(sqlstate::io_error, "file \"" + partial_name_ + "\" was removed or replaced while it was being written");
  }

  // Errors count as much as those of fsync: each is reported only once per descriptor.
  void write_back(std::uint64_t start, unsigned flags) {
    if (!can_write_back_) return;
    int result;
    do {
      result = ::sync_file_range(file_.get(), static_cast<off_t>(start), static_cast<off_t>(window), flags);
    } while (result != 0 && errno == EINTR);
    if (result == 0) return;
    if (errno == ENOSYS || errno == EINVAL || errno == ESPIPE) {
      can_write_back_ = false;
      return;
    }
    guarded([&] { fail_write(errno, "write", name_, size_, file_.get()); });
  }

  void finish_window() {
    write_back(durable_, wait_for_window);
    durable_ += window;
  }

  // False when the name is taken.
  bool take_name(const std::string& final_name) {
    const int directory = directory_.get();
    if (::renameat2(directory, partial_name_.c_str(), directory, final_name.c_str(), RENAME_NOREPLACE) == 0) return true;
    if (errno == EEXIST) return false;
    if (errno != EINVAL && errno != ENOSYS) fail_write(errno, "rename", partial_name_, size_, directory);

    // file systems that do not know the flag (NFS, for one) have hard links, which do not replace either
    if (::linkat(directory, partial_name_.c_str(), directory, final_name.c_str(), 0) == 0) {
      ::unlinkat(directory, partial_name_.c_str(), 0);  // where it fails, the sweep removes this second name
      return true;
    }
    if (errno == EEXIST) return false;
    if (errno == EPERM || errno == EOPNOTSUPP)
      throw error(sqlstate::feature_not_supported, "the file system cannot give file \"" + final_name + "\" its name safely",
                  "It has neither a rename that refuses to replace nor hard links.", "Use another file system for backups.");
    fail_write(errno, "rename", partial_name_, size_, directory);
  }

  Descriptor directory_;
  Descriptor file_;
  std::string name_, partial_name_;
  std::uint64_t size_ = 0;
  std::uint64_t durable_ = 0;  // windows before it have reached the disk, as far as write-back tells
  bool can_write_back_ = true;
  bool synced_ = false, failed_ = false, published_ = false;
};

}  // namespace

std::unique_ptr<PartialFile> make_partial(Descriptor directory, Descriptor file, std::string name) {
  return std::make_unique<PosixPartialFile>(std::move(directory), std::move(file), std::move(name));
}

}  // namespace snapback::posix
