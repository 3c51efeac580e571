# Restores, ended at every step by an error, a cancel, termination, kill -9 and the stop of the server: the live tables are as they were,
# to the last row, index and sequence; the safety backup goes, or is whole. The kills take their time, as in 010_fault_points.pl.

use strict;
use warnings FATAL => 'all';

use FaultWalk;
use SnapbackTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = prepare('fault_points_restore');
my @cases = cases(qw(restore restore_difference restore_missing restore_alone rehearse restore_undone));
walk('error', @cases);
walk('cancel', @cases);
walk('terminate', @cases);

my %some = map { $_ => 1 } qw(restore.safety_registered restore.table_emptied restore.indexes_built restore.proven);
my @some = grep { $some{ $_->{point} } && $_->{call} eq 'restore' } @cases;
walk('kill', $ENV{SNAPBACK_SANITIZE} || $ENV{SNAPBACK_BRIEF} ? @some : @cases);
walk('stop', $ENV{SNAPBACK_NIGHTLY} ? grep { !$_->{held} } @cases : @some);

check_log($node, [qw(XX000 57014 57P01 57P02 57P03 01000)], 'the log has only the errors that were made');
done_testing();
