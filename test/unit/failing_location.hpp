// A location in memory whose disk fails where a test wants it to.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/storage/storage.hpp"

namespace snapback::test {

// What the disk holds and what it does next. Shared by the location and every file opened from it, so that a test can change both at any time.
struct FailingDisk {
  std::map<std::string, std::string> files;  // every file with its contents, partial ones under <name>.partial
  std::set<std::string> locked;              // partial files whose writer lives

  // Failures. Bytes are counted from 0 over the whole life of one file; unset means never.
  std::optional<std::uint64_t> full_at;        // append() raises 53100 when the file would grow past this many bytes; what fits is written
  std::optional<std::uint64_t> write_error_at; // append() raises 58030 there
  std::optional<std::uint64_t> read_error_at;  // read_at() raises 58030 when it touches this byte
  std::optional<std::uint64_t> flip_byte_at;   // reads return this byte inverted (contents stay): a disk that lies
  std::optional<std::uint64_t> short_at;       // files end here for readers: XX001 beyond
  bool fail_sync = false;                      // sync() raises 58030, and everything after it
  bool full_at_sync = false;                   // sync() raises 53100, and everything after it
  bool fail_open_uncached = false;             // open_uncached() raises 58030
  bool fail_publish = false;                   // publish() raises 58030, nothing changed
  int publish_clashes = 0;                     // so many calls of publish() say that the name is taken
  bool fail_list = false, fail_open = false, fail_create = false, fail_read_small = false, fail_write_small = false, fail_remove = false;
  bool not_readable = false;                   // check_readable() raises 42501
  bool not_writable = false;                   // prepare_for_writing() raises 42501
  bool crash = false;                          // partial files stay when their writer goes, as after kill -9
  std::function<void()> on_append;             // called before every append()

  // What happened.
  int appends = 0, syncs = 0, publishes = 0, uncached_opens = 0, opens = 0, sweeps = 0, writes_small = 0;
  std::uint64_t bytes_read = 0;

  std::uint64_t free_bytes = std::uint64_t{1} << 40;
  std::int64_t clock = 1795226400;  // modification time of every file

  static void fail(const char* action, const std::string& name) {
    throw error(sqlstate::io_error, std::string("could not ") + action + " file \"" + name + "\": Input/output error");
  }
  static void fail_full(const std::string& name, std::uint64_t written) {
    throw error(sqlstate::disk_full, "could not write file \"" + name + "\": No space left on device",
                std::to_string(written) + " bytes had been written; 0 bytes are free there.",
                "Make room on that file system, or remove old backups with backup_delete or backup_prune.");
  }
};

class FailingReadableFile final : public ReadableFile {
 public:
  FailingReadableFile(std::shared_ptr<FailingDisk> disk, std::string name, std::string contents)
      : disk_(std::move(disk)), name_(std::move(name)), contents_(std::move(contents)) {}

  std::uint64_t size() const override { return contents_.size(); }
  std::string name() const override { return name_; }
  void read_at(std::uint64_t offset, char* out, std::size_t size) override {
    const std::uint64_t end = disk_->short_at ? std::min<std::uint64_t>(*disk_->short_at, contents_.size()) : contents_.size();
    if (offset > end || size > end - offset)
      throw error(sqlstate::data_corrupted, "file \"" + name_ + "\" ends too early", "It ends at byte " + std::to_string(end) + ", more was expected.");
    const auto touches = [&](const std::optional<std::uint64_t>& byte) { return byte && *byte >= offset && *byte < offset + size; };
    if (touches(disk_->read_error_at)) FailingDisk::fail("read", name_);
    std::memcpy(out, contents_.data() + offset, size);
    if (touches(disk_->flip_byte_at)) out[*disk_->flip_byte_at - offset] = static_cast<char>(~out[*disk_->flip_byte_at - offset]);
    disk_->bytes_read += size;
  }

 private:
  std::shared_ptr<FailingDisk> disk_;
  std::string name_, contents_;
};

class FailingPartialFile final : public PartialFile {
 public:
  FailingPartialFile(std::shared_ptr<FailingDisk> disk, std::string name) : disk_(std::move(disk)), name_(std::move(name)), partial_(name_ + ".partial") {
    disk_->files[partial_].clear();
    disk_->locked.insert(partial_);
  }
  ~FailingPartialFile() override {
    if (published_) return;
    disk_->locked.erase(partial_);
    if (!disk_->crash) disk_->files.erase(partial_);
  }
  FailingPartialFile(const FailingPartialFile&) = delete;
  FailingPartialFile& operator=(const FailingPartialFile&) = delete;

