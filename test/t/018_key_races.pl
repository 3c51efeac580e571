# The foreign key race in both directions, for every pair of isolation levels and either order: one session restores, the other writes a
# row whose foreign key the restore would break, or takes away a row that restored ones point at. Whoever is second waits, and then is
# told; no order leaves an orphan.
# Not under the sanitizers: it is about the order of events, by code that other tests run there.

use strict;
use warnings FATAL => 'all';

use SnapbackTest;
use Test::More;

my $node = new_server('key_races', conf => "deadlock_timeout = 100ms\n");
$node->safe_psql('postgres', <<'END');
CREATE TABLE subjects (id integer PRIMARY KEY, name text);
CREATE TABLE topics (id integer PRIMARY KEY, subject_id integer REFERENCES subjects, title text);
INSERT INTO subjects SELECT g, 'subject ' || g FROM generate_series(1, 10) g;
INSERT INTO topics SELECT g, 1 + g % 10, 'topic ' || g FROM generate_series(1, 100) g;
END
my $good = value($node, 'SELECT id FROM backup_create()');
my $orphans = 'SELECT count(*) FROM topics t WHERE NOT EXISTS (SELECT 1 FROM subjects s WHERE s.id = t.subject_id)';

# what differs from the backup before, what the restore brings back, what the other writes, and the states in which the restore may end
# when it is second and in which the other may
my %races = (
	'a child of a parent that the restore takes away' => {
		before => "INSERT INTO subjects VALUES (11, 'new')", tables => 'subjects', other => "INSERT INTO topics VALUES (1000, 11, 'child')" },
	'the parent of children that the restore brings back' => {
		before => 'DELETE FROM topics WHERE subject_id = 5', tables => 'topics', other => 'DELETE FROM subjects WHERE id = 5' });
# A snapshot of before the other's commit is too old in the two higher levels: the caller is told to try again.
my %second = ('READ COMMITTED' => '23503', 'REPEATABLE READ' => '23503|40001', 'SERIALIZABLE' => '23503|40001');

my $pairs = 0;
foreach my $race (sort keys %races)
{
	my %it = %{ $races{$race} };
	foreach my $mine (sort keys %second)
	{
		foreach my $theirs (sort keys %second)
		{
			foreach my $first ('restore', 'other')
			{
				$pairs++;
				my $what = "$race: restore in \L$mine\E, the other in \L$theirs\E, the $first first";
				$node->safe_psql('postgres', "SET client_min_messages = error; SELECT backup_restore('$good', safety_backup => false); $it{before}");
				my $restore = "BEGIN ISOLATION LEVEL $mine; SELECT count(*) FROM topics; SELECT count(*) FROM backup_restore('$good', '{$it{tables}}', safety_backup => false)";
				my $other = "BEGIN ISOLATION LEVEL $theirs; SELECT count(*) FROM subjects; $it{other}";
				my $early = $node->background_psql('postgres');
				$early->query_safe($first eq 'restore' ? $restore : $other);
				my $late = start($node, ($first eq 'restore' ? $other : $restore) . '; COMMIT');
				wait_blocked($late);
				$early->query_safe('COMMIT');
				my $outcome = finish($late);
				my $expected = $second{ $first eq 'restore' ? $theirs : $mine };
				my $left = value($node, "$orphans; SELECT count(*) FROM subjects WHERE id = 11; SELECT count(*) FROM topics WHERE subject_id = 5");
				# when the second is refused, what the first did stands
				my $stands = $race =~ /child of/ ? ($first eq 'restore' ? "0\n0\n10" : "0\n1\n10") : ($first eq 'restore' ? "0\n0\n10" : "0\n0\n0");
				is(($outcome->{state} =~ /^(?:$expected)$/ ? '' : "ended as '$outcome->{state}' $outcome->{err}: ") . $left, $stands, $what);
				$early->quit;
				$node->safe_psql('postgres', "INSERT INTO subjects SELECT 5, 'subject 5' WHERE NOT EXISTS (SELECT 1 FROM subjects WHERE id = 5); DELETE FROM topics WHERE id = 1000");
			}
		}
	}
}
is($pairs, 36, "$pairs races");
is(value($node, $orphans), 0, 'no orphan is left by any of them');
check_log($node, [qw(23503 40001)], 'the log has only the errors that were made');
done_testing();
