#include "core/format/manifest.hpp"

#include "core/error.hpp"

namespace snapback {
namespace {

std::string dump_utf8(const Json& json, const char* what) {
  try {
    return json.dump();
  } catch (const Json::type_error&) {
    throw error(sqlstate::internal_error, std::string(what) + " holds text that is not UTF-8");
  }
}

void append_number(std::string& out, const char* key, std::uint64_t value) {
  out += key;
  out += std::to_string(value);
}

void append_key(std::string& out, const char* name, const std::string& key) {
  if (key.empty()) return;
  out += name;
  out += dump_utf8(Json(key), "a row's key");
}

void append_frame(std::string& out, const FrameEntry& frame) {
  append_number(out, "{\"offset\":", frame.offset);
  append_number(out, ",\"size\":", frame.size);
  append_number(out, ",\"text_size\":", frame.text_size);
  out += ",\"sha256\":\"";
  out += to_hex(frame.sha256);
  out += '"';
  if (frame.has_rows) {
    append_number(out, ",\"rows\":", frame.rows);
    if (frame.continues) out += ",\"continues\":true";
    append_key(out, ",\"first_key\":", frame.first_key);
    append_key(out, ",\"last_key\":", frame.last_key);
    out += ",\"fingerprint\":\"";
    out += frame.fingerprint.to_hex();
    out += '"';
  }
  out += '}';
}

}  // namespace

std::uint64_t Manifest::rows() const {
  std::uint64_t sum = 0;
  for (const TableEntry& table : tables) sum += table.row_count;
  return sum;
}

std::uint64_t Manifest::logical_bytes() const {
  std::uint64_t sum = 0;
  for (const TableEntry& table : tables) sum += table.logical_bytes;
  return sum;
}

std::string dump_object(const Json& object, const char* what) {
  if (!object.is_object()) throw error(sqlstate::internal_error, std::string(what) + " is no JSON object");
  return dump_utf8(object, what);
}

void check_schema_size(std::uint64_t size) {
  if (size > max_schema_text)
    throw error(sqlstate::program_limit_exceeded, "the description of the tables is too large for a backup",
                "It has " + std::to_string(size) + " bytes; the most is " + std::to_string(max_schema_text) + ".", "Back up fewer tables at a time.");
}

TableHead::TableHead(const Json& head) : text_(dump_object(head, "a table's head")) {
  const auto refuse = [](const char* what) { throw error(sqlstate::internal_error, std::string("a table's head ") + what); };
  if (!head.contains("schema") || !head.contains("name") || !head.contains("columns")) refuse("lacks schema, name or columns");
  if (head.contains("rows") || head.contains("row_count") || head.contains("fingerprint")) refuse("holds a reserved member");
  schema_ = head.at("schema").get<std::string>();
  name_ = head.at("name").get<std::string>();
  if (const auto kind = head.find("kind"); kind != head.end() && kind->is_string()) kind_ = kind->get<std::string>();
  if (const auto oid = head.find("oid"); oid != head.end() && oid->is_number_unsigned()) oid_ = oid->get<std::uint32_t>();
}

std::string table_head_text(const TableHead& head) {
  std::string text = head.text();
  text.pop_back();
  text += ",\"rows\":[\n";
  return text;
}

std::string table_tail_text(const TableEntry& table) {
  std::string text = table.row_count == 0 ? "]" : "\n]";
  append_number(text, ",\"row_count\":", table.row_count);
  text += ",\"fingerprint\":\"" + table.fingerprint.to_hex() + "\"}";
  return text;
}

std::string document_start_text(const Json& backup) {
  return "{\"format\":\"pg_snapback\",\"version\":" + std::to_string(format_version) + ",\n\"backup\":" + dump_object(backup, "the backup's description") +
         ",\n\"schema\":";
}

std::string document_tables_text() { return ",\n\"tables\":[\n"; }

std::string document_end_text(const Manifest& manifest) {
  std::string text = manifest.tables.empty() ? "],\n\"totals\":{" : "\n],\n\"totals\":{";
  append_number(text, "\"tables\":", manifest.tables.size());
  append_number(text, ",\"rows\":", manifest.rows());
  append_number(text, ",\"logical_bytes\":", manifest.logical_bytes());
  text += "}}\n";
  return text;
}

std::string dump_manifest(const Manifest& manifest) {
  std::string out = "{\"format\":\"pg_snapback\",\"version\":" + std::to_string(format_version) + ",\n\"backup\":";
  out += dump_object(manifest.backup, "the backup's description");
  out += ",\n\"tables\":[";
  const char* between = "\n";
  for (const TableEntry& table : manifest.tables) {
    out += between;
    out += "{\"head\":";
    out += table.head.text();
    append_number(out, ",\"row_count\":", table.row_count);
    out += ",\"fingerprint\":\"" + table.fingerprint.to_hex() + '"';
    append_number(out, ",\"logical_bytes\":", table.logical_bytes);
    append_number(out, ",\"stored_bytes\":", table.stored_bytes);
    append_number(out, ",\"first_frame\":", table.first_frame);
    append_number(out, ",\"frame_count\":", table.frame_count);
    out += '}';
    between = ",\n";
  }
  out += "\n],\n\"frames\":[";
  between = "\n";
  for (const FrameEntry& frame : manifest.frames) {
    out += between;
    append_frame(out, frame);
    between = ",\n";
  }
  out += "\n]}\n";
  return out;
}

}  // namespace snapback
