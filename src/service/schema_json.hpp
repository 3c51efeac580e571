// Descriptions of tables as JSON, as a backup holds them (docs/format.md).
#pragma once

#include <functional>
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

// Makes the text of the "schema" object of a backup, table by table. `look` is shown every part before it becomes text, and may raise; so does text that is not UTF-8 (XX000).
class SchemaText {
 public:
  explicit SchemaText(std::function<void(const Json&)> look) : look_(std::move(look)) {}

  void add(const TableDescription& table);
  // Behind the last table. Reads the catalog for the types that the tables use.
  std::string finish();

 private:
  void append(std::string& list, const Json& part);

  std::function<void(const Json&)> look_;
  std::set<Oid> types_;
  std::string sequences_, tables_;  // elements of the lists
};

using TableName = std::pair<std::string, std::string>;  // schema and name

// The "schema" object of a backup that is read: definitions are kept as text, which takes a tenth of the memory of a tree.
class BackupSchema {
 public:
  // Raises XX001 where it is damaged.
  explicit BackupSchema(BackupReader& reader);

  const std::vector<Json>& types() const { return types_; }
  // Null when there is none.
  Json table(const TableName& name) const;
  // Those that columns of the table own or use.
  std::vector<Json> sequences(const TableName& table) const;
  std::vector<Json> all_sequences() const;
  // Partitions and their parents, in the backup's order.
  const std::vector<std::pair<TableName, TableName>>& partitions() const { return partitions_; }
  // What a table that is no partition inherits from.
  std::vector<TableName> parents(const TableName& table) const;

 private:
  std::vector<Json> types_;
  std::map<TableName, std::string> tables_;
  std::vector<std::string> sequences_;
  std::multimap<TableName, std::size_t> sequences_of_;  // indexes into sequences_
  std::vector<std::pair<TableName, TableName>> partitions_;
  std::map<TableName, std::vector<TableName>> parents_;
};

// The head of a table in the document: schema, name, columns with their forms, key, ... Raises 0A000 for a type that cannot come back.
Json table_head(const TableDescription& table);

}  // namespace snapback::service
