#include "service/graph/export.hpp"

#include <functional>

#include "core/error.hpp"
#include "core/graph/document_reader.hpp"
#include "core/graph/exact_json.hpp"
#include "pg/call.hpp"
#include "pg/json_rows.hpp"
#include "pg/row_writer.hpp"
#include "pg/server.hpp"
#include "pg/spi.hpp"
#include "service/graph/bank_hash.hpp"
#include "service/graph/collect.hpp"
#include "service/graph/findings.hpp"
#include "service/graph/hidden.hpp"
#include "service/graph/profiles.hpp"
#include "service/graph/reference_check.hpp"

namespace snapback::service {

namespace {

using graph::ReferenceKind;
using graph::TableClass;

constexpr std::size_t lines_shown = 30;

std::string lines_of(const std::vector<std::string>& lines) {
  std::string text;
  for (std::size_t i = 0; i < lines.size() && i < lines_shown; ++i) text += (i > 0 ? "\n" : "") + lines[i];
  if (lines.size() > lines_shown) text += "\nand " + std::to_string(lines.size() - lines_shown) + " more";
  return text;
}

void check_unknown(const Source& source, Findings& findings) {
  std::vector<std::string> lines;
  for (const auto& table : source.unknown) {
    lines.push_back("unknown_table: " + table.name + ", by " + table.reference);
    findings.warnings.push_back({"unknown_table", table.name, "", {}, "the profile has no class for this table: " + table.reference, "Give it a class in the profile."});
  }
  if (!source.profile.strict || lines.empty()) return;
  const std::string& name = source.unknown.front().name;
  throw error(sqlstate::object_not_in_prerequisite_state, "profile \"" + source.profile.name + "\" has no class for " + std::to_string(lines.size()) + " references of other tables", pg::server_text(lines_of(lines)),
              pg::server_text("Give each a class, as in: SELECT " + std::string(source.profile.name == "course" ? "course_profile('" : "graph_profile('" + source.profile.name + "', '") + "{\"extends\": \"" +
                  source.profile.name + "\", \"tables\": {\"" + graph::to_snake_case(name.substr(name.find('.') + 1)) + "\": {\"class\": \"exclude\", \"names\": [\"" + name + "\"]}}}')"));
}

// Every right that is missing, in one error.
void check_rights(const Source& source) {
  std::vector<std::string> lines;
  for (const auto& table : source.tables) {
    if (!table.in_document()) continue;
    std::vector<std::string> columns;
    for (std::size_t i = 0; i < table.columns.size(); ++i)
      if (table.columns[i].exported) columns.push_back(table.columns[i].live->name);
    const auto row = pg::query(R"(
        SELECT pg_catalog.has_schema_privilege($1::pg_catalog.text, 'USAGE'),
               pg_catalog.has_table_privilege($2::oid, 'SELECT') OR NOT EXISTS (
                 SELECT FROM pg_catalog.unnest($3::text[]) AS c (name) WHERE NOT pg_catalog.has_column_privilege($2::oid, c.name, 'SELECT')))",
                               {table.live.schema, std::to_string(table.live.oid), pg::array_literal(columns)})
                         .at(0);
    if (row[0] != "t") lines.push_back("no_right: USAGE on schema " + table.live.schema);
    if (row[1] != "t") lines.push_back("no_right: SELECT on " + table.live.qualified_name());
  }
  if (lines.empty()) return;
  throw error(sqlstate::insufficient_privilege, "permission denied for " + std::to_string(lines.size()) + " tables of profile \"" + source.profile.name + "\"", lines_of(lines),
              "Ask their owners for the rights listed.");
}

void refuse(const Source& source, const Findings& findings) {
  if (findings.errors.empty()) return;
  bool hidden = false;
  std::vector<std::string> lines;
  for (const auto& finding : findings.errors) {
    hidden = hidden || std::string(finding.code) == "rows_hidden";
    lines.push_back(std::string(finding.code) + ": " + finding.message);
  }
  const auto& first = findings.errors.front();
  std::string message = first.message;
  for (const auto& finding : findings.errors)
    if (hidden && std::string(finding.code) == "rows_hidden") {
      message = finding.message;
      break;
    }
  throw error(hidden ? sqlstate::insufficient_privilege : sqlstate::foreign_key_violation, pg::server_text(message),
              pg::server_text(lines_of(lines)) + "\nA document with less than everything that belongs to a row of " + source.root().name() + " is never made.", first.hint);
}

Json column_names(const SourceTable& table, const std::vector<std::size_t>& columns) {
  Json names = Json::array();
  for (const auto column : columns) names.push_back(table.columns[column].logical);
  return names;
}

Json reference_json(const Source& source, const SourceTable& table, const SourceReference& reference) {
  Json json{{"kind", graph::kind_name(reference.kind)}};
  if (reference.kind == ReferenceKind::foreign_key)
    json["columns"] = column_names(table, reference.columns);
  else
    json["column"] = table.columns[reference.columns[0]].logical;
  if (reference.kind == ReferenceKind::polymorphic) {
    json["type_column"] = table.columns[*reference.type_column].logical;
    for (const auto& [type, target] : reference.types) json["types"][type] = source.tables[target].name();
    return json;
  }
  json["table"] = source.tables[reference.table].name();
  json["to"] = column_names(source.tables[reference.table], reference.to);
  if (reference.kind == ReferenceKind::json) json["path"] = reference.declared->path_text;
  if (reference.kind == ReferenceKind::text) json["pattern"] = reference.declared->before + "{id}" + reference.declared->after;
  return json;
}

bool is_exported(const SourceTable& table, const std::vector<std::size_t>& columns) {
  for (const auto column : columns)
    if (!table.columns[column].exported) return false;
  return true;
}

Json table_head(const Source& source, const SourceTable& table) {
  Json head{{"name", table.name()}, {"class", graph::class_name(table.table_class())}, {"key", column_names(table, table.key)}};
  if (!table.natural_key.empty()) head["natural_key"] = column_names(table, table.natural_key);
  head["columns"] = Json::array();
  for (const auto& column : table.columns) {
    if (!column.exported) continue;
    Json entry{{"name", column.logical}, {"type", pg::utf8_text(column.live->type_name)}};
    entry.update(pg::value_form(column.live->type, "column \"" + column.live->name + "\" of table \"" + table.live.qualified_name() + "\""));
    head["columns"].push_back(std::move(entry));
  }
  head["references"] = Json::array();
  for (const auto& reference : table.references) {
    const bool inside = reference.table == no_table || source.tables[reference.table].in_document();
    if (inside && is_exported(table, reference.columns)) head["references"].push_back(reference_json(source, table, reference));
  }
  return head;
}

// Tables after those they hang on and the shared ones they point at; a reference across, such as a course's cover lesson, does not count.
std::vector<std::size_t> document_order(const Source& source) {
  std::vector<std::size_t> order;
  std::vector<bool> visited(source.tables.size(), false);
  const std::function<void(std::size_t)> visit = [&](std::size_t table) {
    if (visited[table]) return;
    visited[table] = true;
    for (const auto& reference : source.tables[table].references)
      if (reference.kind == ReferenceKind::foreign_key && (reference.owns || !source.tables[reference.table].is_content() || source.tables[reference.table].table_class() == TableClass::bank))
        visit(reference.table);
    if (source.tables[table].in_document()) order.push_back(table);
  };
  for (std::size_t i = 0; i < source.tables.size(); ++i) visit(i);
  return order;
}

void append_rows(std::string& text, const CollectedTable& collected) {
  text += "[";
  bool first = true;
  for (std::size_t row = 0; row < collected.rows.size(); ++row) {
    if (collected.is_dropped(row)) continue;
    text += first ? "\n" : ",\n";
    first = false;
    const auto cut = collected.cut.find(row);
    if (cut == collected.cut.end())
      text += collected.rows.row(row);
    else
      text += collected.rows.row_without(row, cut->second);
  }
  text += "]";
}

Json report_json(const Source& source, const Collection& collection, Findings& findings) {
  Json report{{"counts", Json::object()}, {"filtered", Json::object()}, {"excluded", Json::object()}};
  for (const auto table : document_order(source)) {
    report["counts"][source.tables[table].name()] = collection.tables[table].row_count();
    if (collection.tables[table].filtered > 0) report["filtered"][source.tables[table].name()] = collection.tables[table].filtered;
  }
  for (std::size_t i = 0; i < source.tables.size(); ++i) {
    const SourceTable& table = source.tables[i];
    if (table.table_class() != TableClass::exclude) continue;
    if (pg::query("SELECT pg_catalog.has_table_privilege($1::oid, 'SELECT') AND pg_catalog.has_schema_privilege($2::text, 'USAGE')", {std::to_string(table.live.oid), table.live.schema}).at(0)[0] ==
        "t") {
      report["excluded"][table.name()] = count_excluded(source, collection, i);
    } else {
      report["excluded"][table.name()] = nullptr;
      findings.warnings.push_back({"not_counted", table.name(), "", {}, "you may not read " + table.name() + ", so its rows are not counted", ""});
    }
  }
  report["absent"] = source.absent;
  report["warnings"] = Json::array();
  for (const auto& warning : findings.warnings) {
    Json entry{{"code", warning.code}, {"table", warning.table}};
    if (!warning.column.empty()) entry["column"] = warning.column;
    if (warning.count) entry["count"] = *warning.count;
    entry["message"] = warning.message;
    if (!warning.hint.empty()) entry["hint"] = warning.hint;
    report["warnings"].push_back(std::move(entry));
  }
  return report;
}

// What an import would not read is not written either.
void check_size(std::size_t bytes) {
  const std::size_t limit = graph::DocumentLimits().bytes;
  if (bytes > limit)
    throw error(sqlstate::program_limit_exceeded, "the document would be too large to be imported", "A document has at most " + std::to_string(limit >> 20) + " MiB.",
                "Leave large columns out with \"omit\" in the profile.");
}

std::string write_document(const Source& source, const Collection& collection, Findings& findings) {
  const std::size_t root = *source.table(source.profile.root);
  const SourceTable& root_table = source.tables[root];
  std::string key;
  for (const auto column : root_table.key) key += (key.empty() ? "" : ",") + std::string(collection.tables[root].rows.value(0, collection.tables[root].kept_column[column]));
  const std::string database = pg::query("SELECT pg_catalog.current_database()").at(0)[0].value();
  const Json source_json{{"system", std::to_string(pg::system_identifier()) + "-" + std::to_string(MyDatabaseId)}, {"database", pg::utf8_text(database)}};
  const auto hashes = bank_hashes(source, collection);
  std::string text = "{\"format\":\"pg_snapback_graph\",\"version\":1,\"profile\":" + Json(source.profile.name).dump() + ",\n\"root\":{\"table\":" + Json(root_table.name()).dump() + ",\"key\":[" + key +
                     "]},\n\"source\":" + source_json.dump() + ",\n\"tables\":[";
  bool first = true;
  for (const auto table : document_order(source)) {
    std::string head = table_head(source, source.tables[table]).dump();
    head.pop_back();
    text += (first ? "\n" : ",\n") + head + ",\n\"rows\":";
    first = false;
    append_rows(text, collection.tables[table]);
    if (source.tables[table].table_class() == TableClass::bank) text += ",\n\"hashes\":" + Json(hashes[table]).dump();
    text += "}";
    check_size(text.size());
  }
  text += "],\n\"report\":" + report_json(source, collection, findings).dump() + "}";
  check_size(text.size());
  return pg::server_text(text);
}

void warn_of_profile(const Source& source, Findings& findings) {
  for (const auto& table : source.tables) {
    bool reached = !table.through.empty();
    for (const auto& reference : table.references) reached = reached || reference.owns;
    if (table.is_content() && table.table_class() != TableClass::root && !reached)
      findings.warnings.push_back({"table_not_reached", table.name(), "", {}, "nothing leads from " + source.profile.root + " to " + table.name() + ", so none of its rows are exported",
                                   "Name its reference in the profile, under \"references\" or \"owned_by\"."});
    if (table.table_class() == TableClass::ref && table.natural_key.empty())
      findings.warnings.push_back({"no_natural_key", table.name(), "", {}, "an import cannot look for rows of " + table.name() + ": the profile names no natural key that exists",
                                   "Name one in the profile, under \"natural_key\"."});
  }
}

}  // namespace

std::string export_graph(const std::string& profile_name, const std::string& key) {
  const Source source = find_source(load_profile(profile_name));
  Findings findings;
  check_unknown(source, findings);
  if (source.root().key.empty())
    throw error(sqlstate::object_not_in_prerequisite_state, "table \"" + source.root().live.qualified_name() + "\" has no key", "", "Give it a primary key, or name a key in the profile.");
  check_rights(source);
  warn_of_profile(source, findings);
  pg::CallerForms forms;
  Collection collection = collect(source, key);
  find_hidden(source, collection, findings);
  check_references(source, collection, findings);
  refuse(source, findings);
  std::string document = write_document(source, collection, findings);
  forms.close();
  return document;
}

}  // namespace snapback::service
