# A restore by difference among other sessions: readers go on, writers wait, subscribers stay correct; what changes between the first look and the locks does no harm.

use strict;
use warnings FATAL => 'all';

use SnapbackTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_server('difference', conf => "wal_level = logical\nmax_wal_senders = 4\nmax_replication_slots = 4\ndeadlock_timeout = 100ms\n");
my $subscriber = PostgreSQL::Test::Cluster->new('subscriber');
init_data_directory($subscriber);
$subscriber->append_conf('postgresql.conf', "autovacuum = off\nfsync = off\n");
$subscriber->start;

my $tables = <<'END';
CREATE TABLE subjects (id integer PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE topics (id integer PRIMARY KEY, subject_id integer REFERENCES subjects ON DELETE CASCADE, title text, body text);
CREATE TABLE events (at integer, id integer, what text, PRIMARY KEY (at, id)) PARTITION BY RANGE (at);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (100);
CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM (100) TO (200);
CREATE TABLE notes (author text, line text);
CREATE TABLE logs (line text);
ALTER TABLE logs REPLICA IDENTITY FULL;
END
$node->safe_psql('postgres', $tables . <<'END');
INSERT INTO subjects SELECT g, 'subject ' || g FROM generate_series(1, 20) g;
INSERT INTO topics SELECT g, 1 + g % 20, 'topic ' || g, repeat(md5(g::text), g % 100) FROM generate_series(1, 2000) g;
INSERT INTO events SELECT g % 200, g, 'event ' || g FROM generate_series(1, 1000) g;
INSERT INTO notes SELECT 'a' || g % 3, 'line ' || g FROM generate_series(1, 50) g;
INSERT INTO logs SELECT 'line ' || g / 2 FROM generate_series(1, 50) g;
END
my $all = 'subjects,topics,events,notes,logs';

sub contents
{
	my ($server) = @_;
	return $server->safe_psql('postgres', join ';', map { "SELECT '$_', count(*), md5(coalesce(string_agg(t::text, '|' ORDER BY t::text COLLATE \"C\"), '')) FROM $_ t" } split /,/, $all);
}

my $good = value($node, 'SELECT id FROM backup_create()');
my $before = contents($node);
my $edits = <<'END';
UPDATE topics SET title = 'changed' WHERE id % 50 = 0;
DELETE FROM topics WHERE id > 1900;
INSERT INTO topics VALUES (5000, 1, 'new');
UPDATE subjects SET name = 'tmp' WHERE id = 1;
UPDATE subjects SET name = 'subject 1' WHERE id = 2;
UPDATE subjects SET name = 'subject 2' WHERE id = 1;
UPDATE events SET at = at + 100 WHERE at < 5;
END

# ---- readers and writers -------------------------------------------------------------------------------------------------------

$node->safe_psql('postgres', $edits);
my $reader = $node->background_psql('postgres');
$reader->query_safe("BEGIN ISOLATION LEVEL REPEATABLE READ; SET statement_timeout = '60s'");
my $old = $reader->query_safe("SELECT count(*), md5(string_agg(t::text, '|' ORDER BY id)) FROM topics t");
my $restore = start($node, fault('restore.proven=sleep:600000') . "SELECT name || ' ' || action FROM backup_restore('$good', '{subjects,topics,events}') ORDER BY 1");
wait_asleep($restore);
my $modes = value($node, "SELECT string_agg(DISTINCT mode, ' ' ORDER BY mode) FROM pg_locks WHERE pid = " . backend($restore)
	. " AND relation IN ('topics'::regclass, 'topics_pkey'::regclass, 'subjects'::regclass, 'events'::regclass, 'events_1'::regclass, 'events_2'::regclass)");
unlike($modes, qr/AccessExclusiveLock|^ExclusiveLock| ExclusiveLock/, 'no lock that keeps readers out is held');
# not one of these may wait: the restore has written everything and is not over
is($node->safe_psql('postgres', "SET lock_timeout = '1ms'; SELECT count(*) FROM topics; SELECT count(*) FROM events; SELECT count(*) FROM subjects JOIN topics ON subjects.id = subject_id"),
	"1901\n1000\n1901", 'other sessions read what was there before');
is($reader->query_safe("SELECT count(*), md5(string_agg(t::text, '|' ORDER BY id)) FROM topics t"), $old, 'so does a transaction that began before');
my $writer = start($node, "UPDATE topics SET title = title || '!' WHERE id = 51; SELECT title FROM topics WHERE id = 50");
wait_blocked($writer);
$node->safe_psql('postgres', 'SELECT pg_cancel_backend(' . backend($restore) . ')');
is_outcome(finish($restore), '57014', 'a cancel at the very end rolls everything back');
is_outcome(my $written = finish($writer), '', 'the writer that waited goes on');
is($written->{out}, 'changed', 'with the rows as they were');
is($reader->query_safe("SELECT count(*), md5(string_agg(t::text, '|' ORDER BY id)) FROM topics t"), $old, 'the old transaction still reads its rows');

$restore = attempt($node, "SELECT name || ' ' || action FROM backup_restore('$good', '{subjects,topics,events}') ORDER BY 1");
is_outcome($restore, '', 'now for good');
is($restore->{out}, "events through partitions\nevents_1 by difference\nevents_2 by difference\nsubjects by difference\ntopics by difference", 'all by difference');
is($reader->query_safe("SELECT count(*), md5(string_agg(t::text, '|' ORDER BY id)) FROM topics t"), $old, 'a snapshot from before the restore goes on seeing its rows');
$reader->query_safe('COMMIT');
is(contents($node), $before, 'everything is as in the backup');

# a writer that holds the table is waited for, and its change is seen
my $holder = $node->background_psql('postgres');
$holder->query_safe("BEGIN; UPDATE topics SET title = 'late' WHERE id = 3");
$restore = start($node, "SELECT updated FROM backup_restore('$good', '{topics}')");
wait_blocked($restore);
$holder->query_safe('COMMIT');
is(finish($restore)->{out}, 1, 'a change that was committed while the lock was waited for is undone too');

# ---- between the first look and the locks ------------------------------------------------------------------------------------------

my %between = (
	'everything changes' => "UPDATE topics SET title = 'all', body = id::text",
	'the key goes' => 'ALTER TABLE topics DROP CONSTRAINT topics_pkey',
	'the table is emptied' => 'TRUNCATE topics',
	'a column comes' => 'ALTER TABLE topics ADD COLUMN extra integer DEFAULT 7',
	'the table is recreated' => 'DROP TABLE topics; CREATE TABLE topics (id integer PRIMARY KEY, subject_id integer, title text, body text)');
foreach my $what (sort keys %between)
{
	$node->safe_psql('postgres', "UPDATE topics SET title = 'x' WHERE id = 9");
	my $outcome = attempt($node, fault("restore.roads_chosen=sql:$between{$what}") . "SELECT proven FROM backup_restore('$good', '{topics}')");
	is_outcome($outcome, '', "$what between the first look and the locks");
	is($outcome->{out}, 't', 'the restore is right all the same');
	is(value($node, "SELECT md5(string_agg(row(id, subject_id, title, body)::text, '|' ORDER BY id)) FROM topics"),
		value($node, "SELECT md5(string_agg(row(g, 1 + g % 20, 'topic ' || g, repeat(md5(g::text), g % 100))::text, '|' ORDER BY g)) FROM generate_series(1, 2000) g"), 'the rows are those of the backup');
	$node->safe_psql('postgres', 'ALTER TABLE topics DROP COLUMN IF EXISTS extra; ALTER TABLE topics DROP CONSTRAINT IF EXISTS topics_pkey; ALTER TABLE topics ADD PRIMARY KEY (id)');
}

# two restores of the same table one after the other, never a deadlock
$node->safe_psql('postgres', "UPDATE topics SET title = 'x' WHERE id < 20");
my $first = start($node, fault('restore.roads_chosen=sleep:300') . "SELECT proven FROM backup_restore('$good', '{topics,subjects}')");
my $second = start($node, fault('restore.roads_chosen=sleep:300') . "SET pg_snapback.reload_threshold = 0; SELECT proven FROM backup_restore('$good', '{topics,subjects}')");
is(finish($first)->{out}, "t\nt", 'two restores at the same time: one');
is(finish($second)->{out}, "t\nt", 'and the other');

# ---- a subscriber --------------------------------------------------------------------------------------------------------------

$node->safe_psql('postgres', 'TRUNCATE subjects, topics, events, notes, logs; ALTER TABLE topics DROP CONSTRAINT IF EXISTS topics_subject_id_fkey; '
	. 'ALTER TABLE topics ADD FOREIGN KEY (subject_id) REFERENCES subjects ON DELETE CASCADE');
is(value($node, "SELECT bool_and(proven) FROM backup_restore('$good', '{$all}') WHERE action <> 'through partitions'"), 't', 'from nothing');
is(contents($node), $before, 'all rows are back');
$subscriber->safe_psql('postgres', $tables);
$node->safe_psql('postgres', 'CREATE PUBLICATION school FOR TABLE subjects, topics, events, notes, logs');
$subscriber->safe_psql('postgres', "CREATE SUBSCRIPTION school CONNECTION '" . $node->connstr . " dbname=postgres' PUBLICATION school");
$subscriber->wait_for_subscription_sync($node, 'school');
is(contents($subscriber), $before, 'a subscriber has the rows');
$node->safe_psql('postgres', 'INSERT INTO notes VALUES (NULL, NULL)');
my $damage = $edits . "UPDATE subjects SET name = name || '!'; UPDATE topics SET body = NULL; DELETE FROM logs WHERE line = 'line 3'; INSERT INTO logs VALUES ('x'), ('x');";
$node->safe_psql('postgres', $damage);
$node->wait_for_catchup('school');
is(contents($subscriber), contents($node), 'it follows');
my $roads = value($node, "SELECT string_agg(name || ' ' || action, ', ' ORDER BY name) FROM backup_restore('$good', '{$all}') WHERE action <> 'through partitions'");
is($roads, 'events_1 by difference, events_2 by difference, logs by difference, notes reloaded, subjects by difference, topics by difference',
	'decoded tables go by difference however much differs, where their rows can be told apart in the stream');
$node->wait_for_catchup('school');
is(contents($node), $before, 'the publisher is restored');
is(contents($subscriber), $before, 'and the subscriber has followed');
$node->safe_psql('postgres', "UPDATE topics SET title = 'after' WHERE id = 1; DELETE FROM subjects WHERE id = 20; INSERT INTO notes VALUES ('z', 'z')");
$node->wait_for_catchup('school');
is(contents($subscriber), contents($node), 'it follows on');
# rows that are written value by value elsewhere: no subscriber meets one that is not complete
my $essays = 'CREATE TABLE essays (id integer PRIMARY KEY, body text NOT NULL CHECK (length(body) > 100), extra text NOT NULL)';
$_->safe_psql('postgres', $essays) foreach $node, $subscriber;
$node->safe_psql('postgres', 'ALTER PUBLICATION school ADD TABLE essays');
$subscriber->safe_psql('postgres', 'ALTER SUBSCRIPTION school REFRESH PUBLICATION');
$subscriber->wait_for_subscription_sync($node, 'school');
$node->safe_psql('postgres', "INSERT INTO essays SELECT g, repeat(md5(g::text), 200), repeat(md5('x' || g), 100) FROM generate_series(1, 10) g");
my $digest = "SELECT count(*), md5(string_agg(e::text, '|' ORDER BY id)) FROM essays e";
my $written_before = value($node, $digest);
my $essays_backup = value($node, "SELECT id FROM backup_create('{essays}')");
$node->safe_psql('postgres', "DELETE FROM essays WHERE id > 6; UPDATE essays SET body = repeat('x', 101) WHERE id < 3");
is(value($node, "LOAD 'pg_snapback'; SET pg_snapback.test_largest_row = 2048; SELECT action FROM backup_restore('$essays_backup')"), 'by difference', 'large rows');
is(value($node, $digest), $written_before, 'the publisher has them');
$node->wait_for_catchup('school');
is(value($subscriber, $digest), $written_before, 'and the subscriber, whose constraints they meet at every step');
unlike(slurp_file($subscriber->logfile), qr/(ERROR|PANIC|conflict)/, 'without an error');

check_log($node, [qw(57014 01000)], 'nothing but what was provoked is in the log');
$node->stop;
$subscriber->stop;
done_testing();
