package dev.waymark.history;

import static org.assertj.core.api.Assertions.assertThat;

import dev.waymark.history.Checker.Findings;
import dev.waymark.history.Checker.Rule;
import dev.waymark.history.FaultSchedule.Fault;
import dev.waymark.history.Operation.Kind;
import dev.waymark.history.Operation.Result;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** For each rule a history that breaks it and nothing else. Times are in nanoseconds. */
class CheckerTest {
  private static final Checker.Terms TERMS =
      new Checker.Terms(Duration.ofNanos(100), Duration.ofNanos(1_000), key -> 0);

  private final List<Operation> history = new ArrayList<>();

  @Test
  void aCleanHistoryBreaksNothing() {
    write(1, 5, 1, 0, 10);
    read(Kind.SESSION_READ, 1, 5, 1, 20, 30);
    write(2, 5, 2, 40, 50);
    // Of another session, and old: allowed.
    read(Kind.SESSION_READ, 3, 5, 0, 60, 70);
    read(Kind.SESSION_READ, 1, 5, 1, 60, 70);
    read(Kind.STRONG_READ, 1, 5, 2, 80, 90);
    read(Kind.BOUNDED_READ, 4, 5, 1, 149, 160);
    // Begun before the acknowledgement.
    read(Kind.STRONG_READ, 5, 5, 1, 49, 55);

    assertThat(check().report()).isEmpty();
  }

  @Test
  void aSessionThatMissesItsOwnWriteIsFound() {
    write(1, 5, 1, 0, 10);
    read(Kind.SESSION_READ, 1, 5, 0, 20, 30);

    assertBroken(Rule.READ_YOUR_WRITES);
  }

  @Test
  void aSessionThatGoesBackIsFound() {
    write(2, 5, 1, 0, 10);
    read(Kind.SESSION_READ, 1, 5, 1, 20, 30);
    read(Kind.SESSION_READ, 1, 5, 0, 40, 50);

    assertBroken(Rule.MONOTONIC_READS);
  }

  @Test
  void anOlderStateOfAnotherKeyIsFound() {
    write(2, 6, 1, 0, 10);
    write(2, 5, 1, 20, 30);
    read(Kind.SESSION_READ, 1, 5, 1, 40, 50);
    read(Kind.SESSION_READ, 1, 6, 0, 60, 70);

    assertBroken(Rule.MONOTONIC_STATE);
  }

  @Test
  void aStrongReadThatMissesAnAcknowledgedWriteIsFound() {
    write(2, 5, 1, 0, 10);
    read(Kind.STRONG_READ, 1, 5, 0, 11, 20);

    assertBroken(Rule.STRONG);
  }

  @Test
  void aReadOlderThanItsBoundIsFound() {
    write(2, 5, 1, 0, 10);
    read(Kind.BOUNDED_READ, 1, 5, 0, 111, 120);

    assertBroken(Rule.BOUNDED_AGE);
  }

  @Test
  void anL1AnswerOlderThanItsBoundIsFound() {
    write(2, 5, 1, 0, 10);
    // Within the bound: allowed.
    read(Kind.L1_READ, 0, 5, 0, 109, 110);
    assertThat(check().report()).isEmpty();

    read(Kind.L1_READ, 0, 5, 0, 111, 120);
    assertBroken(Rule.L1_AGE);

    history.clear();
    write(2, 5, 1, 0, 10);
    read(Kind.NEAR_READ, 0, 5, 0, 111, 120);
    assertBroken(Rule.L1_AGE);
  }

  @Test
  void aSharedAnswerThatMissesAnAcknowledgedWriteIsFound() {
    write(2, 5, 1, 0, 10);
    read(Kind.L2_READ, 0, 5, 0, 11, 20);
    assertBroken(Rule.LINEARIZABLE);

    history.clear();
    write(2, 5, 1, 0, 10);
    read(Kind.LOADED_READ, 0, 5, 0, 11, 20);
    assertBroken(Rule.LINEARIZABLE);
  }

  @Test
  void aSharedAnswerThatMissesWhatWasShownBeforeIsFound() {
    // The writer was killed; that it had committed is known from who read it.
    history.add(
        new Operation(2, 0, Kind.WRITE, Result.UNKNOWN, 5, 0, writer(5, 1), 0, Operation.NEVER));
    read(Kind.LOADED_READ, 0, 5, 1, 20, 30);
    // Begun before that: allowed.
    read(Kind.L2_READ, 0, 5, 0, 29, 40);
    assertThat(check().report()).isEmpty();

    read(Kind.L2_READ, 0, 5, 0, 31, 40);
    assertBroken(Rule.LINEARIZABLE);
  }

  @Test
  void whatAReplicaShowsProvesNothingForThePrimary() {
    // Synchronous replication: the replica shows the commit before its primary does.
    history.add(
        new Operation(2, 0, Kind.WRITE, Result.UNKNOWN, 5, 0, writer(5, 1), 0, Operation.NEVER));
    read(Kind.REPLICA_READ, 0, 5, 1, 20, 30);
    read(Kind.LOADED_READ, 0, 5, 0, 31, 40);

    assertThat(check().report()).isEmpty();
  }

