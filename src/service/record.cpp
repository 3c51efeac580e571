#include "service/record.hpp"

#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <exception>
#include <fstream>

#include "core/backup_id.hpp"
#include "core/error.hpp"
#include "pg/call.hpp"
#include "pg/server.hpp"
#include "pg/settings.hpp"
#include "pg/wake_table.hpp"
#include "service/repository.hpp"
#include "service/rights.hpp"
#include "service/runs.hpp"

extern "C" {
#include "storage/fd.h"
}

namespace snapback::service {

namespace {

constexpr off_t largest_file = off_t{4} << 20;
constexpr std::size_t longest_message = 500;

struct Entry {
  int nest_level;  // of the (sub)transaction of the call
  Json json;
};

// Calls of the transaction in progress. Kept until the process ends, as in service/pending.cpp.
std::vector<Entry>& entries() {
  static auto* list = new std::vector<Entry>;
  return *list;
}

std::string file_name() { return "pg_snapback/history." + std::to_string(MyDatabaseId); }

// A descriptor that is closed.
class File {
 public:
  File(const std::string& path, int flags) : descriptor_(::open(path.c_str(), flags | O_CLOEXEC, 0600)) {}
  ~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int get() const { return descriptor_; }

 private:
  int descriptor_;
};

std::string content(int descriptor) {
  std::string text, piece(65536, '\0');
  off_t offset = 0;
  for (ssize_t size; (size = ::pread(descriptor, piece.data(), piece.size(), offset)) > 0; offset += size) text.append(piece, 0, size);
  return text;
}

// The number of the newest entry; they count downwards from -1, apart from the numbers of table rows.
std::int64_t newest_number(const std::string& text) {
  auto end = text.find_last_not_of('\n');
  if (end == std::string::npos) return 0;
  auto begin = text.rfind('\n', end);
  Json json = Json::parse(text.substr(begin == std::string::npos ? 0 : begin + 1, end - (begin == std::string::npos ? 0 : begin + 1) + 1), nullptr, false);
  return json.is_object() ? json.value("run_id", std::int64_t{0}) : 0;
}

// Adds the lines; a file that grows too large loses its older half. Failing is not the caller's business: the log has it all.
void append(const std::vector<Json>& lines) {
  (void)::mkdir("pg_snapback", 0700);
  File file(file_name(), O_RDWR | O_CREAT);
  if (file.get() < 0 || ::flock(file.get(), LOCK_EX) != 0) return;
  std::string text = content(file.get());
  std::int64_t number = newest_number(text);
  std::string added;
  // a line that a crash cut is no line
  if (!text.empty() && text.back() != '\n') added = "\n";
  for (Json line : lines) {
    line["run_id"] = --number;
    added += line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  }
  off_t at = static_cast<off_t>(text.size());
  if (at + static_cast<off_t>(added.size()) > largest_file) {
    added = text.substr(text.find('\n', text.size() / 2) + 1) + added;
    at = 0;
  }
  ssize_t written = ::pwrite(file.get(), added.data(), added.size(), at);
  if (written >= 0) (void)!::ftruncate(file.get(), at + written);
}

// Commit and abort have happened: nothing here may raise.
void flush(bool committed) noexcept {
  try {
    std::vector<Json> lines;
    for (auto& entry : entries()) {
      if (!committed && entry.json["kind"] == "restore" && entry.json["state"] == "succeeded") {
        entry.json["state"] = "failed";
        entry.json["message"] = "rolled back by its caller";
      }
      lines.push_back(std::move(entry.json));
    }
    entries().clear();
    append(lines);
  } catch (...) {
    entries().clear();
  }
}

void history_transaction_ended(XactEvent event, void*) {
  if (entries().empty()) return;
  if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_PREPARE) flush(true);
  if (event == XACT_EVENT_ABORT) flush(false);
}

void history_subtransaction_ended(SubXactEvent event, SubTransactionId, SubTransactionId, void*) {
  if (entries().empty()) return;
  int level = GetCurrentTransactionNestLevel();
  for (auto& entry : entries()) {
    if (entry.nest_level < level) continue;
    if (event == SUBXACT_EVENT_COMMIT_SUB) entry.nest_level = level - 1;
    if (event != SUBXACT_EVENT_ABORT_SUB || entry.json["kind"] != "restore" || entry.json["state"] != "succeeded") continue;
    try {
      entry.json["state"] = "failed";
      entry.json["message"] = "rolled back by its caller";
    } catch (...) {
      // only memory can be short here
    }
  }
}

// JSON is UTF-8. The file is one database's, and after an error no catalog is read, as a conversion would: in databases of other encodings each byte beyond ASCII stands as the
// character with its number.
std::string widened(const std::string& text) {
  if (GetDatabaseEncoding() == PG_UTF8) return text;
  std::string wide;
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x80) wide += static_cast<char>(0xc0 | byte >> 6);
    wide += byte >= 0x80 ? static_cast<char>(0x80 | (byte & 0x3f)) : c;
  }
  return wide;
}

std::string narrowed(const std::string& text) {
  if (GetDatabaseEncoding() == PG_UTF8) return text;
  std::string narrow;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool pair = byte >= 0x80 && i + 1 < text.size();
    narrow += pair ? static_cast<char>(byte << 6 | (static_cast<unsigned char>(text[i + 1]) & 0x3f)) : text[i];
    i += pair;
  }
  return narrow;
}

// A value of a log line: names may hold anything.
std::string quoted(const std::string& text) { return narrowed(Json(widened(text)).dump(-1, ' ', false, Json::error_handler_t::replace)); }

