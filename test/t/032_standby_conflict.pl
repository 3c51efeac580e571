# Calls on a standby that is disturbed: replay cancels them, for a lock or for rows that they still see, and nothing is left; or the
# promotion comes in the middle and they go on.
# Not under the sanitizers: a standby runs no other code.

use strict;
use warnings FATAL => 'all';

use SnapbackTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = new_server('primary', init => { allows_streaming => 1 });
$primary->safe_psql('postgres', <<'END');
CREATE TABLE subjects (id integer PRIMARY KEY, name text);
CREATE TABLE topics (id integer PRIMARY KEY, title text);
INSERT INTO subjects SELECT g, 'subject ' || g FROM generate_series(1, 20) g;
INSERT INTO topics SELECT g, 'topic ' || g FROM generate_series(1, 500) g;
END
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', "max_standby_streaming_delay = 50ms\nhot_standby_feedback = off\n");
$standby->start;
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
my $good = value($standby, 'SELECT id FROM backup_create()');

# what the primary does, and whether the standby's session holds a lock that is in the way; without one it is its snapshot that is
my $fill = 'INSERT INTO topics SELECT g, $$topic $$ || g FROM generate_series(1, 500) g';
my %conflicts = (
	'a lock' => { sql => "TRUNCATE topics; $fill", lock => 'BEGIN; LOCK TABLE topics IN ACCESS SHARE MODE; ' },
	'a dropped table' => { sql => "DROP TABLE topics; CREATE TABLE topics (id integer PRIMARY KEY, title text); $fill", lock => 'BEGIN; LOCK TABLE topics IN ACCESS SHARE MODE; ' },
	'rows that are gone' => { sql => "DELETE FROM topics WHERE id <= 100;\nVACUUM (TRUNCATE false) topics;\nINSERT INTO topics SELECT g, \$\$topic \$\$ || g FROM generate_series(1, 100) g" });
my %calls = (
	'a backup' => [ 'SELECT backup_create()', 'backup.table_read' ],
	'a verification' => [ "SELECT * FROM backup_verify('$good')", 'check.table' ],
	'a comparison' => [ "SELECT * FROM backup_compare('$good')", 'reader.opened' ],
	'a dry run' => [ "SELECT * FROM backup_restore('$good', dry_run => true)", 'restore.locked' ]);
my $vacuums = 0;
foreach my $conflict (sort keys %conflicts)
{
	foreach my $call (sort keys %calls)
	{
		my ($statement, $point) = @{ $calls{$call} };
		my $lock = $conflicts{$conflict}{lock} // '';
		next if $lock && $call eq 'a verification';    # it has none of its own
		my $job = start($standby, fault("$point=sleep:60000") . $lock . $statement . ($lock ? '; COMMIT' : ''));
		wait_asleep($job);
		$primary->safe_psql('postgres', $conflicts{$conflict}{sql});
		my $outcome = finish($job);
		$vacuums++ if !$lock;
		is_outcome($outcome, '40001', "replay cancels $call on the standby: $conflict");
		like($outcome->{message}, qr/conflict with recovery/, 'it says so');
		like($outcome->{detail}, $lock ? qr/relation lock/ : qr/row versions/, 'and by what');
		is(join(' ', unfinished(storage($standby))), '', 'nothing is left in the storage');
		is(value($standby, "SELECT string_agg(id || ' ' || state, ', ') FROM backup_list()"), "$good good", 'the earlier backup is all there is');
		$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
		is(value($standby, "SELECT ok FROM backup_verify('$good')"), 't', 'the next call works');
	}
}
ok($standby->poll_query_until('postgres', "SELECT confl_snapshot = $vacuums FROM pg_stat_database_conflicts WHERE datname = 'postgres'"), "$vacuums of them by their snapshots");

# ---- promoted in the middle --------------------------------------------------------------------------------------------------------

# each is held at a gate until the standby has become a primary and has new rows, which none of their snapshots has
my $door = $standby->background_psql('postgres');
$door->query_safe('SELECT pg_advisory_lock(1)');
my $kept = 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 WHERE false;';
my %held = (
	backup => [ 'backup.table_read', "SELECT id FROM backup_create(label => 'promoted')" ],
	verification => [ 'check.table', "SELECT ok, level FROM backup_verify('$good')" ],
	comparison => [ 'reader.opened', "$kept SELECT bool_and(equal), sum(live_rows) FROM backup_compare('$good'); COMMIT" ],
	'dry run' => [ 'restore.locked', "SELECT bool_and(action = 'unchanged') FROM backup_restore('$good', dry_run => true)" ]);
my %jobs = map { $_ => start($standby, fault("$held{$_}[0]=sql:SELECT pg_catalog.pg_advisory_lock_shared(1)") . $held{$_}[1]) } keys %held;
wait_blocked($_) foreach values %jobs;
$standby->promote;
$standby->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()') or die;
$standby->safe_psql('postgres', "INSERT INTO topics SELECT g, 'topic ' || g FROM generate_series(501, 600) g");
$door->quit;
my %outcome = map { $_ => finish($jobs{$_}) } keys %jobs;
is_outcome($outcome{$_}, '', "a $_ that began on the standby ends on the primary that it became") foreach sort keys %outcome;
is($outcome{verification}{out}, 't|content', 'the verification is one of contents');
is(value($standby, "SELECT verified FROM backup_list() WHERE id = '$good'"), 'content', 'and is remembered');
is($outcome{comparison}{out}, 't|520', 'the comparison is of its own moment');
is($outcome{'dry run'}{out}, 'f', 'the dry run is of the newest rows, as a restore is');
my $promoted = $outcome{backup}{out};
is(value($standby, "SELECT state, rows FROM backup_list() WHERE id = '$promoted'"), 'good|520', 'the backup is whole, and of its own moment');
is(value($standby, "SELECT ok FROM backup_verify('$promoted', 'restore')"), 't', 'and restores');
$standby->safe_psql('postgres', 'DELETE FROM topics');
is(value($standby, "SELECT bool_and(proven) FROM backup_restore('$promoted')"), 't', 'for good');
is(join(' ', unfinished(storage($standby))), '', 'nothing is left in the storage');
check_log($standby, ['40001'], 'the log has only the errors that were made');

done_testing();
