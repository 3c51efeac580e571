# More tables than the server's lock table has room for: 53200 with the number needed, and nothing locked.
# Not under the sanitizers: it is about locks.

use strict;
use warnings FATAL => 'all';

use SnapbackTest;
use Test::More;

my $node = new_server('slots', conf => "max_connections = 10\nmax_locks_per_transaction = 10\nmax_worker_processes = 2\nmax_wal_senders = 0\nautovacuum_max_workers = 1\nmax_pred_locks_per_transaction = 10\n");
$node->safe_psql('postgres', 'CREATE SCHEMA s');
# a few at a time, for making tables takes locks as well
$node->safe_psql('postgres', join("\n", map { "CREATE TABLE s.t$_ (id integer PRIMARY KEY, x text); INSERT INTO s.t$_ VALUES (1, 'a');" } $_ * 100 + 1 .. $_ * 100 + 100)) for 0 .. 7;
my $some = value($node, "SELECT id FROM backup_create(ARRAY(SELECT 's.t' || g FROM generate_series(1, 60) g))");
ok($some, 'a backup of tables that there is room for');
is(value($node, "SELECT count(*) FROM backup_compare('$some') WHERE NOT equal"), 0, 'compared');

# as many again as it takes until there is no room for certain
my $more = 8;
my $outcome;
for (;;)
{
	$outcome = attempt($node, 'SELECT id FROM backup_create()');
	last if $outcome->{state} ne '' || $more > 200;
	$node->safe_psql('postgres', join("\n", map { "CREATE TABLE s.t$_ (id integer PRIMARY KEY, x text);" } $_ * 100 + 1 .. $_ * 100 + 100)) for $more .. $more + 9;
	$more += 10;
}
my $tables = $more * 100;
is_outcome($outcome, '53200', "$tables tables are too many");
is($outcome->{message}, "not enough lock slots for $tables tables", 'the message says of what');
like($outcome->{detail}, qr/^$tables locks are needed at one time; the server's lock table is made for \d+, those of other sessions included\. Nothing was locked\.$/, 'the detail has the number needed');
like($outcome->{hint}, qr/^Set max_locks_per_transaction to \d{2,} or more \(it is 10\) and restart the server, or name fewer tables at a time\.$/, 'the hint says what to set');
is_outcome(attempt($node, 'BEGIN; LOCK TABLE ' . join(', ', map { "s.t$_" } 101 .. $tables) . ' IN ACCESS SHARE MODE'), '53200', 'pg_dump, which locks the same tables, would not pass either');
is(value($node, "SELECT count(*) FROM backup_list() WHERE state <> 'good'"), 0, 'nothing is left behind');

# a transaction goes on without a lock
my $session = $node->background_psql('postgres', on_error_stop => 0);
$session->query_safe('BEGIN; SAVEPOINT s');
$session->query('SELECT id FROM backup_create()');
like($session->{stderr}, qr/not enough lock slots/, 'in a transaction');
$session->{stderr} = '';
$session->query_safe('ROLLBACK TO s');
is($session->query_safe("SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND relation::regclass::text LIKE 's.%'"), 0, 'no lock is held');
$session->query_safe('COMMIT');
$session->quit;

# a restore needs further locks, on indexes and TOAST tables
$node->safe_psql('postgres', "UPDATE s.t$_ SET x = 'b'") for 1 .. 3;
is(value($node, "SELECT count(*) FROM backup_restore('$some', '{s.t1,s.t2}') WHERE proven"), 2, 'others are restored as ever');
my ($wanted) = $outcome->{hint} =~ /max_locks_per_transaction to (\d+)/;
$node->append_conf('postgresql.conf', "max_locks_per_transaction = $wanted\n");
$node->restart;
is_outcome(attempt($node, 'SELECT id FROM backup_create()'), '', 'with the number in the hint it works');
# 57P01: a session that had not quite gone when the server was restarted
check_log($node, ['53200', '57P01'], 'nothing else is in the log');
$node->stop;
done_testing();
