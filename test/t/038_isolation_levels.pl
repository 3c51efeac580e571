# Two at the same moment, in each isolation level: what the second one meets, with one outcome for each pair and level. Both run in the
# level; where the second one begins, the first is in the middle of its work and has not committed, and the second one's snapshot, in the
# levels that keep one, is of before that. No pair leaves anything half-done, and the database is what the outcomes promise.
# Not under the sanitizers: it is about the order of events, by code that other tests run there.

use strict;
use warnings FATAL => 'all';

use SnapbackTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_server('isolation_levels', conf => "deadlock_timeout = 100ms\n");
my $storage = storage($node);
my $tables = <<'END';
DROP TABLE IF EXISTS topics, subjects, notes, aside CASCADE;
CREATE TABLE subjects (id integer PRIMARY KEY, name text NOT NULL);
CREATE TABLE topics (id integer PRIMARY KEY, subject_id integer NOT NULL REFERENCES subjects, title text);
CREATE TABLE notes (id integer PRIMARY KEY, body text);
INSERT INTO subjects SELECT g, 'subject ' || g FROM generate_series(1, 10) g;
INSERT INTO topics SELECT g, 1 + g % 10, 'topic ' || g FROM generate_series(1, 300) g;
INSERT INTO notes SELECT g, 'note ' || g FROM generate_series(1, 50) g;
END
$node->safe_psql('postgres', $tables);
my $good = value($node, 'SELECT id FROM backup_create()');
$node->safe_psql('postgres', 'DELETE FROM topics WHERE id > 100');
my $smaller = value($node, 'SELECT id FROM backup_create()');
# what stands there before each pair: 1 subject less, topics 251 to 300 gone and topic 1 changed, notes 21 to 50 gone
my $anew = "SET client_min_messages = error; $tables; DELETE FROM topics WHERE id > 250; UPDATE topics SET title = 'live' WHERE id = 1; DELETE FROM notes WHERE id > 20;";
my %rows = (live => '10 250 20', restored => '10 300 50', smaller => '10 100 50');

