# A cancel ends a call within a second in every phase of its work, and so do the ends of connections and timeouts that PostgreSQL
# treats alike. Each phase does real work here; only where it would be too short does a test point stand in.
# Not under the sanitizers: it measures time.

use strict;
use warnings FATAL => 'all';

use SnapbackTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_server('cancel', conf => "maintenance_work_mem = 256MB\nshared_buffers = 256MB\npg_snapback.reload_threshold = 0\n");
my $full = !($ENV{SNAPBACK_BRIEF} || $ENV{SNAPBACK_SANITIZE});
my $rows = $ENV{SNAPBACK_SANITIZE} ? 300_000 : 1_000_000;
$node->safe_psql('postgres', <<"END");
CREATE TABLE subjects (id integer PRIMARY KEY, name text);
INSERT INTO subjects SELECT g, md5(g::text) FROM generate_series(1, $rows / 2) g;
CREATE TABLE topics (id integer PRIMARY KEY, subject_id integer REFERENCES subjects, title text, note text);
INSERT INTO topics SELECT g, 1 + g % ($rows / 2), md5(g::text), md5((g + 1)::text) FROM generate_series(1, $rows) g;
CREATE INDEX ON topics (title);
CREATE INDEX ON topics (note, title);
CREATE TABLE huge (id integer PRIMARY KEY, body text);
ALTER TABLE huge ALTER COLUMN body SET STORAGE EXTERNAL;
INSERT INTO huge VALUES (1, repeat('áéí' || md5('x'), @{[$full ? 8_000_000 : 1_000_000]}));
END
prepare_cancels($node);

my $good = value($node, "SELECT id FROM backup_create()");
$node->safe_psql('postgres', "UPDATE topics SET title = 'x' WHERE id = 1");
my $restore = "SELECT * FROM backup_restore('$good', '{subjects,topics}', safety_backup => false)";
my @differing = (before => "UPDATE topics SET title = 'x' WHERE id = 1");

# lock waits
{
	my $blocker = start($node, "BEGIN; LOCK TABLE subjects; SELECT pg_sleep(600);");
	value($node, q(DO $$BEGIN WHILE NOT EXISTS (SELECT 1 FROM pg_locks WHERE relation = 'subjects'::regclass AND mode = 'AccessExclusiveLock' AND granted) LOOP PERFORM pg_sleep(0.05); END LOOP; END$$));
	cancelled_quickly($node, 'a backup that waits for a lock', 'SELECT backup_create()', 'locking', delay => 0.2);
	cancelled_quickly($node, 'a restore that waits for a lock', $restore, 'locking', delay => 0.2);
	value($node, 'SELECT pg_terminate_backend(' . backend($blocker) . ')');
	finish($blocker);
}

# inside one large value, of 300 MB or 40: each piece of it takes 1.5 seconds, and all of them too long
{
	my ($backup, $check, $restored) = ("SELECT backup_create('{huge}')", "SELECT backup_create('{huge}', verify => 'content')", "SELECT * FROM backup_restore('$good', '{huge}', safety_backup => false)");
	my @huge = (table => 'public.huge');
	cancelled_quickly($node, 'a backup inside one large value', $backup, 'reading tables', @huge, fault => 'writer.frame_accepted=pause:1500', limit => 2.8);
	cancelled_quickly($node, 'a check of contents inside one large value', $check, 'checking contents', fault => 'reader.frame=pause:1500', limit => 2.8);
	cancelled_quickly($node, 'a restore inside one large value', $restored, 'writing rows', @huge, fault => 'reader.frame=pause:1500', limit => 2.8, before => 'UPDATE huge SET id = 2');
	if ($full)
	{
		cancelled_quickly($node, 'a backup of 300 MB in one value', $backup, 'reading tables', @huge, delay => 0.1);
		cancelled_quickly($node, 'a check of contents of 300 MB in one value', $check, 'checking contents', delay => 0.1);
		cancelled_quickly($node, 'a restore of 300 MB in one value', $restored, 'writing rows', @huge, delay => 0.1, before => 'UPDATE huge SET id = 2');
	}
	$node->safe_psql('postgres', "UPDATE huge SET id = 1");
}

# backup
cancelled_quickly($node, 'a backup that reads many rows', "SELECT backup_create('{topics}')", 'reading tables', table => 'public.topics', delay => 0.1);
cancelled_quickly($node, 'a backup at its start', "SELECT backup_create('{topics}')", 'reading tables');
cancelled_quickly($node, 'a backup that reads back', "SELECT backup_create()", 'reading back');
cancelled_quickly($node, 'a backup that checks its contents', "SELECT backup_create('{topics}', verify => 'content')", 'checking contents', delay => 0.1);
cancelled_quickly($node, 'a backup that is restored for proof', "SELECT backup_create('{subjects,topics}', verify => 'restore')", 'CREATE INDEX');

# verify and compare
cancelled_quickly($node, 'a verification', "SELECT * FROM backup_verify('$good')", 'checking contents', delay => 0.3);
cancelled_quickly($node, 'a verification of files', "SELECT * FROM backup_verify('$good', 'files')", 'checking contents');
cancelled_quickly($node, 'a comparison', "SELECT * FROM backup_compare('$good', '{topics}')", 'reading tables', delay => 0.1);
cancelled_quickly($node, 'a dry run', "SELECT * FROM backup_restore('$good', '{topics}', dry_run => true)", 'reading tables');

# restore
cancelled_quickly($node, 'a restore that writes rows', $restore, 'writing rows', table => 'public.topics', delay => 0.1, @differing);
cancelled_quickly($node, 'a restore that builds indexes', $restore, 'building indexes', table => 'public.topics', delay => 0.1, @differing);
cancelled_quickly($node, 'a restore that checks foreign keys', $restore, 'checking foreign keys', delay => 0.02, @differing);
cancelled_quickly($node, 'a restore that proves', $restore, 'proving', table => 'public.topics', delay => 0.02, @differing);
cancelled_quickly($node, 'a restore in its safety backup', "SELECT * FROM backup_restore('$good', '{subjects,topics}')", 'reading tables', table => 'public.topics', delay => 0.02, @differing);
cancelled_quickly($node, 'a restore into another schema', "SELECT * FROM backup_restore('$good', '{subjects,topics}', into_schema => 'beside')", 'CREATE INDEX', delay => 0.05);
my @missing = (before => 'DELETE FROM topics WHERE id % 2 = 0');
cancelled_quickly($node, 'a restore of missing rows', "SELECT * FROM backup_restore('$good', '{topics}', 'missing', safety_backup => false)", 'writing rows', delay => 0.3, @missing);
cancelled_quickly($node, 'a restore that overwrites', "SELECT * FROM backup_restore('$good', '{topics}', 'upsert', safety_backup => false)", 'writing rows', delay => 0.3, @missing);
is(value($node, "SELECT count(*) FROM topics"), $rows / 2, 'nothing was changed by all this');
is(value($node, "SELECT count(*) FROM pg_namespace WHERE nspname = 'beside' OR nspname LIKE 'snapback_verify%'"), 0, 'no schema is left');
is(value($node, "SELECT string_agg(id, ' ') FROM backup_list()"), $good, 'and no other backup');

is(value($node, "SELECT bool_and(proven) FROM backup_restore('$good', safety_backup => false)"), 't', 'and the restore works');
is(value($node, "SELECT bool_and(equal) FROM backup_compare('$good')"), 't', 'all is equal again');
# 01000: the call was over when the cancel came, and was made again
check_log($node, [qw(57014 57P01 01000)], 'the log has only the errors that were made');

done_testing();