void log_line(const std::string& text) {
  pg::call([&] { ereport(LOG_SERVER_ONLY, (errmsg_internal("pg_snapback: %s", text.c_str()), errhidestmt(true), errhidecontext(true))); });
}

std::string beginning(const char* event, const char* kind, const std::string& role) {
  auto& run = current_run();
  std::string line = std::string("event=") + event + " operation=" + kind + " role=" + quoted(role);
  if (run.run_id != 0) line += " run=" + std::to_string(run.run_id);
  if (!run.plan.empty()) line += " plan=" + quoted(run.plan);
  return line;
}

void log_end(const char* kind, const std::string& role, const std::string& state, const Record& record, double seconds, const std::string& sqlstate) {
  char took[32];
  snprintf(took, sizeof(took), "%.3f", seconds);
  std::string line = beginning("end", kind, role) + " outcome=" + state + " seconds=" + took;
  if (!record.backup_id.empty()) line += " backup=" + record.backup_id;
  if (state == "succeeded") line += " rows=" + std::to_string(record.rows) + " bytes=" + std::to_string(record.bytes);
  if (!sqlstate.empty()) line += " sqlstate=" + sqlstate;
  log_line(line);
}

void add_entry(const char* kind, const std::string& role, const std::string& state, const Record& record, std::int64_t started, std::int64_t ended, const std::string& sqlstate, const std::string& message) {
  Json json{{"kind", kind}, {"state", state}, {"role", widened(role)}, {"started", format_utc(started)}, {"finished", format_utc(ended)},
            {"seconds", static_cast<double>(ended - started) / 1e6}, {"pid", MyProcPid}, {"ended", ended / 1000000}};
  if (!record.backup_id.empty()) json["backup_id"] = record.backup_id;
  if (state == "succeeded") {
    json["rows"] = record.rows;
    json["bytes"] = record.bytes;
  }
  if (!sqlstate.empty()) json["sqlstate"] = sqlstate;
  if (!message.empty())
    json["message"] = widened(message.substr(0, static_cast<std::size_t>(pg_mbcliplen(message.data(), static_cast<int>(message.size()), static_cast<int>(longest_message)))));
  entries().push_back({GetCurrentTransactionNestLevel(), std::move(json)});
}

// SQLSTATE and message of an error on its way.
void describe(const std::exception_ptr& error, std::string& sqlstate, std::string& message) {
  try {
    std::rethrow_exception(error);
  } catch (pg::error& e) {
    sqlstate = e.sqlstate();
    message = e.message();
  } catch (const snapback::error& e) {
    sqlstate = e.sqlstate();
    message = e.message();
  } catch (const std::bad_alloc&) {
    sqlstate = sqlstate::out_of_memory;
    message = "out of memory";
  } catch (...) {
    sqlstate = sqlstate::internal_error;
  }
}

bool may_see(const std::string& role, bool all) {
  if (all) return true;
  return pg::call([&] {
    Oid oid = get_role_oid(role.c_str(), true);
    return OidIsValid(oid) && has_privs_of_role(GetUserId(), oid);
  });
}

}  // namespace

void register_record_callbacks() {
  RegisterXactCallback(history_transaction_ended, nullptr);
  RegisterSubXactCallback(history_subtransaction_ended, nullptr);
}

void record_operation(const char* kind, const std::function<void(Record&)>& body) {
  Record record;
  std::int64_t started = now_microseconds();
  // asked for now: after an error no catalog is read
  std::string role = pg::role_name(GetUserId());
  log_line(beginning("start", kind, role));
  std::exception_ptr error;
  try {
    body(record);
  } catch (...) {
    error = std::current_exception();
  }
  std::string state = "succeeded", sqlstate, message;
  if (error) {
    describe(error, sqlstate, message);
    state = sqlstate == sqlstate::query_canceled ? "cancelled" : "failed";
  }
  std::int64_t ended = now_microseconds();
  log_end(kind, role, state, record, static_cast<double>(ended - started) / 1e6, sqlstate);
  // a run has its row
  if (current_run().run_id == 0) {
    add_entry(kind, role, state, record, started, ended, sqlstate, message);
    // what opens or closes with this is announced by a worker, where there is a launcher
    pg::wake_at_commit();
  }
  if (error) std::rethrow_exception(error);
}

std::vector<std::vector<std::optional<std::string>>> read_history() {
  std::vector<std::vector<std::optional<std::string>>> rows;
  File file(file_name(), O_RDONLY);
  if (file.get() < 0) return rows;
  std::string text = content(file.get());
  bool all = may_operate_everything();
  std::int64_t limit = pg::settings.history_days > 0 ? now_microseconds() / 1000000 - std::int64_t{pg::settings.history_days} * 86400 : 0;
  for (std::size_t begin = 0, end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    Json json = Json::parse(text.substr(begin, end - begin), nullptr, false);
    if (!json.is_object() || (limit > 0 && json.value("ended", std::int64_t{0}) < limit) || !may_see(narrowed(json.value("role", "")), all)) continue;
    auto field = [&](const char* key) -> std::optional<std::string> {
      if (!json.contains(key)) return std::nullopt;
      return json[key].is_string() ? narrowed(json[key].get<std::string>()) : json[key].dump();
    };
    rows.push_back({field("run_id"), field("kind"), field("state"), std::nullopt, std::nullopt, "1", field("role"), field("started"), field("started"), field("finished"), field("seconds"),
                    field("rows"), field("bytes"), field("backup_id"), field("sqlstate"), field("message"), std::nullopt, "{}"});
  }
  return rows;
}

}  // namespace snapback::service
