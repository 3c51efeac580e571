# Imports and undos of courses that are ended in the middle, two at once, and a document that JavaScript has read and written again.

use strict;
use warnings FATAL => 'all';

use SnapbackTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_server('course_import');
$node->safe_psql('postgres', slurp_file('test/data/course_snake.sql'));
$node->safe_psql('postgres', <<'END');
SELECT course_profile(fixture_profile());
CREATE SCHEMA kept;
CREATE TABLE kept.doc AS SELECT course_export(40) AS doc;
CREATE FUNCTION kept.rows() RETURNS text LANGUAGE sql AS $$
  SELECT string_agg(md5(query_to_xml(format('SELECT * FROM %s AS t ORDER BY t::text', c.oid::regclass), true, false, '')::text), ' ' ORDER BY c.relname)
         || (SELECT count(*) FILTER (WHERE undone_at IS NULL) FROM snapback.batch)
  FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
$$;
END
my $context = q(context => '{"tenant_id": 2, "author_id": "00000000-0000-4000-8000-000000000002"}');
my $import = "SELECT course_import(doc, dry_run => false, $context) ->> 'batch_id' FROM kept.doc";
my $rows = value($node, 'SELECT kept.rows()');

# every point, ended in every way; a kill takes the server through recovery, so only the last points meet it
my %state = (error => 'XX000', cancel => '57014', terminate => '57P01', kill => 'lost');
foreach my $point (qw(import.ids_drawn import.group_inserted import.proven import.recorded))
{
	foreach my $how ('error', 'cancel', 'terminate', $point eq 'import.recorded' ? 'kill' : ())
	{
		is_outcome(attempt($node, fault("$point=$how") . $import), $state{$how}, "an import ended by $how at $point");
		wait_up($node) if $how eq 'kill';
		is(value($node, 'SELECT kept.rows()'), $rows, 'leaves nothing');
	}
}
my $batch = value($node, $import);
my $with_copy = value($node, 'SELECT kept.rows()');
isnt($with_copy, $rows, 'the next one works');
foreach my $how (qw(error cancel kill))
{
	is_outcome(attempt($node, fault("undo.group_deleted=$how") . "SELECT course_undo('$batch', dry_run => false)"), $state{$how}, "an undo ended by $how");
	wait_up($node) if $how eq 'kill';
	is(value($node, 'SELECT kept.rows()'), $with_copy, 'takes nothing back');
}

# an enrolment that comes while the import is taken back waits, and then finds no course
my $undo = held($node, 'undo.group_deleted', "SELECT course_undo('$batch', dry_run => false)");
my $course = value($node, "SELECT root_key FROM course_batches WHERE batch = '$batch'");
my $enrol = start($node, "INSERT INTO enrollments (user_id, course_id) VALUES ('00000000-0000-4000-8000-000000000001', $course)");
my $second = start($node, "SELECT course_undo('$batch', dry_run => false)");
wait_blocked($enrol);
wait_blocked($second);
let_go();
is_outcome(finish($undo), '', 'an undo beside others');
is_outcome(finish($enrol), '23503', 'an enrolment that comes too late');
is_outcome(finish($second), '55000', 'a second undo at the same time');
is(value($node, 'SELECT kept.rows()'), $rows, 'everything is as it was');

# two imports at once
my $first = held($node, 'import.recorded', $import);
is_outcome(attempt($node, "SET lock_timeout = '200ms';" . $import), '55P03', 'a second import of the same document waits for it');
my $skipping = start($node, "SELECT course_import(doc, dry_run => false, on_repeat => 'skip', $context) -> 'applied' FROM kept.doc");
my $copying = start($node, $import);
wait_blocked($skipping);
wait_blocked($copying);
let_go();
is_outcome(finish($first), '', 'the first');
my $skipped = finish($skipping);
is_outcome($skipped, '', 'one that is to be passed over');
is($skipped->{out}, 'false', 'is passed over');
is_outcome(finish($copying), '', 'one that is to be a copy');
is(value($node, 'SELECT count(DISTINCT slug) FROM courses'), 4, 'is one');

# JSON.parse and JSON.stringify
{
	my $directory = PostgreSQL::Test::Utils::tempdir_short();
	my $document = $node->safe_psql('postgres', 'SELECT doc FROM kept.doc');
	append_to_file("$directory/before.json", $document);
	system_or_bail('node', '-e', "const fs = require('fs'); fs.writeFileSync('$directory/after.json', JSON.stringify(JSON.parse(fs.readFileSync('$directory/before.json', 'utf8'))))");
	$document = slurp_file("$directory/after.json");
	$document =~ s/'/''/g;
	$node->safe_psql('postgres', "INSERT INTO kept.doc VALUES ('$document')");
	is(value($node, "SELECT count(DISTINCT report - '{plan_hash}'::text[]) FROM (SELECT course_import(doc, $context) AS report FROM kept.doc) AS x"), 1, 'JavaScript changes nothing that an import sees');
	is(value($node, "SELECT count(DISTINCT course_import(doc, $context) ->> 'plan_hash') FROM kept.doc"), 1, 'not even the hash of the plan');
}

check_log($node, [qw(XX000 57014 57P01 57P02 57P03 01000 23503 23505 55000 55P03)], 'the log has only the errors that were made');
done_testing();
