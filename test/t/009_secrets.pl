# Values of rows and secrets of settings never get into the server's log, whatever goes wrong: neither in messages nor in details, contexts or statements of ours. Nor into what
# pg_stat_activity, pg_stat_statements and the history show.

use strict;
use warnings FATAL => 'all';

use SnapbackTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $secret = 'TopSecret4711';
my $node = new_server('secrets', conf => <<"END");
log_min_messages = debug1
log_error_verbosity = verbose
log_min_error_statement = panic
shared_preload_libraries = 'pg_stat_statements'
pg_stat_statements.track = all
primary_conninfo = 'host=127.0.0.1 password=$secret'
app.password = '$secret'
END
$node->safe_psql('postgres', <<"END");
CREATE EXTENSION pg_stat_statements;
CREATE ROLE clerk LOGIN;
SELECT backup_grant('clerk', 'restore');
CREATE DOMAIN word AS text;
CREATE TABLE people (id integer PRIMARY KEY, name text, code word, n integer, day date, extra jsonb);
INSERT INTO people SELECT g, '$secret' || g, '$secret' || g, g, DATE '2020-01-01' + g, jsonb_build_object('$secret', '$secret' || g) FROM generate_series(1, 20) g;
CREATE TABLE letters (id integer PRIMARY KEY, person integer REFERENCES people ON DELETE CASCADE, body text);
CREATE TABLE natural_people (name text PRIMARY KEY);
CREATE TABLE natural_letters (id integer PRIMARY KEY, name text REFERENCES natural_people);
INSERT INTO letters SELECT g, g, '$secret letter ' || g FROM generate_series(1, 20) g;
INSERT INTO natural_people SELECT '$secret' || g FROM generate_series(1, 20) g;
INSERT INTO natural_letters SELECT g, '$secret' || g FROM generate_series(1, 20) g;
CREATE TABLE plain (id integer PRIMARY KEY, a text, b text, c text);
INSERT INTO plain SELECT g, '$secret' || g, '7', '$secret' FROM generate_series(1, 20) g;
GRANT SELECT ON people, letters, natural_people TO clerk;
END
my $id = value($node, 'SELECT id FROM backup_create()');

# each: what stands against the restore, of which table, what it raises, how it is undone
my @cases = (
	[ 'a unique index', 'plain', 'DELETE FROM plain WHERE id > 1; CREATE UNIQUE INDEX u ON plain (c)', '23505', 'DROP INDEX u' ],
	[ 'a unique index over an expression', 'plain', 'CREATE UNIQUE INDEX u ON plain ((lower(c))) WHERE id < 2', '', 'DROP INDEX u' ],
	[ 'a unique constraint', 'plain', 'DELETE FROM plain WHERE id > 1; ALTER TABLE plain ADD CONSTRAINT u UNIQUE (c)', '23505', 'ALTER TABLE plain DROP CONSTRAINT u' ],
	[ 'a check', 'plain', "DELETE FROM plain; ALTER TABLE plain ADD CONSTRAINT k CHECK (a NOT LIKE '%7')", '23514', 'ALTER TABLE plain DROP CONSTRAINT k' ],
	[ 'a check that fails to compute', 'plain', 'DELETE FROM plain; ALTER TABLE plain ADD CONSTRAINT k CHECK (a::integer > 0)', '22P02', 'ALTER TABLE plain DROP CONSTRAINT k' ],
	[ 'not null', 'plain', "DELETE FROM plain; ALTER TABLE plain ADD COLUMN d text NOT NULL", '23502', 'ALTER TABLE plain DROP COLUMN d' ],
	[ 'an exclusion constraint', 'plain', 'DELETE FROM plain; ALTER TABLE plain ADD CONSTRAINT x EXCLUDE USING btree (c WITH =)', '23P01', 'ALTER TABLE plain DROP CONSTRAINT x' ],
	[ 'an index expression', 'plain', 'DELETE FROM plain; CREATE INDEX e ON plain ((a::integer))', '22P02', 'DROP INDEX e' ],
	[ 'a generated column', 'plain', 'DELETE FROM plain; ALTER TABLE plain ADD COLUMN g integer GENERATED ALWAYS AS (a::integer) STORED', '22P02', 'ALTER TABLE plain DROP COLUMN g' ],
	[ 'another type', 'plain', 'DELETE FROM plain; ALTER TABLE plain ALTER COLUMN a TYPE integer USING 1', '22P02', 'ALTER TABLE plain ALTER COLUMN a TYPE text' ],
	[ 'a shorter type', 'plain', 'DELETE FROM plain; ALTER TABLE plain ALTER COLUMN a TYPE varchar(3)', '22001', 'ALTER TABLE plain ALTER COLUMN a TYPE text' ],
	[ 'an enum', 'plain', "DELETE FROM plain; CREATE TYPE e AS ENUM ('x'); ALTER TABLE plain ALTER COLUMN a TYPE e USING 'x'", '22P02', 'ALTER TABLE plain ALTER COLUMN a TYPE text; DROP TYPE e' ],
	[ 'a domain of the column', 'plain', "DELETE FROM plain; CREATE DOMAIN d AS text CHECK (VALUE NOT LIKE '%9'); ALTER TABLE plain ALTER COLUMN a TYPE d", '23514', 'ALTER TABLE plain ALTER COLUMN a TYPE text; DROP DOMAIN d' ],
	[ 'a domain that changed', 'people', "DELETE FROM people WHERE id > 1; ALTER DOMAIN word ADD CONSTRAINT short CHECK (VALUE NOT LIKE '%9')", '23514', 'ALTER DOMAIN word DROP CONSTRAINT short' ],
	[ 'a function that raises', 'plain', q(DELETE FROM plain; CREATE FUNCTION shout(text) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS $f$BEGIN IF $1 LIKE '%9' THEN RAISE EXCEPTION 'refused' USING ERRCODE = '22000'; END IF; RETURN true; END$f$; ALTER TABLE plain ADD CONSTRAINT k CHECK (shout(a))), '22000', 'ALTER TABLE plain DROP CONSTRAINT k; DROP FUNCTION shout' ],
	[ 'a foreign key without its parents', 'natural_letters', 'DELETE FROM natural_letters; DELETE FROM natural_people', '23503', '' ],
	[ 'a foreign key without its children', 'natural_people', "INSERT INTO natural_people VALUES ('$secret-new'); INSERT INTO natural_letters VALUES (99, '$secret-new')", '23503', 'DELETE FROM natural_letters WHERE id = 99' ]);
