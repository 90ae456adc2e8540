package dev.waymark;

import static org.assertj.core.api.Assertions.assertThat;

import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.domains.Domain;
import net.jqwik.api.domains.DomainContextBase;

/** Tokens are a join semilattice, and {@code covers} is its order. */
@Domain(SessionTokenTest.Tokens.class)
class SessionTokenTest {

  /** Few systems and timelines, so that tokens meet; log positions beyond 2^63 among them. */
  static class Tokens extends DomainContextBase {
    @Provide
    Arbitrary<LogPosition> positions() {
      return Combinators.combine(
              Arbitraries.of(1L, 2L, -1L),
              Arbitraries.integers().between(1, 3),
              Arbitraries.oneOf(
                  Arbitraries.of(0L, 1L, Long.MAX_VALUE, Long.MIN_VALUE, -1L), Arbitraries.longs()))
          .as(LogPosition::new);
    }

    @Provide
    Arbitrary<SessionToken> tokens() {
      return Combinators.combine(
              positions().list().ofMaxSize(8),
              positions().list().ofMaxSize(4),
              positions().list().ofMaxSize(3))
          .as(
              (written, read, marks) -> {
                SessionToken token = SessionToken.of(written.toArray(LogPosition[]::new));
                for (LogPosition position : read) {
                  token = token.readUpTo(position);
                }
                for (LogPosition position : read) {
                  token = position.lsn() % 2 == 0 ? token.untoldUpTo(position) : token;
                }
                for (LogPosition mark : marks) {
                  token =
                      token.readFrom(new ReadMark(mark.systemId(), mark.timeline(), mark.lsn()));
                }
                return token;
              });
    }
  }

  @Property(tries = 300)
  void joinReachesBothUnlessTheyHaveMarks(@ForAll SessionToken a, @ForAll SessionToken b) {
    assertThat(a.join(b).reaches(b)).isEqualTo(b.marks().isEmpty() || a.join(b) == b);
    a.positions().forEach(position -> assertThat(a.join(b).reaches(position)).isTrue());
    a.reads().forEach(position -> assertThat(a.join(b).reaches(position)).isTrue());
  }

  @Property(tries = 300)
  void joinIsCommutative(@ForAll SessionToken a, @ForAll SessionToken b) {
    assertThat(a.join(b)).isEqualTo(b.join(a));
  }

  @Property(tries = 300)
  void joinIsAssociative(@ForAll SessionToken a, @ForAll SessionToken b, @ForAll SessionToken c) {
    assertThat(a.join(b).join(c)).isEqualTo(a.join(b.join(c)));
  }

  @Property(tries = 100)
  void joinIsIdempotentAndTheEmptyTokenItsUnit(@ForAll SessionToken a) {
    assertThat(a.join(a)).isEqualTo(a);
    assertThat(a.join(SessionToken.empty())).isEqualTo(a);
    assertThat(SessionToken.empty().join(a)).isEqualTo(a);
  }

  @Property(tries = 300)
  void joinIsTheLeastTokenThatCoversBoth(
      @ForAll SessionToken a, @ForAll SessionToken b, @ForAll SessionToken c) {
    assertThat(a.join(b).covers(a)).isTrue();
    assertThat(a.join(b).covers(b)).isTrue();
    if (c.covers(a) && c.covers(b)) {
      assertThat(c.covers(a.join(b))).isTrue();
    }
  }

  @Property(tries = 300)
  void coversIsAPartialOrder(
      @ForAll SessionToken a, @ForAll SessionToken b, @ForAll SessionToken c) {
    assertThat(a.covers(a)).isTrue();
    if (a.covers(b) && b.covers(a)) {
      assertThat(a).isEqualTo(b);
    }
    // Joined, since random tokens seldom stand in a row.
    SessionToken middle = b.join(c);
    SessionToken top = middle.join(a);
    assertThat(top.covers(middle) && middle.covers(c) && top.covers(c)).isTrue();
  }

  @Property(tries = 300)
  void advancingNeverForgets(
      @ForAll SessionToken a, @ForAll SessionToken b, @ForAll LogPosition seen) {
    assertThat(a.advancedTo(seen).covers(a)).isTrue();
    assertThat(a.advancedTo(seen).covers(SessionToken.of(seen))).isTrue();
    assertThat(a.join(b).advancedTo(seen).covers(a.advancedTo(seen))).isTrue();
  }

  @Property(tries = 300)
  void oneAnswerCoversATokenOnlyIfItCoversEachPositionOfItsSystem(
      @ForAll SessionToken a, @ForAll LogPosition answer) {
    boolean expected =
        a.positions().stream()
            .filter(seen -> seen.systemId() == answer.systemId())
            .allMatch(answer::covers);

    assertThat(a.isCoveredBy(answer)).isEqualTo(expected);
  }

  @Property(tries = 300)
  void successorReplacesEarlierTimelinesOfItsSystemAndNothingElse(
      @ForAll SessionToken a, @ForAll LogPosition successor) {
    SessionToken after = a.succeededBy(successor);

    assertThat(after.covers(SessionToken.of(successor))).isTrue();
    assertThat(after.positions())
        .noneMatch(
            kept ->
                kept.systemId() == successor.systemId() && kept.timeline() < successor.timeline());
    assertThat(after.positions())
        .containsAll(
            a.positions().stream()
                .filter(
                    mine ->
                        mine.systemId() != successor.systemId()
                            || mine.timeline() > successor.timeline())
                .toList());
  }

  @Property(tries = 300)
  void untoldIsShownOnlyByWhatWasReadAfterAllThatTheSessionMayHaveReadThere(
      @ForAll SessionToken a, @ForAll LogPosition readAt) {
    boolean concerned = a.untold().stream().anyMatch(each -> isOf(each, readAt));
    boolean expected =
        !concerned
            || (a.untold().stream().filter(each -> isOf(each, readAt)).allMatch(readAt::isBeyond)
                && a.reads().stream()
                    .filter(each -> isOf(each, readAt) && each.timeline() >= readAt.timeline())
                    .allMatch(readAt::isBeyond)
                && a.marks().stream().noneMatch(mark -> mark.systemId() == readAt.systemId()));

    assertThat(a.isUntoldShownFrom(readAt)).isEqualTo(expected);
  }

  private static boolean isOf(LogPosition each, LogPosition other) {
    return each.systemId() == other.systemId();
  }
}
