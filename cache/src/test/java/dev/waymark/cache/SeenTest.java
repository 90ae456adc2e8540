package dev.waymark.cache;

import static org.assertj.core.api.Assertions.assertThat;

import dev.waymark.LogPosition;
import dev.waymark.ReadMark;
import dev.waymark.SessionToken;
import org.junit.jupiter.api.Test;

class SeenTest {
  private static final SessionToken FORGED = SessionToken.of(Rows.at(Long.MAX_VALUE));

  @Test
  void allBeforeWhatAServerTellsIsPast() {
    Seen seen = Seen.nothing().toldOf(Rows.at(100)).toldOf(Rows.at(90));
    assertThat(seen.reaches(Rows.at(99))).isTrue();
    // It is in the log, and perhaps not visible yet.
    assertThat(seen.reaches(Rows.at(100))).isFalse();
    assertThat(seen.reaches(Rows.at(101))).isFalse();
    assertThat(seen.reaches(new LogPosition(42, 2, 50))).isFalse();
    assertThat(seen.toldOf(new LogPosition(42, 2, 120)).reaches(new LogPosition(42, 2, 50)))
        .isTrue();
  }

  @Test
  void ofASessionsPositionOnlyItselfIsPast() {
    Seen seen = Seen.nothing().heardOf(SessionToken.of(Rows.at(100)).readUpTo(Rows.at(120)));
    assertThat(seen.reaches(Rows.at(100))).isTrue();
    assertThat(seen.reaches(Rows.at(120))).isTrue();
    assertThat(seen.reaches(Rows.at(110))).isFalse();
  }

  @Test
  void positionsThatNoLogHasComeToChangeNothingForOthers() {
    Seen seen = Seen.nothing().toldOf(Rows.at(100)).heardOf(FORGED);
    assertThat(seen.reaches(Rows.at(101))).isFalse();
    assertThat(seen.reaches(FORGED)).isTrue();
  }

  @Test
  void nobodyKnowsWhatAMarkStandsFor() {
    SessionToken marked = SessionToken.empty().readFrom(new ReadMark(42, 1, 7));
    Seen seen = Seen.nothing();
    assertThat(seen.hasHeardOf(marked)).isTrue();
    assertThat(seen.heardOf(marked)).isSameAs(seen);
    assertThat(seen.reaches(marked)).isFalse();
    SessionToken written = marked.advancedTo(Rows.at(100));
    assertThat(seen.hasHeardOf(written)).isFalse();
    assertThat(seen.heardOf(written).hasHeardOf(written)).isTrue();
  }

  @Test
  void anyNumberOfTokensTakesALimitedPlace() {
    Seen seen = Seen.nothing();
    for (int i = 1; i <= 1_000; i++) {
      seen = seen.heardOf(SessionToken.of(new LogPosition(i, 1, 5)));
    }
    assertThat(seen.reaches(new LogPosition(1, 1, 5))).isFalse();
    assertThat(seen.reaches(new LogPosition(873, 1, 5))).isTrue();
    assertThat(seen.reaches(new LogPosition(1_000, 1, 5))).isTrue();
    assertThat(seen.reaches(new LogPosition(872, 1, 5))).isFalse();
  }

  @Test
  void nothingNewIsTheSame() {
    Seen seen = Seen.nothing().toldOf(Rows.at(100)).heardOf(SessionToken.of(Rows.at(200)));
    assertThat(seen.toldOf(Rows.at(100))).isSameAs(seen);
    assertThat(seen.heardOf(SessionToken.of(Rows.at(200)).readUpTo(Rows.at(50)))).isSameAs(seen);
  }
}
