package dev.waymark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.List;
import java.util.stream.LongStream;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;

/** The small values: what they hold, what they refuse, how they read. */
class ValuesTest {

  @Property(tries = 300)
  void logSequenceNumberIsParsedBackAsItWasPrinted(@ForAll long lsn) {
    assertThat(LogPosition.parseLsn(LogPosition.printLsn(lsn))).isEqualTo(lsn);
  }

  @Example
  void logSequenceNumbersReadAsPostgresWritesThem() {
    assertThat(LogPosition.printLsn(0x16_B374D848L)).isEqualTo("16/B374D848");
    assertThat(LogPosition.printLsn(0)).isEqualTo("0/0");
    assertThat(LogPosition.printLsn(-1)).isEqualTo("FFFFFFFF/FFFFFFFF");
    assertThat(LogPosition.parseLsn("FFFFFFFF/FFFFFFFF")).isEqualTo(-1);
    assertThat(LogPosition.parseLsn("16/b374d848")).isEqualTo(0x16_B374D848L);
    assertThat(new LogPosition(-1, 3, -1)).hasToString("18446744073709551615@3:FFFFFFFF/FFFFFFFF");
  }

  @Example
  void whatIsNoLogSequenceNumberIsRefused() {
    for (String wrong :
        List.of("", "/", "16", "16/", "/16", "1/2/3", "x/1", "1/x", "123456789/0", "0/123456789")) {
      assertRefused(() -> LogPosition.parseLsn(wrong), "Not a log sequence number: " + wrong);
    }
  }

  @Example
  void logPositionBeyondHalfTheNumbersIsTheLaterOne() {
    LogPosition early = new LogPosition(1, 1, Long.MAX_VALUE);
    LogPosition late = new LogPosition(1, 1, Long.MIN_VALUE);

    assertThat(late.covers(early)).isTrue();
    assertThat(early.covers(late)).isFalse();
  }

  @Example
  void logPositionsOfAnotherTimelineOrSystemDoNotCompare() {
    LogPosition position = new LogPosition(1, 1, 5);

    assertThat(new LogPosition(1, 2, 9).covers(position)).isFalse();
    assertThat(new LogPosition(2, 1, 9).covers(position)).isFalse();
    assertRefused(() -> new LogPosition(1, 0, 0), "A timeline is at least 1, not 0");
  }

  @Property(tries = 300)
  void keyRangeHoldsItsStartAndNotItsEnd(@ForAll long one, @ForAll long other, @ForAll long key) {
    if (one == other) {
      return;
    }
    KeyRange range = new KeyRange(Math.min(one, other), Math.max(one, other));

    assertThat(range.contains(range.from())).isTrue();
    assertThat(range.contains(range.to())).isFalse();
    assertThat(range.contains(key)).isEqualTo(range.from() <= key && key < range.to());
  }

  @Example
  void keyRangeReadsAsInTheFile() {
    assertThat(new KeyRange(1, 500_000)).hasToString("[1, 500000)");
    assertThat(new KeyRange(Long.MIN_VALUE, Long.MAX_VALUE)).hasToString("[min, max)");
    assertRefused(
        () -> new KeyRange(5, 5), "A key range must hold at least one key, but [5, 5) holds none");
  }

  @Example
  void keyRangesAreOrderedByStartAndThenByEnd() {
    assertThat(
            List.of(new KeyRange(2, 3), new KeyRange(1, 9), new KeyRange(1, 2)).stream().sorted())
        .containsExactly(new KeyRange(1, 2), new KeyRange(1, 9), new KeyRange(2, 3));
  }

  @Example
  void consistencyReadsAsInTheGlossary() {
    assertThat(Consistency.strong()).hasToString("strong").isEqualTo(Consistency.strong());
    assertThat(Consistency.session()).hasToString("session");
    assertThat(Consistency.eventual()).hasToString("eventual");
    assertThat(Consistency.boundedStaleness(Duration.ofSeconds(2)))
        .hasToString("boundedStaleness(PT2S)");
    assertRefused(
        () -> Consistency.boundedStaleness(Duration.ZERO),
        "The age of a bounded-staleness read must be greater than zero, not PT0S");
    assertRefused(
        () -> Consistency.boundedStaleness(Duration.ofMillis(-1)),
        "The age of a bounded-staleness read must be greater than zero, not PT-0.001S");
  }

  @Example
  void keysAreRenderedAsThePolicySays() {
    assertThat(KeyRendering.NONE.render(4711)).isEqualTo("(hidden)");
    assertThat(KeyRendering.FULL.render(4711)).isEqualTo("4711");
    // Pinned: lines of two releases in one log must agree.
    assertThat(KeyRendering.FINGERPRINT.render(4711)).isEqualTo("#f2263c");
  }