foreach my $case (@cases)
{
	my ($what, $table, $prepare, $state, $undo) = @$case;
	$node->safe_psql('postgres', $prepare);
	my $rows = value($node, "SELECT count(*) FROM $table");
	my @calls = ("SELECT * FROM backup_restore('$id', '{$table}')", "SELECT * FROM backup_restore('$id', '{$table}', rehearse => true, dry_run => true)");
	push @calls, "SELECT * FROM backup_restore('$id', '{$table}', 'upsert')" if $what !~ /without its children/;
	foreach my $call (@calls)
	{
		my $outcome = attempt($node, $call);
		is_outcome($outcome, $state, "$what: $call");
		# only foreign keys are listed, and only to the caller
		unlike($outcome->{err}, qr/$secret/, "$what: the caller is not shown values") unless $state eq '23503';
		last if $state eq '';
	}
	is(value($node, "SELECT count(*) FROM $table"), $rows, "$what: nothing is changed") unless $state eq '';
	$node->safe_psql('postgres', $undo) if $undo;
}

# a caller who may not read the referencing table is not shown its keys either
$node->safe_psql('postgres', "INSERT INTO natural_people VALUES ('$secret-new') ON CONFLICT DO NOTHING; INSERT INTO natural_letters VALUES (99, '$secret-new')");
my $outcome = attempt($node, "SELECT * FROM backup_restore('$id', '{natural_people}', safety_backup => false)", user => 'clerk');
is_outcome($outcome, '23503', 'a role with the right to restore');
unlike($outcome->{err}, qr/$secret/, 'is not shown keys of a table that it may not read');
$outcome = attempt($node, "SELECT * FROM backup_restore('$id', '{natural_people}', safety_backup => false)");
like($outcome->{detail}, qr/$secret-new/, 'who may read it is');
$node->safe_psql('postgres', 'DELETE FROM natural_letters WHERE id = 99');

# what a proof finds, what is damaged, what is cancelled
$outcome = attempt($node, fault("restore.before_proof=sql:UPDATE public.plain SET a = 'other' WHERE id = 3") . "SELECT * FROM backup_restore('$id', '{plain}')");
is_outcome($outcome, 'XX001', 'a proof that fails');
unlike($outcome->{err}, qr/$secret/, 'shows no values');
attempt($node, fault('restore.table_loaded=error') . "SELECT * FROM backup_restore('$id', '{plain}')");
attempt($node, fault('backup.table_read=error') . 'SELECT backup_create()');
{
	my $path = storage($node) . "/$id.json.zst";
	my $copy = storage($node) . '/backup_20200101T000000Z_00000001.json.zst';
	my $bytes = slurp_file($path);
	foreach my $at (700, 900, 1200)
	{
		my $damaged = $bytes;
		substr($damaged, $at, 1) ^= "\x55";
		unlink $copy;
		append_to_file($copy, $damaged);
		$outcome = attempt($node, "SELECT problems FROM backup_verify('backup_20200101T000000Z_00000001')");
		unlike($outcome->{out} . $outcome->{err}, qr/$secret/, 'a damaged backup is described without values');
		attempt($node, "SELECT * FROM backup_restore('backup_20200101T000000Z_00000001', from_database => 'postgres')");
	}
	unlink $copy;
}

