#include "pg/definition.hpp"

#include "pg/call.hpp"

extern "C" {
#include "nodes/parsenodes.h"
#include "parser/parser.h"
}

namespace snapback::pg {

namespace {

// The one statement of a text, or null where it has none or several.
Node* one_statement_unsafe(const char* sql, RawParseMode mode = RAW_PARSE_DEFAULT) {
  List* statements = raw_parser(sql, mode);
  return list_length(statements) == 1 ? linitial_node(RawStmt, statements)->stmt : nullptr;
}

// CREATE TABLE with nothing but what `text` adds to it, or null.
CreateStmt* bare_table_unsafe(const char* sql) {
  Node* node = one_statement_unsafe(sql);
  if (node == nullptr || !IsA(node, CreateStmt)) return nullptr;
  auto* table = castNode(CreateStmt, node);
  bool bare = table->tableElts == NIL && table->constraints == NIL && table->ofTypename == nullptr && table->options == NIL && table->oncommit == ONCOMMIT_NOOP &&
              table->tablespacename == nullptr && table->accessMethod == nullptr && !table->if_not_exists;
  return bare ? table : nullptr;
}

// The only thing that is selected, or null where the text is more than an expression.
Node* only_expression_unsafe(const char* text) {
  Node* node = one_statement_unsafe(text, RAW_PARSE_PLPGSQL_EXPR);
  if (node == nullptr || !IsA(node, SelectStmt)) return nullptr;
  auto* select = castNode(SelectStmt, node);
  bool bare = select->distinctClause == NIL && select->intoClause == nullptr && select->fromClause == NIL && select->whereClause == nullptr && select->groupClause == NIL &&
              select->havingClause == nullptr && select->windowClause == NIL && select->valuesLists == NIL && select->sortClause == NIL && select->limitOffset == nullptr &&
              select->limitCount == nullptr && select->lockingClause == NIL && select->withClause == nullptr && select->op == SETOP_NONE && list_length(select->targetList) == 1;
  if (!bare) return nullptr;
  auto* target = linitial_node(ResTarget, select->targetList);
  return target->name == nullptr && target->indirection == NIL ? target->val : nullptr;
}

bool is_constant_unsafe(Node* node) {
  while (IsA(node, TypeCast)) node = castNode(TypeCast, node)->arg;
  if (IsA(node, A_Const)) return true;
  // MINVALUE and MAXVALUE are names to the grammar
  if (!IsA(node, ColumnRef) || list_length(castNode(ColumnRef, node)->fields) != 1) return false;
  Node* name = static_cast<Node*>(linitial(castNode(ColumnRef, node)->fields));
  return IsA(name, String) && (strcmp(strVal(name), "minvalue") == 0 || strcmp(strVal(name), "maxvalue") == 0);
}

bool are_constants_unsafe(List* values) {
  ListCell* cell;
  foreach (cell, values)
    if (!is_constant_unsafe(static_cast<Node*>(lfirst(cell)))) return false;
  return true;
}

// A parse tree takes kilobytes, and a backup may hold ten thousand tables.
template <typename Look>
bool parsed(Look look) {
  MemoryContext context = call([] { return AllocSetContextCreate(CurrentMemoryContext, "pg_snapback definition", ALLOCSET_SMALL_SIZES); });
  MemoryContext old = MemoryContextSwitchTo(context);
  bool answer = call(look);
  MemoryContextSwitchTo(old);
  call([&] { MemoryContextDelete(context); });
  return answer;
}

ConstrType constraint_type(const std::string& kind) {
  if (kind == "primary key") return CONSTR_PRIMARY;
  if (kind == "unique") return CONSTR_UNIQUE;
  if (kind == "check") return CONSTR_CHECK;
  if (kind == "exclusion") return CONSTR_EXCLUSION;
  return kind == "foreign key" ? CONSTR_FOREIGN : CONSTR_NULL;
}

}  // namespace

bool is_type_name(const std::string& text) {
  return parsed([&] {
    List* names = raw_parser(text.c_str(), RAW_PARSE_TYPE_NAME);
    if (list_length(names) != 1 || !IsA(linitial(names), TypeName)) return false;
    auto* name = linitial_node(TypeName, names);
    return !name->setof && !name->pct_type && are_constants_unsafe(name->typmods);
  });
}

bool is_expression(const std::string& text) {
  return parsed([&] { return only_expression_unsafe(text.c_str()) != nullptr; });
}

bool is_collation(const std::string& text) {
  std::string expression = "NULL COLLATE " + text;
  return parsed([&] {
    Node* node = only_expression_unsafe(expression.c_str());
    return node != nullptr && IsA(node, CollateClause) && IsA(castNode(CollateClause, node)->arg, A_Const);
  });
}

bool is_partition_key(const std::string& text) {
  std::string statement = "CREATE TABLE a () PARTITION BY " + text;
  return parsed([&] {
    auto* table = bare_table_unsafe(statement.c_str());
    return table != nullptr && table->partspec != nullptr && table->partbound == nullptr && table->inhRelations == NIL;
  });
}

bool is_partition_bound(const std::string& text) {
  std::string statement = "CREATE TABLE a PARTITION OF b " + text;
  return parsed([&] {
    auto* table = bare_table_unsafe(statement.c_str());
    return table != nullptr && table->partbound != nullptr && table->partspec == nullptr && list_length(table->inhRelations) == 1 && are_constants_unsafe(table->partbound->listdatums) &&
           are_constants_unsafe(table->partbound->lowerdatums) && are_constants_unsafe(table->partbound->upperdatums);
  });
}

bool is_index_definition(const std::string& text) {
  std::string statement = "CREATE INDEX a ON b " + text;
  return parsed([&] {
    Node* node = one_statement_unsafe(statement.c_str());
    return node != nullptr && IsA(node, IndexStmt);
  });
}

bool is_constraint(const std::string& text, const std::string& kind) {
  std::string statement = "ALTER TABLE a ADD CONSTRAINT b " + text;
  ConstrType type = constraint_type(kind);
  return parsed([&] {
    Node* node = one_statement_unsafe(statement.c_str());
    if (node == nullptr || !IsA(node, AlterTableStmt) || list_length(castNode(AlterTableStmt, node)->cmds) != 1) return false;
    auto* command = linitial_node(AlterTableCmd, castNode(AlterTableStmt, node)->cmds);
    return command->subtype == AT_AddConstraint && command->def != nullptr && IsA(command->def, Constraint) && castNode(Constraint, command->def)->contype == type;
  });
}

}  // namespace snapback::pg
