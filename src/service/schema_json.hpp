// Descriptions of tables as JSON, as a backup holds them (docs/format.md).
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/format/backup_reader.hpp"
#include "service/catalog.hpp"

namespace snapback::service {

// A text in a definition; empty when it has none.
inline std::string string_of(const Json& object, const char* key) { return object.value(key, std::string()); }

// Makes the text of the "schema" object of a backup, table by table. Raises 0A000 for a name or definition that has no equal in UTF-8.
class SchemaText {
 public:
  void add(const TableDescription& table);
  // Behind the last table. Reads the catalog for the types that the tables use.
  std::string finish();

 private:
  void append(std::string& list, const Json& part);

  std::set<Oid> types_;
  std::string sequences_, tables_;  // elements of the lists
};

using TableName = std::pair<std::string, std::string>;  // schema and name

// The file is UTF-8; what is compared with the catalog or shown is in the database's encoding, by pg::shown_text where a character has no equal there.
TableName name_of(const TableEntry& table);
bool has_exact_name(const TableEntry& table);
// Of an entry of a table head's "columns".
std::string name_of(const Json& column);
std::string type_of(const Json& column);

// The "schema" object of a backup that is read: definitions are kept as text, which takes a tenth of the memory of a tree. Names that go in and out as TableName are as the file has
// them; texts of definitions are in the database's encoding, as name_of() gives them.
class BackupSchema {
 public:
  // Raises XX001 where it is damaged.
  explicit BackupSchema(BackupReader& reader);

  std::vector<Json> types() const;
  // Null when there is none.
  Json table(const TableEntry& table) const;
  // Those that columns of the table own or use.
  std::vector<Json> sequences(const TableEntry& table) const;
  std::vector<Json> all_sequences() const;
  // Raise 22P05 when a name or definition has a character that the database's encoding lacks, 42622 when a name is longer there than names may be: what must be made anew has to be
  // exactly what it was. `type` is an index into types().
  void check_encoding(std::size_t type) const;
  void check_encoding(const TableEntry& table) const;
  // Partitions and their parents, in the backup's order.
  const std::vector<std::pair<TableName, TableName>>& partitions() const { return partitions_; }
  // What a table that is no partition inherits from.
  std::vector<TableName> parents(const TableName& table) const;

 private:
  std::vector<std::string> types_;
  std::map<TableName, std::string> tables_;
  std::vector<std::string> sequences_;
  std::multimap<TableName, std::size_t> sequences_of_;  // indexes into sequences_
  std::vector<std::pair<TableName, TableName>> partitions_;
  std::map<TableName, std::vector<TableName>> parents_;
};

// The head of a table in the document, in UTF-8: schema, name, columns with their forms, key, ... Raises 0A000 for a type that cannot come back and a name that has no equal in UTF-8.
Json table_head(const TableDescription& table);

}  // namespace snapback::service
