package dev.waymark.cache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.waymark.Outcome;
import dev.waymark.WaymarkException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What a cache does with what it should never have been given. */
@Timeout(60)
class BadInputTest {
  private final FakeProcesses processes = new FakeProcesses();

  @BeforeEach
  void fill() {
    processes.database.rows.put(7L, "seven");
  }

  // Loaders

  @Test
  void loaderThatReturnsNullIsToldWhatItShouldReturn() {
    TieredCache<Long, String> cache =
        TieredCache.<Long, String>builder("users", key -> null).time(processes.time).build();
    assertThatThrownBy(() -> cache.get(7L))
        .isInstanceOf(NullPointerException.class)
        .hasMessage("A loader returns a PositionedRead, with null inside for no value");
    assertThat(cache.statistics().loadFailures()).isEqualTo(1);
  }

  @Test
  void whatALoaderThrowsReachesAllWhoWaitAndIsNotRemembered() throws Exception {
    IllegalStateException broken = new IllegalStateException("broken");
    CountDownLatch started = new CountDownLatch(1);
    CountDownLatch go = new CountDownLatch(1);
    AtomicInteger loads = new AtomicInteger();
    TieredCache<Long, String> cache = processes.cache().build();
    processes.database.afterReading =
        () -> {
          loads.incrementAndGet();
          started.countDown();
          try {
            go.await();
          } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
          }
          throw broken;
        };
    ExecutorService threads = Executors.newFixedThreadPool(5);
    try {
      List<Future<String>> answers = new ArrayList<>();
      answers.add(threads.submit(() -> cache.get(7L)));
      started.await();
      List<Thread> waiting = new ArrayList<>();
      for (int i = 0; i < 4; i++) {
        answers.add(
            threads.submit(
                () -> {
                  synchronized (waiting) {
                    waiting.add(Thread.currentThread());
                  }
                  return cache.get(7L);
                }));
      }
      while (true) {
        synchronized (waiting) {
          if (waiting.size() == 4
              && waiting.stream().allMatch(each -> each.getState() == Thread.State.WAITING)) {
            break;
          }
        }
        Thread.onSpinWait();
      }
      go.countDown();
      for (Future<String> answer : answers) {
        assertThatThrownBy(answer::get)
            .isInstanceOf(ExecutionException.class)
            .cause()
            .isSameAs(broken);
      }
    } finally {
      threads.shutdownNow();
    }
    assertThat(loads).hasValue(1);
    processes.database.afterReading = () -> {};
    assertThat(cache.get(7L)).isEqualTo("seven");
  }

  @Test
  void checkedFailureIsWrappedWithKeyAndRemedy() {
    TieredCache<Long, String> cache =
        TieredCache.<Long, String>builder(
                "users",
                key -> {
                  throw new IOException("disk gone");
                })
            .keyRendering(dev.waymark.KeyRendering.FULL)
            .build();
    assertThatThrownBy(() -> cache.get(7L))
        .isInstanceOfSatisfying(
            WaymarkException.class,
            failure -> assertThat(failure.outcome()).isEqualTo(Outcome.REJECTED))
        .hasMessage(
            "Cache users could not load key 7: java.io.IOException: disk gone. Nothing was cached;"
                + " see the cause, then the call may be repeated.")
        .hasCauseInstanceOf(IOException.class);
    assertThatThrownBy(() -> cache.getAll(List.of(7L))).hasMessageContaining("disk gone");
  }

  @Test
  void failureIsRememberedOnlyWhereAskedFor() {
    TieredCache<Long, String> cache =
        processes.cache().failureTimeToLive(Duration.ofSeconds(5)).build();
    IllegalStateException broken = new IllegalStateException("broken");
    processes.database.afterReading =
        () -> {
          throw broken;
        };
    assertThatThrownBy(() -> cache.get(7L)).isSameAs(broken);
    assertThatThrownBy(() -> cache.get(7L)).isSameAs(broken);
    assertThat(processes.database.loads).hasValue(1);
    processes.database.afterReading = () -> {};
    processes.time.pass(Duration.ofSeconds(4));
    assertThatThrownBy(() -> cache.get(7L)).isSameAs(broken);
    processes.time.pass(Duration.ofSeconds(2));
    assertThat(cache.get(7L)).isEqualTo("seven");
  }

  @Test
  void changeOfTheKeyEndsARememberedFailure() {
    TieredCache<Long, String> cache =
        processes.cache().failureTimeToLive(Duration.ofMinutes(5)).build();
    processes.database.afterReading =
        () -> {
          throw new IllegalStateException("broken");
        };
    assertThatThrownBy(() -> cache.get(7L)).hasMessage("broken");
    processes.database.afterReading = () -> {};
    processes.change(cache, 7, "mended");
    assertThat(cache.get(7L)).isEqualTo("mended");
  }

  @Test
  void failureOfALoadFromBeforeAChangeIsNotRemembered() {
    TieredCache<Long, String> cache =
        processes.cache().failureTimeToLive(Duration.ofMinutes(5)).build();
    processes.database.afterReading =
        () -> {
          processes.database.afterReading = () -> {};
          processes.change(cache, 7, "mended");
          throw new IllegalStateException("broken");
        };
    assertThatThrownBy(() -> cache.get(7L)).hasMessage("broken");
    assertThat(cache.get(7L)).isEqualTo("mended");
  }

  @Test
  void failureIsForgottenWithItsTag() {
    TieredCache<Long, String> cache =
        processes.cache().tag(key -> "all").failureTimeToLive(Duration.ofMinutes(5)).build();
    processes.database.afterReading =
        () -> {
          throw new IllegalStateException("broken");
        };
    assertThatThrownBy(() -> cache.get(7L)).hasMessage("broken");
    processes.database.afterReading = () -> {};
    assertThatThrownBy(() -> cache.get(7L)).hasMessage("broken");
    FakeTransaction write = new FakeTransaction();
    cache.invalidateTag(write, "all");
    write.beforeCommit();
    write.afterCommit(Rows.at(200));
    assertThat(cache.get(7L)).isEqualTo("seven");
  }

  @Test
  void errorsOfTheVirtualMachineAreNotRemembered() {
    TieredCache<Long, String> cache =
        processes.cache().failureTimeToLive(Duration.ofMinutes(5)).build();
    processes.database.afterReading =
        () -> {
          throw new StackOverflowError();
        };
    assertThatThrownBy(() -> cache.get(7L)).isInstanceOf(StackOverflowError.class);
    processes.database.afterReading = () -> {};
    assertThat(cache.get(7L)).isEqualTo("seven");
  }

  // Keys

  @Test
  void keysWithOddCharactersAreKeptApart() {
    List<String> odd =
        List.of(
            "",
            " ",
            "a b",
            "a\nb",
            "a\r\nb",
            "}",
            "{",
            "{}",
            "*",
            "a:b",
            "\u0000",
            "ключ",
            "\uD83D\uDE00",
            "%20",
            "'",
            "\"",
            "x".repeat(10_000));
    TieredCache<String, String> one = texts();
    TieredCache<String, String> two = texts();
    odd.forEach(one::get);
    odd.forEach(one::get);
    for (String key : odd) {
      CacheAnswer<String> answer = two.lookup(key);
      assertThat(answer.value()).isEqualTo("value of " + key);
      assertThat(answer.tier()).isEqualTo(CacheAnswer.Tier.L2);
    }
    assertThat(two.getAll(odd)).hasSize(odd.size());
  }

  private TieredCache<String, String> texts() {
    return TieredCache.<String, String>builder(
            "texts",
            key ->
                new dev.waymark.PositionedRead<>(
                    "value of " + key,
                    new dev.waymark.Route(
                        "shard-1",
                        "a",
                        dev.waymark.Role.PRIMARY,
                        dev.waymark.Route.Reason.STRONG,
                        1),
                    Rows.at(100),
                    FakeTransaction.snapshot()))
        .redis(processes.tier())
        .codec(new Utf16())
        .horizons(processes.database::horizon)
        .time(processes.time)
        .build();
  }

  /** Half of a surrogate pair does not survive UTF-8. */
  private static final class Utf16 implements Codec<String> {
    @Override
    public byte[] encode(String value) {
      java.nio.ByteBuffer bytes = java.nio.ByteBuffer.allocate(value.length() * 2);
      bytes.asCharBuffer().put(value);
      return bytes.array();
    }

    @Override
    public String decode(byte[] bytes) {
      return java.nio.ByteBuffer.wrap(bytes).asCharBuffer().toString();
    }

    @Override
    public String fingerprint() {
      return "utf-16";
    }
  }

  // Values

  @Test
  void valueThatCannotBeEncodedIsReturnedAndToldOnce() {
    TieredCache<Long, String> cache = processes.cache().build();
    processes.database.rows.put(7L, "unencodable");
    processes.database.rows.put(8L, "fine");
    try (LogWatch log = new LogWatch()) {
      assertThat(cache.get(7L)).isEqualTo("unencodable");
      assertThat(cache.get(7L)).isEqualTo("unencodable");
      assertThat(cache.getAll(List.of(7L, 8L))).containsEntry(7L, "unencodable");
      assertThat(log.warnings())
          .containsExactly(
              "Cache users cannot encode a value for Redis; such values are loaded each time. Give"
                  + " its codec a type that it can write");
    }
    assertThat(cache.statistics().unshared()).isEqualTo(3);
    assertThat(cache.lookup(8L).tier()).isEqualTo(CacheAnswer.Tier.L1);
  }

  @Test
  void poisonedRedisRunsNothingAndIsAMiss() {
    record Card(long id, Object note) {}

    List<CacheListener.NotKept> told = new ArrayList<>();
    AtomicInteger unreadable = new AtomicInteger();
    TieredCache<Long, Card> cards =
        TieredCache.<Long, Card>builder(
                "cards",
                key ->
                    new dev.waymark.PositionedRead<>(
                        new Card(key, "note"),
                        new dev.waymark.Route(
                            "shard-1",
                            "a",
                            dev.waymark.Role.PRIMARY,
                            dev.waymark.Route.Reason.STRONG,
                            1),
                        Rows.at(100),
                        FakeTransaction.snapshot()))
            .redis(processes.tier())
            .codec(Codec.json(Card.class, 1))
            .horizons(processes.database::horizon)
            .listener(
                new CacheListener() {
                  @Override
                  public void unreadable(String cache) {
                    unreadable.incrementAndGet();
                  }

                  @Override
                  public void notKept(String cache, NotKept reason) {
                    told.add(reason);
                  }
                })
            .withoutL1()
            .time(processes.time)
            .build();
    cards.get(7L);
    cards.get(7L);
    told.clear();
    CacheKey address = new CacheKey("cards", "7", new KeyForm.Known<Long>().hash(7L));
    List<byte[]> poisons =
        List.of(
            new byte[0],
            "{\"@class\":\"java.io.File\"}".getBytes(StandardCharsets.UTF_8),
            // What Java's own serialization begins with.
            new byte[] {(byte) 0xAC, (byte) 0xED, 0, 5},
            new byte[1_000_000]);
    for (byte[] poison : poisons) {
      processes.redis.poison(address, bytes -> poison);
      assertThat(cards.lookup(7L))
          .satisfies(
              answer -> {
                assertThat(answer.value()).isEqualTo(new Card(7, "note"));
                assertThat(answer.tier()).isEqualTo(CacheAnswer.Tier.DATABASE);
              });
      // And mended for the next reader.
      assertThat(cards.lookup(7L).tier()).isEqualTo(CacheAnswer.Tier.L2);
    }
    assertThat(unreadable).hasValue(poisons.size());
    assertThat(told).isEmpty();
  }

  // Time

  @Test
  void clockThatJumpsMakesNothingOlderThanItsBound() {
    TieredCache<Long, String> cache = processes.cache().build();
    TieredCache<Long, String> other = processes.cache().build();
    cache.get(7L);
    cache.get(7L);
    assertThat(cache.lookup(7L).tier()).isEqualTo(CacheAnswer.Tier.L1);
    // A process that was stopped for a day and hears of nothing.
    processes.time.pass(Duration.ofDays(1));
    processes.database.rows.put(7L, "changed");
    assertThat(cache.get(7L)).isEqualTo("changed");
    assertThat(other.get(7L)).isEqualTo("changed");
  }

  @Test
  void weightsAreOfKeysAndValues() {
    TieredCache<Long, String> cache =
        TieredCache.builder("users", processes.database)
            .maximumWeight(1_000, (key, value) -> value.length())
            .time(processes.time)
            .build();
    for (long key = 0; key < 100; key++) {
      processes.database.rows.put(key, "x".repeat(100));
      cache.get(key);
    }
    assertThat(cache.condition().l1Entries()).isBetween(5L, 10L);
    processes.database.rows.put(200L, "x".repeat(2_000));
    cache.get(200L);
    assertThat(cache.lookup(200L).tier()).isEqualTo(CacheAnswer.Tier.DATABASE);
  }
}
