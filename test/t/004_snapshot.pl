# A backup shows one moment: all locks first, then a new snapshot; in REPEATABLE READ the transaction's own, or an error.
# Not under the sanitizers: it is about the moment that a backup shows, by code that other tests run there.

use strict;
use warnings FATAL => 'all';

use SnapbackTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $node = new_server('snapshot', conf => "max_connections = 50\n");
$node->safe_psql('postgres', <<'END');
CREATE TABLE topics (id integer PRIMARY KEY, title text);
CREATE TABLE other (id integer PRIMARY KEY);
INSERT INTO other SELECT generate_series(1, 10);
END

my %changes = (
	'TRUNCATE' => 'TRUNCATE topics; INSERT INTO topics SELECT g, $$new$$ FROM generate_series(1, 7) g;',
	'CLUSTER' => 'UPDATE topics SET title = $$new$$ WHERE id <= 7; DELETE FROM topics WHERE id > 7; CLUSTER topics USING topics_pkey;',
	'a rewriting ALTER TABLE' => 'DELETE FROM topics WHERE id > 7; ALTER TABLE topics ALTER COLUMN title TYPE varchar(10) USING $$new$$;',
	'an ALTER TABLE that adds a column' => 'DELETE FROM topics WHERE id > 7; ALTER TABLE topics ADD COLUMN extra text DEFAULT $$new$$;',
	'a table of the same name' => 'ALTER TABLE topics RENAME TO gone; DROP TABLE gone; CREATE TABLE topics (id integer PRIMARY KEY, title text); INSERT INTO topics SELECT g, $$new$$ FROM generate_series(1, 7) g;');
my $anew = 'DROP TABLE IF EXISTS topics; CREATE TABLE topics (id integer PRIMARY KEY, title text); INSERT INTO topics SELECT g, $$old$$ FROM generate_series(1, 100) g;';

