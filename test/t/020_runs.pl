# Work done by processes of its own: backup_start, its row in backup_runs, cancelling, killing, rights, and what stands in the way.

use strict;
use warnings FATAL => 'all';

use SnapbackTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

# nothing is preloaded: all of this works after CREATE EXTENSION
my $node = new_server('runs', conf => "max_worker_processes = 5\n");
$node->safe_psql('postgres', <<'END');
CREATE TABLE courses (id integer PRIMARY KEY, title text);
INSERT INTO courses SELECT g, 'course ' || g FROM generate_series(1, 100) g;
CREATE TABLE letters (id integer PRIMARY KEY, body text);
INSERT INTO letters SELECT g, repeat('x', 100) FROM generate_series(1, 100) g;
CREATE ROLE keeper NOLOGIN;
CREATE ROLE visitor NOLOGIN;
GRANT SELECT ON courses TO keeper;
CREATE SCHEMA own AUTHORIZATION keeper;
CREATE TABLE own.notes (id integer PRIMARY KEY);
ALTER TABLE own.notes OWNER TO keeper;
SELECT backup_grant('keeper', 'operate');
SELECT backup_grant('visitor');
END

# Until a run has ended; its state.
sub wait_end
{
	my ($run) = @_;
	for (1 .. 600)
	{
		my $state = value($node, "SELECT state FROM backup_runs WHERE run_id = $run");
		return $state if $state ne 'queued' && $state ne 'running';
		usleep(50_000);
	}
	return 'still going';
}

# Until a run is at work and asleep at its fault point.
sub wait_run_asleep
{
	my ($run) = @_;
	for (1 .. 600)
	{
		return 1 if value($node, "SELECT count(*) FROM backup_runs r JOIN pg_stat_activity a ON a.query LIKE 'run ' || r.run_id || ':%' WHERE r.run_id = $run AND a.wait_event_type = 'Extension'");
		usleep(50_000);
	}
	die "run $run is not asleep: " . value($node, "SELECT state || ' ' || coalesce(message, '') FROM backup_runs WHERE run_id = $run");
}

# create, verify, restore, delete
my $run = value($node, q{SELECT run_id FROM backup_start('create', '{"label": "from a console", "tables": ["courses", "letters"]}')});
is(wait_end($run), 'succeeded', 'a backup in a process of its own');
is(value($node, "SELECT kind || ' ' || rows || ' ' || (bytes > 0) || ' ' || role_name || ' ' || (seconds >= 0) || ' ' || (result ->> 'label') FROM backup_runs WHERE run_id = $run"),
	'create 200 true postgres true from a console', 'its row says what came of it');
my $id = value($node, "SELECT backup_id FROM backup_runs WHERE run_id = $run");
is(value($node, "SELECT state || ' ' || uncommitted FROM backup_list() WHERE id = '$id'"), 'good false', 'the backup is a good one');
$run = value($node, "SELECT run_id FROM backup_start('verify', jsonb_build_object('backup_id', '$id', 'level', 'content'))");
is(wait_end($run), 'succeeded', 'verify');
is(value($node, "SELECT (result ->> 'ok') || ' ' || rows FROM backup_runs WHERE run_id = $run"), 'true 200', 'its result is kept');
$node->safe_psql('postgres', 'DELETE FROM courses WHERE id > 10');
$run = value($node, "SELECT run_id FROM backup_start('restore', jsonb_build_object('backup_id', '$id', 'tables', ARRAY['courses']))");
is(wait_end($run), 'succeeded', 'restore');
is(value($node, 'SELECT count(*) FROM courses'), 100, 'the rows are back');
is(value($node, "SELECT result -> 0 ->> 'applied' FROM backup_runs WHERE run_id = $run"), 'true', 'its result lists the tables');

# it begins at commit, and not after a rollback
my $before = value($node, 'SELECT count(*) FROM backup_runs');
$node->safe_psql('postgres', "BEGIN; SELECT backup_start('create'); ROLLBACK");
is(value($node, 'SELECT count(*) FROM backup_runs'), $before, 'nothing is left of a run that was rolled back');
$node->safe_psql('postgres', "BEGIN; SAVEPOINT s; SELECT backup_start('create'); ROLLBACK TO s; COMMIT");
is(value($node, 'SELECT count(*) FROM backup_runs'), $before, 'nor of one rolled back to a savepoint');
my $job = start($node, "BEGIN;\nSELECT run_id FROM backup_start('create');\nSELECT pg_sleep(1);\nCREATE TABLE later (id integer);\nCOMMIT;");
my $outcome = finish($job);
is_outcome($outcome, '', 'a transaction that goes on after backup_start');
($run) = $outcome->{out} =~ /^(\d+)/;
is(wait_end($run), 'succeeded', 'its run ends well');
is(value($node, "SELECT result ->> 'tables' FROM backup_runs WHERE run_id = $run"), 4, 'and saw what the transaction did last');
is_outcome(attempt($node, "BEGIN; SELECT backup_start('create'); PREPARE TRANSACTION 'x'"), '0A000', 'not in a prepared transaction');