  @Example
  void fingerprintsTellNeighboursApart() {
    List<String> rendered =
        LongStream.range(-500, 500).mapToObj(KeyRendering.FINGERPRINT::render).toList();

    assertThat(rendered).doesNotHaveDuplicates().allMatch(text -> text.matches("#[0-9a-f]{6}"));
  }

  @Example
  void routeReadsAsASentence() {
    assertThat(new Route("shard-1", "pg1b", Role.REPLICA, Route.Reason.REPLICA_IS_FRESH, 7))
        .hasToString(
            "shard-1 / pg1b (replica): the replica's replay position covers what the read must"
                + " see; shard map version 7");
    assertThat(new Route("shard-1", "pg1a", Role.PRIMARY, Route.Reason.WRITE, 7))
        .hasToString("shard-1 / pg1a (primary): writes go to the primary; shard map version 7");
  }

  @Example
  void nodeIsNamedAfterHostAndPort() {
    assertThat(Node.at("jdbc:postgresql://pg1:6432/app").name()).isEqualTo("pg1:6432");
    assertThat(Node.at("jdbc:postgresql://pg1/app?ssl=true").name()).isEqualTo("pg1:5432");
    assertThat(Node.at("jdbc:postgresql://pg1?ssl=true").name()).isEqualTo("pg1:5432");
    assertThat(Node.at("jdbc:postgresql://[2001:db8::1]/app").name())
        .isEqualTo("[2001:db8::1]:5432");
    assertThat(Node.at("jdbc:postgresql://[::1]:6432/app").name()).isEqualTo("[::1]:6432");
    assertThat(Node.at("jdbc:postgresql:///app").name()).isEqualTo("localhost:5432");
    assertThat(Node.at("jdbc:postgresql:app").name()).isEqualTo("localhost:5432");
    assertThat(new Node("east", "jdbc:postgresql://pg1/app")).hasToString("east");
  }

  @Example
  void urlWithCredentialsIsRefusedAndNotRepeated() {
    for (String url :
        List.of(
            "jdbc:postgresql://app:hunter2@pg1/app",
            "jdbc:postgresql://app:hunt/er2@pg1/app",
            "jdbc:postgresql://pg1/app?user=hunter2",
            "jdbc:postgresql://pg1/app?ssl=true&PASSWORD=hunter2",
            "jdbc:postgresql://pg1/app?x=\n&password=hunter2")) {
      assertRefused(
          () -> Node.at(url),
          "The URL of a node holds credentials; write them under 'credentials'");
      assertRefused(
          () -> new Node("east", url),
          "The URL of node east holds credentials; write them under 'credentials'");
    }
  }

  @Example
  void urlOfSomethingElseIsRefusedAndNotRepeated() {
    assertRefused(
        () -> Node.at("postgres://app:hunter2@pg1/app"),
        "The URL of a node must start with jdbc:postgresql://");
    assertRefused(
        () -> Node.at("jdbc:postgresql://pg1,pg2/app"),
        "The URL of a node names several servers; write one node for each");
    assertRefused(
        () -> Node.at("jdbc:postgresql://pg1:hunter2/app"),
        "The URL of a node has a port that is not a number; write host:5432, and an IPv6 address as"
            + " [::1]:5432");
    assertRefused(
        () -> Node.at("jdbc:postgresql://2001:db8::1/app"),
        "The URL of a node has a port that is not a number; write host:5432, and an IPv6 address as"
            + " [::1]:5432");
  }

  @Example
  void outcomesSayWhatHappenedToTheData() {
    assertThat(Outcome.NOT_SENT.sentence())
        .isEqualTo("Nothing was sent, so the call may be repeated");
    assertThat(Outcome.REJECTED.sentence()).isEqualTo("Nothing was written");
    assertThat(Outcome.UNKNOWN.sentence())
        .isEqualTo(
            "Whether the transaction was committed is unknown; look with strong consistency before"
                + " repeating it");
  }

  @Example
  void configurationErrorListsItsProblems() {
    ConfigurationException.Problem first = new ConfigurationException.Problem("a.yaml", 0, 0, "no");
    ConfigurationException.Problem second =
        new ConfigurationException.Problem("a.yaml", 2, 3, "so");

    assertThat(new ConfigurationException(List.of(first)))
        .hasMessage("The configuration has a problem:\n  a.yaml: no");
    assertThat(new ConfigurationException(List.of(first, second)))
        .hasMessage("The configuration has 2 problems:\n  a.yaml: no\n  a.yaml:2:3: so");
  }

  private static void assertRefused(ThrowingCallable call, String message) {
    assertThatThrownBy(call).isInstanceOf(IllegalArgumentException.class).hasMessage(message);
  }
}
