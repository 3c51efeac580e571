# The foreign key race in both directions, for every way of restoring, isolation level and order: one session restores, the other writes a
# row whose foreign key the restore would break, or takes away a row that restored ones point at. Whoever is second waits, and then is
# told; no order leaves an orphan. Each pair has one outcome.
# Not under the sanitizers: it is about the order of events, by code that other tests run there.

use strict;
use warnings FATAL => 'all';

use SnapbackTest;
use Test::More;

my $node = new_server('key_races', conf => "deadlock_timeout = 100ms\n");
my $storage = storage($node);
$node->safe_psql('postgres', <<'END');
CREATE TABLE subjects (id integer PRIMARY KEY, code text UNIQUE, name text);
CREATE TABLE topics (id integer PRIMARY KEY, subject_id integer REFERENCES subjects, title text);
CREATE TABLE labels (id integer PRIMARY KEY, code text REFERENCES subjects (code));
INSERT INTO subjects SELECT g, 'code ' || g, 'subject ' || g FROM generate_series(1, 10) g;
INSERT INTO topics SELECT g, 1 + g % 10, 'topic ' || g FROM generate_series(1, 100) g;
END
my $good = value($node, 'SELECT id FROM backup_create()');
my $orphans = '(SELECT count(*) FROM topics t WHERE NOT EXISTS (SELECT 1 FROM subjects s WHERE s.id = t.subject_id))'
  . ' + (SELECT count(*) FROM labels l WHERE NOT EXISTS (SELECT 1 FROM subjects s WHERE s.code = l.code))';

# What differs from the backup before, what the restore brings back, what the other writes, and what stands at the end when only the
# restore, or only the other, has done its work: subjects with id 11, with the code "new"; topics with id 1000, of subject 5; labels.
my %races = (
	'a child of a parent that goes' => {
		child => 1, before => "INSERT INTO subjects VALUES (11, 'eleven', 'new')", tables => 'subjects', other => "INSERT INTO topics VALUES (1000, 11, 'child')",
		stands => { restore => '0 0 0 10 0', other => '1 0 1 10 0' } },
	'a child of a parent whose key changes' => {
		child => 1, before => "UPDATE subjects SET code = 'new' WHERE id = 3", tables => 'subjects', other => "INSERT INTO labels VALUES (1, 'new')",
		stands => { restore => '0 0 0 10 0', other => '0 1 0 10 1' } },
	'the parent of children that come back' => {
		before => 'DELETE FROM topics WHERE subject_id = 5', tables => 'topics', other => 'DELETE FROM subjects WHERE id = 5',
		stands => { restore => '0 0 0 10 0', other => '0 0 0 0 0' } },
	'the parent of children that go back to it' => {
		before => 'UPDATE topics SET subject_id = 6 WHERE subject_id = 5', tables => 'topics', other => 'DELETE FROM subjects WHERE id = 5',
		stands => { restore => '0 0 0 10 0', other => '0 0 0 0 0' } });
my @child = ('a child of a parent that goes', 'a child of a parent whose key changes');
my @parent = ('the parent of children that come back', 'the parent of children that go back to it');
# Mode missing changes and removes no row, so that nothing it does can break the key of a child.
my %ways = (
	'by difference' => { set => 'SET pg_snapback.reload_threshold = 1', races => [ $child[0], @parent ] },
	'by reload' => { set => 'SET pg_snapback.reload_threshold = 0', races => [ $child[0], $parent[0] ] },
	'mode missing' => { mode => ", mode => 'missing'", races => [ $parent[0] ] },
	'mode upsert' => { mode => ", mode => 'upsert'", races => [ $child[1], @parent ] });

my @levels = ('read committed', 'repeatable read', 'serializable');
my $early = $node->background_psql('postgres');
$early->query_safe("LOAD 'pg_snapback'; SET client_min_messages = error");
my $pairs = 0;
foreach my $way (sort keys %ways)
{
	my %way = %{ $ways{$way} };
	my $set = $way{set} // 'RESET pg_snapback.reload_threshold';
	foreach my $race (@{ $way{races} })
	{
		my %it = %{ $races{$race} };
		foreach my $first ('restore', 'other')
		{
			foreach my $before (@levels)
			{
				foreach my $level (@levels)
				{
					# the first one's level is none of the second's business, but for two that are serializable
					next if $way ne 'by difference' && $before ne $levels[0] && ($before ne $level || $level ne $levels[2]);
					$pairs++;
					$early->query_safe("DELETE FROM labels; DELETE FROM topics WHERE id = 1000; SELECT backup_restore('$good', safety_backup => false); $it{before}");
					my %statement = (
						restore => "SELECT bool_and(proven) FROM backup_restore('$good', '{$it{tables}}', safety_backup => false" . ($way{mode} // '') . ')',
						other => $it{other});
					my $second = $first eq 'restore' ? 'other' : 'restore';
					$early->query_safe("$set; BEGIN ISOLATION LEVEL $before; SELECT count(*) FROM subjects, topics; $statement{$first}");
					my $late = start($node, "LOAD 'pg_snapback'; $set; BEGIN ISOLATION LEVEL $level; SELECT 1 WHERE false; $statement{$second}; COMMIT");
					wait_blocked($late);
					$early->query_safe('COMMIT');
					my $outcome = finish($late);
					my $left = $early->query_safe("SELECT concat_ws(' ', (SELECT count(*) FROM subjects WHERE id = 11), (SELECT count(*) FROM subjects WHERE code = 'new'), (SELECT count(*) FROM topics WHERE id = 1000), "
						. '(SELECT count(*) FROM topics WHERE subject_id = 5), (SELECT count(*) FROM labels)), ' . $orphans);
					my $state = '23503';
					# a parent that its snapshot still has, and that was changed since: PostgreSQL says to try again. Of a reloaded table its snapshot has
					# nothing, but what the two have read and written cannot be put in an order when both are serializable.
					$state = '40001' if $it{child} && $second eq 'other' && $level ne 'read committed' && ($way ne 'by reload' || $before eq 'serializable' && $level eq 'serializable');
					is("$outcome->{state} $left", "$state $it{stands}{$first}|0", "$race, $way: the $first first in $before, the $second in $level") or diag($outcome->{err});
				}
			}
		}
	}
}
note("$pairs pairs");
$early->quit;
is(join(' ', unfinished($storage)), '', 'nothing is left in the storage');
is(value($node, 'SELECT string_agg(id, \' \') FROM backup_list()'), $good, 'and no other backup');
check_log($node, [qw(23503 40001)], 'the log has only the errors that were made');
done_testing();
