# Others at the same moment: backups, restores, verifications, deletes and pins beside each other, and DROP, ALTER, TRUNCATE, renames and
# DROP EXTENSION under them, in every isolation level where it matters. Each has one outcome that its caller can explain.
# Not under the sanitizers: it is about the order of events, by code that other tests run there.

use strict;
use warnings FATAL => 'all';

use SnapbackTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_server('same_moment', conf => "deadlock_timeout = 100ms\n");
my $storage = storage($node);
$node->safe_psql('postgres', <<'END');
CREATE TABLE subjects (id integer PRIMARY KEY, name text NOT NULL);
CREATE TABLE topics (id integer PRIMARY KEY, subject_id integer NOT NULL REFERENCES subjects, title text);
INSERT INTO subjects SELECT g, 'subject ' || g FROM generate_series(1, 10) g;
INSERT INTO topics SELECT g, 1 + g % 10, 'topic ' || g FROM generate_series(1, 300) g;
END
my $good = value($node, 'SELECT id FROM backup_create()');

sub widows { return grep { /^(.*)\.state\.json$/ && !-e "$storage/$1.json.zst" } stored($storage) }

sub all_whole
{
	my ($what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(value($node, "SELECT count(*) FROM backup_list() b, backup_verify(b.id, 'files') v WHERE b.state <> 'good' OR NOT v.ok"), 0, "$what: what is listed is whole");
	is(join(' ', unfinished($storage), widows()), '', "$what: nothing else lies there");
	return;
}

# ---- a backup changes while it is verified ---------------------------------------------------------------------------------

foreach my $point (qw(verify.opened verify.content_checked verify.done))
{
	my $victim = value($node, 'SELECT id FROM backup_create()');
	my $verify = held($node, $point, "SELECT ok FROM backup_verify('$victim')");
	is_outcome(attempt($node, "SELECT backup_delete('$victim')"), '', "deleted during a verification, at $point");
	let_go();
	is(finish($verify)->{state}, '', 'the verification ends by itself');
	is(value($node, "SELECT count(*) FROM backup_list() WHERE id = '$victim'"), 0, 'and the backup is gone');
	all_whole("deleted at $point");

	$victim = value($node, 'SELECT id FROM backup_create()');
	$verify = held($node, $point, "SELECT ok FROM backup_verify('$victim')");
	is_outcome(attempt($node, "SELECT backup_pin('$victim')"), '', "pinned during a verification, at $point");
	let_go();
	is(finish($verify)->{out}, 't', 'the verification succeeds');
	is(value($node, "SELECT pinned, verified FROM backup_list() WHERE id = '$victim'"), 't|content', 'the pin stays beside its result');
	is_outcome(attempt($node, "SELECT backup_delete('$victim')"), '55006', 'so that nobody deletes it');
	value($node, "SELECT backup_unpin('$victim')");
	value($node, "SELECT backup_delete('$victim')");
}

# ---- the new backup's name is taken ----------------------------------------------------------------------------------------

{
	my $backup = held($node, 'backup.file_proven', 'SELECT id FROM backup_create()');
	my ($partial) = unfinished($storage);
	my $taken = "$storage/" . ($partial =~ s/\.partial$//r);
	append_to_file($taken, 'from elsewhere');
	let_go();
	is_outcome(finish($backup), '58P02', 'a backup whose name was taken by another file');
	is(slurp_file($taken), 'from elsewhere', 'that file is left as it is');
	is(join(' ', unfinished($storage)), '', 'and nothing of the backup stays');
	unlink $taken or die "unlink: $!";
	is_outcome(attempt($node, 'SELECT backup_create()'), '', 'the next backup succeeds');
	all_whole('after a taken name');
}

# two who decide about the same backup
{
	my $victim = value($node, 'SELECT id FROM backup_create()');
	my $first = $node->background_psql('postgres', on_error_stop => 0);
	$first->query_safe("BEGIN; SELECT backup_delete('$victim')");
	is_outcome(attempt($node, "SELECT backup_delete('$victim')"), '', 'deleted by two: the second is first');
	$first->query('COMMIT');
	is($first->{stderr}, '', 'the first finds it done');
	$first->{stderr} = '';
	$victim = value($node, 'SELECT id FROM backup_create()');
	$first->query_safe("BEGIN; SELECT backup_pin('$victim')");
	is_outcome(attempt($node, "SELECT backup_delete('$victim')"), '', 'deleted before a pin is committed');
	$first->query('COMMIT');
	like($first->{stderr}, qr/ERROR/, 'the pin fails with its transaction');
	$first->quit;
	all_whole('two who decide');
}

# a backup that goes while it is restored: from the moment its file is open the restore goes on, before that it changes nothing
foreach my $point (qw(storage.open restore.locked restore.safety_taken))
{
	my $victim = value($node, 'SELECT id FROM backup_create()');
	$node->safe_psql('postgres', 'DELETE FROM topics WHERE id > 100');
	my $restore = held($node, $point, "SELECT bool_and(proven) FROM backup_restore('$victim')");
	is_outcome(attempt($node, "SELECT backup_delete('$victim')"), '', "deleted during a restore, at $point");
	let_go();
	my $outcome = finish($restore);
	is($outcome->{state}, $point eq 'storage.open' ? '58P01' : '', 'the restore fails, or is whole') or diag($outcome->{err});
	is(value($node, 'SELECT count(*) FROM topics'), $point eq 'storage.open' ? 100 : 300, 'and the rows are as it says');
	$node->safe_psql('postgres', "SELECT * FROM backup_restore('$good')");
	all_whole('deleted during a restore');
}

# ---- tables that change under a backup or a restore ------------------------------------------------------------------------

# what another session has done and not committed when the call begins to wait; what the call answers; what must hold then
my $anew = 'DROP TABLE IF EXISTS topics, subjects, aside CASCADE; CREATE TABLE subjects (id integer PRIMARY KEY, name text NOT NULL);'
  . 'CREATE TABLE topics (id integer PRIMARY KEY, subject_id integer NOT NULL REFERENCES subjects, title text);'
  . q(INSERT INTO subjects SELECT g, 'subject ' || g FROM generate_series(1, 10) g; INSERT INTO topics SELECT g, 1 + g % 10, 'topic ' || g FROM generate_series(1, 250) g;);
my %others = (
	'DROP TABLE' => 'DROP TABLE topics;',
	'TRUNCATE' => 'TRUNCATE topics;',
	'ADD COLUMN' => 'ALTER TABLE topics ADD COLUMN note text;',
	'SET NOT NULL' => 'ALTER TABLE topics ALTER COLUMN title SET NOT NULL;',
	'an index' => 'CREATE INDEX ON topics (title);',
	'another table by that name' => 'ALTER TABLE topics RENAME TO aside; CREATE TABLE topics (id integer PRIMARY KEY, subject_id integer NOT NULL REFERENCES subjects, title text);',
	'a rewritten table' => 'ALTER TABLE topics ALTER COLUMN title TYPE varchar(100);');
foreach my $what (sort keys %others)
{
	$node->safe_psql('postgres', $anew);
	my $other = $node->background_psql('postgres');
	$other->query_safe("BEGIN; $others{$what}");
	my $restore = start($node, "SELECT bool_and(proven) FROM backup_restore('$good')");
	# an index lets readers in, not a restore
	wait_blocked($restore);
	$other->query_safe('COMMIT');
	my $outcome = finish($restore);
	is_outcome($outcome, '', "$what while a restore waits: it restores what stands there then");
	is($outcome->{out}, 't', 'proven');
	is(value($node, 'SELECT count(*) FROM topics'), 300, 'all rows are in the table of that name');
	is(value($node, 'SELECT count(*) FROM aside'), 250, 'and the renamed one keeps its own') if $what =~ /another/;

	$node->safe_psql('postgres', $anew);
	$other->query_safe("BEGIN; $others{$what}");
	my $backup = start($node, 'SELECT tables, rows FROM backup_create()');
	wait_blocked($backup) if $what ne 'an index';
	$other->query_safe('COMMIT');
	$outcome = finish($backup);
	is_outcome($outcome, '', "$what while a backup waits");
	my %rows = ('DROP TABLE' => '1|10', 'TRUNCATE' => '2|10', 'another table by that name' => '3|260');
	is($outcome->{out}, $rows{$what} // '2|260', 'it has what stands there then');
	$other->quit;

	# under the call: the other waits
	$node->safe_psql('postgres', $anew);
	$restore = held($node, 'restore.table_loaded', "SELECT bool_and(proven) FROM backup_restore('$good')");
	my $change = start($node, "BEGIN; $others{$what} COMMIT");
	wait_blocked($change);
	let_go();
	is(finish($restore)->{out}, 't', "$what under a restore: the restore is proven");
	is_outcome(finish($change), '', 'and the other comes after it');
}
$node->safe_psql('postgres', $anew);
all_whole('tables that change');

{
	# a table that was named is missed, by its name
	my $other = $node->background_psql('postgres');
	$other->query_safe('BEGIN; DROP TABLE topics');
	my $backup = start($node, "SELECT backup_create('{topics}')");
	wait_blocked($backup);
	$other->query_safe('COMMIT');
	is_outcome(finish($backup), '42P01', 'a named table dropped while a backup waits');
	$other->quit;
	all_whole('a named table dropped');
}

# ---- isolation levels ------------------------------------------------------------------------------------------------------

foreach my $level ('READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE')
{
	foreach my $mode ('replace', 'missing', 'upsert')
	{
		$node->safe_psql('postgres', $anew);
		my $session = $node->background_psql('postgres', on_error_stop => 0);
		$session->query_safe('\\set VERBOSITY verbose');
		$session->query_safe("BEGIN ISOLATION LEVEL $level; SELECT count(*) FROM topics");
		# committed after that snapshot: a row to be lost, one to be overwritten, one that is missing
		$node->safe_psql('postgres', "INSERT INTO topics VALUES (1000, 1, 'late'); UPDATE topics SET title = 'late' WHERE id = 1; DELETE FROM topics WHERE id = 2");
		my $answer = $session->query("SELECT bool_and(proven), min(safety_backup_id) FROM backup_restore('$good', '{topics}', '$mode')");
		my $what = "mode $mode in $level";
		if ($session->{stderr} ne '')
		{
			like($session->{stderr}, qr/ERROR:  40001/, "$what: told to try again, as for any statement of that level");
			isnt($level, 'READ COMMITTED', "$what: not in this one");
			$session->{stderr} = '';
			$session->query('ROLLBACK');
			is(value($node, 'SELECT count(*) FROM topics'), 250, "$what: nothing is changed");
		}
		else
		{
			my ($proven, $safety) = split /\|/, $answer;
			is($proven, 't', "$what: proven");
			$session->query('COMMIT');
			is($session->{stderr}, '', "$what: committed");
			is(value($node, "SELECT rows FROM backup_show('$safety') WHERE name = 'topics'"), 250, "$what: the safety backup has the rows that were committed later");
			my %now = (replace => '300|topic 1|0', missing => '301|late|1', upsert => '301|topic 1|1');
			is(value($node, "SELECT count(*), min(title) FILTER (WHERE id = 1), count(*) FILTER (WHERE id = 1000) FROM topics"), $now{$mode}, "$what: the newest rows are what it acted on");
		}
		$session->quit;
	}

	# a restore waits for a writer that is not done, and counts what it commits
	$node->safe_psql('postgres', $anew);
	my $writer = $node->background_psql('postgres');
	$writer->query_safe("BEGIN; INSERT INTO topics VALUES (1000, 1, 'late')");
	my $restore = start($node, "LOAD 'pg_snapback'; SET pg_snapback.reload_threshold = 0; BEGIN ISOLATION LEVEL $level; SELECT deleted, proven FROM backup_restore('$good', '{topics}'); COMMIT");
	wait_blocked($restore);
	$writer->query_safe('COMMIT');
	my $outcome = finish($restore);
	$outcome->{state} eq '40001' && $level ne 'READ COMMITTED' ? pass("$level: a writer that commits meanwhile is 40001") : is($outcome->{out}, '251|t', "$level: a writer that commits meanwhile is counted");
	$writer->quit;
}
all_whole('isolation levels');

# ---- DROP EXTENSION --------------------------------------------------------------------------------------------------------

foreach my $call ('SELECT state FROM backup_create()', "SELECT bool_and(proven) FROM backup_restore('$good')", "SELECT ok FROM backup_verify('$good')")
{
	$node->safe_psql('postgres', "$anew DELETE FROM topics WHERE id > 10");
	my ($function) = $call =~ /(backup_\w+)/;
	my $point = { backup_create => 'backup.table_read', backup_restore => 'restore.table_loaded', backup_verify => 'verify.opened' }->{$function};
	my $job = start($node, fault("$point=sleep:1000") . $call);
	wait_asleep($job);
	my $drop = start($node, 'DROP EXTENSION pg_snapback');
	my $outcome = finish($job);
	is_outcome(finish($drop), '', "DROP EXTENSION under $function, after it");
	is_outcome($outcome, '', 'the call ends by itself');
	like($outcome->{out}, qr/^(?:good|t)$/, 'and well');
	$node->safe_psql('postgres', 'CREATE EXTENSION pg_snapback');
	all_whole("DROP EXTENSION under $function");
}

check_log($node, [qw(40001 42P01 42704 55006 58P01 58P02)], 'the log has only the errors that were made');
done_testing();
