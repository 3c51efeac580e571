# Taking, verifying, comparing, pinning and deleting backups, ended at every step by an error, a cancel, termination, kill -9 and the stop of the
# server: nothing half-done is listed, leftovers go, the next call works. Kills take the server through recovery each time, so this takes
# its time; SNAPBACK_NIGHTLY stops the server at every step too.

use strict;
use warnings FATAL => 'all';

use FaultWalk;
use SnapbackTest;
use PostgreSQL::Test::Utils;
use Test::More;

# the tables of FaultWalk have every point that the code has
my %known = map { $_ => 1 } points_of();
my %found;
foreach my $file (split /\n/, `find src -name '*.cpp'`)
{
	my $source = slurp_file($file);
	$found{$1} = 1 while $source =~ /fault_point\("([a-z_.]+)"\)/g;
}
cmp_ok(scalar(keys %found), '>=', 60, scalar(keys %found) . ' fault points');
# those of imports are walked in 030_course_import.pl, those of runs in 020_runs.pl
is_deeply([ grep { !/^(?:import|undo|run)\./ } sort keys %found ], [ sort keys %known ], 'every one of them is walked');

my $node = prepare('fault_points');
my @cases = cases(qw(create create_content create_restore verify compare delete pin));
walk('error', @cases);
walk('cancel', @cases);
walk('terminate', @cases);

# under the sanitizers a recovery takes seconds, and a kill runs no code of ours
my %some = map { $_ => 1 } qw(backup.table_read storage.renamed storage.small_synced remove.sidecar_removed);
my @some = grep { $some{ $_->{point} } && $_->{call} =~ /^(?:create|delete)$/ } @cases;
walk('kill', $ENV{SNAPBACK_SANITIZE} || $ENV{SNAPBACK_BRIEF} ? @some : @cases);
# where interrupts are held nothing can sleep
walk('stop', $ENV{SNAPBACK_NIGHTLY} ? grep { !$_->{held} } @cases : grep { !$_->{held} } @some);

check_log($node, [qw(XX000 57014 57P01 57P02 57P03 01000)], 'the log has only the errors that were made');
done_testing();
