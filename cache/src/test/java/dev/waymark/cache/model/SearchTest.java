package dev.waymark.cache.model;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Optional;
import org.junit.jupiter.api.Test;

class SearchTest {
  /** Two jugs of three and five litres, to be filled, emptied and poured into each other. */
  private record Jugs(int wanted) implements Search.Model {
    @Override
    public byte[] initial() {
      return new byte[] {0, 0};
    }

    @Override
    public void steps(byte[] state, Search.Steps steps) {
      byte small = state[0];
      byte large = state[1];
      steps.add("fill the jug of %d", 3, 0, new byte[] {3, large});
      steps.add("fill the jug of %d", 5, 0, new byte[] {small, 5});
      steps.add("empty the jug of %d", 3, 0, new byte[] {0, large});
      steps.add("empty the jug of %d", 5, 0, new byte[] {small, 0});
      byte over = (byte) Math.min(small, 5 - large);
      steps.add("pour %d into %d", 3, 5, new byte[] {(byte) (small - over), (byte) (large + over)});
      byte back = (byte) Math.min(large, 3 - small);
      steps.add("pour %d into %d", 5, 3, new byte[] {(byte) (small + back), (byte) (large - back)});
    }

    @Override
    public Optional<String> broken(byte[] state) {
      return state[1] == wanted ? Optional.of(wanted + " litres") : Optional.empty();
    }
  }

  @Test
  void traceIsAShortestOne() {
    Search.Verdict verdict = Search.of(new Jugs(4), 1_000);
    assertThat(verdict.broken()).contains("4 litres");
    assertThat(verdict.trace())
        .containsExactly(
            "fill the jug of 5",
            "pour 5 into 3",
            "empty the jug of 3",
            "pour 5 into 3",
            "fill the jug of 5",
            "pour 5 into 3");
  }

  @Test
  void everyStateIsReachedOnceWhenNothingIsBroken() {
    Search.Verdict verdict = Search.of(new Jugs(6), 1_000);
    assertThat(verdict.complete()).isTrue();
    assertThat(verdict.broken()).isEmpty();
    // One of the jugs is always full or empty: 2 * 6 + 2 * 4 - 4 states.
    assertThat(verdict.states()).isEqualTo(16);
    assertThat(verdict.trace()).isEmpty();
  }

  @Test
  void searchThatStopsAtItsLimitDoesNotCallItselfComplete() {
    Search.Verdict verdict = Search.of(new Jugs(6), 5);
    assertThat(verdict.complete()).isFalse();
    assertThat(verdict.toString()).contains("not all of them");
  }
}
