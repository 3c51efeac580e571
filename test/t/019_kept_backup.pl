# A backup that PostgreSQL 15 took with pg_snapback 1.0.0 is restored on the server under test, whatever its version: every row, column,
# constraint and index is as in a database that test/data/kept_backup.sql makes here, and so is every line's fingerprint.
#
# How test/data/backup_*.json.zst and its sidecar were made, on PostgreSQL 15, in an empty database "school" of encoding UTF8:
#   psql -d school -c 'CREATE EXTENSION pg_snapback' -f test/data/kept_backup.sql -c "SELECT backup_create('{kept.*}', verify => 'content')"
# They are never made anew: a change of the format has to go on reading them.

use strict;
use warnings FATAL => 'all';

use SnapbackTest;
use PostgreSQL::Test::Utils;
use Test::More;

my ($file) = glob 'test/data/backup_*.json.zst';
my ($id) = $file =~ m{(backup_\w+)\.json\.zst$};
my $node = new_server('kept', init => { extra => [ '--encoding=UTF8', '--locale=C' ] });
my $storage = storage($node);
value($node, 'SELECT count(*) FROM backup_list()');
mkdir $storage, 0700;
foreach my $ending ('json.zst', 'state.json')
{
	append_to_file("$storage/$id.$ending", slurp_file("test/data/$id.$ending"));
	chmod 0600, "$storage/$id.$ending";
}

is(value($node, "SELECT state, verified, database FROM backup_list() WHERE id = '$id'"), 'foreign|content|school', 'it is listed');
foreach my $level ('files', 'content')
{
	is(value($node, "SELECT ok, problems FROM backup_verify('$id', '$level')"), 't|[]', "it verifies at level $level");
}

# what a backup does not hold is there before
my ($types) = slurp_file('test/data/kept_backup.sql') =~ /\A(.*?)^CREATE TABLE/ms;
$node->safe_psql('postgres', $types);
my $tables = value($node, "SELECT count(*) FROM backup_show('$id') WHERE kind <> 'sequence'");
is(value($node, "SELECT count(*) FROM backup_restore('$id', from_database => 'school', dry_run => true) WHERE action = 'create'"), $tables, "the dry run would make $tables tables") or diag(value($node, "SELECT name, action, note FROM backup_restore('$id', from_database => 'school', dry_run => true)"));
my $outcome = attempt($node, "SELECT count(*) FROM backup_restore('$id', from_database => 'school') WHERE action = 'created'");
is_outcome($outcome, '', 'the restore works');
is($outcome->{out}, $tables, 'and makes them');

$node->safe_psql('postgres', "CREATE DATABASE expected TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'");
$node->safe_psql('expected', 'CREATE EXTENSION pg_snapback');
my $made = attempt($node, slurp_file('test/data/kept_backup.sql'), database => 'expected');
is_outcome($made, '', 'the same tables made here');

my @names = split /\n/, $node->safe_psql('expected', "SELECT oid::regclass FROM pg_class WHERE relnamespace = 'kept'::regnamespace AND relkind IN ('r', 'p') ORDER BY 1");
is(scalar(@names), $tables, 'as many');
foreach my $name (@names)
{
	my $rows = "SET extra_float_digits = 1; SELECT t::text FROM $name t ORDER BY t::text COLLATE \"C\"";
	is($node->safe_psql('postgres', $rows), $node->safe_psql('expected', $rows), "$name has the same rows");
}
my $definitions = <<'END';
SELECT 'column', a.attrelid::regclass, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated, pg_get_expr(d.adbin, d.adrelid)
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 WHERE c.relnamespace = 'kept'::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attrelid::regclass::text COLLATE "C", a.attnum;
SELECT 'constraint', conrelid::regclass, conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'kept'::regnamespace AND contypid = 0 ORDER BY conrelid::regclass::text COLLATE "C", conname::text COLLATE "C";
SELECT 'index', pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid::regclass::text LIKE 'kept.%' ORDER BY indexrelid::regclass::text COLLATE "C";
SELECT 'sequence', sequencename, start_value, increment_by, last_value FROM pg_sequences WHERE schemaname = 'kept' ORDER BY 2;
END
is($node->safe_psql('postgres', $definitions), $node->safe_psql('expected', $definitions), 'columns, constraints, indexes and sequences are the same');
is(value($node, "SELECT count(*) FROM backup_compare('$id') WHERE equal IS NOT TRUE"), 0, 'the comparison agrees');

# a backup taken here has the same lines
my $here = $node->safe_psql('expected', "SELECT id FROM backup_create('{kept.*}')");
my $fingerprints = "SELECT schema, name, rows, fingerprint FROM backup_show('%s') WHERE kind <> 'sequence' ORDER BY name COLLATE \"C\"";
is($node->safe_psql('expected', sprintf($fingerprints, $here)), value($node, sprintf($fingerprints, $id)), 'a backup of the same tables by this server has the same fingerprints');
check_log($node, [], 'nothing is in the log');
done_testing();
