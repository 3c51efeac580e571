# Backups on a standby that is disturbed: replay cancels the call and nothing is left, or the promotion comes in the middle and it goes on.
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

my %conflicts = (
	'a lock' => 'TRUNCATE topics; INSERT INTO topics SELECT g, $$topic $$ || g FROM generate_series(1, 500) g',
	'a dropped table' => 'DROP TABLE topics; CREATE TABLE topics (id integer PRIMARY KEY, title text); INSERT INTO topics SELECT g, $$topic $$ || g FROM generate_series(1, 500) g');
my %calls = (
	'a backup' => [ 'SELECT backup_create()', 'backup.file_created' ],
	'a comparison' => [ "SELECT * FROM backup_compare('$good')", 'reader.opened' ],
	'a dry run' => [ "SELECT * FROM backup_restore('$good', dry_run => true)", 'restore.locked' ]);
foreach my $conflict (sort keys %conflicts)
{
	foreach my $call (sort keys %calls)
	{
		my ($statement, $point) = @{ $calls{$call} };
		# locks are taken before this point, but for the comparison, which the cancel of a snapshot or lock may miss
		my $job = start($standby, fault("$point=sleep:60000") . "BEGIN; LOCK TABLE topics IN ACCESS SHARE MODE; $statement; COMMIT");
		wait_asleep($job);
		$primary->safe_psql('postgres', $conflicts{$conflict});
		my $outcome = finish($job);
		is_outcome($outcome, '40001', "replay cancels $call on the standby: $conflict");
		is(join(' ', unfinished(storage($standby))), '', 'nothing is left in the storage');
		is(value($standby, "SELECT string_agg(id || ' ' || state, ', ') FROM backup_list()"), "$good good", 'the earlier backup is all there is');
		$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
		is(value($standby, "SELECT ok FROM backup_verify('$good')"), 't', 'the next call works');
	}
}

# promoted in the middle
my $backup = start($standby, fault('backup.table_read=sleep:3000') . "SELECT id FROM backup_create(label => 'promoted')");
wait_asleep($backup);
$standby->promote;
$standby->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()') or die;
my $outcome = finish($backup);
is_outcome($outcome, '', 'a backup that began on the standby ends on the primary that it became');
is(value($standby, "SELECT state, rows FROM backup_list() WHERE id = '$outcome->{out}'"), 'good|520', 'it is whole');
is(value($standby, "SELECT ok FROM backup_verify('$outcome->{out}', 'restore')"), 't', 'and restores');
$standby->safe_psql('postgres', 'DELETE FROM topics');
is(value($standby, "SELECT bool_and(proven) FROM backup_restore('$outcome->{out}')"), 't', 'for good');
check_log($standby, ['40001'], 'the log has only the errors that were made');

done_testing();
