package dev.waymark.cache;

import static java.lang.Thread.State.WAITING;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.waymark.testkit.TestCluster;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.redisson.Redisson;
import org.redisson.client.codec.StringCodec;
import org.redisson.config.Config;
import org.redisson.misc.AsyncSemaphore;

/** On a real Redis, past all that a tier does around them. */
@Timeout(60)
class PlainReadsIT {
  private static final int CONNECTIONS = 4;

  private static TestCluster cluster;

  private final Threads threads = new Threads();
  private final Redisson client = connect();
  private final List<PlainReads> toEnd = new ArrayList<>();

  @BeforeAll
  static void startServers() {
    cluster = TestCluster.builder().redis().start();
  }

  @AfterAll
  static void stopServers() {
    cluster.close();
  }

  @AfterEach
  void disconnect() {
    toEnd.forEach(PlainReads::end);
    client.shutdown();
    threads.assertNoneLeft();
  }

  private PlainReads reads(Duration timeout) {
    return reads(timeout, Time.system());
  }

  private PlainReads reads(Duration timeout, Time time) {
    PlainReads reads = new PlainReads(client, timeout, time);
    toEnd.add(reads);
    return reads;
  }

  private static List<Thread> looking() {
    return Thread.getAllStackTraces().keySet().stream()
        .filter(thread -> thread.getName().equals("waymark-cache-reads"))
        .toList();
  }

  private static Redisson connect() {
    Config config = new Config();
    config
        .useSingleServer()
        .setAddress(cluster.redis().url())
        .setRetryAttempts(0)
        .setConnectionMinimumIdleSize(CONNECTIONS)
        .setConnectionPoolSize(CONNECTIONS);
    return (Redisson) Redisson.create(config);
  }

  private void set(String key, String value) {
    client.getBucket(key, StringCodec.INSTANCE).set(value);
  }

  private static List<String> mget(PlainReads reads, Object... keys)
      throws ExecutionException, InterruptedException {
    try {
      return reads.send(keys).get().stream().map(PlainReadsIT::text).toList();
    } finally {
      reads.over();
    }
  }

  private static String text(Object bytes) {
    return bytes == null ? "none" : new String((byte[]) bytes, StandardCharsets.UTF_8);
  }

  @Test
  void answerHasAPlaceForEachKey() throws Exception {
    set("a", "1");
    set("c", "3");
    PlainReads reads = reads(Duration.ofSeconds(10));
    assertThat(mget(reads, "a", "b", "c")).containsExactly("1", "none", "3");
  }

  @Test
  void manyThreadsGetEachItsOwnAnswers() throws Exception {
    for (int key = 0; key < 64; key++) {
      set("key " + key, "value " + key);
    }
    PlainReads reads = reads(Duration.ofSeconds(10));
    ExecutorService threads = Executors.newFixedThreadPool(8);
    try {
      List<Future<?>> all = new ArrayList<>();
      for (int thread = 0; thread < 8; thread++) {
        int from = thread;
        all.add(
            threads.submit(
                () -> {
                  for (int i = 0; i < 500; i++) {
                    int key = (from * 8 + i) % 64;
                    assertThat(mget(reads, "key " + key, "absent"))
                        .containsExactly("value " + key, "none");
                  }
                  return null;
                }));
      }
      for (Future<?> each : all) {
        each.get();
      }
    } finally {
      threads.shutdown();
      assertThat(threads.awaitTermination(30, TimeUnit.SECONDS)).isTrue();
    }
  }

  @Test
  void readThatIsOverdueEnds() {
    PlainReads reads = reads(Duration.ofMillis(50));
    cluster.redis().freeze();
    try {
      assertThatThrownBy(() -> mget(reads, "a")).hasCauseInstanceOf(TimeoutException.class);
    } finally {
      cluster.redis().thaw();
    }
  }

  @Test
  void readEndsThoughTheThreadThatLooksWasAsleep() {
    PlainReads reads = reads(Duration.ofMillis(50));
    // Without a time-out; with one it were TIMED_WAITING.
    await()
        .untilAsserted(
            () -> assertThat(looking()).extracting(Thread::getState).containsExactly(WAITING));
    cluster.redis().freeze();
    try {
      assertThatThrownBy(() -> mget(reads, "a")).hasCauseInstanceOf(TimeoutException.class);
    } finally {
      cluster.redis().thaw();
    }
    await()
        .untilAsserted(
            () -> assertThat(looking()).extracting(Thread::getState).containsExactly(WAITING));
  }

