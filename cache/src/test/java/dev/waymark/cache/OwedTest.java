package dev.waymark.cache;

import static org.assertj.core.api.Assertions.assertThat;

import dev.waymark.cache.Owed.DueChange;
import dev.waymark.cache.SharedTier.Change;
import java.util.List;
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
    assertThat(owed.take().changes())
        .containsExactly(new DueChange(key("users", 1), committed(200)));
    assertThat(owed.isEmpty()).isTrue();
  }

  @Test
  void oneKeyTooManyMakesTheWholeCacheDueAndLeavesTheOthers() {
    owed.add(key("orders", 9), new Change.Elsewhere());
    for (int i = 0; i < 5; i++) {
      owed.add(key("users", i), committed(100));
    }
    assertThat(owed.size()).isEqualTo(2);
    Owed.Due due = owed.take();
    assertThat(due.wholeCaches()).containsExactly("users");
    assertThat(due.changes())
        .containsExactly(new DueChange(key("orders", 9), new Change.Elsewhere()));
  }

  @Test
  void whatComesDueDuringAPaymentIsADebtOfItsOwn() {
    owed.addAllOf("users");
    owed.add(key("orders", 1), new Change.Elsewhere());
    Owed.Due beingPaid = owed.take();
    owed.add(key("users", 1), committed(100));
    owed.add(key("orders", 1), new Change.Elsewhere());

    Owed.Due since = owed.take();
    assertThat(beingPaid.wholeCaches()).containsExactly("users");
    assertThat(since.wholeCaches()).isEmpty();
    assertThat(since.changes())
        .containsExactly(
            new DueChange(key("users", 1), committed(100)),
            new DueChange(key("orders", 1), new Change.Elsewhere()));
  }

  @Test
  void whatCouldNotBePaidIsDueAgainWithWhatCameSince() {
    owed.add(key("users", 1), committed(100));
    owed.add(key("users", 2), committed(100));
    Owed.Due unpaid = owed.take();
    owed.add(key("users", 2), committed(300));
    owed.add(key("users", 3), new Change.Elsewhere());
    owed.putBack(unpaid);
    assertThat(owed.take().changes())
        .containsExactlyInAnyOrder(
            new DueChange(key("users", 1), committed(100)),
            new DueChange(key("users", 2), committed(300)),
            new DueChange(key("users", 3), new Change.Elsewhere()));

    owed.addAllOf("users");
    Owed.Due whole = owed.take();
    owed.add(key("users", 1), committed(400));
    owed.putBack(whole);
    assertThat(owed.take()).isEqualTo(new Owed.Due(List.of(), List.of("users")));
  }
}
