# A restore that makes many tables, or reads many, on a server whose lock table is small: it passes, or is 53200 with the number needed before anything is locked, never the server's own error in
# the middle. Not under the sanitizers: it is about locks.

use strict;
use warnings FATAL => 'all';

use SnapbackTest;
use Test::More;

my $node = new_server('restore_slots', conf => "max_connections = 10\nmax_locks_per_transaction = 10\nmax_worker_processes = 2\nmax_wal_senders = 0\nautovacuum_max_workers = 1\nmax_pred_locks_per_transaction = 10\n");
$node->safe_psql('postgres', 'CREATE SCHEMA s');
# each with an identity, a unique index, TOAST and a type: making one takes many more locks than reading it
my $tables = 120;
for my $from (map { $_ * 20 + 1 } 0 .. $tables / 20 - 1)
{
	$node->safe_psql('postgres',
		join('', map { "CREATE TABLE s.t$_ (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n serial, x text UNIQUE, CHECK (id > 0)); INSERT INTO s.t$_ (x) VALUES ('a'); CREATE INDEX ON s.t$_ (n);" } $from .. $from + 19));
}
my $taken = value($node, 'SELECT id FROM backup_create()');
ok($taken, "a backup of $tables tables");

# What a call that has not enough room says, and what it leaves behind: no lock, no table, nothing of the server's own.
sub is_refused_or_passes
{
	my ($statement, $what, $check) = @_;
	my $session = $node->background_psql('postgres', on_error_stop => 0);
	$session->query_safe('BEGIN; SAVEPOINT s');
	$session->{stderr} = '';
	my $answer = $session->query($statement);
	my $told = $session->{stderr};
	$session->{stderr} = '';
	if ($told eq '')
	{
		pass("$what: it passes");
		$check->($answer);
	}
	else
	{
		like($told, qr/not enough lock slots for \d+ tables/, "$what: refused with our error");
		like($told, qr/\d+ locks are needed at one time; the server's lock table is made for \d+/, "$what: with the number needed");
		unlike($told, qr/out of shared memory/, "$what: not the server's");
	}
	$session->query_safe('ROLLBACK TO s');
	is($session->query_safe("SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation' AND relation::regclass::text LIKE 's.%'"), 0, "$what: no lock is held");
	$session->query_safe('COMMIT');
	$session->quit;
	return $told;
}

my $making = is_refused_or_passes("SELECT count(*) FROM backup_restore('$taken', into_schema => 'copy')", 'into_schema', sub { is($_[0], $tables, 'all are there') });
isnt($making, '', 'this many tables are too many to be made');
is(value($node, "SELECT count(*) FROM pg_namespace WHERE nspname = 'copy'"), 0, 'nothing is made');
my ($needed) = $making =~ /(\d+) locks are needed/;
is_refused_or_passes("SELECT ok FROM backup_verify('$taken', level => 'restore')", 'verify', sub { });
is_refused_or_passes("SELECT count(*) FROM backup_compare('$taken') WHERE equal", 'compare', sub { is($_[0], $tables, 'all are equal') });
is_refused_or_passes("SELECT count(*) FROM backup_restore('$taken', dry_run => true) WHERE action = 'unchanged'", 'dry run', sub { is($_[0], $tables, 'all are equal') });
is_refused_or_passes("SET LOCAL pg_snapback.reload_threshold = 0; SELECT count(*) FROM backup_restore('$taken', safety_backup => false)", 'a restore of live tables', sub { is($_[0], $tables, 'all are there') });

# only rows are written: locks on indexes come one after the other, and nobody knows before how many
$node->safe_psql('postgres', join('', map { "UPDATE s.t$_ SET x = 'b';" } $_ * 20 + 1 .. $_ * 20 + 20)) for 0 .. $tables / 20 - 1;
my $told = is_refused_or_passes("SET LOCAL pg_snapback.reload_threshold = 1; SELECT count(*) FROM backup_restore('$taken', safety_backup => false)", 'by difference', sub { is($_[0], $tables, 'all are there') });
like($told, qr/Everything is rolled back\./, 'it had begun');
is(value($node, 'SELECT x FROM s.t1'), 'b', 'and nothing is changed');

# tables that are gone
for my $from (map { $_ * 20 + 1 } 0 .. $tables / 20 - 1)
{
	$node->safe_psql('postgres', 'DROP TABLE ' . join(', ', map { "s.t$_" } $from .. $from + 19));
}
is_refused_or_passes("SELECT count(*) FROM backup_restore('$taken')", 'tables that are missing', sub { is($_[0], $tables, 'all are there') });
is(value($node, "SELECT count(*) FROM pg_class WHERE relnamespace = 's'::regnamespace"), 0, 'nothing is made');
is(value($node, "SELECT count(*) FROM backup_restore('$taken', ARRAY(SELECT 's.t' || g FROM generate_series(1, 10) g)) WHERE proven"), 10, 'a few at a time are');

# with as many as the error asks for, it works
my ($wanted) = $making =~ /max_locks_per_transaction to (\d+)/;
$node->append_conf('postgresql.conf', "max_locks_per_transaction = $wanted\n");
$node->restart;
my $used = $node->background_psql('postgres');
$used->query_safe('BEGIN');
is($used->query_safe("SELECT count(*) FROM backup_restore('$taken', into_schema => 'copy') WHERE proven"), $tables, "with $wanted for each transaction, as the hint says");
# how far the number is from what is used
my $held = $used->query_safe('SELECT count(DISTINCT (locktype, relation, classid, objid, objsubid)) FROM pg_locks WHERE pid = pg_backend_pid() AND NOT fastpath');
$used->query_safe('ROLLBACK');
$used->quit;
cmp_ok($needed, '>=', $held, "the number is enough ($needed, $held are held)");
cmp_ok($needed, '<=', $held * 1.5, 'and not far too many');
check_log($node, ['53200', '57P01'], 'nothing else is in the log');
$node->stop;
done_testing();