my $create = 'SELECT rows FROM backup_create()';
sub restore
{
	my (%with) = @_;
	return "SELECT bool_and(proven) FROM backup_restore('" . ($with{id} // $good) . "'" . ($with{tables} ? ", '{$with{tables}}'" : '') . ($with{mode} ? ", mode => '$with{mode}'" : '') . ', safety_backup => false)';
}
my $restore = restore();
# where both write what the other has read, serializable transactions cannot both be right: PostgreSQL says so
my $serial = [ '', '', '40001' ];
my %roads = ('by difference' => 'SET pg_snapback.reload_threshold = 1;', 'by reload' => 'SET pg_snapback.reload_threshold = 0;');

# Of one pair: first and second (statements; "first" may be one that is held at the point "at"), waits (whether the second one does, for
# the first one's end), after (the second one's statement comes when the first has committed, its transaction began before), and for read
# committed, repeatable read and serializable, or for all of them: state (SQLSTATE of the second), out (its result), left (rows of subjects, topics and
# notes at the end), first_out.
my $gate;    # whoever holds its locks makes the others wait
my @pairs;
sub pair { my ($name, %pair) = @_; push @pairs, { name => $name, %pair }; return }

# ---- backups and restores beside each other ----------------------------------------------------------------------------------

pair('two backups', at => 'backup.table_read', first => $create, second => $create, out => '280', first_out => '280', left => 'live');
foreach my $road (sort keys %roads)
{
	my $reload = $road eq 'by reload';
	pair("a restore $road under a backup", road => $road, at => 'backup.table_read', first => $create, second => $restore, waits => $reload, out => 't', first_out => '280', left => 'restored');
	pair("a backup under a restore $road", road => $road, at => 'restore.table_loaded', first => $restore, second => $create, waits => $reload,
		$reload ? (state => [ '', '40001', '40001' ], out => [ '360', '', '' ]) : (out => '280'), left => 'restored');
	pair("a backup after a restore $road", road => $road, after => 1, first => $restore, second => $create,
		state => $reload ? [ '', '40001', '40001' ] : '', out => [ '360', ($reload ? '' : '280') x 2 ], left => 'restored');
	pair("two restores $road", road => $road, at => 'restore.table_loaded', first => $restore, second => $restore, waits => 1, out => 't', left => 'restored');
	pair("two restores of different backups $road", road => $road, at => 'restore.table_loaded', first => $restore, second => restore(id => $smaller), waits => 1, $reload ? (out => 't', left => 'smaller') : (state => $serial, out => [ 't', 't', '' ], left => [ ('smaller') x 2, 'restored' ]));
	pair("a restore after another $road", road => $road, after => 1, first => restore(id => $smaller), second => $restore, out => 't', left => 'restored');
	pair("restores of two tables $road", road => $road, at => 'restore.table_loaded', first => restore(tables => 'topics'), second => restore(tables => 'notes'), out => 't', left => 'restored');
	pair("restores of two tables with a key between them $road", road => $road, at => 'restore.table_loaded', first => restore(tables => 'topics'), second => restore(tables => 'subjects'), waits => 1, out => 't', left => '10 300 20');
}


$gate = $node->background_psql('postgres', on_error_stop => 0);
$gate->query_safe(<<'END');
CREATE FUNCTION left_rows() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  name text;
  found bigint;
  answer text[] := '{}';
BEGIN
  FOREACH name IN ARRAY ARRAY['subjects', 'topics', 'notes', 'aside'] LOOP
    CONTINUE WHEN to_regclass(name) IS NULL;
    EXECUTE 'SELECT count(*) FROM ' || name INTO found;
    answer := answer || found::text;
  END LOOP;
  RETURN array_to_string(answer, ' ');
END$$;
-- Whether the session comes to wait for a lock. Otherwise it comes to the end of what it was given since then.
CREATE FUNCTION waits(session integer, since timestamptz) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  found pg_stat_activity;
BEGIN
  LOOP
    PERFORM pg_stat_clear_snapshot();
    SELECT * INTO found FROM pg_stat_activity WHERE pid = session;
    IF found.wait_event_type = 'Lock' THEN RETURN true; END IF;
    IF found.state = 'idle' AND found.query = 'COMMIT;' AND found.state_change > since THEN RETURN false; END IF;
    IF clock_timestamp() > since + '300 s' THEN RAISE 'session % neither waits nor ends', session; END IF;
    PERFORM pg_sleep(0.005);
  END LOOP;
END$$;
END

# ---- a change of tables beside a backup or a restore ---------------------------------------------------------------------------

# what changes; how a backup that comes second ends and how many rows it has; what stays when the change comes last, and when a restore does
my $too_old = [ '', '40001', '40001' ];
my %changes = (
	'DROP TABLE' => { sql => 'DROP TABLE topics', backup => $too_old, rows => [ '30', '', '' ], left => '10 20', last => '10 50' },
	'TRUNCATE' => { sql => 'TRUNCATE topics', backup => $too_old, rows => [ '30', '', '' ], left => '10 0 20', last => '10 0 50', roads => 2 },
	'ADD COLUMN' => { sql => 'ALTER TABLE topics ADD COLUMN note text', rows => '280' },
	'a new type' => { sql => 'ALTER TABLE topics ALTER COLUMN title TYPE varchar(100)', backup => $too_old, rows => [ '280', '', '' ], roads => 2, restore => { 'by difference' => $serial } },
	'an index' => { sql => 'CREATE INDEX ON topics (title)', rows => '280', shared => 1 },
	'a new name' => { sql => 'ALTER TABLE topics RENAME TO aside', rows => '280', left => '10 20 250', last => '10 50 300', restore => { 'by difference' => '42P07' }, restored => '10 20 250' },
	'another table by that name' => { sql => 'ALTER TABLE topics RENAME TO aside; CREATE TABLE topics (id integer PRIMARY KEY, subject_id integer NOT NULL REFERENCES subjects, title text)',
		backup => $too_old, rows => [ '280', '', '' ], left => '10 0 20 250', last => '10 0 50 300', restored => '10 300 50 250' });
foreach my $what (sort keys %changes)
{
	my %it = %{ $changes{$what} };
	my $left = $it{left} // 'live';
	pair("a backup under $what", first => $it{sql}, second => $create, waits => !$it{shared}, state => $it{backup}, out => $it{rows}, left => $left);
	pair("a backup after $what", after => 1, first => $it{sql}, second => $create, state => $it{backup}, out => $it{rows}, left => $left) if $it{backup};
	pair("$what under a backup", at => 'backup.table_read', first => $create, second => $it{sql}, waits => !$it{shared}, first_out => '280', left => $left);
	foreach my $road ($it{roads} ? sort keys %roads : 'by difference')
	{
		my $state = $it{restore}{$road};
		my $restored = $it{restored} // 'restored';
		pair("a restore $road under $what", road => $road, first => $it{sql}, second => $restore, waits => 1, state => $state,
			!$state ? (out => 't', left => $restored) : ref $state ? (out => [ 't', 't', '' ], left => [ $restored, $restored, 'live' ]) : (left => $restored));
		pair("$what under a restore $road", road => $road, at => 'restore.table_loaded', first => $restore, second => $it{sql}, waits => 1, left => $it{last} // 'restored');
	}
}
# a table that was named
pair('a backup of a named table under DROP TABLE', first => 'DROP TABLE topics', second => "SELECT rows FROM backup_create('{topics}')", waits => 1, state => '42P01', left => '10 20');
# one that a pattern meant
pair('a backup of a pattern under a new name', first => 'ALTER TABLE topics RENAME TO aside', second => "SELECT rows FROM backup_create('{*s}')", waits => 1, state => $too_old, out => [ '30', '', '' ], left => '10 20 250');

# ---- DROP EXTENSION ---------------------------------------------------------------------------------------------------------------

my $drop = 'DROP EXTENSION pg_snapback';
pair('DROP EXTENSION under a backup', at => 'backup.table_read', first => $create, second => $drop, waits => 1, first_out => '280', left => 'live');
pair('DROP EXTENSION under a verification', at => 'verify.opened', first => "SELECT ok FROM backup_verify('$good')", second => $drop, waits => 1, first_out => 't', left => 'live');
# the server itself looks at the type of the result first
pair('a backup under DROP EXTENSION', first => $drop, second => $create, waits => 1, state => 'XX000', left => 'live');
pair('a verification under DROP EXTENSION', first => $drop, second => "SELECT ok FROM backup_verify('$good')", waits => 1, state => '42883', left => 'live');
foreach my $road (sort keys %roads)
{
	pair("DROP EXTENSION under a restore $road", road => $road, at => 'restore.table_loaded', first => $restore, second => $drop, waits => 1, left => 'restored');
	pair("a restore $road under DROP EXTENSION", road => $road, first => $drop, second => $restore, waits => 1, state => '42883', left => 'live');
}

# ---- readers and writers of rows beside a restore ----------------------------------------------------------------------------------

my $late = "INSERT INTO topics VALUES (1000, 1, 'late'); UPDATE topics SET title = 'late' WHERE id = 1; DELETE FROM topics WHERE id = 2";
my $rows_kept = "SELECT bool_and(proven), (SELECT rows FROM backup_show(min(safety_backup_id)) WHERE name = 'topics')";
foreach my $road (sort keys %roads)
{
	my $reload = $road eq 'by reload';
	my @under = (road => $road, at => 'restore.table_loaded', first => $restore);
	# to a snapshot of before a reload the table is empty, as after TRUNCATE
	pair("a reader under a restore $road", @under, second => 'SELECT count(*) FROM topics', waits => $reload, out => $reload ? [ 300, 0, 0 ] : 250, left => 'restored');
	pair("a writer of a row that a restore $road changes", @under, second => "UPDATE topics SET title = 'mine' WHERE id = 1 RETURNING id", waits => 1, state => $reload ? '' : $too_old, out => [ 1, '', '' ], left => 'restored');
	pair("a writer of a row that a restore $road leaves alone", @under, second => "UPDATE topics SET title = 'mine' WHERE id = 2 RETURNING id", waits => 1, state => $reload ? '' : $serial, out => [ 2, $reload ? '' : 2, '' ], left => 'restored');
	pair("a writer of a new row under a restore $road", @under, second => 'INSERT INTO topics VALUES (1000, 1)', waits => 1, left => '10 301 50');
	my @then = (second => "$rows_kept FROM backup_restore('$good')", $reload ? (out => 't|250', left => 'restored') : (state => $serial, out => [ ('t|250') x 2, '' ], left => [ ('restored') x 2, 'live' ]));
	pair("a restore $road under a writer", road => $road, first => $late, waits => 1, @then);
	pair("a restore $road after a writer", road => $road, after => 1, first => $late, @then);
}
foreach my $mode ('missing', 'upsert')
{
	my @then = (second => "$rows_kept FROM backup_restore('$good', mode => '$mode')",
		$mode eq 'missing' ? (out => 't|250', left => '10 301 50') : (state => $serial, out => [ ('t|250') x 2, '' ], left => [ ('10 301 50') x 2, 'live' ]));
	pair("a restore of mode $mode under a writer", first => $late, waits => 1, @then);
	pair("a restore of mode $mode after a writer", after => 1, first => $late, @then);
	pair("a writer under a restore of mode $mode", at => 'restore.table_loaded', first => restore(mode => $mode), second => "UPDATE topics SET title = 'mine' WHERE id = 1 RETURNING id", waits => 1, state => $mode eq 'upsert' ? $too_old : $serial, out => $mode eq 'upsert' ? [ 1, '', '' ] : [ 1, 1, '' ], left => 'restored');
}

# ---- deletes -----------------------------------------------------------------------------------------------------------------------

my $delete = "SELECT count(*) FROM backup_delete('VICTIM')";
my $verify = "SELECT ok FROM backup_verify('VICTIM')";
pair("a delete under a verification, $_", at => $_, first => $verify, second => $delete, first_out => 't', out => 1, left => 'live') foreach qw(verify.opened verify.done);
pair('a verification under a delete', first => $delete, second => $verify, first_out => 1, out => 't', left => 'live');
pair('two deletes', first => $delete, second => $delete, first_out => 1, out => 1, left => 'live');
pair('a delete under a restore', at => 'restore.locked', first => restore(id => 'VICTIM'), second => $delete, out => 1, left => 'live');
pair('a restore under a delete', first => $delete, second => restore(id => 'VICTIM'), first_out => 1, out => 't', left => 'live');

# ---- each pair in each level ---------------------------------------------------------------------------------------------------

my @levels = ('read committed', 'repeatable read', 'serializable');

# Two sessions that get statements while the test goes on; their answers end with a line of their own.
my %sessions = map { $_ => $node->background_psql('postgres', on_error_stop => 0) } qw(first second);
my %pids;
foreach my $session (keys %sessions)
{
	$pids{$session} = $sessions{$session}->query_safe('SELECT pg_backend_pid()');
	$sessions{$session}->query_safe("LOAD 'pg_snapback'");
	$sessions{$session}->query_safe("\\set VERBOSITY verbose\n\\set SHOW_CONTEXT never");
}
my %number;

sub begin
{
	my ($name, $statements) = @_;
	my $session = $sessions{$name};
	$number{$name}++;
	@$session{qw(stdout stderr)} = ('', '');
	$session->{stdin} .= "$statements;\n\\echo over $number{$name}\n\\warn over $number{$name}\n";
	$session->{run}->pump_nb;
	return;
}

# What came out since begin(), and the errors.
sub answer_of
{
	my ($name) = @_;
	my $session = $sessions{$name};
	$session->{timeout}->start($PostgreSQL::Test::Utils::timeout_default);
	$session->{run}->pump until $session->{stdout} =~ /^over $number{$name}\n/m && $session->{stderr} =~ /^over $number{$name}\n/m;
	my ($out, $err) = @$session{qw(stdout stderr)};
	@$session{qw(stdout stderr)} = ('', '');
	my ($state) = $err =~ /^(?:psql:\S+ )?(?:ERROR|FATAL):  (\w{5}): /m;
	return (($state // '') . '|' . join(' ', grep { $_ ne '' && !/^over / } split /\n/, $out), $err);
}

# Until the session waits for a lock; false when it comes to its end before that.
sub waits
{
	my ($name, $since) = @_;
	$sessions{$name}{run}->pump_nb;
	return $gate->query_safe("SELECT waits($pids{$name}, '$since')") eq 't';
}

sub run_pair
{
	my ($pair, $level) = @_;
	my @problems;
	my $set = ($pair->{road} ? $roads{ $pair->{road} } : 'RESET pg_snapback.reload_threshold;') . "BEGIN ISOLATION LEVEL $level;";
	my $since = $gate->query_safe("$anew; SELECT clock_timestamp() FROM (SELECT pg_advisory_lock(1), pg_advisory_lock(2)) locks");
	my ($one, $other) = @$pair{qw(first second)};
	my $victim = '';
	if ("$one $other" =~ /VICTIM/)
	{
		$victim = $gate->query_safe('SELECT id FROM backup_create()');
		s/VICTIM/$victim/ foreach $one, $other;
	}
	begin('first', $pair->{at} ? "SET pg_snapback.test_fault = '$pair->{at}=sql:SELECT pg_catalog.pg_advisory_lock(1)'; $set $one; COMMIT" : "$set $one; SELECT pg_advisory_lock(1); COMMIT");
	push @problems, 'the first ends too early' if !waits('first', $since);
	begin('second', "$set SELECT 1 WHERE false; " . ($pair->{after} ? 'SELECT pg_advisory_lock(2); ' : '') . "$other; COMMIT");
	my $waited = waits('second', $since);
	push @problems, $waited ? 'the second waits' : 'the second does not wait' if !$pair->{after} && $waited != ($pair->{waits} // 0);
	$gate->query_safe('SELECT pg_advisory_unlock(1)');
	my ($early, $early_error) = answer_of('first');
	$gate->query_safe('SELECT pg_advisory_unlock(2)');
	my ($late, $late_error) = answer_of('second');
	$sessions{$_}->query_safe('RESET pg_snapback.test_fault; SELECT pg_advisory_unlock_all()') foreach keys %sessions;
	my $whole = $gate->query_safe('CREATE EXTENSION IF NOT EXISTS pg_snapback; ' . "SELECT count(*) FROM backup_list() b, backup_verify(b.id, 'files') v WHERE b.state <> 'good' OR NOT v.ok");
	push @problems, 'something is not whole' if $whole ne '0';
	push @problems, 'left over: ' . join ' ', unfinished($storage) if unfinished($storage);
	push @problems, 'it is not deleted' if $victim && $gate->query_safe("SELECT count(*) FROM backup_list() WHERE id = '$victim'") ne '0';
	my $left = $gate->query_safe("SELECT left_rows()");
	$gate->query_safe("SELECT count(backup_delete(id)) FROM backup_list() WHERE id NOT IN ('$good', '$smaller')");
	return (join('; ', "first $early", "second $late", $left, @problems), $early_error . $late_error);
}

foreach my $pair (@pairs)
{
	foreach my $i (0 .. $#levels)
	{
		my $of = sub { my ($value) = @_; return ref $value ? $value->[$i] : $value };
		my $first_out = $of->($pair->{first_out}) // ($pair->{first} =~ /backup_restore/ ? 't' : '');
		my $left = $of->($pair->{left});
		my $expected = join '; ', "first |$first_out", 'second ' . ($of->($pair->{state}) // '') . '|' . ($of->($pair->{out}) // ''), $rows{$left} // $left;
		my ($found, $errors) = run_pair($pair, $levels[$i]);
		is($found, $expected, "$pair->{name}: $levels[$i]") or diag($errors);
	}
}
note(@pairs * @levels . ' pairs');
$_->quit foreach $gate, values %sessions;
check_log($node, [qw(40001 42P01 42P07 42883 XX000)], 'the log has only the errors that were made');
done_testing();
