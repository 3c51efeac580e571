#include "pg/partition_bound.hpp"

#include "pg/call.hpp"
#include "pg/identity.hpp"
#include "pg/subtransaction.hpp"

extern "C" {
#include "access/table.h"
#include "parser/parse_node.h"
#include "parser/parse_utilcmd.h"
#include "parser/parser.h"
#include "partitioning/partbounds.h"
#include "partitioning/partdesc.h"
}

namespace snapback::pg {

namespace {

// What CREATE TABLE ... PARTITION OF checks of its bound; raises where that would.
void check_bound_unsafe(Oid parent, const char* statement, char* name) {
  List* parsed = raw_parser(statement, RAW_PARSE_DEFAULT);
  Node* node = list_length(parsed) == 1 ? linitial_node(RawStmt, parsed)->stmt : nullptr;
  if (node == nullptr || !IsA(node, CreateStmt) || reinterpret_cast<CreateStmt*>(node)->partbound == nullptr)
    ereport(ERROR, (errcode(ERRCODE_CHECK_VIOLATION), errmsg("a bound of a partition cannot be read")));
  Relation relation = table_open(parent, AccessShareLock);
  ParseState* state = make_parsestate(nullptr);
  state->p_sourcetext = statement;
  PartitionBoundSpec* bound = transformPartitionBound(state, relation, reinterpret_cast<CreateStmt*>(node)->partbound);
  check_new_partition_bound(name, relation, bound, state);
  Oid rest = get_default_oid_from_partdesc(RelationGetPartitionDesc(relation, true));
  if (OidIsValid(rest)) {
    Relation default_partition = table_open(rest, AccessShareLock);
    // below a partitioned one the server would lock every partition against readers
    if (default_partition->rd_rel->relkind != RELKIND_RELATION) ereport(ERROR, (errcode(ERRCODE_CHECK_VIOLATION), errmsg("the default partition is no ordinary table")));
    check_default_partition_contents(relation, default_partition, bound);
    table_close(default_partition, AccessShareLock);
  }
  free_parsestate(state);
  table_close(relation, AccessShareLock);
}

// Errors about the definition, the values of the bound, and rows of the default partition.
bool is_about_bound(const std::string& state) { return state.compare(0, 2, "42") == 0 || state.compare(0, 2, "22") == 0 || state == "23514"; }

}  // namespace

bool has_room_for(Oid parent, const std::string& bound) {
  Oid owner = call([&] {
    Relation relation = table_open(parent, AccessShareLock);
    Oid found = relation->rd_rel->relowner;
    table_close(relation, AccessShareLock);
    return found;
  });
  std::string statement = "CREATE TABLE partition PARTITION OF parent " + bound;
  char name[] = "partition";
  auto look = [&] {
    RunAs as_owner(owner);
    call([&] { check_bound_unsafe(parent, statement.c_str(), name); });
  };
  return !in_subtransaction(look, is_about_bound, false);
}

}  // namespace snapback::pg