  std::uint64_t size() const override { return contents().size(); }
  void append(const char* data, std::size_t size) override {
    check_usable();
    if (disk_->on_append) disk_->on_append();
    ++disk_->appends;
    synced_ = false;
    std::string& file = disk_->files[partial_];
    const auto room = [&](const std::optional<std::uint64_t>& limit) {
      return limit ? std::min<std::uint64_t>(size, *limit > file.size() ? *limit - file.size() : 0) : std::uint64_t{size};
    };
    const std::uint64_t full = room(disk_->full_at), broken = room(disk_->write_error_at);
    file.append(data, static_cast<std::size_t>(std::min(full, broken)));
    failed_ = full < size || broken < size;
    if (broken < size && broken <= full) FailingDisk::fail("write", name_);
    if (full < size) FailingDisk::fail_full(name_, file.size());
  }
  void sync(Interrupts& interrupts) override {
    check_usable();
    interrupts.check();
    ++disk_->syncs;
    failed_ = disk_->fail_sync || disk_->full_at_sync;
    if (disk_->fail_sync) FailingDisk::fail("make durable", name_);
    if (disk_->full_at_sync) FailingDisk::fail_full(name_, size());
    synced_ = true;
  }
  std::unique_ptr<ReadableFile> open_uncached() override {
    check_synced();
    ++disk_->uncached_opens;
    if (disk_->fail_open_uncached) FailingDisk::fail("open", partial_);
    return std::make_unique<FailingReadableFile>(disk_, name_, contents());
  }
  bool publish(const std::string& final_name) override {
    check_synced();
    ++disk_->publishes;
    if (disk_->fail_publish) FailingDisk::fail("rename", partial_);
    if (disk_->publish_clashes > 0) {
      --disk_->publish_clashes;
      return false;
    }
    if (disk_->files.count(final_name) != 0) return false;
    disk_->files[final_name] = std::move(disk_->files[partial_]);
    disk_->files.erase(partial_);
    disk_->locked.erase(partial_);
    published_ = true;
    return true;
  }

 private:
  const std::string& contents() const { return disk_->files.at(partial_); }
  void check_usable() const {
    if (published_) throw error(sqlstate::internal_error, "file \"" + name_ + "\" is published already");
    if (failed_) throw error(sqlstate::io_error, "file \"" + name_ + "\" cannot be used after a failed write");
  }
  void check_synced() const {
    check_usable();
    if (!synced_) throw error(sqlstate::internal_error, "file \"" + name_ + "\" has not been made durable");
  }

  std::shared_ptr<FailingDisk> disk_;
  std::string name_, partial_;
  bool synced_ = false, failed_ = false, published_ = false;
};

class FailingLocation final : public Location {
 public:
  explicit FailingLocation(std::shared_ptr<FailingDisk> shared_disk = std::make_shared<FailingDisk>()) : disk(std::move(shared_disk)) {}

  const std::shared_ptr<FailingDisk> disk;

  std::string path() const override { return "/failing"; }
  void check_readable() override {
    if (disk->not_readable) fail_access("read");
  }
  void prepare_for_writing() override {
    if (disk->not_writable) fail_access("write to");
  }
  std::vector<StoredFile> list() override {
    if (disk->fail_list) FailingDisk::fail("read", path());
    std::vector<StoredFile> found;
    for (const auto& [name, contents] : disk->files) {
      const bool partial = name.ends_with(".partial"), held = disk->locked.count(name) != 0;
      if (partial ? held : !name.ends_with(".tmp")) found.push_back({name, contents.size(), disk->clock, held});
    }
    return found;
  }
  bool exists(const std::string& name) override { return disk->files.count(name) != 0; }
  std::unique_ptr<ReadableFile> open(const std::string& name) override {
    ++disk->opens;
    if (disk->fail_open) FailingDisk::fail("open", name);
    return std::make_unique<FailingReadableFile>(disk, name, find(name));
  }
  std::unique_ptr<PartialFile> create_partial(const std::string& name) override {
    if (disk->fail_create) FailingDisk::fail("create", name + ".partial");
    if (disk->locked.count(name + ".partial") != 0)
      throw error(sqlstate::object_in_use, "file \"" + name + ".partial\" is being written by another process");
    return std::make_unique<FailingPartialFile>(disk, name);
  }
  std::unique_ptr<FileLock> lock(const std::string& name) override { return exists(name) ? std::make_unique<FileLock>() : nullptr; }
  std::string read_small(const std::string& name) override {
    if (disk->fail_read_small) FailingDisk::fail("read", name);
    return find(name);
  }
  void write_small(const std::string& name, std::string_view contents) override {
    ++disk->writes_small;
    if (disk->fail_write_small) FailingDisk::fail("write", name);
    disk->files[name] = contents;
  }
  bool remove(const std::string& name) override {
    if (disk->fail_remove) FailingDisk::fail("remove", name);
    return disk->files.erase(name) != 0;
  }
  int sweep() override {
    ++disk->sweeps;
    return static_cast<int>(std::erase_if(disk->files, [&](const auto& file) {
      return (file.first.ends_with(".partial") || file.first.ends_with(".tmp")) && disk->locked.count(file.first) == 0;
    }));
  }
  std::uint64_t free_bytes() override { return disk->free_bytes; }

 private:
  const std::string& find(const std::string& name) const {
    const auto found = disk->files.find(name);
    if (found == disk->files.end()) throw error(sqlstate::undefined_file, "could not open file \"" + name + "\": No such file or directory");
    return found->second;
  }
  [[noreturn]] static void fail_access(const char* action) {
    throw error(sqlstate::insufficient_privilege, std::string("could not ") + action + " directory \"/failing\": Permission denied");
  }
};

}  // namespace snapback::test