# names are looked up by the caller's search path, with the caller's rights
$run = value($node, q{SET search_path = own; SET ROLE keeper; SELECT run_id FROM public.backup_start('create', '{"tables": ["notes"]}')});
is(wait_end($run), 'succeeded', 'a role that may not log in');
is(value($node, "SELECT role_name FROM backup_runs WHERE run_id = $run"), 'keeper', 'has its run');
is(value($node, "SELECT (SELECT count(*) FROM backup_show(backup_id) WHERE schema = 'own' AND name = 'notes') FROM backup_runs WHERE run_id = $run"), 1, 'of its own table');
$run = value($node, q{SET ROLE keeper; SELECT run_id FROM backup_start('create', '{"tables": ["letters"]}')});
is(wait_end($run), 'failed', 'a table that the role may not read');
like(value($node, "SELECT sqlstate || ' ' || message FROM backup_runs WHERE run_id = $run"), qr/^42501 permission denied for/, 'is told in the row');
is(value($node, "SET ROLE visitor; SELECT count(*) FROM backup_runs"), 0, 'who only watches sees no run of others');
is_outcome(attempt($node, "SET ROLE visitor; SELECT backup_cancel($run)"), '42501', 'and cancels none');
is_outcome(attempt($node, "SET ROLE visitor; SELECT backup_start('create')"), '42501', 'and starts none that it may not do itself');
cmp_ok(value($node, "SET ROLE keeper; SELECT count(*) FROM backup_runs"), '>', 2, 'level operate sees all');

# the role goes before its run begins
$node->safe_psql('postgres', "CREATE ROLE passing; SELECT backup_grant('passing', 'operate')");
$outcome = attempt($node, "BEGIN; SET ROLE passing; SELECT run_id FROM backup_start('create', '{\"tables\": [\"courses\"]}'); RESET ROLE; SELECT FROM backup_revoke('passing'); DROP ROLE passing; COMMIT");
is_outcome($outcome, '', 'a role that is dropped by the same transaction');
($run) = $outcome->{out} =~ /^(\d+)/;
is(wait_end($run), 'failed', 'fails its run');
is(value($node, "SELECT sqlstate || ' ' || message FROM backup_runs WHERE run_id = $run"), '42704 role "passing" does not exist', 'and says why');

# cancelling and ending
sub sleeping_run
{
	my ($fault, $arguments) = @_;
	$node->safe_psql('postgres', "LOAD 'pg_snapback'; ALTER SYSTEM SET pg_snapback.test_fault = '$fault'");
	$node->reload;
	my $started = value($node, "SELECT run_id FROM backup_start('create'" . ($arguments ? ", '$arguments'" : '') . ')');
	wait_run_asleep($started) if $fault =~ /sleep/;
	$node->safe_psql('postgres', "LOAD 'pg_snapback'; ALTER SYSTEM RESET pg_snapback.test_fault");
	$node->reload;
	return $started;
}
$run = sleeping_run('backup.table_read=sleep:60000');
like(value($node, "SELECT state FROM backup_cancel($run)"), qr{^(running|cancelled)$}, 'a run is cancelled while it works');
is(wait_end($run), 'cancelled', 'and ends so');
is(value($node, "SELECT sqlstate FROM backup_runs WHERE run_id = $run"), '57014', 'with its SQLSTATE');
is(join(' ', unfinished(storage($node))), '', 'nothing is left of it');
$node->safe_psql('postgres', 'CREATE VIEW careless AS SELECT c.id FROM courses c, pg_advisory_unlock_all() AS given_back');
$run = sleeping_run('backup.table_read=sleep:60000', '{"tables": ["careless"]}');
is(value($node, "SELECT state FROM backup_runs WHERE run_id = $run"), 'running', 'a run is alive whatever locks the code of a view gives back');
value($node, "SELECT state FROM backup_cancel($run)");
is(wait_end($run), 'cancelled', 'and can be cancelled');
$node->safe_psql('postgres', 'DROP VIEW careless');
$run = sleeping_run('backup.table_read=sleep:60000');
$node->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM snapback.run WHERE run_id = $run");
is(wait_end($run), 'crashed', 'a run whose process was terminated is told at once');
is_outcome(attempt($node, "SELECT backup_cancel(999)"), '42704', 'cancelling a run that is not there');
is(value($node, "SELECT state FROM backup_cancel($run)"), 'crashed', 'cancelling one that has ended changes nothing');

