# Plans run by themselves: the launcher, its deciders and the runs, in several databases, through everything that happens to servers.
# Due times are set back by the test instead of waited for.
# Not under the sanitizers: it waits for due times; 020_runs.pl runs the workers.

use strict;
use warnings FATAL => 'all';

use SnapbackTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $node = new_server('schedules', conf => "shared_preload_libraries = 'pg_snapback'\nmax_worker_processes = 12\n", init => { allows_streaming => 1 });
my @databases = qw(first second third);
foreach my $database (@databases)
{
	$node->safe_psql('postgres', "CREATE DATABASE $database TEMPLATE template0");
	$node->safe_psql($database, <<'END');
CREATE EXTENSION pg_snapback;
CREATE TABLE courses (id integer PRIMARY KEY, title text);
INSERT INTO courses SELECT g, 'course ' || g FROM generate_series(1, 50) g;
END
}

sub one { return $node->safe_psql($_[0], $_[1]) }

# Until a query of a database returns what is expected.
sub wait_for
{
	my ($database, $query, $expected, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $value = '';
	for (1 .. 600)
	{
		my ($code, $out) = $node->psql($database, $query);
		$value = $out // '';
		last if $code == 0 && $value eq $expected;
		usleep(50_000);
	}
	is($value, $expected, $name) or diag(one($database, "SELECT string_agg(run_id || ' ' || coalesce(plan, '') || ' ' || state || ' ' || coalesce(message, ''), E'\\n') FROM backup_runs"),
		one($database, "SELECT string_agg(plan || ' ' || due || ' ' || state || ' ' || coalesce(reason, ''), E'\\n') FROM backup_slots"));
	return;
}

# Sets a plan's next due time back; any call that changes a plan wakes the launcher.
sub set_due
{
	my ($database, $plan, $ago) = @_;
	return one($database, "UPDATE snapback.plan SET next_due = date_trunc('minute', now() - interval '$ago') WHERE plan = '$plan' RETURNING next_due; SELECT FROM backup_schedule('$plan')");
}

# three databases, each with a plan
foreach my $database (@databases)
{
	one($database, "SELECT backup_schedule('minutes', '* * * * *', catch_up => 'once', retries => 1)");
	# between two minutes nothing is due yet; and the test must not depend on one that passes meanwhile
	one($database, "SELECT backup_schedule('minutes', '0 0 1 1 *')");
}
ok($node->poll_query_until('second', "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type LIKE 'pg_snapback%'"), 'idle, there is only the launcher');
one($_, "UPDATE snapback.plan SET next_due = date_trunc('minute', now()) WHERE plan = 'minutes'; SELECT FROM backup_schedule('minutes')") foreach @databases;
foreach my $database (@databases)
{
	wait_for($database, "SELECT string_agg(state, ' ') FROM backup_slots", 'ran', "$database: the slot ran");
	wait_for($database, "SELECT r.state || ' ' || r.attempt || ' ' || (s.due = r.due) || ' ' || (b.state = 'good') || ' ' || (p.next_due > now()) FROM backup_slots s JOIN backup_runs r USING (run_id) JOIN backup_list() b ON b.id = r.backup_id, backup_plans p",
		'succeeded 1 true true true', "$database: by one run, with a good backup, and the next due time is ahead");
}

# a slot that nobody saw, and older ones
one('first', "DELETE FROM snapback.slot; UPDATE snapback.plan SET schedule = '0 * * * *', next_due = date_trunc('hour', now()) - interval '3 hours' WHERE plan = 'minutes'");
$node->stop('fast');
$node->start;
wait_for('first', "SELECT string_agg(state, ' ' ORDER BY due) FROM backup_slots WHERE state <> 'running' AND reason IS NOT NULL", 'missed missed missed', 'slots over which the server was down are missed');
wait_for('first', "SELECT count(*) FROM backup_slots WHERE state IN ('ran', 'late')", 1, 'but the newest, which is caught up');
one('first', "SELECT backup_schedule('minutes', '0 0 1 1 *', catch_up => 'skip')");
one('first', "DELETE FROM snapback.slot");
set_due('first', 'minutes', '1 day');
wait_for('first', "SELECT string_agg(state || ' ' || coalesce(reason, ''), ',') FROM backup_slots", 'missed nothing ran at that time', 'with catch_up => skip it is missed');

# a role without rights, and one that is dropped, harm no other plan
one('second', <<'END');
CREATE ROLE poor;
SELECT backup_grant('poor', 'operate');
GRANT SELECT ON courses TO poor;
SET ROLE poor;
SELECT backup_schedule('of_poor', '0 0 1 1 *', tables => '{courses}', retries => 1);
RESET ROLE;
REVOKE SELECT ON courses FROM poor;
DELETE FROM snapback.slot;
END
set_due('second', 'of_poor', '1 minute');
set_due('second', 'minutes', '1 minute');
wait_for('second', "SELECT state || ' ' || sqlstate || ' ' || role_name FROM backup_runs WHERE plan = 'of_poor'", 'failed 42501 poor', 'a plan of a role without rights fails');
wait_for('second', "SELECT state FROM backup_slots WHERE plan = 'minutes'", 'ran', 'and the others run');
is(one('second', "SELECT state FROM backup_slots WHERE plan = 'of_poor'"), 'running', 'its slot waits for the second attempt');
one('second', "SELECT FROM backup_revoke('poor'); DROP ROLE poor");
one('second', "UPDATE snapback.run SET finished_at = finished_at - interval '2 minutes' WHERE plan = 'of_poor'; SELECT FROM backup_schedule('minutes')");
wait_for('second', "SELECT string_agg(attempt || ' ' || state || ' ' || sqlstate, ',' ORDER BY run_id) FROM backup_runs WHERE plan = 'of_poor'", '1 failed 42501,2 failed 42704', 'a dropped role fails its plan');
wait_for('second', "SELECT state || ': ' || reason FROM backup_slots WHERE plan = 'of_poor'", 'ran: failed: role "poor" does not exist (attempt 2)', 'and after the last attempt the slot is closed with the reason');

# killed -9 in the middle: everything starts again, the run is told as crashed and tried again
one('third', 'DELETE FROM snapback.slot');
one('third', "LOAD 'pg_snapback'; ALTER DATABASE third SET pg_snapback.test_fault = 'backup.table_read=kill'");
set_due('third', 'minutes', '1 minute');
wait_for('third', "SELECT string_agg(state, ' ') FROM backup_runs WHERE plan = 'minutes' AND state <> 'succeeded'", 'crashed', 'a run that is killed');
one('third', "ALTER DATABASE third RESET pg_snapback.test_fault");
wait_for('third', "SELECT state FROM snapback.run ORDER BY run_id DESC LIMIT 1", 'crashed', 'is written down as crashed by whoever looks next');
one('third', "UPDATE snapback.run SET finished_at = finished_at - interval '2 minutes' WHERE state = 'crashed'; SELECT FROM backup_schedule('minutes')");
wait_for('third', "SELECT s.state || ' ' || r.attempt || ' ' || r.state FROM backup_slots s JOIN backup_runs r USING (run_id)", 'ran 2 succeeded', 'and tried again');

# the launcher and a decider are terminated
one('first', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'pg_snapback launcher'");
set_due('second', 'minutes', '10 seconds');
one('second', "DELETE FROM snapback.slot");
wait_for('second', "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'pg_snapback launcher'", 1, 'the launcher comes back');
wait_for('second', "SELECT state FROM backup_slots", 'ran', 'and runs what was due meanwhile');

# overlap
one('third', "DELETE FROM snapback.slot; ALTER DATABASE third SET pg_snapback.test_fault = 'backup.table_read=sleep:3000'");
one('third', "SELECT backup_run('minutes')");
wait_for('third', "SELECT state FROM backup_runs ORDER BY run_id DESC LIMIT 1", 'running', 'a run that takes its time');
set_due('third', 'minutes', '1 minute');
wait_for('third', "SELECT state || ' ' || reason FROM backup_slots", 'skipped the previous run was still going', 'a slot meanwhile is skipped');
one('third', "DELETE FROM snapback.slot; SELECT backup_schedule('minutes', overlap => 'wait'); SELECT backup_run('minutes')");
wait_for('third', "SELECT state FROM backup_runs ORDER BY run_id DESC LIMIT 1", 'running', 'again');
one('third', "ALTER DATABASE third RESET pg_snapback.test_fault");
set_due('third', 'minutes', '1 minute');
is(one('third', 'SELECT count(*) FROM backup_slots'), 0, 'with overlap => wait it waits');
wait_for('third', "SELECT state FROM backup_slots", 'ran', 'and runs after the other');

# a change of a table's definition waits no longer than the budget: the backup gives way, and comes again
one('third', "DELETE FROM snapback.slot; CREATE TABLE another AS SELECT g AS id FROM generate_series(1, 1000) g; SELECT backup_schedule('polite', '0 0 1 1 *', tables => '{courses,another}', lock_budget => '500ms', retries => 1)");
one('third', "ALTER DATABASE third SET pg_snapback.test_fault = 'backup.table_read=sleep:2000'");
set_due('third', 'polite', '1 minute');
wait_for('third', "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'run %plan polite' AND wait_event_type = 'Extension'", 1, 'a backup is reading');
my $change = attempt($node, 'ALTER TABLE courses ADD COLUMN level integer', database => 'third');
is_outcome($change, '', 'a table is changed meanwhile');
cmp_ok($change->{seconds}, '<', 4 * patience(), 'without waiting for the end of the backup');
wait_for('third', "SELECT state || ' ' || sqlstate FROM backup_runs WHERE plan = 'polite'", 'gave_way 55P03', 'the backup gave way');
one('third', "ALTER DATABASE third RESET pg_snapback.test_fault");
one('third', "BEGIN; UPDATE snapback.run SET finished_at = finished_at - interval '2 minutes' WHERE plan = 'polite'; SELECT FROM backup_schedule('polite'); COMMIT");
wait_for('third', "SELECT s.state || ' ' || r.attempt || ' ' || r.state FROM backup_slots s JOIN backup_runs r USING (run_id) WHERE s.plan = 'polite'", 'ran 2 succeeded', 'and was tried again');
one('third', "DELETE FROM snapback.slot; SELECT backup_schedule('polite', retries => 0)");
my $holder = start($node, "BEGIN; LOCK TABLE courses; SELECT pg_sleep(20)", database => 'third');
wait_for('third', "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(20)%' AND wait_event = 'PgSleep'", 1, 'somebody holds a table');
set_due('third', 'polite', '1 minute');
wait_for('third', "SELECT state || ' ' || (reason IS NOT NULL) FROM backup_slots WHERE plan = 'polite'", 'skipped true', 'a backup that gets no lock in its budget skips its slot');
one('third', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(20)%' AND pid <> pg_backend_pid()");
finish($holder);
one('third', "SELECT backup_unschedule('polite'); DROP TABLE another; DELETE FROM snapback.slot");

# a copy of a database
$node->safe_psql('postgres', 'CREATE DATABASE copied TEMPLATE first');
one('copied', "DELETE FROM snapback.slot; UPDATE snapback.plan SET next_due = now() - interval '1 minute'");
one('copied', "SELECT FROM backup_schedule('other', '0 0 1 1 *')");
wait_for('copied', "SELECT suspended FROM backup_plans WHERE plan = 'minutes'", 't', 'a copy has its plans suspended');
usleep(500_000);
is(one('copied', 'SELECT count(*) FROM backup_slots'), 0, 'and runs none of them');
is_outcome(attempt($node, 'DROP DATABASE copied WITH (FORCE)'), '', 'a database with plans is dropped');
is_outcome(attempt($node, 'DROP EXTENSION pg_snapback', database => 'first'), '', 'the extension is dropped');

# stopped by the setting
one('second', 'DELETE FROM snapback.slot');
$node->safe_psql('postgres', "ALTER SYSTEM SET pg_snapback.enabled = off");
$node->reload;
wait_for('second', 'SHOW pg_snapback.enabled', 'off', 'schedules are switched off');
set_due('second', 'minutes', '1 minute');
usleep(500_000);
is(one('second', 'SELECT count(*) FROM backup_slots'), 0, 'nothing is run');
is(one('second', "SELECT count(*) FROM backup_run_due()"), 0, 'nor by backup_run_due()');
$node->safe_psql('postgres', "ALTER SYSTEM RESET pg_snapback.enabled");
$node->reload;
wait_for('second', "SELECT state FROM backup_slots", 'ran', 'and is when they are on again');

# many drivers at once never run a slot twice
one('second', 'DELETE FROM snapback.slot');
one('second', "UPDATE snapback.plan SET schedule = '* * * * *', next_due = date_trunc('minute', now()) WHERE plan = 'minutes'");
my $runs_before = one('second', 'SELECT max(run_id) FROM backup_runs');
my @drivers = map { start($node, 'SELECT count(*) FROM backup_run_due(true)', database => 'second') } 1 .. 3;
one('second', "SELECT FROM backup_schedule('minutes')");
is_outcome(finish($_), '', 'a driver beside the others') foreach @drivers;
is(one('second', "SELECT count(*) FROM (SELECT FROM backup_runs WHERE run_id > $runs_before AND plan = 'minutes' GROUP BY due HAVING count(*) > 1) twice"), 0, 'no slot was run twice');
cmp_ok(one('second', "SELECT count(*) FROM backup_slots WHERE state = 'ran'"), '>=', 1, 'and each was run');
one('second', "SELECT backup_schedule('minutes', '0 0 1 1 *')");
one('second', "REVOKE ALL ON SCHEMA snapback FROM PUBLIC; ALTER TABLE courses RENAME TO lessons; SELECT backup_schedule('gone', '0 0 1 1 *', tables => '{lessons}', retries => 0); DROP TABLE lessons");
# the launcher may be there first
my $driver;
for (1 .. 20)
{
	one('second', "DELETE FROM snapback.slot WHERE plan = 'gone'; UPDATE snapback.plan SET next_due = date_trunc('minute', now()) WHERE plan = 'gone'");
	$driver = attempt($node, 'SELECT count(*) FROM backup_run_due(true)', database => 'second');
	last if $driver->{state} ne '';
}
is_outcome($driver, '42P01', 'with raise, pg_cron sees a run that failed');
like($driver->{message}, qr/^run \d+ of plan "gone" failed: /, 'and which') or diag($driver->{err});

# a standby does nothing until it is promoted
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('schedules_standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
one('third', "DELETE FROM snapback.slot");
$standby->start;
is($standby->safe_psql('third', "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'pg_snapback launcher'"), 0, 'a standby has no launcher');
is_outcome(attempt($standby, 'SELECT backup_run_due()', database => 'third'), '25006', 'and runs nothing');
$node->wait_for_catchup($standby);
$node->stop('immediate');
$standby->promote;
$node = $standby;
wait_for('third', "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'pg_snapback launcher'", 1, 'once promoted it has');
set_due('third', 'minutes', '1 minute');
wait_for('third', "SELECT state FROM backup_slots", 'ran', 'and plans run');
check_log($node, [qw(57P01 57P02 57P03 42501 42704 42P01 25006 55000 01000)], 'its log has only what was made');
done_testing();
