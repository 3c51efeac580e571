# Others at the same moment, at the stored backups: deletes and pins under a verification or a restore, a name that is taken. Each has one
# outcome that its caller can explain. What happens at the tables, in each isolation level, is in 038_isolation_levels.pl.
# Not under the sanitizers: it is about the order of events, by code that other tests run there.

use strict;
use warnings FATAL => 'all';

use SnapbackTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_server('same_moment');
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

foreach my $level ('read committed', 'repeatable read', 'serializable')
{
	my $backup = held($node, 'backup.file_proven', "BEGIN ISOLATION LEVEL $level; SELECT 1 WHERE false; SELECT id FROM backup_create(); COMMIT");
	my ($partial) = unfinished($storage);
	my $taken = "$storage/" . ($partial =~ s/\.partial$//r);
	append_to_file($taken, 'from elsewhere');
	let_go();
	is_outcome(finish($backup), '58P02', "a backup whose name was taken by another file: $level");
	is(slurp_file($taken), 'from elsewhere', 'that file is left as it is');
	is(join(' ', unfinished($storage)), '', 'and nothing of the backup stays');
	unlink $taken or die "unlink: $!";
}
is_outcome(attempt($node, 'SELECT backup_create()'), '', 'the next backup succeeds');
all_whole('after a taken name');

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

check_log($node, [qw(42704 55006 58P01 58P02)], 'the log has only the errors that were made');
done_testing();