# the moments at which a run has no process yet, has lost it, or has ended without its row saying so
sub gated_run
{
	my ($point, $gate, $arguments) = @_;
	$node->safe_psql('postgres', "LOAD 'pg_snapback'; ALTER SYSTEM SET pg_snapback.test_fault = '$point=sql:SELECT pg_catalog.pg_advisory_lock($gate)'");
	$node->reload;
	my $keeper = $node->background_psql('postgres');
	$keeper->query_safe("SELECT pg_advisory_lock($gate)");
	my $started = value($node, "SELECT run_id FROM backup_start('create', '$arguments')");
	ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = $gate AND NOT granted"), "a run is held at $point");
	$node->safe_psql('postgres', "LOAD 'pg_snapback'; ALTER SYSTEM RESET pg_snapback.test_fault");
	$node->reload;
	return ($started, $keeper);
}
my $keeper;
($run, $keeper) = gated_run('run.worker_begun', 2, '{"tables": ["letters"]}');
is(value($node, "SELECT state FROM backup_runs WHERE run_id = $run"), 'queued', 'a run whose process has not begun is queued');
$node->safe_psql('postgres', "UPDATE snapback.run SET queued_at = queued_at - interval '2 minutes' WHERE run_id = $run");
is(value($node, "SELECT state FROM backup_runs WHERE run_id = $run"), 'crashed', 'and crashed when it should have begun long ago');
my $locker = $node->background_psql('postgres');
$locker->query_safe('BEGIN; LOCK TABLE letters');
$job = held($node, 'run.process_missed', "SELECT state FROM backup_runs WHERE run_id = $run");
$keeper->quit;
ok($node->poll_query_until('postgres', "SELECT state = 'running' FROM snapback.run WHERE run_id = $run"), 'it begins after all');
let_go();
is(finish($job)->{out}, 'queued', 'who looked for its process before that does not take it for crashed');
is(value($node, "SELECT state FROM backup_runs WHERE run_id = $run"), 'running', 'it is running then');
$locker->quit;
is(wait_end($run), 'succeeded', 'and ends well');
($run, $keeper) = gated_run('run.work_ended', 2, '{"tables": ["nowhere"]}');
is(value($node, "SELECT state FROM backup_runs WHERE run_id = $run"), 'running', 'a run whose work was rolled back is running until its row says how it ended');
$keeper->quit;
is(wait_end($run), 'failed', 'which it does then');
($run, $keeper) = gated_run('run.work_ended', 2, '{"tables": ["letters"], "label": "whole"}');
$node->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM snapback.run WHERE run_id = $run");
is(wait_end($run), 'crashed', 'a run that was terminated between its work and its row reads crashed');
$keeper->quit;
is(value($node, "SELECT state FROM backup_list() WHERE label = 'whole'"), 'good', 'the backup that it took is a good one');

# the extension goes while a run works
$node->safe_psql('postgres', 'CREATE DATABASE other TEMPLATE template0');
$node->safe_psql('other', 'CREATE EXTENSION pg_snapback; CREATE TABLE t (id integer)');
$node->safe_psql('postgres', "LOAD 'pg_snapback'; ALTER SYSTEM SET pg_snapback.test_fault = 'backup.table_read=sleep:2000'");
$node->reload;
$node->safe_psql('other', "SELECT backup_start('create')");
usleep(300_000);
is_outcome(attempt($node, 'DROP EXTENSION pg_snapback', database => 'other'), '', 'the extension is dropped in a run');
$node->safe_psql('other', 'CREATE EXTENSION pg_snapback');
$node->safe_psql('other', "SELECT backup_start('create')");
usleep(300_000);
is_outcome(attempt($node, 'DROP DATABASE other WITH (FORCE)'), '', 'a database is dropped in a run');
$node->safe_psql('postgres', "LOAD 'pg_snapback'; ALTER SYSTEM RESET pg_snapback.test_fault");
$node->reload;

# no process is free
is_outcome(attempt($node, "BEGIN; SELECT backup_start('verify') FROM generate_series(1, 10); COMMIT"), '53400', 'more runs than processes');
is(value($node, "SELECT count(*) FROM backup_runs WHERE state IN ('queued', 'running')"), 0, 'start none of them');

# a server that goes down under a run
$run = sleeping_run('backup.table_read=sleep:60000');
$node->stop('fast');
$node->start;
is(wait_end($run), 'crashed', 'a fast shutdown is not kept waiting, and the run is told as crashed after it');
$run = sleeping_run('backup.table_read=sleep:60000');
my $pid = value($node, "SELECT pid FROM snapback.run WHERE run_id = $run");
kill 'KILL', $pid;
wait_up($node);
is(wait_end($run), 'crashed', 'killed -9');
$run = value($node, "SELECT run_id FROM backup_start('create')");
is(wait_end($run), 'succeeded', 'the next run works');
ok($node->poll_query_until('postgres', 'SELECT count(*) = 0 FROM pg_locks l WHERE l.pid IS NOT NULL AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.pid = l.pid)'), 'no run leaves a lock behind');
check_log($node, [qw(57P01 57P02 57P03 57014 42501 42704 0A000 55000 53400 42P01)], 'the log has only the errors that were made');
done_testing();