foreach my $what (sort keys %changes)
{
	# READ COMMITTED: the statement's snapshot is older than the change, the lock is got after it
	$node->safe_psql('postgres', $anew);
	my $writer = $node->background_psql('postgres');
	# not in one statement, because some of it may not run in a transaction block on its own
	$writer->query_safe("BEGIN; $changes{$what}");
	my $backup = start($node, "SELECT id FROM backup_create('{topics,other}')");
	wait_blocked($backup);
	$writer->query_safe('COMMIT');
	my $outcome = finish($backup);
	is_outcome($outcome, '', "$what while a backup waits for the lock");
	is(value($node, "SELECT rows FROM backup_show('$outcome->{out}') WHERE kind = 'table' AND name = 'topics'"), 7, "$what: the backup has the newest state");
	is(value($node, "SELECT bool_and(equal) FROM backup_compare('$outcome->{out}')"), 't', "$what: it equals the live tables");

	# the same under a restore: its safety backup and its comparison see the newest state
	$node->safe_psql('postgres', $anew);
	my $good = value($node, "SELECT id FROM backup_create('{topics}')");
	$writer->query_safe("BEGIN; $changes{$what}");
	my $restore = start($node, "SELECT action, inserted, deleted, safety_backup_id FROM backup_restore('$good')");
	wait_blocked($restore);
	$writer->query_safe('COMMIT');
	$outcome = finish($restore);
	is_outcome($outcome, '', "$what while a restore waits for the lock");
	my ($action, $inserted, $deleted, $safety) = split /\|/, $outcome->{out};
	# a column that the backup does not have keeps its values, so that table is not reloaded
	is("$action $inserted $deleted", $what =~ /adds a column/ ? 'by difference 93 0' : 'reloaded 100 7', "$what: it replaces the newest state");
	is(value($node, "SELECT rows FROM backup_show('$safety') WHERE kind = 'table'"), 7, "$what: which the safety backup holds");
	is(value($node, "SELECT bool_and(equal) FROM backup_compare('$good')"), 't', "$what: the table is as the backup has it");

	# REPEATABLE READ: the transaction's snapshot is the moment; it would read the new storage as empty
	foreach my $level ('REPEATABLE READ', 'SERIALIZABLE')
	{
		$node->safe_psql('postgres', $anew);
		my $reader = $node->background_psql('postgres', on_error_stop => 0);
		$reader->query_safe('\\set VERBOSITY verbose');
		$reader->query_safe("BEGIN ISOLATION LEVEL $level; SELECT count(*) FROM other");
		$writer->query_safe("BEGIN; $changes{$what}COMMIT");
		$reader->query("SELECT backup_create('{topics,other}')");
		if ($what =~ /adds a column/)
		{
			# this one keeps the storage, so the rows of the snapshot are all there
			is($reader->{stderr}, '', "$level: $what after the snapshot does no harm");
			$reader->query_safe('COMMIT');
			is($reader->query_safe('SELECT rows FROM backup_show((SELECT id FROM backup_list() LIMIT 1)) WHERE name = $$topics$$'), 100, "$level: the snapshot's rows are there");
			$reader->quit;
			next;
		}
		like($reader->{stderr}, qr/ERROR:  40001: could not read table "public.topics" as of this transaction's snapshot/, "$level: $what after the snapshot is 40001");
		$reader->{stderr} = '';
		$reader->query_safe('ROLLBACK');
		like($reader->query("SELECT state FROM backup_create('{topics,other}')"), qr/^good$/m, "$level: a new transaction works");
		$reader->quit;
	}
	$writer->quit;
}

# REPEATABLE READ without such a change is the state of its snapshot
$node->safe_psql('postgres', $anew);
my $reader = $node->background_psql('postgres');
$reader->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM other');
$node->safe_psql('postgres', "DELETE FROM topics WHERE id > 50");
my $old = $reader->query_safe("SELECT id FROM backup_create('{topics}')");
is(value($node, "SELECT rows FROM backup_show('$old') WHERE kind = 'table'"), 100, 'REPEATABLE READ: rows deleted later are in the backup');
$reader->query_safe('COMMIT');
$reader->query_safe("BEGIN ISOLATION LEVEL REPEATABLE READ; TRUNCATE other; INSERT INTO other VALUES (1), (2)");
my $mine = $reader->query_safe("SELECT id FROM backup_create('{other}')");
is(value($node, "SELECT rows FROM backup_show('$mine') WHERE kind = 'table'"), 2, 'REPEATABLE READ: its own TRUNCATE is no reason to fail');
$reader->query_safe('ROLLBACK');

# ---- uncommitted -----------------------------------------------------------------------------------------------------------

my $wide = value($node, 'SELECT id FROM backup_create()');
foreach my $end ('ROLLBACK', 'COMMIT')
{
	$reader->query_safe("BEGIN; INSERT INTO topics VALUES (1000, 'uncommitted')");
	my $answer = $reader->query_safe("SELECT id || ' ' || uncommitted || ' ' || (array_to_string(warnings, ' ') LIKE '%uncommitted%' OR array_to_string(warnings, ' ') LIKE '%committed%') FROM backup_create()");
	my ($id, $uncommitted, $warned) = split / /, $answer;
	is("$uncommitted $warned", 'true true', "$end: a backup after a write of its own transaction is marked, with a warning");
	is($reader->query_safe("SELECT rows FROM backup_show('$id') WHERE name = 'topics'"), 51, "$end: it has the caller's own rows");
	$reader->query_safe($end);
	is(value($node, "SELECT uncommitted FROM backup_list() WHERE id = '$id'"), 't', "$end: the list says so afterwards");
	is(value($node, "SELECT DISTINCT backup_id FROM backup_verify()"), $wide, "$end: latest passes over it");
	is(value($node, "SELECT DISTINCT backup_id FROM backup_restore('latest', '{other}', dry_run => true)"), $wide, "$end: for some tables too");
	is(value($node, "SELECT count(*) FROM topics WHERE id = 1000"), $end eq 'COMMIT' ? 1 : 0, "$end: the transaction's end is its own");
	is(value($node, "SELECT ok FROM backup_verify('$id')"), 't', "$end: the backup is whole");
}
my $newest = value($node, 'SELECT id FROM backup_create()');
is(value($node, "SELECT backup_id FROM backup_verify()"), $newest, 'a committed one is the latest again');
is($reader->query_safe("SELECT uncommitted FROM backup_create()"), 'f', 'and is not marked');
$reader->quit;

# ---- one moment over several tables ----------------------------------------------------------------------------------------

# every transaction adds an order with its two lines and moves money, so each moment has three rows that belong together
$node->safe_psql('postgres', <<'END');
CREATE SCHEMA shop;
CREATE TABLE shop.lines (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, order_id bigint NOT NULL, n integer);
CREATE TABLE shop.filler (id integer PRIMARY KEY, body text);
INSERT INTO shop.filler SELECT g, repeat(md5(g::text), 20) FROM generate_series(1, 20000) g;
CREATE TABLE shop.orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, made timestamptz DEFAULT now());
CREATE TABLE shop.accounts (id integer PRIMARY KEY, money bigint);
INSERT INTO shop.accounts SELECT g, 1000 FROM generate_series(1, 10) g;
END
my $script = PostgreSQL::Test::Utils::tempdir_short() . '/orders.sql';
append_to_file($script, <<'END');
\set a random(1, 5)
\set b random(6, 10)
BEGIN;
UPDATE shop.accounts SET money = money - 1 WHERE id = :a;
UPDATE shop.accounts SET money = money + 1 WHERE id = :b;
INSERT INTO shop.orders DEFAULT VALUES RETURNING id AS o \gset
INSERT INTO shop.lines (order_id, n) VALUES (:o, 1);
INSERT INTO shop.lines (order_id, n) VALUES (:o, 2);
COMMIT;
END
my ($pgbench_out, $pgbench_err) = ('', '');
my $pgbench;
{
	local %ENV = $node->_get_env;
	$pgbench = IPC::Run::start([ 'pgbench', '-n', '-c', '4', '-T', '20', '-f', $script, 'postgres' ], '<', \undef, '>', \$pgbench_out, '2>', \$pgbench_err);
}
$node->poll_query_until('postgres', 'SELECT count(*) > 20 FROM shop.orders') or die;
my @moments = map { value($node, "SELECT id FROM backup_create('{shop.*}')") } 1 .. 5;
$pgbench->signal('INT');
$pgbench->finish;
my ($last, $grown) = (0, 0);
foreach my $moment (@moments)
{
	$node->safe_psql('postgres', "DROP SCHEMA IF EXISTS moment CASCADE");
	$node->safe_psql('postgres', "SELECT * FROM backup_restore('$moment', into_schema => 'moment', safety_backup => false)");
	is(value($node, <<'END'), '0|0|10000', 'a backup under load holds whole transactions only');
SELECT (SELECT count(*) FROM moment.orders o WHERE (SELECT array_agg(n ORDER BY n) FROM moment.lines l WHERE l.order_id = o.id) IS DISTINCT FROM '{1,2}'),
       (SELECT count(*) FROM moment.lines l WHERE NOT EXISTS (SELECT 1 FROM moment.orders o WHERE o.id = l.order_id)), (SELECT sum(money) FROM moment.accounts)
END
	my $orders = value($node, 'SELECT count(*) FROM moment.orders');
	$grown++ if $orders > $last;
	$last = $orders;
}
cmp_ok($grown, '>=', 3, 'the writers went on writing meanwhile') or diag($pgbench_err);
# pgbench was interrupted
check_log($node, [qw(40001 08006 08P01)], 'the log has only the errors that were made');

done_testing();
