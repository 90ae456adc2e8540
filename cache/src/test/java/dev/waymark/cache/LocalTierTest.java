package dev.waymark.cache;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Test;

class LocalTierTest {
  private static final int HASH = 0x1234;
  private final TestTime time = new TestTime();
  private final LocalTier<String, String> tier = LocalTier.holding(100, time);

  private LocalTier.Entry<String> entry(int stamp) {
    return new LocalTier.Entry<>("value", null, stamp, Duration.ofSeconds(10).toNanos());
  }

  @Test
  void entryIsServedUntilItsTimeIsOver() {
    tier.put("key", entry(tier.stamp(HASH)));
    time.pass(Duration.ofSeconds(9));
    assertThat(tier.get("key", HASH)).isNotNull();
    time.pass(Duration.ofSeconds(2));
    assertThat(tier.get("key", HASH)).isNull();
  }

  @Test
  void entryWithoutAnyTimeIsNotKept() {
    tier.put("key", new LocalTier.Entry<>("value", null, tier.stamp(HASH), 0));
    assertThat(tier.get("key", HASH)).isNull();
  }

  @Test
  void entryFetchedBeforeAnInvalidationIsNeverServed() {
    int before = tier.stamp(HASH);
    tier.invalidate("key", HASH);
    tier.put("key", entry(before));
    assertThat(tier.get("key", HASH)).isNull();
  }

  @Test
  void messageForTheKeysStripeEndsItsEntry() {
    tier.put("key", entry(tier.stamp(HASH)));
    tier.invalidated(HASH + 1);
    assertThat(tier.get("key", HASH)).isNotNull();
    tier.invalidated(HASH);
    assertThat(tier.get("key", HASH)).isNull();
  }

  @Test
  void invalidatingEverythingEndsEntriesStillOnTheirWayToo() {
    int before = tier.stamp(HASH);
    tier.everythingInvalidated();
    tier.put("key", entry(before));
    assertThat(tier.get("key", HASH)).isNull();
    tier.put("key", entry(tier.stamp(HASH)));
    assertThat(tier.get("key", HASH)).isNotNull();
  }

  @Test
  void noTierKeepsNothingAndStillTellsLoadsApart() {
    LocalTier<String, String> none = LocalTier.none();
    none.put("key", entry(none.stamp(HASH)));
    assertThat(none.get("key", HASH)).isNull();
    int before = none.stamp(HASH);
    assertThat(none.invalidate("key", HASH)).isEqualTo(before + 1).isEqualTo(none.stamp(HASH));
  }
}
