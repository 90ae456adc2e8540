package dev.waymark.cache;

import static org.assertj.core.api.Assertions.assertThat;

import dev.waymark.Horizon;
import dev.waymark.Horizons;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.junit.jupiter.api.Test;

class MenderTest {
  private final TestTime time = new TestTime();
  private final FakeRedis redis = new FakeRedis(time);
  private final FakeRedis.Process client = redis.process();
  private final Deque<Runnable> upkeep = new ArrayDeque<>();
  private final Rows database = new Rows();
  private final List<String> drawn = new ArrayList<>();
  private final List<String> done = new ArrayList<>();

  private final Mender mender = mender(this::draw);

  private Mender mender(Horizons horizons) {
    RedisTier tier =
        new RedisTier(
            client, "redis://fake:6379", new TestBackground(), upkeepOnly(), time, Steps.UNWATCHED);
    tier.start(Duration.ofSeconds(1));
    return new Mender("users", tier, horizons);
  }

  private Horizon draw(String shard) {
    drawn.add(shard);
    return database.horizon(shard);
  }

  /** Runs when the test says so. */
  private Background upkeepOnly() {
    return new Background() {
      @Override
      public void after(Duration delay, Runnable task) {
        upkeep.add(task);
      }

      @Override
      public void every(Duration pause, Runnable task) {
        throw new UnsupportedOperationException();
      }

      @Override
      public void close() {}
    };
  }

  private static CacheKey inBucket(int bucket) {
    return new CacheKey("users", "key " + bucket, bucket);
  }

  private boolean mendLater(int bucket, String epoch, String shard) {
    return mender.mendLater(
        inBucket(bucket),
        epoch,
        shard,
        () -> done.add("mended " + bucket),
        () -> done.add("failed " + bucket));
  }

  @Test
  void anyNumberOfFillsThatOneLossHasRefusedMakeOneTask() {
    assertThat(mendLater(3, "epoch", "s")).isTrue();
    for (int i = 0; i < 1_000; i++) {
      assertThat(mendLater(3, "epoch", "s")).isFalse();
    }
    assertThat(mender.mend(inBucket(3), "epoch", "s")).isFalse();
    assertThat(upkeep).hasSize(1);
    upkeep.remove().run();
    assertThat(drawn).containsExactly("s");
    assertThat(done).containsExactly("mended 3");
    assertThat(mendLater(3, "epoch", "s")).isTrue();
  }

  @Test
  void bucketsOfAShardShareOneHorizon() {
    mendLater(1, "a", "s");
    mendLater(2, "b", "s");
    mendLater(1, "a", "t");
    while (!upkeep.isEmpty()) {
      upkeep.remove().run();
    }
    assertThat(drawn).containsExactly("s", "t");
    assertThat(done).containsExactly("mended 1", "mended 2", "mended 1");
  }

  @Test
  void horizonThatCannotBeDrawnIsTriedAgainByTheNext() {
    Mender unlucky =
        mender(
            shard -> {
              throw new java.sql.SQLException("no primary");
            });
    for (int i = 0; i < 2; i++) {
      assertThat(
              unlucky.mendLater(
                  inBucket(1), "a", "s", () -> done.add("mended"), () -> done.add("failed")))
          .isTrue();
      upkeep.remove().run();
    }
    assertThat(done).containsExactly("failed", "failed");
    assertThat(unlucky.mend(inBucket(1), "a", "s")).isFalse();
  }

  @Test
  void lossThatIsToldAgainWhileTheRestIsMendedIsStillTakenOnce() {
    mender.mendLater(inBucket(1), "a", "s", () -> done.add("first"), () -> done.add("failed"));
    mender.mendLater(
        inBucket(2),
        "b",
        "s",
        () -> assertThat(mendLater(1, "a", "s")).as("taken by the next").isTrue(),
        () -> done.add("failed"));
    upkeep.remove().run();
    assertThat(mendLater(1, "a", "s")).isFalse();
    upkeep.remove().run();
    assertThat(done).containsExactly("first", "mended 1");
  }

  @Test
  void withoutHorizonsNothingIsMended() {
    Mender none = new Mender("users", RedisTier.none(), null);
    assertThat(none.mend(inBucket(1), "a", "s")).isFalse();
    assertThat(none.mendLater(inBucket(1), "a", "s", () -> {}, () -> {})).isFalse();
  }
}