  @Test
  void aSessionIsHeldToItsWritesThroughTheCache() {
    write(1, 5, 1, 0, 10);
    read(Kind.L1_READ, 1, 5, 0, 20, 30);
    assertBroken(Rule.READ_YOUR_WRITES);

    history.clear();
    write(2, 5, 1, 0, 10);
    read(Kind.L1_READ, 1, 5, 1, 20, 30);
    read(Kind.REPLICA_READ, 1, 5, 0, 40, 50);
    assertBroken(Rule.MONOTONIC_READS);
  }

  @Test
  void aSessionThatGoesBackWhereWritesAreOwedIsFoundAsThat() {
    write(2, 5, 1, 0, 10);
    read(Kind.OWED_READ, 1, 5, 1, 20, 30);
    read(Kind.OWED_READ, 1, 5, 0, 40, 50);
    assertBroken(Rule.OWED_STATE);

    history.clear();
    write(1, 5, 1, 0, 10);
    read(Kind.OWED_READ, 1, 5, 0, 20, 30);
    assertBroken(Rule.READ_YOUR_WRITES);
  }

  @Test
  void callsWithoutASessionAreInNoOrder() {
    write(0, 5, 1, 0, 10);
    read(Kind.L1_READ, 0, 5, 1, 20, 30);
    read(Kind.L1_READ, 0, 5, 0, 40, 50);

    assertThat(check().report()).isEmpty();
  }

  @Test
  void aCacheThatDiffersFromTheDatabaseAtRestIsFound() {
    read(Kind.REST_READ, 0, 5, 1, 20, 30);
    Findings findings = new Findings();
    Checker.checkRest(history, Map.of(5L, 1L), findings);
    assertThat(findings.count()).isZero();

    Checker.checkRest(history, Map.of(5L, 2L), findings);
    assertThat(findings.count(Rule.AT_REST)).isEqualTo(1);
  }

  @Test
  void whatNobodyWroteIsFound() {
    read(Kind.EVENTUAL_READ, 1, 5, 3, 0, 10);

    assertBroken(Rule.GHOST);
  }

  @Test
  void whatWasReportedAsNotDoneAndIsReadIsFound() {
    history.add(new Operation(2, 0, Kind.WRITE, Result.REJECTED, 5, 0, writer(5, 1), 0, 10));
    read(Kind.EVENTUAL_READ, 1, 5, 1, 20, 30);

    assertBroken(Rule.GHOST);
  }

  @Test
  void failedAndLateReadsAndRefusalsAreFound() {
    history.add(new Operation(1, 0, Kind.SESSION_READ, Result.NOT_SENT, 5, 0, 0, 0, 10));
    assertBroken(Rule.NO_CLIFF);

    history.clear();
    read(Kind.SESSION_READ, 1, 5, 0, 0, 1_001);
    assertBroken(Rule.DEADLINE);

    history.clear();
    history.add(new Operation(1, 0, Kind.WRITE, Result.READ_ONLY, 5, 0, 7, 0, 10));
    assertBroken(Rule.READ_ONLY_REFUSAL);
  }

  @Test
  void rowsThatAreNotThereAtTheEndOrTwiceAreFound() {
    write(1, 5, 1, 0, 10);
    Findings lost = new Findings();
    Checker.checkRows(history, Map.of(5L, 0L), Map.of(), lost);
    assertThat(lost.count(Rule.LOST_WRITE)).isEqualTo(1);

    Findings twice = new Findings();
    Checker.checkRows(history, Map.of(5L, 1L), Map.of(writer(5, 1), 2), twice);
    assertThat(twice.count(Rule.WRONGLY_APPLIED)).isEqualTo(1);

    history.set(0, new Operation(1, 0, Kind.WRITE, Result.REJECTED, 5, 0, writer(5, 1), 0, 10));
    Findings denied = new Findings();
    Checker.checkRows(history, Map.of(5L, 1L), Map.of(writer(5, 1), 1), denied);
    assertThat(denied.count(Rule.WRONGLY_APPLIED)).isEqualTo(1);
  }

  @Test
  void theSeedDecidesTheSchedule() {
    Set<Fault> all = EnumSet.allOf(Fault.class);
    assertThat(FaultSchedule.of(7, 40, 2, all)).isEqualTo(FaultSchedule.of(7, 40, 2, all));
    assertThat(FaultSchedule.of(7, 40, 2, all)).isNotEqualTo(FaultSchedule.of(8, 40, 2, all));
    assertThat(FaultSchedule.of(7, 41, 2, all).subList(0, 40))
        .isEqualTo(FaultSchedule.of(7, 40, 2, all));
    assertThat(FaultSchedule.of(7, all.size(), 2, all))
        .extracting(FaultSchedule.Step::fault)
        .containsExactlyInAnyOrder(Fault.values());
  }

  private void write(long session, long key, long version, long start, long end) {
    history.add(
        new Operation(
            session, 0, Kind.WRITE, Result.OK, key, version, writer(key, version), start, end));
  }

  private void read(Kind kind, long session, long key, long version, long start, long end) {
    long writer = version == 0 ? 0 : writer(key, version);
    history.add(new Operation(session, 1, kind, Result.OK, key, version, writer, start, end));
  }

  private static long writer(long key, long version) {
    return key * 1_000 + version;
  }

  private Findings check() {
    return Checker.check(history, TERMS);
  }

  private void assertBroken(Rule rule) {
    Findings findings = check();
    assertThat(findings.count()).as(String.join("; ", findings.report())).isEqualTo(1);
    assertThat(findings.count(rule)).isEqualTo(1);
  }
}