# all is well afterwards
is(value($node, "SELECT bool_and(proven) FROM backup_restore('$id')"), 't', 'the restore works');
is(value($node, "SELECT bool_and(equal) FROM backup_compare('$id')"), 't', 'and is equal');

# the lines that tell the beginning and the end of operations, calls by hand and runs, and what runs leave behind
my $log = log_text($node);
like($log, qr/pg_snapback: event=start operation=create role="postgres"$/m, 'one line tells that a backup begins');
like($log, qr/pg_snapback: event=end operation=create role="postgres" outcome=succeeded seconds=[\d.]+ backup=backup_\w+ rows=\d+ bytes=\d+$/m, 'one that it ended');
like($log, qr/pg_snapback: event=end operation=restore role="postgres" outcome=failed seconds=[\d.]+ sqlstate=23505$/m, 'and one that something failed');
my $run = value($node, "SELECT run_id FROM backup_start('restore', jsonb_build_object('backup_id', '$id', 'tables', ARRAY['letters'], 'label', NULL) - 'label')");
$node->safe_psql('postgres', "CREATE TABLE wait_for_run AS SELECT 1 AS n");
for (1 .. 600)
{
	last if value($node, "SELECT state NOT IN ('queued', 'running') FROM backup_runs WHERE run_id = $run") eq 't';
	select(undef, undef, undef, 0.05);
}
like(log_text($node), qr/event=end operation=restore role="postgres" run=$run outcome=/, 'runs have their number in it');
is(value($node, "SELECT count(*) FROM backup_runs r WHERE r::text LIKE '%$secret%'"), 0, 'the history has none of the values');
is(value($node, "SELECT count(*) FROM pg_stat_activity a WHERE pid <> pg_backend_pid() AND a::text LIKE '%$secret%'"), 0, 'nor has pg_stat_activity');

# in the middle of a restore, and after all of this in the statements
$node->safe_psql('postgres', "LOAD 'pg_snapback'; ALTER DATABASE postgres SET pg_snapback.test_fault = 'restore.table_loaded=sleep:300000'");
$node->safe_psql('postgres', 'DELETE FROM plain WHERE id > 1');
$run = value($node, "SELECT run_id FROM backup_start('restore', jsonb_build_object('backup_id', '$id', 'tables', ARRAY['plain']))");
ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE 'run $run: %' AND wait_event_type = 'Extension'"), 'a restore is at work');
is(value($node, "SELECT count(*) FROM pg_stat_activity a WHERE pid <> pg_backend_pid() AND a::text LIKE '%$secret%'"), 0, 'pg_stat_activity has none of the values meanwhile');
$node->safe_psql('postgres', "ALTER DATABASE postgres RESET pg_snapback.test_fault; SELECT FROM backup_cancel($run)");
ok($node->poll_query_until('postgres', "SELECT state = 'cancelled' FROM backup_runs WHERE run_id = $run"), 'it is cancelled');
my $statements = value($node, "SELECT string_agg(query, chr(10)) FROM pg_stat_statements");
like($statements, qr/snapback\.run/, 'pg_stat_statements has what the extension itself runs');
like($statements, qr/INSERT INTO natural_people VALUES \(\$1\)/, 'and of statements with values only their form');
unlike($statements, qr/$secret/, 'none of the values');
is(value($node, "SELECT count(*) FROM backup_alerts a WHERE a::text LIKE '%$secret%'") + value($node, "SELECT count(*) FROM backup_metrics m WHERE m::text LIKE '%$secret%'"), 0, 'nor have alerts and metrics');
unlike(slurp_file($node->data_dir . '/pg_snapback/history.' . value($node, "SELECT oid FROM pg_database WHERE datname = 'postgres'")), qr/$secret/, 'nor the file of the calls');

# statements of the test itself are not logged, so whatever has the secret came out of a row
my @lines = grep { /$secret/ } split /\n/, log_text($node);
is(join("\n", @lines), '', 'the log has none of the values');
like(log_text($node), qr/could not load table "public\.plain": a value was refused/, 'but says what was refused');

done_testing();
