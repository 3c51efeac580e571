# The view backup_progress shows what runs to another session, without anything preloaded, to a role that may watch.
# Not under the sanitizers: it waits for others to look.

use strict;
use warnings FATAL => 'all';

use SnapbackTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_server('progress', conf => "pg_snapback.reload_threshold = 0\n");
is(value($node, 'SHOW shared_preload_libraries'), '', 'nothing is preloaded');
$node->safe_psql('postgres', <<'END');
CREATE TABLE a_subjects (id integer PRIMARY KEY, name text);
INSERT INTO a_subjects SELECT g, 'subject ' || g FROM generate_series(1, 100) g;
CREATE TABLE b_topics (id integer PRIMARY KEY, subject_id integer REFERENCES a_subjects, title text);
INSERT INTO b_topics SELECT g, 1 + g % 100, 'topic ' || g FROM generate_series(1, 20000) g;
ANALYZE;
CREATE ROLE watcher LOGIN;
CREATE ROLE stranger LOGIN;
CREATE ROLE owner LOGIN;
SELECT backup_grant('watcher', 'watch');
END
$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->safe_psql('other', "CREATE EXTENSION pg_snapback; CREATE ROLE other_watcher LOGIN; SELECT backup_grant('other_watcher', 'watch')");

# what a watcher sees of a call at a point
sub seen
{
	my ($sql, $point, $columns, %options) = @_;
	my $job = start($node, fault("$point=sleep:60000") . $sql);
	wait_asleep($job);
	my $pid = backend($job);
	my $seen = attempt($node, "SELECT $columns FROM backup_progress WHERE pid = $pid", user => $options{user} // 'watcher', database => $options{database} // 'postgres');
	value($node, "SELECT pg_cancel_backend($pid)");
	finish($job);
	return $seen->{state} || $seen->{out};
}

is(attempt($node, 'SELECT * FROM backup_progress', user => 'watcher')->{out}, '', 'nothing runs, nothing is shown');
my $create = 'SELECT backup_create()';
is(seen($create, 'backup.table_read', 'operation, phase, table_name, rows_done'), 'backup|reading tables|public.a_subjects|100', 'after the first table');
is(seen($create, 'backup.table_read', 'database, role = current_user, rows_estimated, bytes_done > 1000, bytes_estimated > 8192, started_at < now()'), 'postgres|f|20100|t|t|t',
	'where, by whom, how much there is in all');
is(seen($create, 'backup.locked', 'operation, phase, table_name'), 'backup|locking|', 'while locks are taken');
is(seen($create, 'backup.file_written', 'phase, rows_done'), 'reading tables|20100', 'after the last row');
is(seen($create, 'backup.file_synced', 'phase, rows_done'), 'syncing file|20100', 'while the file goes to the disk');
is(seen($create, 'backup.file_proven', 'phase'), 'reading back', 'while it is read back');

my $id = value($node, 'SELECT id FROM backup_create()');
is(seen("SELECT * FROM backup_verify('$id')", 'verify.started', 'operation, phase'), 'verify|checking contents', 'a verification');

$node->safe_psql('postgres', 'DELETE FROM b_topics WHERE id % 2 = 0');
my $restore = "SELECT * FROM backup_restore('$id')";
is(seen($restore, 'restore.locked', 'operation, phase'), 'restore|locking', 'a restore that takes its locks');
is(seen($restore, 'backup.table_read', 'operation, phase, table_name'), 'restore|reading tables|public.a_subjects', 'a restore that takes its safety backup');
is(seen($restore, 'restore.table_emptied', 'operation, phase, table_name'), 'restore|writing rows|public.b_topics', 'a restore that writes a table');
is(seen($restore, 'restore.table_loaded', 'phase, table_name, rows_done >= 20000'), 'writing rows|public.b_topics|t', 'after its rows');
is(seen($restore, 'restore.indexes_built', 'phase, table_name, operation'), 'building indexes|public.b_topics|restore', 'after its indexes, whose own progress does not hide it');
is(seen($restore, 'restore.foreign_keys_checked', 'phase, operation'), 'checking foreign keys|restore', 'after the foreign keys');
is(seen($restore, 'restore.before_proof', 'operation'), 'restore', 'after the statistics');
is(seen($restore, 'restore.proven', 'phase, table_name'), 'proving|public.b_topics', 'after the proof');
is(seen("SELECT * FROM backup_verify('$id', 'restore')", 'restore.table_loaded', 'operation, phase'), 'verify|writing rows', 'a restore for proof');

# to whom
is(seen($create, 'backup.table_read', 'count(*)', user => 'stranger'), '42501', 'a role without the right sees nothing');
is(seen($create, 'backup.table_read', 'operation, database', user => 'other_watcher', database => 'other'), 'backup|postgres', 'a watcher of another database of the server sees it');
is(seen($create, 'backup.table_read', "coalesce(table_name, '')", user => 'other_watcher', database => 'other'), '', 'but not the names of tables');

# other commands that report their progress are no backups
my $copy = start($node, "COPY b_topics TO PROGRAM 'sleep 3' ");
is(attempt($node, 'SELECT count(*) FROM backup_progress', user => 'watcher')->{out}, '0', 'a COPY is none');
value($node, 'SELECT pg_cancel_backend(' . backend($copy) . ')');
finish($copy);

# afterwards
is(attempt($node, 'SELECT count(*) FROM backup_progress', user => 'watcher')->{out}, '0', 'after the calls nothing is shown');
is(value($node, 'SELECT count(*) FROM pg_stat_progress_copy'), 0, 'nor does the server think that a COPY runs');
my $session = $node->background_psql('postgres');
$session->query_safe('SELECT id FROM backup_create()');
is($session->query_safe('SELECT count(*) FROM backup_progress WHERE pid = pg_backend_pid()'), 0, 'nor in the session that made a backup');
$session->quit;

done_testing();
