package dev.waymark.cache;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class OwedTest {
  private final Owed owed = new Owed(3);

  private static CacheKey key(String cache, int i) {
    return new CacheKey(cache, "k" + i, i);
  }

  @Test
  void keyIsOwedOnceWithItsLatestPosition() {
    owed.add(key("users", 1), Rows.at(200));
    owed.add(key("users", 1), Rows.at(100));
    owed.add(key("users", 1), null);
    assertThat(owed.due().settlements())
        .containsExactly(new SharedTier.Settlement(key("users", 1), null, Rows.at(200), null));
  }

  @Test
  void oneKeyTooManyMakesTheWholeCacheDueAndLeavesTheOthers() {
    owed.add(key("orders", 9), null);
    for (int i = 0; i < 5; i++) {
      owed.add(key("users", i), null);
    }
    assertThat(owed.due().wholeCaches()).containsExactly("users");
    assertThat(owed.due().settlements())
        .containsExactly(new SharedTier.Settlement(key("orders", 9), null, null, null));
    assertThat(owed.size()).isEqualTo(2);
  }

  @Test
  void whatIsDoneIsForgottenButNotWhatCameDueMeanwhile() {
    owed.add(key("users", 1), Rows.at(100));
    owed.add(key("users", 2), Rows.at(100));
    Owed.Due due = owed.due();
    owed.add(key("users", 2), Rows.at(300));
    owed.add(key("users", 3), null);
    owed.done(due);
    assertThat(owed.due().settlements())
        .containsExactly(
            new SharedTier.Settlement(key("users", 2), null, Rows.at(300), null),
            new SharedTier.Settlement(key("users", 3), null, null, null));
    owed.done(owed.due());
    assertThat(owed.isEmpty()).isTrue();
  }
}
