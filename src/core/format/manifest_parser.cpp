#include <set>
#include <string_view>
#include <utility>

#include "core/format/json_builder.hpp"
#include "core/format/object_reader.hpp"

namespace snapback {

const Json& fields::backup(const char* document, const Json& parent) {
  const Json& backup = object(document, parent, "backup");
  for (const char* key : {"id", "created_at", "database", "system_identifier", "kind", "role", "plan", "expires_at"}) text_or_empty(document, backup, key);
  for (const char* key : {"all_tables", "uncommitted"}) flag(document, backup, key);
  if (find(backup, "database_oid") != nullptr && number(document, backup, "database_oid") > UINT32_MAX) damaged(document, "\"database_oid\" is no OID");
  return backup;
}

void fields::check_version(const char* document, const Json& object, const char* format) {
  if (text(document, object, "format") != format) damaged(document, std::string("\"format\" is not ") + format);
  const std::uint64_t version = number(document, object, "version");
  if (version > static_cast<std::uint64_t>(format_version))
    throw error(sqlstate::feature_not_supported, "backup has format version " + std::to_string(version) + ", this pg_snapback reads up to " + std::to_string(format_version),
                {}, "Upgrade pg_snapback to read it.");
  if (version == 0) damaged(document, "\"version\" is 0");
}

namespace {

void check_columns(const char* document, const Json& columns) {
  if (!columns.is_array()) fields::damaged(document, "\"columns\" is no array");
  std::set<std::string_view> names;
  for (const Json& column : columns) {
    if (!column.is_object()) fields::damaged(document, "an entry of \"columns\" is no object");
    fields::text(document, column, "type");
    if (!names.insert(fields::text(document, column, "name")).second) fields::damaged(document, "a table has two columns of one name");
  }
}

}  // namespace

TableHead read_table_head(const char* document, const Json& head) {
  fields::text(document, head, "schema");
  fields::text(document, head, "name");
  check_columns(document, fields::member(document, head, "columns"));
  for (const char* reserved : {"rows", "row_count", "fingerprint"})
    if (fields::find(head, reserved) != nullptr) fields::damaged(document, std::string("\"") + reserved + "\" in a table's head");
  return head;
}

namespace {

constexpr char document[] = "manifest";

FrameEntry to_frame(const Json& json) {
  if (!json.is_object()) fields::damaged(document, "an entry of \"frames\" is no object");
  FrameEntry frame;
  frame.offset = fields::number(document, json, "offset");
  frame.size = fields::number(document, json, "size");
  frame.text_size = fields::number(document, json, "text_size");
  if (!from_hex(fields::text(document, json, "sha256"), frame.sha256.data(), frame.sha256.size())) fields::damaged(document, "\"sha256\" is malformed");
  frame.has_rows = fields::find(json, "rows") != nullptr;
  if (!frame.has_rows) return frame;
  frame.rows = fields::number(document, json, "rows");
  frame.continues = fields::flag(document, json, "continues");
  frame.first_key = fields::text_or_empty(document, json, "first_key");
  frame.last_key = fields::text_or_empty(document, json, "last_key");
  if (!Fingerprint::from_hex(fields::text(document, json, "fingerprint"), frame.fingerprint)) fields::damaged(document, "\"fingerprint\" is malformed");
  return frame;
}

TableEntry to_table(const Json& json) {
  if (!json.is_object()) fields::damaged(document, "an entry of \"tables\" is no object");
  TableEntry table;
  table.head = read_table_head(document, fields::object(document, json, "head"));
  table.row_count = fields::number(document, json, "row_count");
  if (!Fingerprint::from_hex(fields::text(document, json, "fingerprint"), table.fingerprint)) fields::damaged(document, "\"fingerprint\" is malformed");
  table.logical_bytes = fields::number(document, json, "logical_bytes");
  table.stored_bytes = fields::number(document, json, "stored_bytes");
  table.first_frame = fields::number(document, json, "first_frame");
  table.frame_count = fields::number(document, json, "frame_count");
  return table;
}

class ManifestVisitor final : public ObjectVisitor {
 public:
  explicit ManifestVisitor(Manifest& manifest) : manifest_(manifest) {}

  Json header = Json::object();
  bool has_tables = false, has_frames = false;

  Taken member(const std::string& name) override {
    has_tables |= name == "tables";
    has_frames |= name == "frames";
    if (name == "tables" || name == "frames") return Taken::by_element;
    return name == "format" || name == "version" || name == "backup" ? Taken::whole : Taken::skipped;
  }

  void value(const std::string& name, Json& value) override {
    if (name == "tables") {
      manifest_.tables.push_back(to_table(value));
    } else if (name == "frames") {
      manifest_.frames.push_back(to_frame(value));
    } else {
      header[name] = std::move(value);
      // before anything of a newer version is looked at
      if (name == "version" && fields::find(header, "format") != nullptr) fields::check_version(document, header, "pg_snapback");
    }
  }

 private:
  Manifest& manifest_;
};

}  // namespace

Manifest parse_manifest(std::string_view text) {
  Manifest manifest;
  ManifestVisitor visitor(manifest);
  read_object(document, text, max_json_members, visitor);
  fields::check_version(document, visitor.header, "pg_snapback");
  if (!visitor.has_tables) fields::damaged(document, "\"tables\" is missing");
  if (!visitor.has_frames) fields::damaged(document, "\"frames\" is missing");
  manifest.backup = fields::backup(document, visitor.header);
  return manifest;
}

}  // namespace snapback
