package dev.waymark.routing;

import static org.assertj.core.api.Assertions.assertThat;

import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.LongRange;

/** Transaction ids of which a lock tells only the lower half. */
class PrimaryVisibilityTest {
  @Property
  void anIdIsFoundAgainFromItsLowerHalfAndAnIdNearIt(
      @ForAll @LongRange(min = 3, max = Long.MAX_VALUE / 4) long id,
      @ForAll @IntRange(min = -1_000_000_000, max = 1_000_000_000) int distance) {
    long near = Math.max(3, id + distance);

    assertThat(PrimaryVisibility.widened(id & 0xFFFF_FFFFL, near)).isEqualTo(id);
  }
}
