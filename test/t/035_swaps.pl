# A relation becomes another one between the moment at which a call has looked it up and the moment at which it locks it: its owner, or the
# owner of its schema, swaps it from another connection while the call is held. Each time the swap did take place, the outcome is the one
# that is expected, and no code of theirs ran with the rights of who called.

use strict;
use warnings FATAL => 'all';

use SnapbackTest;
use Test::More;

my $node = new_server('swaps');
$node->safe_psql('postgres', <<'END');
CREATE ROLE evil;
CREATE ROLE keeper;
SELECT backup_grant('keeper', 'watch');
CREATE FOREIGN DATA WRAPPER nothing;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing;
GRANT USAGE ON FOREIGN SERVER nowhere TO evil;
CREATE SCHEMA evil AUTHORIZATION evil;
GRANT ALL ON SCHEMA evil TO PUBLIC;
SET ROLE evil;
CREATE SEQUENCE evil.struck;
CREATE FUNCTION evil.strike() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  IF (SELECT rolsuper OR rolname = 'keeper' FROM pg_catalog.pg_roles WHERE rolname = current_user) THEN PERFORM nextval('evil.struck'); END IF;
  RETURN true;
END $$;
CREATE FUNCTION evil.number(n integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM evil.strike(); RETURN n; END $$;
CREATE FUNCTION evil.fire() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.strike(); RETURN NEW; END $$;
CREATE TABLE evil.bait (id integer PRIMARY KEY, n integer);
INSERT INTO evil.bait SELECT g, g FROM generate_series(1, 20) g;
SET ROLE keeper;
CREATE TABLE evil.kept (id integer PRIMARY KEY, n integer);
INSERT INTO evil.kept SELECT g, g FROM generate_series(1, 20) g;
END
my $baited = value($node, q(SELECT id FROM backup_create('{evil.bait}')));
my $kept = value($node, q(SELECT id FROM backup_create('{evil.kept}')));

# what evil puts in place, and what kind of relation it is then
my $trapped = '(id integer PRIMARY KEY, n integer CHECK (evil.strike()), twice integer GENERATED ALWAYS AS (evil.number(id)) STORED)';
my %swaps = (
	'a view' => [ 'CREATE VIEW evil.bait AS SELECT id, n FROM evil.real WHERE evil.strike()', 'v', 'VIEW' ],
	'a foreign table' => [ 'CREATE FOREIGN TABLE evil.bait (id integer, n integer) SERVER nowhere', 'f', 'FOREIGN TABLE' ],
	'another table' => [ "CREATE TABLE evil.bait $trapped; CREATE INDEX ON evil.bait (evil.number(n)); CREATE TRIGGER every_row BEFORE INSERT OR UPDATE OR DELETE ON evil.bait FOR EACH ROW EXECUTE FUNCTION evil.fire();"
		  . 'INSERT INTO evil.bait (id, n) VALUES (7, 70)', 'r', 'TABLE' ],
	'nothing' => [ 'SELECT 1', '', '' ]);

# (when nothing is put in place, the renamed table still has the name of its index)
# each call: where it is held, the statement, and for every swap how it ends and what it says or prints
my @calls = (
	[ 'backup.selected', "SELECT rows FROM backup_show((SELECT id FROM backup_create('{evil.bait}')))", {
		'a view' => [ '', qr/^20$/ ], 'another table' => [ '', qr/^1$/ ], 'a foreign table' => [ '55000', qr/has no handler/ ], 'nothing' => [ '42P01', qr/evil\.bait/ ] } ],
	[ 'compare.selected', "SELECT equal, live_rows FROM backup_compare('$baited')", {
		'a view' => [ '', qr/^t\|20$/ ], 'another table' => [ '', qr/^f\|1$/ ], 'a foreign table' => [ '55000', qr/has no handler/ ], 'nothing' => [ '', qr/^f\|$/ ] } ],
	[ 'restore.planned', "SELECT action, inserted FROM backup_restore('$baited', dry_run => true)", {
		'a view' => [ '42809', qr/cannot restore into "evil\.bait"/ ], 'another table' => [ '', qr/^(?:reload|by difference)\|20$/ ], 'a foreign table' => [ '42809', qr/It is a foreign table now/ ],
		'nothing' => [ '', qr/^create\|20$/ ] } ],
	[ 'restore.planned', "SELECT action, proven FROM backup_restore('$baited')", {
		'a view' => [ '42809', qr/It is a view now/ ], 'another table' => [ '', qr/^(?:reloaded|by difference)\|t$/ ], 'a foreign table' => [ '42809', qr/It is a foreign table now/ ],
		'nothing' => [ '42P07', qr/"bait_pkey" already exists/ ] } ],
	[ 'restore.planned', "SELECT action, inserted FROM backup_restore('$baited', mode => 'upsert')", {
		'a view' => [ '42809', qr/It is a view now/ ], 'another table' => [ '', qr/^merged\|19$/ ], 'a foreign table' => [ '42809', qr/It is a foreign table now/ ],
		'nothing' => [ '42P07', qr/"bait_pkey" already exists/ ] } ]);

sub struck
{
	my $hit = value($node, 'SELECT is_called FROM evil.struck');
	$node->safe_psql('postgres', 'ALTER SEQUENCE evil.struck RESTART') if $hit eq 't';
	return $hit;
}

my $count = 0;
foreach my $call (@calls)
{
	my ($point, $statement, $expected) = @$call;
	foreach my $swap (sort keys %$expected)
	{
		$count++;
		my ($into, $kind, $word) = @{ $swaps{$swap} };
		my ($state, $says) = @{ $expected->{$swap} };
		my $what = "$swap at $point of $statement";
		my $job = held($node, $point, $statement);
		$node->safe_psql('postgres', "SET ROLE evil; ALTER TABLE evil.bait RENAME TO real; $into");
		is(value($node, q(SELECT string_agg(relkind::text, '') FROM pg_class WHERE oid = to_regclass('evil.bait'))), $kind, "$what: it is there");
		let_go();
		my $outcome = finish($job);
		is_outcome($outcome, $state, "$what: ends as '$state'");
		like($state eq '' ? $outcome->{out} : $outcome->{err}, $says, "$what: says so");
		is(struck(), 'f', "$what: no code of its owner ran as a superuser");
		is(value($node, 'SELECT count(*) || min(n::text) FROM evil.real'), '201', "$what: the table that was meant is as it was");
		$word = 'TABLE' if $word eq '' && value($node, q(SELECT to_regclass('evil.bait') IS NOT NULL)) eq 't';
		$node->safe_psql('postgres', ($word ? "DROP $word evil.bait; " : '') . 'ALTER TABLE evil.real RENAME TO bait');
	}
}
note("$count swaps");

# ---- rows of another ----------------------------------------------------------------------------------------------------------
# who owns a table restores and compares it by that right alone; the owner of its schema puts his own in its place, to be filled with its rows
foreach my $call ([ 'restore.planned', "SELECT * FROM backup_restore('KEPT', '{evil.kept}', safety_backup => false)", 'restore from' ],
	[ 'restore.planned', "SELECT * FROM backup_restore('KEPT', '{evil.kept}', mode => 'missing', safety_backup => false)", 'restore from' ],
	[ 'restore.planned', "SELECT * FROM backup_restore('KEPT', '{evil.kept}', dry_run => true)", 'restore from' ],
	[ 'compare.selected', "SELECT * FROM backup_compare('KEPT')", 'compare' ])
{
	my ($point, $statement, $verb) = @$call;
	$statement =~ s/KEPT/$kept/;
	my $job = held($node, $point, "SET ROLE keeper; $statement");
	$node->safe_psql('postgres', "SET ROLE evil; DROP TABLE evil.kept; CREATE TABLE evil.kept $trapped; GRANT ALL ON evil.kept TO PUBLIC");
	let_go();
	my $outcome = finish($job);
	is_outcome($outcome, '42501', "rows of a table that was replaced: $statement");
	like($outcome->{message}, qr/permission denied to $verb backup/, 'are not for the one of the same name');
	is(value($node, 'SELECT count(*) FROM evil.kept') . struck(), '0f', 'which stays empty, and its code does not run as who called');
	$node->safe_psql('postgres', 'DROP TABLE evil.kept; SET ROLE keeper; CREATE TABLE evil.kept (id integer PRIMARY KEY, n integer); INSERT INTO evil.kept SELECT g, g FROM generate_series(1, 20) g');
	$kept = value($node, q(SELECT id FROM backup_create('{evil.kept}')));
}

check_log($node, [qw(55000 42P01 42P07 42809 42501)], 'the log has only the errors that were made');
done_testing();
