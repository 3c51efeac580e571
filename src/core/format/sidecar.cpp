#include "core/format/json_builder.hpp"

namespace snapback {
namespace {

constexpr char sidecar_document[] = "sidecar";
constexpr char format_name[] = "pg_snapback_state";

}  // namespace

std::string dump_sidecar(const Sidecar& sidecar) {
  Json json;
  json["format"] = format_name;
  json["version"] = format_version;
  json["id"] = sidecar.id;
  json["sha256"] = sidecar.sha256;
  json["size"] = sidecar.size;
  json["backup"] = sidecar.backup;
  json["tables"] = sidecar.tables;
  json["rows"] = sidecar.rows;
  json["logical_bytes"] = sidecar.logical_bytes;
  json["seconds"] = sidecar.seconds;
  json["verified"] = sidecar.verified;
  json["verified_at"] = sidecar.verified_at;
  json["pinned"] = sidecar.pinned;
  json["problem"] = sidecar.problem;
  // a message about a damaged file may quote anything, and the sidecar must be written all the same
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

Sidecar parse_sidecar(std::string_view text) {
  const Json json = parse_bounded(sidecar_document, text, max_json_members);
  if (!json.is_object()) fields::damaged(sidecar_document, "it is no JSON object");
  fields::check_version(sidecar_document, json, format_name);
  Sidecar sidecar;
  sidecar.id = fields::text(sidecar_document, json, "id");
  sidecar.sha256 = fields::text(sidecar_document, json, "sha256");
  Sha256Value ignored;
  if (!from_hex(sidecar.sha256, ignored.data(), ignored.size())) fields::damaged(sidecar_document, "\"sha256\" is malformed");
  sidecar.size = fields::number(sidecar_document, json, "size");
  sidecar.backup = fields::backup(sidecar_document, json);
  sidecar.tables = fields::number(sidecar_document, json, "tables");
  sidecar.rows = fields::number(sidecar_document, json, "rows");
  sidecar.logical_bytes = fields::number(sidecar_document, json, "logical_bytes");
  const Json& seconds = fields::member(sidecar_document, json, "seconds");
  if (!seconds.is_number()) fields::damaged(sidecar_document, "\"seconds\" is no number");
  sidecar.seconds = seconds.get<double>();
  sidecar.verified = fields::text(sidecar_document, json, "verified");
  bool known = false;
  for (const char* level : {"none", "files", "content", "restore"}) known |= sidecar.verified == level;
  if (!known) fields::damaged(sidecar_document, "\"verified\" names no level");
  sidecar.verified_at = fields::text_or_empty(sidecar_document, json, "verified_at");
  sidecar.pinned = fields::flag(sidecar_document, json, "pinned");
  sidecar.problem = fields::text_or_empty(sidecar_document, json, "problem");
  return sidecar;
}

}  // namespace snapback
