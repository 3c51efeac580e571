#include "service/repository.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <set>

#include "core/backup_id.hpp"
#include "core/error.hpp"
#include "core/storage/posix_location.hpp"
#include "pg/call.hpp"
#include "pg/encoding.hpp"
#include "pg/server.hpp"
#include "pg/settings.hpp"
#include "pg/spi.hpp"

extern "C" {
#include "commands/dbcommands.h"
}

namespace snapback::service {

namespace {

constexpr const char* file_suffix = ".json.zst";
constexpr const char* sidecar_suffix = ".state.json";
constexpr const char* location_setting = "pg_snapback.storage_location";

bool ends_with(const std::string& text, const std::string& suffix) {
  return text.size() >= suffix.size() && text.compare(text.size() - suffix.size(), suffix.size(), suffix) == 0;
}

bool is_directory(const std::string& path) {
  struct stat status;
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

std::string string_member(const Json& object, const char* key) {
  auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

Sidecar sidecar_from_manifest(const std::string& id, const BackupReader& reader) {
  const Manifest& manifest = reader.manifest();
  Sidecar sidecar;
  sidecar.id = id;
  sidecar.size = reader.file_size();
  sidecar.backup = manifest.backup;
  sidecar.tables = manifest.tables.size();
  sidecar.rows = manifest.rows();
  sidecar.logical_bytes = manifest.logical_bytes();
  return sidecar;
}

// What decides where a backup belongs and who may have it.
bool has_same_origin(const Json& a, const Json& b) {
  return string_member(a, "system_identifier") == string_member(b, "system_identifier") && a.value("database_oid", Json()) == b.value("database_oid", Json());
}

}  // namespace

void check_identity(const BackupInfo& backup, const Manifest& manifest) {
  const std::string id = string_member(manifest.backup, "id");
  if (id != backup.id) throw snapback::error(sqlstate::data_corrupted, "the file holds backup \"" + printable(id) + "\"");
  if (backup.has_sidecar && !has_same_origin(backup.sidecar.backup, manifest.backup)) throw snapback::error(sqlstate::data_corrupted, "its sidecar tells of another database than the file");
}

Sidecar read_sidecar(Location& location, const std::string& id) {
  if (location.exists(sidecar_file_name(id))) return parse_sidecar(location.read_small(sidecar_file_name(id)));
  return sidecar_from_manifest(id, BackupReader(location.open(backup_file_name(id))));
}

std::string backup_file_name(const std::string& id) { return id + file_suffix; }
std::string sidecar_file_name(const std::string& id) { return id + sidecar_suffix; }

std::int64_t now_microseconds() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string now_utc() { return format_utc(now_microseconds()); }

DatabaseIdentity this_database() {
  DatabaseIdentity identity;
  identity.oid = MyDatabaseId;
  const char* name = pg::call([] { return get_database_name(MyDatabaseId); });
  identity.name = name ? name : "";
  identity.system_identifier = std::to_string(pg::system_identifier());
  return identity;
}

std::string storage_directory(bool* inside_data_directory) {
  if (inside_data_directory) *inside_data_directory = false;
  std::string configured = pg::settings.storage_location ? pg::settings.storage_location : "";
  if (!configured.empty()) return configured;
  std::string data = DataDir;
  while (data.size() > 1 && data.back() == '/') data.pop_back();
  std::string beside = data + "-snapback";
  std::string parent = data.substr(0, data.rfind('/'));
  if (is_directory(beside) || ::access(parent.empty() ? "/" : parent.c_str(), W_OK | X_OK) == 0) return beside;
  if (inside_data_directory) *inside_data_directory = true;
  return data + "/snapback";
}

bool BackupInfo::uncommitted() const {
  auto it = sidecar.backup.find("uncommitted");
  return it != sidecar.backup.end() && it->is_boolean() && it->get<bool>();
}
std::string BackupInfo::kind() const { return string_member(sidecar.backup, "kind"); }
std::string BackupInfo::plan() const { return pg::shown_text(string_member(sidecar.backup, "plan")); }
std::string BackupInfo::expires_at() const {
  if (sidecar.pinned || !is_own) return "";
  return expiry ? *expiry : string_member(sidecar.backup, "expires_at");
}
std::string BackupInfo::taken_by() const { return pg::shown_text(string_member(sidecar.backup, "role")); }
std::string BackupInfo::database() const { return pg::shown_text(string_member(sidecar.backup, "database")); }
bool BackupInfo::wide() const {
  auto it = sidecar.backup.find("all_tables");
  return it != sidecar.backup.end() && it->is_boolean() && it->get<bool>();
}

Repository::Repository(bool for_writing) : database_(this_database()) {
  location_ = open_posix_location(storage_directory(), pg::settings.file_group_read ? 0640 : 0600, location_setting);
  if (for_writing)
    location_->prepare_for_writing();
  else if (is_directory(location_->path()) || pg::settings.storage_location[0] != '\0')
    location_->check_readable();
}

BackupInfo Repository::describe(const StoredFile& file) {
  BackupInfo info;
  info.file_name = file.name;
  info.id = file.name.substr(0, file.name.find('.'));
  info.stored_bytes = file.size;
  if (file.being_written) {
    info.state = "writing";
    info.sidecar.id = info.id;
    info.is_own = false;
    return info;
  }
  try {
    info.sidecar = parse_sidecar(location_->read_small(sidecar_file_name(info.id)));
    info.has_sidecar = info.sidecar.id == info.id;
  } catch (const snapback::error&) {
    info.has_sidecar = false;
  }
  if (!info.has_sidecar) {
    try {
      BackupReader reader(location_->open(file.name));
      check_identity(info, reader.manifest());
      info.sidecar = sidecar_from_manifest(info.id, reader);
    } catch (const snapback::error& e) {
      info.sidecar = Sidecar{};
      info.sidecar.id = info.id;
      info.state = "unreadable";
      info.problem = e.message();
      return info;
    }
  }
  info.is_own = is_of_this_database(info.sidecar.backup);
  if (info.has_sidecar && info.sidecar.size != file.size) {
    info.state = "damaged";
    info.problem = "the file holds " + std::to_string(file.size) + " bytes instead of " + std::to_string(info.sidecar.size);
  } else if (!info.sidecar.problem.empty()) {
    info.state = "damaged";
    info.problem = pg::shown_text(info.sidecar.problem);
  } else {
    info.state = info.is_own ? "good" : "foreign";
  }
  return info;
}

std::vector<BackupInfo> Repository::list() {
  std::vector<BackupInfo> backups;
  if (!is_directory(location_->path())) return backups;
  for (auto& file : location_->list()) {
    std::string name = file.name;
    if (file.being_written && ends_with(name, ".partial")) name.resize(name.size() - 8);
    if (!ends_with(name, file_suffix)) continue;
    if (!is_backup_id(name.substr(0, name.size() - strlen(file_suffix)))) continue;
    backups.push_back(describe(file));
    pg::check_interrupts();
  }
  std::sort(backups.begin(), backups.end(), [](const BackupInfo& a, const BackupInfo& b) {
    std::string moment_a = string_member(a.sidecar.backup, "created_at"), moment_b = string_member(b.sidecar.backup, "created_at");
    if (!moment_a.empty() && !moment_b.empty() && moment_a != moment_b) return moment_a > moment_b;
    return a.id > b.id;
  });
  return backups;
}

BackupInfo Repository::find(const std::string& id) {
  std::vector<std::string> known;
  std::vector<StoredFile> files;
  if (is_directory(location_->path())) files = location_->list();
  for (auto& file : files) {
    if (file.being_written || !ends_with(file.name, file_suffix)) continue;
    std::string candidate = file.name.substr(0, file.name.size() - strlen(file_suffix));
    if (is_backup_id(candidate)) known.push_back(candidate);
  }
  std::string found = resolve_backup_id(id, known);
  for (auto& file : files)
    if (!file.being_written && file.name == backup_file_name(found)) return describe(file);
  throw snapback::error(sqlstate::undefined_object, "backup \"" + found + "\" does not exist");
}

BackupInfo Repository::latest(const std::function<bool(const Manifest&)>& holds) {
  for (auto& backup : list()) {
    if (backup.state != "good" || !backup.is_own || backup.uncommitted() || backup.kind() == "safety") continue;
    if (holds ? holds(open(backup)->manifest()) : backup.wide()) return backup;
  }
  throw snapback::error(sqlstate::undefined_object, "there is no good backup of database \"" + database_.name + "\"",
                        holds ? "\"latest\" means the newest good, committed backup that holds all the tables named and is no safety backup."
                              : "\"latest\" means the newest good, committed backup of all tables that is no safety backup.",
                        "Take one with backup_create(), or name a backup: backup_list() shows them.");
}

BackupInfo Repository::find_or_latest(const std::string& id) { return id == "latest" ? latest() : find(id); }

std::unique_ptr<BackupReader> Repository::open(const BackupInfo& backup) {
  auto file = location_->open(backup.file_name);
  try {
    pg::ServerInterrupts interrupts;
    auto reader = std::make_unique<BackupReader>(std::move(file), interrupts);
    check_identity(backup, reader->manifest());
    return reader;
  } catch (const snapback::error& e) {
    if (e.sqlstate() != std::string(sqlstate::data_corrupted)) throw;
    throw snapback::error(sqlstate::data_corrupted, "backup \"" + backup.id + "\" is damaged", e.message() + (e.detail().empty() ? "." : ": " + e.detail()),
                          "Look at it with backup_verify('" + backup.id + "'), which marks it as damaged; backup_list() shows the others.");
  }
}

BackupInfo Repository::read_unreadable(const BackupInfo& backup) {
  auto reader = open(backup);
  BackupInfo info = backup;
  info.sidecar = sidecar_from_manifest(info.id, *reader);
  info.is_own = is_of_this_database(info.sidecar.backup);
  info.state = "damaged";
  info.problem = reader->salvaged();
  return info;
}

bool Repository::is_of_this_database(const Json& description) const {
  return string_member(description, "system_identifier") == database_.system_identifier && description.value("database_oid", Oid{0}) == database_.oid;
}

void Repository::write_sidecar(const Sidecar& sidecar) { location_->write_small(sidecar_file_name(sidecar.id), dump_sidecar(sidecar)); }

}  // namespace snapback::service
