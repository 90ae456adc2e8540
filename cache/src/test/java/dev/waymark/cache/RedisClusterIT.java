package dev.waymark.cache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.waymark.WaymarkConfig;
import dev.waymark.testkit.TestCluster;
import java.io.File;
import java.io.IOException;
import java.net.ServerSocket;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Two processes on a Redis Cluster of three masters: every script keeps to one slot. */
@Timeout(180)
class RedisClusterIT {
  private static final int MASTERS = 3;
  private static final int SLOTS = 16_384;
  private static final List<Process> servers = new ArrayList<>();
  private static final List<Integer> ports = new ArrayList<>();
  @TempDir private static Path folder;

  private final Rows database = new Rows();

  @BeforeAll
  static void startServers() throws IOException, InterruptedException {
    String program;
    try (TestCluster single = TestCluster.builder().redis().start()) {
      program = executable(single.redis().host(), single.redis().port());
    }
    for (int i = 0; i < MASTERS; i++) {
      int port = freePort();
      ports.add(port);
      servers.add(
          new ProcessBuilder(
                  List.of(
                      program,
                      "--bind",
                      "127.0.0.1",
                      "--port",
                      String.valueOf(port),
                      "--cluster-enabled",
                      "yes",
                      "--cluster-config-file",
                      "nodes-" + port + ".conf",
                      "--dir",
                      folder.toString(),
                      "--save",
                      ""))
              .redirectOutput(new File(folder.toFile(), "log-" + port))
              .redirectErrorStream(true)
              .start());
      await()
          .ignoreExceptions()
          .until(() -> RedisCommands.send("127.0.0.1", port, "PING").equals("+PONG"));
      RedisCommands.send(
          "127.0.0.1",
          port,
          "CLUSTER SET-CONFIG-EPOCH " + (i + 1),
          "CLUSTER ADDSLOTSRANGE " + SLOTS * i / MASTERS + " " + (SLOTS * (i + 1) / MASTERS - 1));
    }
    for (int port : ports) {
      RedisCommands.send("127.0.0.1", ports.get(0), "CLUSTER MEET 127.0.0.1 " + port);
    }
    for (int port : ports) {
      await()
          .atMost(Duration.ofSeconds(30))
          .until(
              () -> {
                Map<String, String> info = info("127.0.0.1", port, "CLUSTER INFO");
                return "ok".equals(info.get("cluster_state"))
                    && "3".equals(info.get("cluster_known_nodes"));
              });
    }
  }

  @AfterAll
  static void stopServers() throws InterruptedException {
    for (Process server : servers) {
      server.destroyForcibly().waitFor();
    }
  }

  private static int freePort() throws IOException {
    // Its bus takes the port 10,000 above.
    while (true) {
      try (ServerSocket any = new ServerSocket(0)) {
        if (any.getLocalPort() < 55_000) {
          return any.getLocalPort();
        }
      }
    }
  }

  private static String executable(String host, int port) {
    return info(host, port, "INFO server").get("executable");
  }

  private static Map<String, String> info(String host, int port, String command) {
    Map<String, String> values = new HashMap<>();
    for (String line : RedisCommands.lines(host, port, command)) {
      int colon = line.indexOf(':');
      if (colon > 0) {
        values.put(line.substring(0, colon), line.substring(colon + 1));
      }
    }
    return values;
  }

  private static WaymarkConfig.Redis settings() {
    String hosts = ports.stream().map(port -> "127.0.0.1:" + port).collect(Collectors.joining(","));
    WaymarkConfig.Redis plain = WaymarkConfig.Redis.at("redis+cluster://" + hosts);
    return new WaymarkConfig.Redis(
        plain.url(),
        plain.credentials(),
        plain.trustStore(),
        Duration.ofSeconds(5),
        plain.namespace());
  }

  private TieredCache<Long, String> cache(RedisTier tier) {
    return TieredCache.builder("users", database)
        .redis(tier)
        .codec(Codec.json(String.class, 1))
        .horizons(database::horizon)
        .writeThrough()
        .build();
  }

  @Test
  void bothTiersWorkOverAllMasters() {
    try (RedisTier here = RedisTier.connect(settings());
        RedisTier there = RedisTier.connect(settings())) {
      await().atMost(Duration.ofSeconds(20)).until(() -> here.isAvailable() && there.isAvailable());
      TieredCache<Long, String> one = cache(here);
      TieredCache<Long, String> two = cache(there);
      List<Long> keys = LongStream.rangeClosed(1, 64).boxed().toList();
      keys.forEach(key -> database.rows.put(key, "old " + key));
      // The first of each bucket finds that it has no horizon yet.
      await()
          .untilAsserted(
              () -> {
                assertThat(one.getAll(keys)).hasSize(64);
                two.flushL1();
                long hits = two.statistics().l2Hits();
                assertThat(two.getAll(keys)).hasSize(64);
                assertThat(two.statistics().l2Hits() - hits).isEqualTo(64);
              });
      for (int port : ports) {
        assertThat(Integer.parseInt(RedisCommands.send("127.0.0.1", port, "DBSIZE").substring(1)))
            .isPositive();
      }

      FakeTransaction write = new FakeTransaction();
      keys.forEach(key -> one.put(write, key, "new " + key));
      write.beforeCommit();
      keys.forEach(key -> database.rows.put(key, "new " + key));
      write.afterCommit(Rows.at(200));
      await()
          .untilAsserted(
              () -> keys.forEach(key -> assertThat(two.get(key)).isEqualTo("new " + key)));

      one.invalidateAll();
      keys.forEach(key -> database.rows.put(key, "newest " + key));
      await()
          .untilAsserted(
              () -> keys.forEach(key -> assertThat(two.get(key)).isEqualTo("newest " + key)));
      assertThat(here.isAvailable() && there.isAvailable()).isTrue();
    }
  }
}
