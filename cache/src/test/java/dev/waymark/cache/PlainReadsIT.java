package dev.waymark.cache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.waymark.testkit.TestCluster;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.redisson.Redisson;
import org.redisson.client.codec.StringCodec;
import org.redisson.config.Config;

/** On a real Redis, past all that a tier does around them. */
@Timeout(60)
class PlainReadsIT {
  private static TestCluster cluster;

  private final Redisson client = connect();

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
    client.shutdown();
  }

  private static Redisson connect() {
    Config config = new Config();
    config
        .useSingleServer()
        .setAddress(cluster.redis().url())
        .setRetryAttempts(0)
        .setConnectionMinimumIdleSize(1)
        .setConnectionPoolSize(4);
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
    PlainReads reads = new PlainReads(client, Duration.ofSeconds(10));
    assertThat(mget(reads, "a", "b", "c")).containsExactly("1", "none", "3");
  }

  @Test
  void manyThreadsGetEachItsOwnAnswers() throws Exception {
    for (int key = 0; key < 64; key++) {
      set("key " + key, "value " + key);
    }
    PlainReads reads = new PlainReads(client, Duration.ofSeconds(10));
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
    PlainReads reads = new PlainReads(client, Duration.ofMillis(50));
    cluster.redis().freeze();
    try {
      assertThatThrownBy(() -> mget(reads, "a")).hasCauseInstanceOf(TimeoutException.class);
    } finally {
      cluster.redis().thaw();
    }
  }

  @Test
  void readsEndWithTheClientBeforeTheyAreDue() {
    PlainReads reads = new PlainReads(client, Duration.ofMinutes(10));
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
    PlainReads reads = new PlainReads(client, Duration.ofMinutes(10));
    assertThatThrownBy(() -> mget(reads)).hasMessageContaining("wrong number of arguments");
  }

  @Test
  void readsGoOnWhenTheServerIsBack() {
    PlainReads reads = new PlainReads(client, Duration.ofMillis(200));
    cluster.redis().kill();
    assertThatThrownBy(() -> mget(reads, "a")).isInstanceOf(ExecutionException.class);
    cluster.redis().start();
    // Redisson connects anew in the background.
    await().ignoreExceptions().until(() -> mget(reads, "a").equals(List.of("none")));
  }
}
