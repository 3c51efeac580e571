# Under load a change of a table's definition waits for a plan's backup no longer than its lock budget; beside it, what pg_dump does. And once the rows are read, nobody waits at all.
# Not under the sanitizers: it is about who waits how long; 020_runs.pl runs the workers.

use strict;
use warnings FATAL => 'all';

use IPC::Run ();
use SnapbackTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

my $budget = 1;    # seconds
my $node = new_server('giving_way', conf => "shared_preload_libraries = 'pg_snapback'\nmax_worker_processes = 12\n");
$node->command_ok([ 'pgbench', '-i', '-q', '-s', '1', 'postgres' ], 'tables to work on');
# many tables, each of which takes its time: what a large database is to a backup
$node->safe_psql('postgres', <<"END");
ALTER TABLE pgbench_accounts ADD COLUMN body text;
UPDATE pgbench_accounts SET body = (SELECT string_agg(md5(aid || ' ' || i), '') FROM generate_series(1, 12) i) WHERE aid <= 50000;
VACUUM pgbench_accounts;
DO \$\$ BEGIN FOR g IN 1 .. 300 LOOP EXECUTE format('CREATE TABLE further_%s AS SELECT 1 AS id', g); END LOOP; END \$\$;
LOAD 'pg_snapback';
ALTER DATABASE postgres SET pg_snapback.test_fault = 'backup.table_read=sleep:200';
SELECT FROM backup_schedule('polite', '0 0 1 1 *', tables => '{pgbench_accounts,further_*}', lock_budget => '$budget s', retries => 0);
END

my ($load_out, $load_err) = ('', '');
my $load;
{
	local %ENV = $node->_get_env;
	$load = IPC::Run::start([ 'pgbench', '-n', '-c', '2', '-R', '100', '-T', '600', 'postgres' ], '<', \undef, '>', \$load_out, '2>', \$load_err);
}
ok($node->poll_query_until('postgres', 'SELECT count(*) > 50 FROM pgbench_history'), 'two sessions are at work');

sub run_plan
{
	make_due($node);
	$node->safe_psql('postgres', "SELECT FROM backup_schedule('polite')");
	return;
}

# Until a session reads the table, seen by its lock and its name.
sub wait_reading
{
	my ($who) = @_;
	return $node->poll_query_until('postgres', "SELECT count(*) > 0 FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE l.relation = 'pgbench_accounts'::regclass AND l.mode = 'AccessShareLock' AND l.granted AND $who");
}

my $columns = 0;
sub change { $columns++; return attempt($node, "ALTER TABLE pgbench_accounts ADD COLUMN added_$columns integer") }

run_plan();
ok(wait_reading("a.backend_type LIKE 'pg_snapback run%'"), 'a backup of the plan is reading');
my $ours = change();
is_outcome($ours, '', 'a column is added meanwhile');
# what is asserted is the budget and what a slow machine needs to start a psql and to look at a lock table
cmp_ok($ours->{seconds}, '<', $budget + 8 * patience(), 'after no more than the budget');
ok($node->poll_query_until('postgres', "SELECT state = 'gave_way' FROM backup_runs WHERE plan = 'polite'"), 'because the backup gave way');
ok($node->poll_query_until('postgres', "SELECT state = 'skipped' AND reason LIKE 'gave way to process % table \"pgbench_accounts\"' FROM backup_slots"), 'its slot says to whom')
	or diag(value($node, 'SELECT string_agg(s::text, chr(10)) FROM backup_slots s'));

# the same beside pg_dump, which does not look: shown, not asserted
my ($dump_out, $dump_err) = ('', '');
my $dump;
{
	local %ENV = ($node->_get_env, PGAPPNAME => 'pg_dump');
	$dump = IPC::Run::start([ 'pg_dump', '-Z', '9', '-t', 'pgbench_accounts', '-f', $node->data_dir . '/../dump.gz', 'postgres' ], '<', \undef, '>', \$dump_out, '2>', \$dump_err);
}
ok(wait_reading("a.application_name = 'pg_dump'"), 'pg_dump is reading');
my $beside = change();
is_outcome($beside, '', 'a column is added beside pg_dump');
$dump->finish;
diag(sprintf('ALTER TABLE waited %.1f s for the plan\'s backup (lock budget %d s), %.1f s for pg_dump', $ours->{seconds}, $budget, $beside->{seconds}));

# once the rows are read the table is free, however long syncing, reading back and checking take
my $backup = start($node, fault('backup.file_written=sleep:300000') . "SELECT backup_create('{pgbench_accounts,pgbench_branches}')");
wait_asleep($backup);
is(value($node, "SELECT count(*) FROM pg_locks WHERE pid = " . backend($backup) . " AND relation IN ('pgbench_accounts'::regclass, 'pgbench_branches'::regclass)"), 0, 'a backup whose rows are read has no table locked');
is_outcome(change(), '', 'a column is added at once');
value($node, 'SELECT pg_cancel_backend(' . backend($backup) . ')');
is_outcome(finish($backup), '57014', 'while the backup was still at work');

# with nobody in its way the plan runs beside the load
$node->safe_psql('postgres', "ALTER DATABASE postgres RESET pg_snapback.test_fault");
run_plan();
ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM backup_slots WHERE state = 'ran' AND reason IS NULL"), 'the next slot runs')
	or diag(value($node, 'SELECT string_agg(s::text, chr(10)) FROM backup_slots s'));
is(value($node, "SELECT string_agg(v.ok::text, ' ') FROM backup_list() b, backup_verify(b.id, 'content') v"), 'true', 'and its backup is good');
is($load_err !~ /error|aborted/i, 1, 'the load went on all the time') or diag($load_err);
$load->signal('TERM');
eval { $load->finish };
check_log($node, [qw(57014 08006 57P01)], 'its log has only what was made');
$node->stop('fast');
done_testing();
