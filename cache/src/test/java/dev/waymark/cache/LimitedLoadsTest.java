package dev.waymark.cache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.waymark.Outcome;
import dev.waymark.WaymarkException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A cache whose database is slower than the misses come. */
@Timeout(60)
class LimitedLoadsTest {
  private final Rows database = new Rows();
  private final CountDownLatch slow = new CountDownLatch(1);
  private final CountDownLatch loading = new CountDownLatch(3);
  private final AtomicInteger atOnce = new AtomicInteger();
  private final AtomicInteger mostAtOnce = new AtomicInteger();
  private final List<String> told = java.util.Collections.synchronizedList(new ArrayList<>());

  private TieredCache.Builder<Long, String> cache() {
    database.afterReading =
        () -> {
          mostAtOnce.accumulateAndGet(atOnce.incrementAndGet(), Math::max);
          loading.countDown();
          try {
            slow.await();
          } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
          }
          atOnce.decrementAndGet();
        };
    return TieredCache.<Long, String>builder("users", database)
        .maximumLoads(3)
        .listener(
            new CacheListener() {
              @Override
              public void loadRefused(String cache) {
                told.add(cache + " refused");
              }

              @Override
              public void waited(String cache, Wait reason, long nanos) {
                told.add(cache + " waited for " + reason);
              }
            });
  }

  @Test
  void coldCacheAsksTheDatabaseForNoMoreThanTheLimitAtOnce() throws Exception {
    TieredCache<Long, String> cache = cache().longestLoadWait(Duration.ofSeconds(30)).build();
    ExecutorService threads = Executors.newFixedThreadPool(20);
    try {
      List<Future<String>> answers = new ArrayList<>();
      for (long key = 0; key < 20; key++) {
        long each = key;
        database.rows.put(each, "user " + each);
        answers.add(threads.submit(() -> cache.get(each)));
      }
      loading.await();
      slow.countDown();
      for (int key = 0; key < 20; key++) {
        assertThat(answers.get(key).get()).isEqualTo("user " + key);
      }
    } finally {
      threads.shutdownNow();
    }
    assertThat(mostAtOnce).hasValue(3);
    assertThat(database.loads).hasValue(20);
  }

  @Test
  void loadThatGetsNoPlaceFailsForAllWhoWaitForItAndTellsWhy() throws Exception {
    TieredCache<Long, String> cache = cache().longestLoadWait(Duration.ZERO).build();
    ExecutorService threads = Executors.newFixedThreadPool(3);
    try {
      for (long key = 0; key < 3; key++) {
        long each = key;
        var unused = threads.submit(() -> cache.get(each));
      }
      loading.await();
      assertThatThrownBy(() -> cache.get(7L))
          .isInstanceOfSatisfying(
              WaymarkException.class,
              refused -> assertThat(refused.outcome()).isEqualTo(Outcome.NOT_SENT))
          .hasMessageStartingWith("Cache users has 3 loads under way and none of them ended");
      assertThat(cache.statistics().loadsRefused()).isEqualTo(1);
      assertThat(told).containsExactly("users refused");
      slow.countDown();
    } finally {
      threads.shutdown();
      assertThat(threads.awaitTermination(30, java.util.concurrent.TimeUnit.SECONDS)).isTrue();
    }
    assertThat(cache.get(7L)).isNull();
  }

  @Test
  void placeOfALoadThatFailsIsFree() {
    AtomicReference<RuntimeException> failure = new AtomicReference<>(new IllegalStateException());
    TieredCache<Long, String> cache =
        TieredCache.<Long, String>builder(
                "users",
                key -> {
                  throw failure.get();
                })
            .maximumLoads(1)
            .longestLoadWait(Duration.ZERO)
            .build();
    for (int i = 0; i < 3; i++) {
      assertThatThrownBy(() -> cache.get(7L)).isSameAs(failure.get());
    }
  }
}
