package dev.waymark.cache;

import static org.assertj.core.api.Assertions.assertThat;

import dev.waymark.cache.Owed.DueChange;
import dev.waymark.cache.SharedTier.Change;
import org.junit.jupiter.api.Test;

class OwedTest {
  private final Owed owed = new Owed(3);

  private static CacheKey key(String cache, int i) {
    return new CacheKey(cache, "k" + i, i);
  }

  private static Change committed(long lsn) {
    return new Change.Committed("shard-1", Rows.at(lsn));
  }

  @Test
  void keyIsOwedOnceWithItsLatestPosition() {
    owed.add(key("users", 1), committed(200));
    owed.add(key("users", 1), committed(100));
    owed.add(key("users", 1), new Change.Elsewhere());
    assertThat(owed.due().changes())
        .containsExactly(new DueChange(key("users", 1), committed(200)));
    owed.add(key("users", 1), committed(300));
    assertThat(owed.due().changes())
        .containsExactly(new DueChange(key("users", 1), committed(300)));
  }

  @Test
  void oneKeyTooManyMakesTheWholeCacheDueAndLeavesTheOthers() {
    owed.add(key("orders", 9), new Change.Elsewhere());
    for (int i = 0; i < 5; i++) {
      owed.add(key("users", i), committed(100));
    }
    assertThat(owed.due().wholeCaches()).containsExactly("users");
    assertThat(owed.due().changes())
        .containsExactly(new DueChange(key("orders", 9), new Change.Elsewhere()));
    assertThat(owed.size()).isEqualTo(2);
  }

  @Test
  void whatIsDoneIsForgottenButNotWhatCameDueMeanwhile() {
    owed.add(key("users", 1), committed(100));
    owed.add(key("users", 2), committed(100));
    Owed.Due due = owed.due();
    owed.add(key("users", 2), committed(300));
    owed.add(key("users", 3), new Change.Elsewhere());
    owed.done(due);
    assertThat(owed.due().changes())
        .containsExactly(
            new DueChange(key("users", 2), committed(300)),
            new DueChange(key("users", 3), new Change.Elsewhere()));
    owed.done(owed.due());
    assertThat(owed.isEmpty()).isTrue();
  }
}