  @Test
  void readEndsThoughLooksFailed() {
    AtomicInteger failures = new AtomicInteger();
    PlainReads reads =
        reads(
            Duration.ofMillis(50),
            new Time() {
              @Override
              public long nanos() {
                if (looking().contains(Thread.currentThread()) && failures.incrementAndGet() <= 3) {
                  throw new OutOfMemoryError("as if");
                }
                return System.nanoTime();
              }

              @Override
              public void pause(Duration duration) {
                throw new AssertionError("nobody pauses");
              }
            });
    cluster.redis().freeze();
    try {
      assertThatThrownBy(() -> mget(reads, "a")).hasCauseInstanceOf(TimeoutException.class);
    } finally {
      cluster.redis().thaw();
    }
    assertThat(failures.get()).isGreaterThan(3);
  }

  @Test
  void overdueReadLeavesThePoolsQueue() {
    PlainReads patient = reads(Duration.ofMinutes(10));
    PlainReads hasty = reads(Duration.ofMillis(50));
    AsyncSemaphore pool = pool();
    cluster.redis().freeze();
    try {
      // One more than there are connections, all of which are made when the client is.
      List<PlainReads.Read> holding =
          Stream.generate(() -> patient.send("a")).limit(CONNECTIONS + 1).toList();
      assertThat(pool.queueSize()).isEqualTo(1);
      assertThatThrownBy(() -> mget(hasty, "a")).hasCauseInstanceOf(TimeoutException.class);
      await().untilAsserted(() -> assertThat(pool.queueSize()).isEqualTo(1));
      assertThat(holding).noneMatch(PlainReads.Read::isDone);
    } finally {
      cluster.redis().thaw();
    }
  }

  @Test
  void connectionIsFreeBeforeWhoWaitsIsWoken() {
    PlainReads reads = reads(Duration.ofMinutes(10));
    AtomicInteger freeWhenAnswered = new AtomicInteger();
    CompletableFuture<Void> answered;
    cluster.redis().freeze();
    try {
      // Run by who completes the read, before whatever was there to be run first.
      answered = reads.send("a").thenRun(() -> freeWhenAnswered.set(pool().getCounter()));
      assertThat(pool().getCounter()).isEqualTo(CONNECTIONS - 1);
    } finally {
      cluster.redis().thaw();
    }
    answered.join();
    assertThat(freeWhenAnswered).hasValue(CONNECTIONS);
  }

  @Test
  void connectionOfAnOverdueReadGoesBackOnce() throws Exception {
    PlainReads hasty = reads(Duration.ofMillis(50));
    cluster.redis().freeze();
    try {
      assertThatThrownBy(() -> mget(hasty, "a")).hasCauseInstanceOf(TimeoutException.class);
    } finally {
      cluster.redis().thaw();
    }
    PlainReads patient = reads(Duration.ofMinutes(10));
    // As many as there are connections, so that the late answer has come on one of them.
    List<PlainReads.Read> all =
        Stream.generate(() -> patient.send("a")).limit(CONNECTIONS).toList();
    for (PlainReads.Read each : all) {
      each.get();
    }
    await().untilAsserted(() -> assertThat(pool().getCounter()).isEqualTo(CONNECTIONS));
  }

  private AsyncSemaphore pool() {
    return client
        .getCommandExecutor()
        .getConnectionManager()
        .getWriteEntry(0)
        .getAllEntries()
        .iterator()
        .next()
        .getConnectionsHolder()
        .getFreeConnectionsCounter();
  }

  @Test
  void readsEndWithTheClientBeforeTheyAreDue() {
    PlainReads reads = reads(Duration.ofMinutes(10));
    cluster.redis().freeze();
    try {
      PlainReads.Read waiting = reads.send("a");
      assertThat(waiting).isNotDone();
      reads.end();
      assertThatThrownBy(waiting::get).hasMessageContaining("not connected");
      assertThatThrownBy(() -> mget(reads, "a")).hasMessageContaining("not connected");
    } finally {
      cluster.redis().thaw();
    }
  }

  @Test
  void errorOfTheServerIsTheAnswer() {
    PlainReads reads = reads(Duration.ofMinutes(10));
    assertThatThrownBy(() -> mget(reads)).hasMessageContaining("wrong number of arguments");
  }

  @Test
  void readsGoOnWhenTheServerIsBack() {
    PlainReads reads = reads(Duration.ofMillis(200));
    cluster.redis().kill();
    assertThatThrownBy(() -> mget(reads, "a")).isInstanceOf(ExecutionException.class);
    cluster.redis().start();
    // Redisson connects anew in the background.
    await().ignoreExceptions().until(() -> mget(reads, "a").equals(List.of("none")));
  }
}
